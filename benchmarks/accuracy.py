"""How close the estimators come on the 40 tasks of the bmi benchmark, whose information is known.

For each number of samples one table (Markdown, printed row by row): the task, its true information,
and each estimator's mean and standard deviation over the draws, with the mean's error. All in bits,
except where it says nats. Tasks that map another's samples get the same draws, so that their rows
differ by what the map does to the estimator.

The estimators run with their default options:

* ``gaussian``: ``gaussian_mi``; ``plain``: the same without its correction for bias;
* ``ksg``: ``ksg_mi`` with k = 3; ``ksg2``: its second variant;
* ``edge``: ``edge_mi``;
* ``renyi``: ``renyi_mi``, up to 1000 samples, as its time grows with their cube. It is another
  quantity, whose value its kernel widths decide: its error is no sign of a defect;
* ``infonce``: ``variational_mi``, which trains a network for each draw; only where it is asked for.

Beyond the tables: how the errors spread, and on other, more draws what is known of the normal tasks:
the plain Gaussian estimator is too high by about dx dy / 2N nats, the corrected one is not, and KSG
is far too low in 25 + 25 dimensions. Run::

    python -m benchmarks.accuracy [--estimators NAME ...] [--tasks PART ...] [--sizes 1000 10000]
        [--draws 10] [--known-draws 200] [--seed 0]

Beside other work, ``OPENBLAS_NUM_THREADS=1`` keeps the threads of the singular value decompositions
from waiting for each other, which takes a hundred times their work.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from benchmarks import timing
from benchmarks.tasks import TASKS, Task
from ibjax.mi import edge_mi, gaussian_mi, ksg_mi, renyi_mi, variational_mi


class Estimator(NamedTuple):
    """Bits of (x, y, key), compiled once for each shape, and the most samples it is run on."""

    mi: Callable
    at_most: float = float("inf")


ESTIMATORS = {
    "gaussian": Estimator(jax.jit(lambda x, y, key: gaussian_mi(x, y))),
    "plain": Estimator(jax.jit(lambda x, y, key: gaussian_mi(x, y, correction=False))),
    "ksg": Estimator(jax.jit(lambda x, y, key: ksg_mi(x, y, k=3))),
    "ksg2": Estimator(jax.jit(lambda x, y, key: ksg_mi(x, y, k=3, variant=2))),
    "edge": Estimator(jax.jit(lambda x, y, key: edge_mi(x, y, key=key))),
    "renyi": Estimator(jax.jit(lambda x, y, key: renyi_mi(x, y)), at_most=1000),
    "infonce": Estimator(jax.jit(lambda x, y, key: variational_mi(x, y, key=key, bound="infonce"))),
}
DEFAULT = ("gaussian", "plain", "ksg", "edge", "renyi")

SPARSE_25 = "multinormal-sparse-25-25-2-2.0"
FEW = 10

# Estimates in bits of one number of samples: by task and estimator, one a draw.
Estimates = dict[tuple[str, str], np.ndarray]


def bits(nats: float) -> float:
    return nats / np.log(2)


def estimate(task: Task, names: Sequence[str], n: int, draws: int, seed: int) -> Estimates:
    """Of one task, by all estimators that take n samples."""
    result: dict[tuple[str, str], list[float]] = {}
    for draw in range(draws):
        # Not the task's own numbers: a mapped task gets the draws of the one that it maps.
        x, y = task.sample(np.random.default_rng([seed, n, draw]), n)
        key = jax.random.fold_in(jax.random.key(seed), draw)
        for name in names:
            if n <= ESTIMATORS[name].at_most:
                value = ESTIMATORS[name].mi(x.astype(np.float32), y.astype(np.float32), key)
                result.setdefault((task.name, name), []).append(float(value))
    return {where: np.array(values) for where, values in result.items()}


def print_row(cells: Sequence[str], widths: Sequence[int]) -> None:
    first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    print("|", " | ".join([first, *others]), "|", flush=True)


def cell(values: np.ndarray | None, truth: float) -> str:
    """Mean ± standard deviation (error); NaN where a draw failed."""
    if values is None:
        return "-"
    spread = values.std(ddof=1) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ± {spread:.3f} ({values.mean() - truth:+.3f})"


def print_table(tasks: Sequence[Task], names: Sequence[str], n: int, draws: int, seed: int) -> Estimates:
    """The rows of all tasks, each as soon as it is there."""
    longest = max(len(task.name) for task in tasks)
    widths = [longest, 5, *[24] * len(names)]
    print(f"N = {n}, {draws} draws: mean ± standard deviation (error), bits\n")
    print_row(["task", "truth", *names], widths)
    print("|", " | ".join("-" * width for width in widths), "|")
    result: Estimates = {}
    for task in tasks:
        truth = bits(task.mi_nats)
        found = estimate(task, names, n, draws, seed)
        result |= found
        cells = [cell(found.get((task.name, name)), truth) for name in names]
        print_row([task.name, f"{truth:.3f}", *cells], widths)
    return result


def print_spread(estimates: Estimates, names: Sequence[str]) -> None:
    """How the errors of the tasks spread, by estimator."""
    rows = []
    for name in names:
        errors = {task: values.mean() - bits(TASKS[task].mi_nats)
                  for (task, by), values in estimates.items() if by == name}  # fmt: skip
        if not errors:
            continue
        failed = sum(bool(np.isnan(error)) for error in errors.values())
        known = {task: error for task, error in errors.items() if not np.isnan(error)}
        sizes = np.abs(list(known.values())) if known else np.array([np.nan])
        worst = max(known, key=lambda task: abs(known[task]), default="")
        row = [name, float(np.median(sizes)), int((sizes < 0.05).sum()), failed]
        rows.append([*row, f"{known.get(worst, np.nan):+.3f}  {worst}"])
    header = ["estimator", "median |error|", "tasks within 0.05", "with NaN", "largest error"]
    print("\n" + timing.table(header, rows), end="\n\n")


def print_known(names: Sequence[str], draws: int, seed: int) -> None:
    """What is known of the normal tasks at N = 1000 beside what is found, in nats."""
    n = 1000
    cases = []
    if "ksg" in names:
        ten = f"mean of {FEW} draws within .03 of .413, deviation about .033"
        cases += [("1v1-normal-0.75", "ksg", draws, ten), (SPARSE_25, "ksg", FEW, "far too low")]
    for name in ("plain", "gaussian"):
        for task in TASKS.values():
            if name in names and task.name.startswith("multinormal-dense"):
                excess = f"too high by dx dy / 2N = {task.dim_x * task.dim_y / (2 * n):.4f}"
                cases.append((task.name, name, draws, excess if name == "plain" else "unbiased"))
    rows = []
    for where, name, count, known in cases:
        nats = estimate(TASKS[where], [name], n, count, seed + 1)[where, name] * np.log(2)
        error, spread = nats.mean() - TASKS[where].mi_nats, nats.std(ddof=1)
        found = f"{error:+.4f} +- {spread / count**0.5:.4f}"
        rows.append([where, name, count, f"{nats.mean():.3f}", f"{spread:.3f}", found, known])
    header = ["task", "estimator", "draws", "mean", "deviation", "mean's error", "known"]
    print(f"N = {n}, nats\n\n" + timing.table(header, rows), end="\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimators on the tasks of the bmi benchmark.")
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=DEFAULT)
    parser.add_argument("--tasks", nargs="+", default=[""], help="parts of names; default: all 40")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000], help="samples")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--known-draws", type=int, default=200, help="0: leave this part out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tasks = [task for name, task in TASKS.items() if any(part in name for part in args.tasks)]
    if not tasks:
        parser.error(f"--tasks: no task's name contains {' or '.join(args.tasks)}")
    print(timing.machine(), end="\n\n")
    start = time.perf_counter()
    for n in args.sizes:
        estimates = print_table(tasks, args.estimators, n, args.draws, args.seed)
        print_spread(estimates, args.estimators)
    if args.known_draws > 1:
        print_known(args.estimators, args.known_draws, args.seed)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
