"""The binned estimator: ibjax's ``binned_mi`` against the 2018 code's method.

What is timed: H(T) and I(T;Y) with bins of width 0.07 for every layer (10, 7, 5, 4, 3 and 2 units,
4096 samples) of the same 50 networks, at three epochs of their training.

* 2018 code: ``floor(t / w)`` as integers, ``np.unique`` of the rows as raw bytes with inverse and
  counts; H(T), and H(T|Y) by one more pass for each label. One layer at a time, on one core.
* ibjax: ``jit(vmap(binned_mi))``, in blocks of 13 networks as ``fit`` measures them and with all 50
  at once, every thread kept on one core; and blocks of 13 on all cores, one device each.
* Sorts alone, of the same patterns as 64-bit words in blocks of 13, on one core: NumPy's, ibjax's
  (NumPy's, called from a program) and XLA's. Narrow layers' words fit into 32 bits, which
  ``binned_mi`` sorts faster than that.

Each round runs every version for each width and epoch. Microseconds are per layer of one network:
medians over rounds of means over epochs. How far the results differ is printed too. Run::

    python -m benchmarks.binned [--rounds 7]
"""

import argparse
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
    devices = jax.local_devices()
    on_each = [(jax.device_put(y, device), device) for device in devices]
    blocks = [(jnp.asarray(t[:BLOCK]), jnp.asarray(y)) for t in layer]
    at_once = [(jnp.asarray(t), jnp.asarray(y)) for t in layer]
    spread = [([(jax.device_put(t[:BLOCK], d), own) for own, d in on_each],) for t in layer]
    words = [words_of(t[:BLOCK]) for t in layer]
    halves = [(jnp.asarray(w >> 32, jnp.uint32), jnp.asarray(w & 0xFFFFFFFF, jnp.uint32))
              for w in words]  # fmt: skip

    def mean(function: Callable, arguments: Sequence[tuple], networks: int, repeats=REPEATS):
        total = sum(timing.seconds(lambda args=args: function(*args), repeats) for args in arguments)
        return total / (len(arguments) * networks)

    def one_core(*args: Any) -> Callable[[], float]:
        def measure():
            with timing.on_one_core():
                return mean(*args)

        return measure

    def everywhere(on_all):
        return timing.on_devices(mi_of_networks, on_all)

    def sort_on_host(w):
        return np.sort(w, axis=-1)

    few = [(t[i], y) for t in layer for i in range(NUM_2018)]
    return {
        "2018 code": one_core(mi_2018, few, 1, 1),
        "ibjax, 13": one_core(mi_of_networks, blocks, BLOCK),
        "ibjax, 50": one_core(mi_of_networks, at_once, NUM_SEEDS),
        "all cores": lambda: mean(everywhere, spread, BLOCK * len(devices)),
        "np.sort": one_core(sort_on_host, [(w,) for w in words], BLOCK),
        "ibjax sort": one_core(jax.jit(jax.vmap(sort_words_64)), halves, BLOCK),
        "lax.sort": one_core(jax.jit(lambda *w: lax.sort(w, num_keys=2)), halves, BLOCK),
    }


def largest_difference(layers: list[np.ndarray], y: np.ndarray) -> float:
    """In bits, between the two methods' results for the timed networks."""
    some = [t[:, :NUM_2018].reshape(-1, *t.shape[2:]) for t in layers]
    ours = np.array([mi_of_networks(t, y) for t in some]).swapaxes(1, 2)
    return float(np.abs(ours - [[mi_2018(t, y) for t in networks] for networks in some]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="binned_mi against the 2018 code's method.")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    timing.use_all_cores()
    print(timing.machine(), end="\n\n")
    layers, y = trained_layers(), np.asarray(symmetric_task().y)
    print(f"results differ by at most {largest_difference(layers, y):.2g} bits\n")
    measured = [timing.interleaved(versions(layer, y), args.rounds) for layer in layers]
    total = {name: np.sum([times[name] for times in measured], axis=0) for name in measured[0]}
    rows = []
    for units, times in zip([*UNITS, "all six"], [*measured, total], strict=True):
        against = [timing.ratio(times, "2018 code", name) for name in times if "ibjax," in name]
        against.append(timing.ratio(times, "2018 code", "all cores"))
        share = f"{timing.ratio(times, 'np.sort', 'ibjax, 13'):.0%}"
        rows.append([units, *(float(np.median(t)) * 1e6 for t in times.values()), *against, share])
    header = ["units", *total, "x 13", "x 50", "x all cores", "sort's share"]
    print("microseconds per layer of one network; the 2018 code's time over ibjax's;")
    print("np.sort's share of ibjax, 13\n")
    print(timing.table(header, rows), end="\n\n")
    speedup = timing.ratio(total, "2018 code", "ibjax, 13")
    print(f"all six layers, both on one core: {speedup:.1f} ({GOAL})")


if __name__ == "__main__":
    main()
