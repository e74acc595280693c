"""Timing of several versions side by side: interleaved rounds in one process, medians, tables.

Milliseconds say little on a shared machine, ratios more: every round runs each version once, a
ratio is taken within each round, and the median over rounds is reported. The machine's load is
printed: where it does other work, ratios are distorted too, most of all those of versions that use
several threads.
"""

import contextlib
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ibjax.training.devices import usable_cores

__all__ = [
    "in_threads", "interleaved", "machine", "ratio", "seconds", "seconds_per_unit", "table",
    "use_one_core",
]  # fmt: skip

# Seconds of each round, by version.
Times = Mapping[str, np.ndarray]


def use_one_core() -> None:
    """Keep this process, and what it starts, on one core where the system can; before JAX starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def machine() -> str:
    """Processor, cores, load, versions of what is compared, and JAX's devices."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    versions = [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    versions.append(f"JAX {jax.__version__}")
    with contextlib.suppress(ImportError):
        import torch

        versions.append(f"PyTorch {torch.__version__} ({torch.get_num_threads()} threads)")
    devices = jax.local_devices()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{names[0] if names else platform.processor()}, {usable_cores()} of its cores{load}\n"
        f"{', '.join(versions)}\nJAX devices: {len(devices)} {devices[0].device_kind}"
    )


def seconds(function: Callable[[], Any], repeats: int = 1) -> float:
    """Seconds of one call, the mean of ``repeats``, each until its arrays are computed."""
    start = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(function())
    return (time.perf_counter() - start) / repeats


def seconds_per_unit(function: Callable[[int], Any], few: int, many: int) -> float:
    """Seconds of a unit of work by difference, so that what does not grow with it drops out."""
    return (seconds(lambda: function(many)) - seconds(lambda: function(few))) / (many - few)


def interleaved(versions: Mapping[str, Callable[[], float]], rounds: int) -> Times:
    """Measure the versions by turns, each function returning seconds.

    A first round, which compiles and warms up, is dropped.
    """
    measured = [[version() for version in versions.values()] for _ in range(rounds + 1)]
    return dict(zip(versions, np.array(measured[1:]).T, strict=True))


def ratio(times: Times, slower: str, faster: str) -> float:
    """Median over rounds of how many times faster."""
    return float(np.median(times[slower] / times[faster]))


def in_threads(function: Callable[..., Any], blocks: Sequence[tuple]) -> None:
    """Call ``function(*block)`` for all blocks, in a thread for each core, as ``fit`` does on a CPU."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(lambda block: jax.block_until_ready(function(*block)), blocks))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns; floats with three significant digits, and whole from 100 on."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
