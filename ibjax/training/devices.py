"""Where blocks train in this process: threads of a CPU, or all accelerators of a host as one."""

import functools
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

__all__ = ["LANES", "StoppedError", "one_at_a_time", "places_of", "run_tasks", "usable_cores"]

# Name of the axis along which lanes are divided among accelerators.
LANES = "lanes"


class StoppedError(Exception):
    """Raised by a task when another task has failed or the user has interrupted."""


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def places_of(devices: Sequence[Any]) -> list[Any]:
    """Return a place for each thread that trains blocks: a device, or a sharding over several.

    A program for a CPU is compiled for the first of its devices alone. Threads run it at the same time,
    one for each of the ``devices``; these share their cores anyway. A program for several accelerators
    is compiled once, for lanes that are divided among them.
    """
    first = devices[0]
    if first.platform == "cpu":
        return [first] * len(devices)
    if len(devices) == 1:
        return [first]
    mesh = Mesh(list(devices), (LANES,), axis_types=(AxisType.Auto,))
    return [NamedSharding(mesh, PartitionSpec(LANES))]


def run_tasks(
    task: Callable[[Any, int], Any], num_tasks: int, places: Sequence[Any], stop: threading.Event
) -> None:
    """Run ``task(place, i)`` for all i, each in the thread of the next free place.

    Args:
        task: function ``task(place, i)``; may raise ``StoppedError`` once ``stop`` is set.
        num_tasks: number of tasks.
        places: one for each thread.
        stop: event that is set when a task fails.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(num_tasks):
        waiting.put(i)

    def drive(place):
        try:
            while not stop.is_set():
                task(place, waiting.get_nowait())
        except (queue.Empty, StoppedError):
            return
        except BaseException:
            stop.set()
            raise

    used = places[: min(num_tasks, len(places))]
    with ThreadPoolExecutor(len(used)) as pool:
        driving = [pool.submit(drive, place) for place in used]
        try:
            for future in driving:
                future.result()
        except BaseException:
            stop.set()
            raise


def one_at_a_time(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Wrap a function with a lock, so that threads may call it concurrently."""
    if function is None:
        return None
    lock = threading.Lock()

    @functools.wraps(function)
    def locked(*args):
        with lock:
            return function(*args)

    return locked
