"""The binned estimator: ibjax's ``binned_mi`` against the 2018 code's method.

What is timed: H(T) and I(T;Y) with bins of width 0.07 for every layer (10, 7, 5, 4, 3 and 2 units,
4096 samples) of the same 50 networks, at three epochs of their training.

* 2018 code: ``floor(t / w)`` as integers, ``np.unique`` of the rows as raw bytes with inverse and
  counts; H(T), and H(T|Y) by one more pass for each label. One layer at a time, on one core.
* ibjax: ``jit(vmap(binned_mi))`` of all 50 networks, (50, 4096, units) and labels, and of 13.
* Sorts alone, of the same patterns of 13 networks as 64-bit words: NumPy's, ibjax's (NumPy's, called
  from a program) and XLA's. Narrow layers' words fit into 32 bits, which ``binned_mi`` sorts in half
  the time.

The process stays on one core, where the system can keep it there. Each round runs every version for
each width and epoch. Microseconds are per layer of one network: medians over rounds of means over
epochs. How far the results differ is printed too.

With ``--wide`` instead: single layers of 128 to 4096 units, random tanh units of few different inputs,
as a device's array and as one of NumPy. Memory is what the program takes beyond the layer. Run::

    python -m benchmarks.binned [--rounds 7] [--wide]
"""

import argparse
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import timing
from ibjax.datasets import symmetric_task
from ibjax.mi import binned_mi
from ibjax.sorting import sort_words_64
from ibjax.training import TrainConfig, fit, make_model

BIN_WIDTH = 0.07
NUM_SEEDS = 50
BLOCK = 13
NUM_2018 = 2  # networks an epoch that the 2018 code's method is timed on
EPOCHS = (0, 100, 1000)
REPEATS = 5
UNITS = (10, 7, 5, 4, 3, 2)
GOAL = "goal 25, aim 40"
WIDE = ((10_000, 128), (10_000, 1024), (10_000, 4096), (60_000, 1024))
WIDE_GOAL = "goal 10"


def trained_layers() -> list[np.ndarray]:
    """Activations of each layer, (epoch, seed, 4096, units), the softmax output last."""
    config = TrainConfig(widths=UNITS, num_epochs=max(EPOCHS))
    model = make_model(config)

    def record(params, data, split):
        logits, hidden = model.apply(params, data.x)
        return [*hidden, jax.nn.softmax(logits)]

    seeds = range(NUM_SEEDS)
    history = fit(config, symmetric_task(), seeds=seeds, record=record, schedule=EPOCHS)
    return [t.swapaxes(0, 1) for t in history.records]


def entropy_2018(t: np.ndarray) -> float:
    """H(T) in nats by the 2018 code's method."""
    index = np.ascontiguousarray(np.floor(t / BIN_WIDTH).astype(int))
    rows = index.view(np.dtype((np.void, index.itemsize * index.shape[1])))
    _, _, counts = np.unique(rows, return_inverse=True, return_counts=True)
    p = counts / float(sum(counts))  # Python's sum, as there
    return -np.sum(p * np.log(p))


def mi_2018(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """I(X;T) and I(T;Y) in bits by the 2018 code's method."""
    h = entropy_2018(t)
    h_given_y = sum((y == k).mean() * entropy_2018(t[y == k]) for k in (0, 1))
    return h / np.log(2), (h - h_given_y) / np.log(2)


@jax.jit
def mi_of_networks(t, y):
    return jax.vmap(lambda t: binned_mi(t, y, bin_width=BIN_WIDTH))(t)


def words_of(t: np.ndarray) -> np.ndarray:
    """Activations in [-1, 1], (..., n, units), as (..., n) uint64: 6 bits a unit."""
    index = (np.floor(t / BIN_WIDTH) + 32).astype(np.uint64)
    return (index << (6 * np.arange(t.shape[-1], dtype=np.uint64))).sum(-1, dtype=np.uint64)


def versions(layer: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], float]]:
    """By name, each returning seconds for ``layer`` (epoch, seed, n, units) of one network."""
    blocks = [(jnp.asarray(t[:BLOCK]), jnp.asarray(y)) for t in layer]
    at_once = [(jnp.asarray(t), jnp.asarray(y)) for t in layer]
    words = [words_of(t[:BLOCK]) for t in layer]
    halves = [(jnp.asarray(w >> 32, jnp.uint32), jnp.asarray(w & 0xFFFFFFFF, jnp.uint32))
              for w in words]  # fmt: skip

    def mean(function: Callable, arguments: Sequence[tuple], networks: int, repeats=REPEATS):
        def measure():
            times = [timing.seconds(lambda args=args: function(*args), repeats) for args in arguments]
            return sum(times) / (len(arguments) * networks)

        return measure

    few = [(t[i], y) for t in layer for i in range(NUM_2018)]
    return {
        "2018 code": mean(mi_2018, few, 1, 1),
        "ibjax, 50": mean(mi_of_networks, at_once, NUM_SEEDS),
        "ibjax, 13": mean(mi_of_networks, blocks, BLOCK),
        "np.sort": mean(np.sort, [(w,) for w in words], BLOCK),
        "ibjax sort": mean(jax.jit(jax.vmap(sort_words_64)), halves, BLOCK),
        "lax.sort": mean(jax.jit(lambda *w: lax.sort(w, num_keys=2)), halves, BLOCK),
    }


def largest_difference(layers: list[np.ndarray], y: np.ndarray) -> float:
    """In bits, between the two methods' results for the timed networks."""
    some = [t[:, :NUM_2018].reshape(-1, *t.shape[2:]) for t in layers]
    ours = np.array([mi_of_networks(t, y) for t in some]).swapaxes(1, 2)
    return float(np.abs(ours - [[mi_2018(t, y) for t in networks] for networks in some]).max())


def wide_versions(t: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    """By name, each a call for one layer (n, units)."""
    of_layer = jax.jit(functools.partial(binned_mi, bin_width=BIN_WIDTH))
    on_device = jnp.asarray(t), jnp.asarray(y)
    return {
        "2018 code": lambda: mi_2018(t, y),
        "ibjax": lambda: of_layer(*on_device),
        "of NumPy's": lambda: binned_mi(t, y, bin_width=BIN_WIDTH),
    }


def compare_wide(rounds: int) -> None:
    """Print seconds of single wide layers, and the memory that they take beyond the layer."""
    rows = []
    for n, units in WIDE:
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=(n // 4, 30))[rng.integers(0, n // 4, n)]
        t = np.tanh(inputs @ rng.normal(size=(30, units)) / 4).astype(np.float32)
        y = (inputs[:, 0] > 0).astype(np.int32)
        calls = wide_versions(t, y)
        times = timing.interleaved(
            {name: functools.partial(timing.seconds, call) for name, call in calls.items()}, rounds
        )
        program = jax.jit(functools.partial(binned_mi, bin_width=BIN_WIDTH)).lower(t, y).compile()
        analysis = program.memory_analysis()
        memory = analysis.temp_size_in_bytes / 2**20 if analysis else float("nan")
        seconds = [float(np.median(of_version)) for of_version in times.values()]
        ratios = [timing.ratio(times, "2018 code", name) for name in ("ibjax", "of NumPy's")]
        rows.append([f"{n} x {units}", *seconds, *ratios, f"{memory:.1f}"])
    print(f"seconds a layer, both on one core; {WIDE_GOAL} times\n")
    print(timing.table(["layer", *calls, "times", "times", "MB beyond the layer"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="binned_mi against the 2018 code's method.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wide", action="store_true", help="single wide layers instead")
    args = parser.parse_args()
    timing.use_one_core()
    print(timing.machine(), end="\n\n")
    if args.wide:
        compare_wide(args.rounds)
        return
    layers, y = trained_layers(), np.asarray(symmetric_task().y)
    print(f"results differ by at most {largest_difference(layers, y):.2g} bits\n")
    measured = [timing.interleaved(versions(layer, y), args.rounds) for layer in layers]
    total = {name: np.sum([times[name] for times in measured], axis=0) for name in measured[0]}
    rows = []
    for units, times in zip([*UNITS, "all six"], [*measured, total], strict=True):
        against = [timing.ratio(times, "2018 code", name) for name in times if "ibjax," in name]
        share = f"{timing.ratio(times, 'np.sort', 'ibjax, 50'):.0%}"
        rows.append([units, *(float(np.median(t)) * 1e6 for t in times.values()), *against, share])
    header = ["units", *total, "x 50", "x 13", "sort's share"]
    print("microseconds per layer of one network; the 2018 code's time over ibjax's;")
    print("np.sort's share of ibjax, 50\n")
    print(timing.table(header, rows), end="\n\n")
    speedup = timing.ratio(total, "2018 code", "ibjax, 50")
    print(f"all six layers of 50 networks, both on one core: {speedup:.1f} ({GOAL})")


if __name__ == "__main__":
    main()
