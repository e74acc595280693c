"""JAX's settings under which ibjax traces its own programs, whatever the user's are."""

import contextlib
from collections.abc import Iterator

import jax

__all__ = ["own_settings"]


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """A context, or decorator, in which results do not depend on the user's configuration of JAX.

    Under ``jax_enable_x64`` numbers without a dtype would be drawn and counted in 64 bits, under
    ``jax_numpy_dtype_promotion="strict"`` mixed arithmetic would fail, and without
    ``jax_threefry_partitionable``, or with another ``jax_default_prng_impl``, keys would draw other
    numbers. The settings are those of the thread that enters, and hold inside an outer ``jit`` or
    ``vmap`` too.
    """
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.threefry_partitionable(True),
        jax.default_prng_impl("threefry2x32"),
    ):
        yield
