"""Every public function gives under the user's settings of JAX what it gives without."""

import functools

import jax
import pytest

from tests.hostile.outcomes import numbers_of, same_numbers
from tests.hostile.test_hostile import calls, calls_of, public_functions

SETTINGS = {
    "x64": lambda: jax.enable_x64(True),
    "strict promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "rbg keys": lambda: jax.default_prng_impl("rbg"),
    "other threefry": lambda: jax.threefry_partitionable(False),
}


@functools.cache
def expected(name):
    function, arguments = calls()[name]
    return function(**arguments)


@pytest.mark.slow
@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize("function", public_functions())
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_change_no_number(function, setting):
    for name in calls_of(function):
        wanted = expected(name)
        called, arguments = calls()[name]
        with SETTINGS[setting]():
            got = called(**arguments)
        assert same_numbers(got, wanted)
        assert [x.dtype for x in numbers_of(got)] == [x.dtype for x in numbers_of(wanted)]
