"""Functions with fixed options compare by value."""

import functools

import jax
import numpy as np
import pytest

from ibjax.functions import FixedOptions, by_value, describe_function
from ibjax.mi import binned_mi, noisy_mi


def add(a, b, *, scale=1.0):
    return scale * (a + b)


def test_partials_of_equal_options_are_equal_by_value():
    fixed = by_value(functools.partial(add, 1, scale=2.0))
    assert isinstance(fixed, FixedOptions)
    assert fixed == by_value(functools.partial(add, 1, scale=2.0))
    assert hash(fixed) == hash(by_value(functools.partial(add, 1, scale=2.0)))
    assert fixed(3) == functools.partial(add, 1, scale=2.0)(3) == 8.0
    assert fixed(3, scale=1.0) == 4.0  # as of a partial, the call's options count


@pytest.mark.parametrize(
    "other",
    [
        functools.partial(add, 1, scale=2),
        functools.partial(add, True, scale=2.0),
        functools.partial(add, 2, scale=2.0),
        functools.partial(add, 1),
        functools.partial(max, 1, scale=2.0),
    ],
)
def test_other_options_and_types_are_other_functions(other):
    assert by_value(functools.partial(add, 1, scale=2.0)) != by_value(other)


def test_nested_partials_compare_by_value():
    first, second = (by_value(functools.partial(map, functools.partial(add, 1))) for _ in range(2))
    assert first == second
    assert str(first) == "map(add(1))"


def test_what_cannot_be_hashed_stays_as_it_is():
    partial = functools.partial(noisy_mi, key=jax.random.key(0), noise_variance=0.1)
    assert by_value(partial) is partial
    edges = functools.partial(binned_mi, bins=np.array([0.0, 1.0]))
    assert by_value(edges) is edges
    assert by_value(add) is add


def test_functions_are_described_with_their_options():
    partial = functools.partial(binned_mi, bins=3, range=(0, 1))
    assert describe_function(partial) == "binned_mi(bins=3, range=(0, 1))"
    assert describe_function(binned_mi) == "binned_mi"
    edges = functools.partial(binned_mi, bins=np.array([0.0, 1.0]))
    assert describe_function(edges) == "binned_mi(bins=array([0., 1.]))"
