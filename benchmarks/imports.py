"""CPU time of imports, against that of ``import jax``. Run: ``python -m benchmarks.imports``."""

import resource
import statistics
import subprocess
import sys

STATEMENTS = ("import jax", "import ibjax", "from ibjax.mi import binned_mi")
ROUNDS = 7


def cpu_seconds(statement: str) -> float:
    """Return the CPU time in seconds of a new process that runs the statement alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print medians and ratios; the statements take turns, so that a slow spell is shared."""
    for statement in STATEMENTS:
        cpu_seconds(statement)  # byte code is written, files are read once
    rounds = [[cpu_seconds(statement) for statement in STATEMENTS] for _ in range(ROUNDS)]
    of_jax = statistics.median(times[0] for times in rounds)
    for statement, times in zip(STATEMENTS, zip(*rounds, strict=True), strict=True):
        seconds = statistics.median(times)
        print(f"{statement:30} {seconds:5.2f} s of CPU time, {seconds / of_jax:4.2f} times import jax")


if __name__ == "__main__":
    main()
