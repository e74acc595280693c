"""A grid of settings: ``sweep`` against a loop over cells, and against ``fit``.

What is timed: a grid of 5 learning rates x 5 initial scales with 20 seeds a cell, 300 epochs of batches
of 256, the first and the last epoch measured; everything from the call to the result,
compilation included.

* sweep: ``ibjax.training.sweep``, one program for all cells.
* loop, constant rate: a Python loop over cells around the obvious ``jit(vmap(scan))``, with the
  learning rate as a constant, so that every rate is compiled.
* loop, traced rate: the same with the learning rate as an argument, compiled once.
* fit: one ``fit`` of as many networks, for the cost of a network and epoch; compilation dropped by the
  difference of a long and a short run, for ``sweep`` too.

The loops run a part of the epochs; their time without compilation is scaled to all. A last part trains
20,000 networks for a few epochs and prints the memory of a process of its own. Run::

    python -m benchmarks.sweep [--epochs 300] [--rounds 3]
"""

import argparse
import functools
import itertools
import multiprocessing
import resource
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import timing
from benchmarks.obvious import WIDTHS, obvious_epoch
from ibjax.analysis import PlaneRecord
from ibjax.datasets import random_split, symmetric_task
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model, sweep

RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
SCALES = [0.25, 0.5, 1.0, 2.0, 4.0]
NUM_SEEDS = 20
TRAIN_FRACTION = 0.8
PART = 10  # the loops run a part of the epochs
MANY = {"seeds": 50, "rates": 20, "scales": 20}  # 20,000 networks


def of_sweep(num_epochs: int) -> None:
    """The grid by ``sweep``."""
    config = TrainConfig(num_epochs=num_epochs)
    record = PlaneRecord(make_model(config), binned_mi)
    over = {"learning_rate": RATES, "init_scale": SCALES}
    sweep(config, symmetric_task(), over=over, seeds=range(NUM_SEEDS), record=record, schedule=[])


def of_fit(num_epochs: int) -> None:
    """As many networks by one ``fit``."""
    config = TrainConfig(num_epochs=num_epochs)
    record = PlaneRecord(make_model(config), binned_mi)
    seeds = range(NUM_SEEDS * len(RATES) * len(SCALES))
    fit(config, symmetric_task(), seeds=seeds, record=record, schedule=[])


def of_loop(num_epochs: int, *, traced: bool) -> float:
    """The grid by a loop over cells; return seconds, scaled from a part of the epochs."""
    data = symmetric_task()
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    keys = jax.random.split(jax.random.key(0), NUM_SEEDS)
    rows = jax.vmap(lambda key: random_split(key, len(y), TRAIN_FRACTION).train)(keys)
    axes = (0, 0, 0, None, None, None)
    shared = jax.jit(jax.vmap(obvious_epoch, in_axes=axes))
    compiling = running = 0.0
    for rate in RATES:
        of_rate = shared
        if not traced:
            of_rate = jax.jit(jax.vmap(functools.partial(obvious_epoch, rate=rate), in_axes=axes[:-1]))
        for scale in SCALES:
            params = [
                (scale * jax.random.normal(keys[0], (NUM_SEEDS, *s)) / s[0] ** 0.5,
                 jnp.zeros((NUM_SEEDS, s[1])))
                for s in itertools.pairwise(WIDTHS)
            ]  # fmt: skip
            times = []
            for i in range(max(num_epochs // PART, 2)):
                start = time.perf_counter()
                own = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
                arguments = (params, own, rows, x, y, *([rate] if traced else []))
                params = jax.block_until_ready(of_rate(*arguments))
                times.append(time.perf_counter() - start)
            compiling += times[0]
            running += float(np.median(times[1:])) * num_epochs
    return compiling + running


def seconds(function: Callable[[int], None], num_epochs: int) -> float:
    start = time.perf_counter()
    function(num_epochs)
    return time.perf_counter() - start


def twenty_thousand(queue: multiprocessing.Queue) -> None:
    """Train 20,000 networks for two epochs; report seconds and the process's peak memory in GB."""
    config = TrainConfig(num_epochs=2)
    over = {
        "learning_rate": np.geomspace(0.003, 3, MANY["rates"]),
        "init_scale": np.geomspace(0.125, 8, MANY["scales"]),
    }
    record = PlaneRecord(make_model(config), binned_mi)
    start = time.perf_counter()
    sweep(config, symmetric_task(), over=over, seeds=range(MANY["seeds"]), record=record, schedule=[])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    queue.put((time.perf_counter() - start, peak))


def main() -> None:
    parser = argparse.ArgumentParser(description="A grid of settings against the obvious ways.")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=twenty_thousand, args=(queue,))
    process.start()
    wall, peak = queue.get()
    process.join()
    print(f"{timing.machine()}\n")
    networks = NUM_SEEDS * len(RATES) * len(SCALES)
    jax.clear_caches()
    whole = {"sweep": seconds(of_sweep, args.epochs)}
    whole["loop, constant rate"] = of_loop(args.epochs, traced=False)
    whole["loop, traced rate"] = of_loop(args.epochs, traced=True)
    rows = [[name, t, t / whole["sweep"]] for name, t in whole.items()]
    print(f"{networks} networks, {args.epochs} epochs, compilation included\n")
    print(timing.table(["version", "seconds", "times sweep"], rows), end="\n\n")
    few, many = 2, max(args.epochs // PART, 4)
    versions = {
        "sweep": lambda: timing.seconds_per_unit(of_sweep, few, many),
        "fit": lambda: timing.seconds_per_unit(of_fit, few, many),
    }
    times = timing.interleaved(versions, args.rounds)
    of_one = {name: 1e6 * float(np.median(t)) / networks for name, t in times.items()}
    ratio = timing.ratio(times, "sweep", "fit")
    print(f"microseconds a network and epoch: sweep {of_one['sweep']:.1f}, fit {of_one['fit']:.1f}")
    print(f"sweep takes {ratio:.2f} times as long (median of the rounds' ratios)\n")
    print(f"{np.prod(list(MANY.values()))} networks, 2 epochs: {wall:.0f} s, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
