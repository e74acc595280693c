"""Training of 50 networks: ibjax against the obvious JAX version and a plain PyTorch loop.

What is timed: one epoch of gradient descent for 50 networks 12-10-7-5-4-3-2 (tanh, learning rate
0.1), each on its own random 3277 of the symmetric task's 4096 inputs, in random batches of 256 (13
steps, the last of 205). All versions take every training sample once an epoch.

* ibjax: ``fit``, recording epochs 0 and the last only; in one thread and in one for each core.
* obvious JAX: ``jit(vmap(scan))`` over seeds, ``jax.random.permutation``, row-major dense layers, a
  gather per step; its loss by a one-hot product.
* PyTorch: ``nn.Sequential``, ``optim.SGD`` and a loop over ``randperm``, one network after another;
  a few networks are timed and scaled to 50. With its default threads and with one: on a machine
  that does other work too, its threads wait for each other and the default is many times slower.

An epoch's time is the difference of a long and a short run, so that start and end drop out; each
round runs every version once, and medians over rounds are printed. Run::

    python -m benchmarks.training [--rounds 7] [--epochs 60]
"""

import argparse
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks import timing
from benchmarks.obvious import BATCH, WIDTHS, obvious_epoch
from ibjax.datasets import random_split, symmetric_task
from ibjax.training import TrainConfig, fit
from ibjax.training.devices import usable_cores

NUM_SEEDS = 50
RATE = 0.1
TRAIN_FRACTION = 0.8
TIMED_TORCH_NETWORKS = 5
FEW_EPOCHS = 5
GOALS = {"obvious JAX": 5, "PyTorch, 1 thread": 12, "PyTorch": 12}


def nothing(params, data, split) -> dict:
    """A record that measures nothing."""
    return {}


def ibjax_epochs(num_epochs: int, devices, **settings) -> None:
    """``fit`` for so many epochs."""
    config = TrainConfig(num_epochs=num_epochs, learning_rate=RATE, **settings)
    seeds = range(NUM_SEEDS)
    fit(config, symmetric_task(), seeds=seeds, record=nothing, schedule=[], devices=devices)


def obvious_epochs(num_epochs: int) -> None:
    """The obvious JAX version for so many epochs."""
    data = symmetric_task()
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    keys = jax.random.split(jax.random.key(0), NUM_SEEDS)
    rows = jax.vmap(lambda key: random_split(key, len(y), TRAIN_FRACTION).train)(keys)

    def init(key):
        shapes = itertools.pairwise(WIDTHS)
        return [(jax.random.normal(key, s) / s[0] ** 0.5, jnp.zeros(s[1])) for s in shapes]

    params = jax.vmap(init)(keys)
    epoch = jax.jit(jax.vmap(obvious_epoch, in_axes=(0, 0, 0, None, None, None)))
    for i in range(num_epochs):
        epoch_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
        params = epoch(params, epoch_keys, rows, x, y, RATE)
    jax.block_until_ready(params)


def torch_epochs(num_epochs: int, num_threads: int) -> None:
    """A plain PyTorch loop over a few networks, for so many epochs."""
    torch.set_num_threads(num_threads)
    data = symmetric_task()
    all_x, all_y = torch.tensor(np.asarray(data.x)), torch.tensor(np.asarray(data.y)).long()
    num_train = round(TRAIN_FRACTION * len(all_y))
    for seed in range(TIMED_TORCH_NETWORKS):
        torch.manual_seed(seed)
        rows = torch.randperm(len(all_y))[:num_train]
        x, y = all_x[rows], all_y[rows]
        layers = []
        for fan_in, fan_out in itertools.pairwise(WIDTHS):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.Tanh()]
        network = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
        for _ in range(num_epochs):
            order = torch.randperm(num_train)
            for start in range(0, num_train, BATCH):
                batch = order[start : start + BATCH]
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
                optimizer.step()


def versions(epochs: int) -> dict[str, Callable[[], float]]:
    """All versions by name, each returning seconds an epoch for 50 networks."""
    result: dict[str, Callable[[], float]] = {}
    groups: dict[str, Any] = {"1 thread": jax.local_devices()[:1]}
    if usable_cores() > 1:
        groups[f"{usable_cores()} threads"] = None
    recipes = {"": {}, ", not shuffled": {"shuffle": False}, ", full batch": {"batch_size": None}}
    for suffix, settings in recipes.items():
        for group, used in groups.items():
            run = functools.partial(ibjax_epochs, devices=used, **settings)
            result[f"ibjax, {group}{suffix}"] = functools.partial(
                timing.seconds_per_unit, run, FEW_EPOCHS, epochs
            )
    few, many = 1, max(2, epochs // 10)
    result["obvious JAX"] = lambda: timing.seconds_per_unit(obvious_epochs, few, many)
    scale = NUM_SEEDS / TIMED_TORCH_NETWORKS
    for name, threads in {"PyTorch, 1 thread": 1, "PyTorch": torch.get_num_threads()}.items():
        train = functools.partial(torch_epochs, num_threads=threads)
        result[name] = lambda train=train: scale * timing.seconds_per_unit(train, few, many)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Training of 50 networks, side by side.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=60, help="of ibjax's long runs")
    args = parser.parse_args()
    print(timing.machine(), end="\n\n")
    times = timing.interleaved(versions(args.epochs), args.rounds)
    devices = [name for name in times if name.startswith("ibjax") and name.count(",") == 1]
    rows = [
        [name, float(np.median(t)) * 1e3, *(timing.ratio(times, name, other) for other in devices),
         f">= {GOALS[name]}" if name in GOALS else ""]
        for name, t in times.items()
    ]  # fmt: skip
    header = ["version", "ms an epoch", *(f"x {name}" for name in devices), "goal (last ratio)"]
    print(timing.table(header, rows), end="\n\n")
    for name in devices:
        shuffling = np.median(1 - times[f"{name}, not shuffled"] / times[name])
        print(f"{name}: {shuffling:.0%} of an epoch is shuffling, the rest training")


if __name__ == "__main__":
    main()
