"""The main job, ``python -m experiments.sgd_vs_bgd``: wall time, peak memory, where the time goes.

The job runs in a process of its own, at full scale by default, and its wall time and peak resident
memory are what the operating system reports. Its pieces are then timed here, through the library,
for each arm (activation and optimizer):

* training and shuffling: ``fit`` without measurements, a long run less a short one, with and
  without ``shuffle``; times the job's epochs;
* measurement: ``PlaneRecord`` on networks trained for a while, in the blocks and on the devices
  that ``fit`` uses; times the job's recorded epochs, read from its result file;
* compilation: a first, short ``fit`` less a second one.

What the pieces do not explain is printed as the rest: imports, checkpoints, files, figures, and
networks that take longer to measure late in training. Run::

    python -m benchmarks.main_job [--epochs N] [--seeds 50] [--rounds 3]
"""

import argparse
import dataclasses
import functools
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import xarray

from benchmarks import timing
from experiments.sgd_vs_bgd import ACTIVATIONS, OPTIMIZERS, Config, arm_config
from ibjax.analysis.records import PlaneRecord
from ibjax.batching import blocks_of_seeds, default_lanes
from ibjax.datasets import first_rows_split, symmetric_task
from ibjax.presets import preset
from ibjax.training import TrainConfig, fit, make_model

# Epochs of the runs whose difference is timed; the longer one also trains what is measured.
FEW, MANY = 10, 110


def run_job(arguments: list[str], out: str) -> tuple[float, float]:
    """Seconds and peak memory in GB of the experiment in a process of its own."""
    command = [sys.executable, "-m", "experiments.sgd_vs_bgd", "--out", out, *arguments]
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return wall, peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def nothing(params, data, split) -> dict:
    """A record that measures nothing."""
    return {}


def train(num_epochs: int, config: TrainConfig, num_seeds: int):
    """Final parameters of ``fit`` without measurements, leaves (seed, ...)."""
    config = dataclasses.replace(config, num_epochs=num_epochs)
    seeds = range(num_seeds)
    return fit(config, symmetric_task(), seeds=seeds, record=nothing, schedule=[]).params


def pieces(config: TrainConfig, num_seeds: int, rounds: int) -> dict[str, float]:
    """Seconds of an epoch's training and shuffling, of one measurement, and of compilation."""
    record = PlaneRecord(make_model(config), preset(Config().preset).estimator)
    data = symmetric_task()

    def compile_and_run():
        settings = dataclasses.replace(config, num_epochs=1)
        fit(settings, data, seeds=range(num_seeds), record=record, schedule=[])

    first, second = timing.seconds(compile_and_run), timing.seconds(compile_and_run)
    params = train(MANY, config, num_seeds)
    split = first_rows_split(len(data.y), config.train_fraction)
    measure = jax.jit(jax.vmap(record, in_axes=(0, None, None)))
    lanes = default_lanes(jax.default_backend())
    blocks = []
    for block in blocks_of_seeds(range(num_seeds), lanes):
        rows = np.resize(block, lanes)
        of_block = jax.tree.map(lambda p, rows=rows: p[rows], params)
        blocks.append((of_block, data, split))

    def per_epoch(**settings):
        run = functools.partial(
            train, config=dataclasses.replace(config, **settings), num_seeds=num_seeds
        )
        return timing.seconds_per_unit(run, FEW, MANY)

    versions = {
        "epoch": per_epoch,
        "measurement": lambda: timing.seconds(lambda: timing.in_threads(measure, blocks)),
    }
    if config.batch_size is not None:
        versions["unshuffled"] = functools.partial(per_epoch, shuffle=False)
    times = {name: float(np.median(t)) for name, t in timing.interleaved(versions, rounds).items()}
    unshuffled = times.pop("unshuffled", times["epoch"])
    return {
        "training": unshuffled,
        "shuffling": times["epoch"] - unshuffled,
        "measurement": times["measurement"],
        "compilation": first - second,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of the main job.")
    parser.add_argument("--epochs", type=int, help="default: the experiment's own")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="of timing the pieces")
    args = parser.parse_args()
    options = ["--seeds", str(args.seeds)]
    if args.epochs is not None:
        options += ["--epochs", str(args.epochs)]
    # First of all: a process's peak memory counts from what its parent held when it started.
    with tempfile.TemporaryDirectory() as out:
        wall, peak = run_job(options, out)
        with xarray.open_dataset(Path(out) / "sgd_vs_bgd" / "results.nc") as results:
            epochs, recorded = int(results.epoch[-1]), results.sizes["epoch"]
    print(f"{timing.machine()}\n")
    print(f"{args.seeds} seeds, {epochs} epochs, {recorded} of them recorded: ", end="")
    print(f"{wall:.1f} s, peak memory {peak:.2f} GB\n")
    times = {"training": epochs, "shuffling": epochs, "measurement": recorded, "compilation": 1}
    rows, total = [], dict.fromkeys(times, 0.0)
    for activation, optimizer in itertools.product(ACTIVATIONS, OPTIMIZERS):
        one = pieces(arm_config(Config(), activation, optimizer), args.seeds, args.rounds)
        in_job = {name: one[name] * times[name] for name in times}
        total = {name: total[name] + in_job[name] for name in times}
        rows.append([f"{activation}, {optimizer}", *in_job.values(), sum(in_job.values())])
    rows.append(["all", *total.values(), sum(total.values())])
    rows.append(["share of the job", *(f"{t / wall:.0%}" for t in rows[-1][1:])])
    print("seconds of the job, from the pieces timed alone\n")
    print(timing.table(["arm", *times, "sum"], rows), end="\n\n")
    print(f"rest of the job: {wall - sum(total.values()):.1f} s")


if __name__ == "__main__":
    main()
