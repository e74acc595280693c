"""Tasks on several devices at once, one thread per device."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["StoppedError", "on_devices", "one_at_a_time"]


class StoppedError(Exception):
    """Raised by a task when another task has failed or the user has interrupted."""


def on_devices(
    task: Callable[[Any, int], Any], num_tasks: int, devices: Sequence[Any], stop: threading.Event
) -> list:
    """Run ``task(device, i)`` for all i, each on the next free device, and return results in order.

    Each device has its own thread, since a program with a host callback returns only when it is done.

    Args:
        task: function ``task(device, i)``; may raise ``StoppedError`` once ``stop`` is set.
        num_tasks: number of tasks.
        devices: devices that run the tasks.
        stop: event that is set when a task fails.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(num_tasks):
        waiting.put(i)
    results = [None] * num_tasks

    def drive(device):
        try:
            while not stop.is_set():
                i = waiting.get_nowait()
                results[i] = task(device, i)
        except (queue.Empty, StoppedError):
            return
        except BaseException:
            stop.set()
            raise

    used = devices[: min(num_tasks, len(devices))]
    with ThreadPoolExecutor(len(used)) as pool:
        driving = [pool.submit(drive, device) for device in used]
        try:
            for future in driving:
                future.result()
        except BaseException:
            stop.set()
            raise
    return results


def one_at_a_time(function: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    """Wrap a function with a lock, so that threads may call it concurrently."""
    if function is None:
        return None
    lock = threading.Lock()

    def locked(x):
        with lock:
            return function(x)

    return locked
