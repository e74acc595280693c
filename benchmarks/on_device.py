"""What an accelerator does: training, sweeps, the binned estimator, compilation, launches.

One script of at most 8 minutes, run as it is wherever there is a device. It prints a table of seconds:

* compiling: from the call of ``fit`` to its end, for two recorded epochs, less the second call;
* training: an epoch of 50 networks, batches of 256 and full batches, by difference;
* measuring: a plane of 50 networks;
* sweep: 20,000 networks, by network and epoch;
* binned_mi: 50 x 4096 samples x {10, 7, 5, 4, 3, 2} units, and one layer of 60,000 x 1024, against
  NumPy's ``np.unique`` on the host;
* launches: the same epoch with XLA's command buffers on and off, each in a process of its own; their
  ratio says what launching kernels costs.

Run::

    python -m benchmarks.on_device [--small]
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import timing
from ibjax.analysis import PlaneRecord
from ibjax.datasets import symmetric_task
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model, sweep

CONFIG = TrainConfig()
WIDTHS = (10, 7, 5, 4, 3, 2)
COMMAND_BUFFERS = {
    "as XLA has them": "",
    "off": "--xla_gpu_enable_command_buffer=",
    "with loops": (
        "--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUDNN,CUSTOM_CALL,WHILE "
        "--xla_gpu_graph_min_graph_size=1"
    ),
}


def plane(config: TrainConfig) -> PlaneRecord:
    return PlaneRecord(make_model(config), binned_mi)


def epochs_of_fit(num_epochs: int, num_seeds: int, **settings) -> None:
    config = dataclasses.replace(CONFIG, num_epochs=num_epochs, **settings)
    fit(config, symmetric_task(), seeds=range(num_seeds), record=plane(config), schedule=[])


def epoch_seconds(num_seeds: int, many: int, **settings) -> float:
    """Seconds of one epoch, the median of three differences."""
    epochs_of_fit(1, num_seeds, **settings)  # compiles

    def of(num_epochs):
        epochs_of_fit(num_epochs, num_seeds, **settings)

    return float(np.median([timing.seconds_per_unit(of, 2, many) for _ in range(3)]))


def of_sweep(num_epochs: int, levels: int, num_seeds: int) -> None:
    over = {
        "learning_rate": np.geomspace(0.003, 3, levels),
        "init_scale": np.geomspace(0.125, 8, levels),
    }
    config = dataclasses.replace(CONFIG, num_epochs=num_epochs)
    record = plane(config)
    sweep(config, symmetric_task(), over=over, seeds=range(num_seeds), record=record, schedule=[])


def seconds(function: Callable, *args) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    return time.perf_counter() - start


def unique_entropies(t: np.ndarray, y: np.ndarray) -> None:
    """The 2018 code's way: void rows of bin indices, counted by ``np.unique``."""
    rows = np.ascontiguousarray(np.digitize(t, np.linspace(-1, 1, 31)).astype(np.int8))
    void = rows.view([("", np.void, rows.shape[1])])
    for part in (void, void[y == 0], void[y == 1]):
        np.unique(part, return_counts=True)


def binned_rows(lanes: int, wide: tuple[int, int]) -> list[list]:
    rng = np.random.default_rng(0)
    rows = []
    estimate = jax.jit(jax.vmap(binned_mi, in_axes=(0, None)))
    layers = {f"{lanes} x 4096 x {w}": (lanes, 4096, w) for w in WIDTHS}
    for name, shape in {**layers, "1 x {} x {}".format(*wide): (1, *wide)}.items():
        t = np.tanh(rng.normal(size=shape)).astype(np.float32)
        y = rng.integers(0, 2, shape[1]).astype(np.int32)
        on_device = jax.device_put((t, y))
        compiling = seconds(estimate, *on_device)
        ours = min(seconds(estimate, *on_device) for _ in range(5))
        theirs = seconds(unique_entropies, t[0], y) * shape[0]
        rows.append([f"binned_mi {name}", ours, f"{theirs / ours:.1f} x NumPy, {compiling:.1f} s first"])
    return rows


def epoch_in_a_process(flags: str, num_seeds: int, many: int) -> float:
    """Seconds of an epoch in a process of its own with these flags of XLA; NaN where it refuses them."""
    code = (
        "from benchmarks.on_device import epoch_seconds; "
        f"print('seconds', epoch_seconds({num_seeds}, {many}))"
    )
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("seconds")]
    return float(lines[0]) if lines else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description="What an accelerator does.")
    parser.add_argument("--small", action="store_true", help="a trial of the script itself")
    small = parser.parse_args().small
    num_seeds, many, levels = (4, 4, 2) if small else (50, 40, 20)
    print(f"{timing.machine()}\n")
    rows: list[list] = []
    first, second = (seconds(epochs_of_fit, 1, num_seeds) for _ in range(2))
    rows.append(["compiling fit", first - second, "two programs"])
    for name, settings in {"batches of 256": {}, "full batches": {"batch_size": None}}.items():
        rows.append([f"epoch, {name}", epoch_seconds(num_seeds, many, **settings), f"{num_seeds} seeds"])
    in_sweep = 4 if small else 50
    short, long = (seconds(of_sweep, n, levels, in_sweep) for n in (1, 5))
    networks = levels**2 * in_sweep
    rows.append(["sweep, an epoch", (long - short) / 4, f"{networks} networks"])
    rows.append(["sweep, 5 epochs, all", long, f"{networks} networks"])
    rows += binned_rows(num_seeds, (600, 64) if small else (60_000, 1024))
    if jax.default_backend() == "gpu":
        for name, flags in COMMAND_BUFFERS.items():
            took = epoch_in_a_process(flags, num_seeds, many)
            rows.append(["epoch, command buffers", took, name])
    print(timing.table(["what", "seconds", "remarks"], rows))


if __name__ == "__main__":
    main()
