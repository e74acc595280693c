"""``quantised_mi``: levels to the last bit, and the information of a quantised layer."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi.quantised import quantised_levels, quantised_mi
from tests.oracles import binned_mi_twin

# --------------------------------------------------------------------------------------------------
# Twins.


def levels_twin(t, bits):
    """The definition: how many levels are reached, float32 products compared one by one."""
    t = np.asarray(t, np.float32)
    s = t - t.min()
    spread = s.max()
    if spread == 0:
        return np.zeros_like(t)
    reached = np.zeros_like(t)
    for k in range(1, 2**bits):
        half_way = spread * np.float32((2 * k - 1) / 2 ** (bits + 1))
        scaled = s * np.float32(1 - 2.0**-bits)
        reached += (scaled > half_way) | ((scaled == half_way) & (k % 2 == 0))
    return reached


def exact_levels(t, bits):
    """round((t - min) (2^bits - 1) / (max - min)) of rational numbers, halves to even."""
    numbers = [Fraction(float(v)) for v in np.asarray(t, np.float32).reshape(-1)]
    low, high = min(numbers), max(numbers)
    return np.array([round((v - low) * (2**bits - 1) / (high - low)) for v in numbers], np.float32)


compiled_levels = jax.jit(quantised_levels, static_argnames="bits")


def random_layer(seed, n=60, width=5):
    rng = np.random.default_rng(seed)
    t = np.tanh(2 * rng.normal(size=(n, width))).astype(np.float32)
    return t, (t[:, 0] > 0) + 2 * (rng.random(n) < 0.3)


def layer_on_the_boundaries(bits, spread, low):
    """Activations half way between levels, as float32 rounds them, and their neighbours."""
    half_way = np.arange(1, 2 ** (bits + 1) - 1, 2) / (2 ** (bits + 1) - 2)
    t = (low + spread * half_way).astype(np.float32)
    t = np.concatenate([t, np.nextafter(t, np.float32(-np.inf)), np.nextafter(t, np.float32(np.inf))])
    return np.concatenate([t, np.float32([low, low + spread])])[:, None]


# --------------------------------------------------------------------------------------------------
# Levels.


@pytest.mark.parametrize(
    ("bits", "t", "levels"),
    [
        (1, [0.0, 0.49, 0.5, 0.51, 1.0], [0, 0, 0, 1, 1]),
        (2, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 0, 1, 2, 2, 2, 3]),  # 1/2, 3/2, 5/2 to even
        (2, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [0, 0, 1, 2, 2, 2, 3]),
        (8, [0.0, 0.5, 1.0, 1.5, 254.5, 255.0], [0, 0, 1, 2, 254, 255]),
        (16, [0.0, 1.0, 65534.0, 65535.0], [0, 1, 65534, 65535]),
    ],
)
def test_halves_go_to_even(bits, t, levels):
    t = np.float32(t)[:, None]
    np.testing.assert_array_equal(quantised_levels(jnp.asarray(t), bits=bits)[:, 0], levels)
    np.testing.assert_array_equal(np.round((t - t.min()) * (2**bits - 1) / np.ptp(t))[:, 0], levels)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(
    ("spread", "low"), [(1.0, 0.0), (2.0, -1.0), (0.7, 0.1), (1e-3, 3.0), (3e5, -7.0)]
)
def test_levels_on_their_boundaries_are_the_definition_bit_for_bit(bits, spread, low):
    t = layer_on_the_boundaries(bits, spread, low)
    expected = levels_twin(t, bits)
    np.testing.assert_array_equal(quantised_levels(jnp.asarray(t), bits=bits), expected)
    # Inside a larger program, where XLA fuses differently, and in lanes of a vmap.
    lanes = jnp.stack([jnp.asarray(t)] * 3)
    fused = jax.jit(jax.vmap(lambda t: quantised_levels(t * 2.0, bits=bits) + 0.5 - 0.5))
    np.testing.assert_array_equal(fused(lanes), np.stack([expected] * 3))


@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16])
def test_levels_are_the_rounded_quotient_off_the_boundaries(bits):
    t = random_layer(bits, n=300)[0]
    position = (t.astype(np.float64) - t.min()) * (2.0**bits - 1) / np.ptp(t.astype(np.float64))
    # Two products and a difference are off by 2^-24 of themselves each.
    clear = np.abs(position % 1 - 0.5) > 2.0 ** (bits - 22)
    assert clear.mean() > 0.9
    got = np.asarray(quantised_levels(jnp.asarray(t), bits=bits))
    np.testing.assert_array_equal(got[clear], exact_levels(t, bits).reshape(t.shape)[clear])
    assert got.min() == 0
    assert got.max() == 2**bits - 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False),
        min_size=8,
        max_size=8,
    )
)
def test_any_activations(values):
    t = np.float32(values)[:, None]
    levels = np.asarray(quantised_levels(jnp.asarray(t), bits=4))
    assert levels.min() == 0
    assert levels.max() == (15 if np.ptp(t.astype(np.float64)) > 0 else 0)
    assert (np.diff(levels[np.argsort(t[:, 0]), 0]) >= 0).all()
    np.testing.assert_array_equal(levels, np.round(levels))


@pytest.mark.parametrize("scale", [2.0**-120, 2.0**-63, 1e-20, 2.0**60, 2.0**127])
def test_levels_do_not_depend_on_the_scale(scale):
    t = random_layer(0)[0]
    scale = np.float32(2.0 ** np.round(np.log2(scale)))
    t = np.where(np.abs(t) < 2.0**-6, np.float32(0), t)  # so that no product is subnormal
    expected = quantised_levels(jnp.asarray(t), bits=8)
    np.testing.assert_array_equal(quantised_levels(jnp.asarray(t * scale), bits=8), expected)


# --------------------------------------------------------------------------------------------------
# Information.


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_agrees_with_the_twin(bits):
    t, y = random_layer(0)
    levels = exact_levels(t, bits).reshape(t.shape)
    if bits == 16:  # no two samples share a state, whichever way the boundaries round
        assert len(np.unique(levels, axis=0)) == len(levels)
    twin = binned_mi_twin(levels, y, bin_width=1.0)
    mi = quantised_mi(t, y, bits=bits)
    assert mi.ixt == pytest.approx(twin.ixt, abs=1e-5)
    assert mi.ity == pytest.approx(twin.ity, abs=1e-5)


def test_known_information():
    """All 16 pairs of 4 levels, and a label that is one level's parity."""
    levels = np.indices((4, 4)).reshape(2, -1).T
    mi = quantised_mi(-1 + levels * 0.7, levels[:, 0] % 2, bits=2)
    assert (float(mi.ixt), float(mi.ity)) == (4.0, 1.0)
    # One bit of each level: 0 and 1 to 0, 2 and 3 to 1.
    mi = quantised_mi(-1 + levels * 0.7, levels[:, 0] % 2, bits=1)
    assert (float(mi.ixt), float(mi.ity)) == (2.0, 0.0)


def test_range_is_of_the_whole_layer():
    """A unit of small range is constant beside one of large range."""
    t = np.stack([np.linspace(0, 1, 8), np.linspace(0, 1e-3, 8)], axis=1)
    assert quantised_mi(t, np.arange(8), bits=3).ixt == 3.0
    assert quantised_mi(t, np.arange(8) % 2, bits=3).ity == 1.0
    np.testing.assert_array_equal(quantised_levels(jnp.asarray(t, jnp.float32), bits=3)[:, 1], 0)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.3, 3e38, 1e-38])
def test_constant_layer_is_one_state(value):
    mi = quantised_mi(np.full((20, 3), value), np.arange(20) % 2, bits=8)
    assert (float(mi.ixt), float(mi.ity)) == (0.0, 0.0)


def test_outlier_swallows_the_others():
    t, y = random_layer(0)
    t[0, 0] = 1e4
    assert quantised_mi(t, y, bits=8).ixt < 0.2


# --------------------------------------------------------------------------------------------------
# jit, vmap, and what is no number.


def estimate(t, y):
    return quantised_mi(t, y, bits=6)


def lanes_of_layers():
    return [jnp.stack(parts) for parts in zip(*map(random_layer, range(3)), strict=True)]


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager():
    t, y = lanes_of_layers()
    traces = []

    def traced(t, y):
        traces.append(1)
        return estimate(t, y)

    compiled = jax.jit(traced)
    over_lanes = jax.vmap(estimate)(t, y)
    for i in range(3):
        eager = estimate(t[i], y[i])
        for bits, same, lane in zip(eager, compiled(t[i], y[i]), over_lanes, strict=True):
            assert bits.shape == ()
            assert bits.dtype == jnp.float32
            assert bits == same == lane[i]
    assert len(traces) == 1


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_traced_nan_gives_nan_in_its_own_lane(bad):
    t, y = lanes_of_layers()
    clean = jax.vmap(estimate)(t, y)
    got = jax.vmap(estimate)(t.at[1, 5, 1].set(bad), y)
    for bits, expected in zip(got, clean, strict=True):
        assert np.isnan(bits[1])
        np.testing.assert_array_equal(bits[::2], expected[::2])
    with pytest.raises(ValueError, match="t: expected finite values, got 1"):
        estimate(t[0].at[5, 1].set(bad), y[0])


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (0, "bits: expected a whole number of 1 or more"),
        (-1, "bits: expected a whole number"),
        (2.0, "bits: expected a whole number"),
        (True, "bits: expected a whole number"),
        (17, "bits: expected at most 16, got 17"),
    ],
)
def test_refuses_bits(bits, message, monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    t, y = random_layer(0)
    with pytest.raises(ValueError, match=message):
        quantised_mi(t, y, bits=bits)


def test_refuses_labels_and_shapes():
    t, y = random_layer(0)
    for bad_t, bad_y in [(t[0], y), (t, y[1:]), (t, y * 0.5), (t[:0], y[:0])]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            estimate(bad_t, bad_y)
