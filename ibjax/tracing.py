"""The JAX settings under which ibjax traces its own programs, independent of the user's."""

import contextlib
from collections.abc import Iterator

import jax

__all__ = ["own_settings"]


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Context manager and decorator that makes results independent of the user's JAX configuration.

    With ``jax_enable_x64``, numbers without a dtype would be drawn and counted in 64 bits; with
    ``jax_numpy_dtype_promotion="strict"``, mixed arithmetic would fail; without
    ``jax_threefry_partitionable``, or with another ``jax_default_prng_impl``, keys would draw other
    numbers. The settings apply to the thread that enters, also inside an outer ``jit`` or ``vmap``.
    """
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.threefry_partitionable(True),
        jax.default_prng_impl("threefry2x32"),
    ):
        yield
