"""Flags of information planes, against the same rules written as loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibjax.mi.flags import Diagnostics, diagnostics

bits = st.one_of(st.floats(0, 13, width=32), st.just(np.nan), st.sampled_from([0.0, 1.0, 11.88, 12.0]))
planes = arrays(np.float32, (2, 3, 4), elements=bits)


def twin(ixt, ity, num_samples, entropy_y, tolerance):
    flags = Diagnostics(*(np.zeros(ixt.shape, bool) for _ in range(4)))
    for index in np.ndindex(ixt.shape):
        *network, layer = index
        flags.ixt_saturated[index] = ixt[index] >= 0.99 * np.log2(num_samples)
        flags.ity_above_entropy[index] = ity[index] > entropy_y + 1e-4 * max(1, entropy_y)
        if layer > 0:
            before = (*network, layer - 1)
            flags.ixt_grows[index] = ixt[index] - ixt[before] > tolerance
            flags.ity_grows[index] = ity[index] - ity[before] > tolerance
    return flags


@given(planes, planes, st.sampled_from([100, 3278, 4096]), st.sampled_from([0.0, 0.9991572, 3.3]))
@settings(deadline=None, max_examples=50)
def test_equals_twin(ixt, ity, num_samples, entropy_y):
    got = diagnostics(ixt, ity, num_samples=num_samples, entropy_y=entropy_y, tolerance=0.25)
    for flag, expected in zip(got, twin(ixt, ity, num_samples, entropy_y, 0.25), strict=True):
        assert flag.dtype == bool
        np.testing.assert_array_equal(flag, expected)


def test_saturation_is_one_percent_below_log_n():
    ixt = np.array([12.0, 11.9, 11.88, 11.879, 11.0])
    flags = diagnostics(ixt, 0 * ixt, num_samples=4096, entropy_y=1.0)
    np.testing.assert_array_equal(flags.ixt_saturated, [True, True, True, False, False])


def test_entropy_is_exceeded_beyond_rounding():
    ity = np.array([0.9991572, 0.99916, 0.9995, 1.01])
    flags = diagnostics(ity, ity, num_samples=4096, entropy_y=0.9991572)
    np.testing.assert_array_equal(flags.ity_above_entropy, [False, False, True, True])


def test_data_processing_from_layer_to_layer():
    """Small growth that adds up is growth in no step; the first layer has nothing before it."""
    ixt = np.array([9.0, 9.009, 9.018, 8.0, 8.5])
    flags = diagnostics(ixt, ixt[::-1], num_samples=4096, entropy_y=12.0)
    np.testing.assert_array_equal(flags.ixt_grows, [False, False, False, False, True])
    np.testing.assert_array_equal(flags.ity_grows, [False, False, True, False, False])
    strict = diagnostics(ixt, ixt, num_samples=4096, entropy_y=12.0, tolerance=0.0)
    np.testing.assert_array_equal(strict.ixt_grows, [False, True, True, False, True])


def test_padding_of_shallow_networks_is_never_flagged():
    ixt = np.array([[12.0, 13.0, 14.0], [12.0, np.nan, np.nan]])
    flags = diagnostics(ixt, ixt, num_samples=4096, entropy_y=1.0)
    for flag in flags:
        assert not flag[1, 1:].any()
    assert flags.ixt_grows[0, 1:].all()


def test_entropy_of_each_network():
    ity = np.array([[0.9, 1.5], [0.9, 1.5]])
    flags = diagnostics(ity, ity, num_samples=100, entropy_y=[[1.0], [2.0]])
    np.testing.assert_array_equal(flags.ity_above_entropy, [[False, True], [False, False]])


def test_one_layer():
    flags = diagnostics([5.0], [1.0], num_samples=32, entropy_y=1.0)
    assert [bool(flag[0]) for flag in flags] == [True, False, False, False]


def test_jit_and_vmap_agree_with_eager():
    ixt, ity = jnp.asarray(np.random.default_rng(0).uniform(0, 13, (2, 5, 3)), jnp.float32)

    def f(ixt, ity):
        return diagnostics(ixt, ity, num_samples=4096, entropy_y=6.0)

    for other in (jax.jit(f)(ixt, ity), jax.vmap(f)(ixt, ity)):
        for flag, expected in zip(other, f(ixt, ity), strict=True):
            np.testing.assert_array_equal(flag, expected)


def test_refuses_other_arguments(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    good = {"num_samples": 9, "entropy_y": 1.0}
    for ixt, ity, options, message in [
        (1.0, 1.0, {}, r"expected one shape \(..., layer\), got shapes \(\) and \(\)"),
        ([1.0], [1.0, 2.0], {}, r"expected one shape \(..., layer\), got shapes \(1,\) and \(2,\)"),
        ([1.0], [1.0], {"num_samples": 1}, "num_samples: expected a whole number of 2 or more, got 1"),
        ([1.0], [1.0], {"num_samples": 9.5}, "num_samples: expected a whole number"),
        ([1.0], [1.0], {"tolerance": -1.0}, "tolerance: expected a finite number at least 0, got -1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            diagnostics(ixt, ity, **(good | options))
