"""Several processes of ``jax.distributed``: each trains its share of blocks, and all get the results.

Before each exchange of values the processes wait for one another at a barrier of JAX's coordination
service, which fails when a process dies; only then do they enter a collective operation, which would not
wait for long.
"""

import hashlib
import itertools
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import multihost

__all__ = [
    "SECONDS_TO_END",
    "check_equal",
    "gathered",
    "leave_together",
    "of_first",
    "raise_together",
    "share",
]

T = TypeVar("T")

# Seconds in which all processes must begin the same run; and for the end of training, which may be long
# after the first process's. Processes that have ended are noticed much earlier.
SECONDS_TO_BEGIN, SECONDS_TO_END = 600.0, 30 * 24 * 3600.0

# Bytes exchanged at a time; the least power of two that holds a value, within these limits.
LEAST, MOST = 2**10, 2**22

_exchanges = itertools.count()


def share(num_jobs: int) -> range:
    """Return the numbers of this process's jobs."""
    return range(jax.process_index(), num_jobs, jax.process_count())


def gathered(value: Any, what: str, *, seconds: float = SECONDS_TO_BEGIN) -> list[Any]:
    """Return the values that all processes have given, in the order of the processes.

    Args:
        value: anything that can be pickled.
        what: what all are about to do; all processes must call this equally often.
        seconds: time in which all must have come.

    Raises:
        ValueError: if a process is lost, or is about to do something else.
    """
    if jax.process_count() == 1:
        return [value]
    try:
        wait = multihost.get_barrier_sync_fn()
        wait(key=f"ibjax_{next(_exchanges)}", timeout_ms=int(1000 * seconds))
        given = [pickle.loads(pickled) for pickled in _gathered_bytes(pickle.dumps((what, value)))]
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"jax.distributed: expected {jax.process_count()} processes to the end, got {reason}; "
            "checkpoints, if any, are kept for resume"
        ) from error
    if others := [f"process {i} at {theirs}" for i, (theirs, _) in enumerate(given) if theirs != what]:
        raise ValueError(f"jax.distributed: expected all processes at {what}, got {', '.join(others)}")
    return [value for _, value in given]


def of_first(function: Callable[[], T]) -> T:
    """Return what a function returns in the first process, which alone calls it.

    Raises:
        ValueError: in all processes, if the function raises one.
    """
    if jax.process_count() == 1:
        return function()
    value, failure = None, None
    if jax.process_index() == 0:
        try:
            value = function()
        except Exception as error:
            failure = error
    raise_together(failure)
    return gathered(value, "a value of the first")[0]


def raise_together(failure: Exception | None, *, seconds: float = SECONDS_TO_BEGIN) -> None:
    """Raise in all processes what has been raised in one, with the number of that process.

    Args:
        failure: what has been raised in this one, or None.
        seconds: time in which all must have come.

    Raises:
        ValueError: in the other processes.
    """
    text = failure and f"{type(failure).__name__}: {failure}"
    texts = gathered(text, "a step in which one may have failed", seconds=seconds)
    if failure is not None:
        raise failure
    for process, text in enumerate(texts):
        if text is not None:
            kept = text.removeprefix("ValueError: ")
            raise ValueError(f"{kept} (raised in process {process} of {len(texts)})")


def leave_together(failure: Exception | None) -> None:
    """Wait for all processes before this one ends, or JAX would end those that work longer.

    Args:
        failure: why this process ends early, or None.

    Raises:
        ValueError: if this process has not failed but another has.
    """
    if jax.process_count() == 1:
        return
    try:
        raise_together(failure, seconds=SECONDS_TO_END)
    except Exception:
        if failure is None:
            raise


def check_equal(what: Any) -> None:
    """Refuse processes that are about to do different things.

    Raises:
        ValueError: in all processes.
    """
    digests = gathered(hashlib.sha256(repr(what).encode()).hexdigest(), "the begin of training")
    if others := [i for i, digest in enumerate(digests) if digest != digests[0]]:
        raise ValueError(
            "jax.distributed: expected the same settings, seeds, lanes and code in all processes, got "
            f"others in {others} than in process 0"
        )


def _gathered_bytes(own: bytes) -> list[bytes]:
    sizes = multihost_utils.process_allgather(np.array(divmod(len(own), MOST), np.int32))
    lengths = [int(whole) * MOST + int(rest) for whole, rest in sizes]
    step = min(MOST, max(LEAST, 1 << (max(lengths) - 1).bit_length()))
    parts = []
    for begin in range(0, max(lengths), step):
        padded = np.zeros(step, np.uint8)
        part = np.frombuffer(own[begin : begin + step], np.uint8)
        padded[: len(part)] = part
        parts.append(multihost_utils.process_allgather(padded))
    return [b"".join(part[i].tobytes() for part in parts)[:length] for i, length in enumerate(lengths)]
