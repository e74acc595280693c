"""Sorting of 32- and 64-bit unsigned words: XLA's sort on accelerators, NumPy's on CPUs.

XLA's CPU sort compares element by element and is 10 to 16 times slower than NumPy's vectorised one
(``benchmarks/RESULTS.md``), and sorting dominates both the shuffling of minibatches and the binned
estimator. The host function sees raw buffers and uses only NumPy: a callback that starts JAX work of its
own may deadlock, waiting for the thread that runs it. A program with such a callback must therefore run
on one device; several devices get one program each.
"""

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, UInt32

__all__ = ["join_words", "on_platform", "sort_words", "sort_words_64"]

# Position of the high half of a 64-bit word in this host's memory.
HIGH = 1 if sys.byteorder == "little" else 0


def sort_words(words: UInt32[Array, " n"]) -> UInt32[Array, " n"]:
    """Sort 32-bit words in increasing order; the same result on every platform."""

    def on_cpu(words):
        out = jax.ShapeDtypeStruct(words.shape, words.dtype)
        return buffer_callback(_numpy_sort, out, vmap_method="broadcast_all")(words)

    return on_platform(words, cpu=on_cpu, default=lax.sort)


def sort_words_64(
    high: UInt32[Array, " n"], low: UInt32[Array, " n"]
) -> tuple[UInt32[Array, " n"], UInt32[Array, " n"]]:
    """Sort 64-bit words, given as their high and low halves, in increasing order.

    x64 is not needed: the halves are 32-bit words on the device and are joined only on the host.
    """

    def on_cpu(high, low):
        words = join_words(high, low)
        out = jax.ShapeDtypeStruct(words.shape, words.dtype)
        words = buffer_callback(_numpy_sort_64, out, vmap_method="broadcast_all")(words)
        return words[..., HIGH], words[..., 1 - HIGH]

    def on_accelerator(high, low):
        high, low = lax.sort((high, low), num_keys=2)
        return high, low

    return on_platform(high, low, cpu=on_cpu, default=on_accelerator)


def on_platform(*args: Any, cpu: Callable[..., Any], default: Callable[..., Any]) -> Any:
    """Call ``cpu(*args)`` with its host callback if the program runs on a CPU, else ``default(*args)``.

    Inside ``shard_map``, whose program spans several devices, ``default`` is used on CPUs too.
    """
    if jax.sharding.get_abstract_mesh().manual_axes:
        return default(*args)
    return lax.platform_dependent(*args, cpu=cpu, default=default)


def join_words(high: UInt32[Array, " n"], low: UInt32[Array, " n"]) -> UInt32[Array, "n 2"]:
    """Join halves in this host's byte order, so that ``.view(np.uint64)`` in NumPy gives the words."""
    halves = (low, high) if HIGH == 1 else (high, low)
    return jnp.stack(halves, axis=-1)


def _numpy_sort(_, out, words):
    out = np.asarray(out)
    np.copyto(out, np.asarray(words))
    out.sort(axis=-1)


def _numpy_sort_64(_, out, words):
    out = np.asarray(out)
    np.copyto(out, np.asarray(words))
    out.view(np.uint64).sort(axis=-2)
