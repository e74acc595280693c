"""renyi_mi against known Gram matrices and a plain twin; its precision, widths and contract."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi.renyi import renyi_mi

ORDERS = (0.5, 0.99, 1.0, 1.01, 1.5, 2.0, 20.0)


def rule(v) -> float:
    """The stated width: the root mean square distance of two samples, times n^(-1 / (4 + d))."""
    n, d = v.shape
    squared = ((v[:, None] - v[None]) ** 2).sum(axis=-1)
    return np.sqrt(squared.mean()) * n ** (-1 / (4 + d))


def renyi_twin(x, y, alpha=1.01, x_width=None, y_width=None) -> float:
    """Bits, from the definitions, in float64."""

    def gram(v, width):
        v = np.asarray(v, np.float32).astype(np.float64).reshape(len(v), -1)
        squared = ((v[:, None] - v[None]) ** 2).sum(axis=-1)
        if width is None:
            width = rule(v) or 1.0
        return np.exp(-squared / (2 * width**2))

    def entropy(k):
        p = np.linalg.eigvalsh(k / np.trace(k))
        p = p[p > 1e-14]
        return -(p * np.log2(p)).sum() if alpha == 1 else np.log2((p**alpha).sum()) / (1 - alpha)

    a, b = gram(x, x_width), gram(y, y_width)
    return entropy(a) + entropy(b) - entropy(a * b)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)) + 3
    return x.astype(np.float32), (x[:, 0] + rng.normal(size=60)).astype(np.float32)


@pytest.mark.parametrize("alpha", ORDERS)
def test_known_gram_matrices(alpha):
    distinct, blocks, constant = np.arange(60.0), np.arange(60.0) // 12, np.ones(60)
    mi = functools.partial(renyi_mi, alpha=alpha, x_width=0.01, y_width=0.01)
    assert mi(distinct, distinct) == pytest.approx(np.log2(60), abs=1e-5)
    assert mi(blocks, blocks) == pytest.approx(np.log2(5), abs=1e-5)
    assert mi(distinct, blocks) == pytest.approx(np.log2(5), abs=1e-5)
    assert mi(constant, constant) == pytest.approx(0.0, abs=1e-6)
    assert mi(distinct, constant) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("alpha", ORDERS)
def test_agrees_with_twin(samples, alpha):
    tolerance = 1e-2 if alpha < 0.9 else 1e-4  # what dropping eigenvalues below 1e-6 costs
    assert renyi_mi(*samples, alpha=alpha) == pytest.approx(renyi_twin(*samples, alpha), abs=tolerance)


def test_agrees_with_twin_at_given_widths(samples):
    for x_width, y_width in [(1.0, 1.0), (0.2, 3.0), (10, 0.5)]:
        expected = renyi_twin(*samples, 1.01, x_width, y_width)
        got = renyi_mi(*samples, x_width=x_width, y_width=y_width)
        assert got == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_agrees_with_twin_for_many_samples_and_columns():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 80))
    y = x[:, :3] + rng.normal(size=(300, 3))
    assert renyi_mi(x, y) == pytest.approx(renyi_twin(x, y), abs=2e-4)


def test_is_continuous_at_order_1(samples):
    """The plain formula would lose all digits of log2(1 + order * S) / order here."""
    shannon = float(renyi_mi(*samples, alpha=1.0))
    for order in (1e-3, 1e-5, 2e-7):
        slope = 2.0 * order
        assert renyi_mi(*samples, alpha=1 + order) == pytest.approx(shannon, abs=slope + 1e-5)
        assert renyi_mi(*samples, alpha=1 - order) == pytest.approx(shannon, abs=slope + 1e-5)


@given(st.floats(0.51, 8.0), st.integers(1, 10))
@settings(max_examples=15, deadline=None)
def test_blocks_at_any_order(alpha, m):
    x = np.arange(60.0) * m // 60
    counts = np.unique(x, return_counts=True)[1] / 60
    h = -(counts * np.log2(counts)).sum()
    expected = h if alpha == 1 else np.log2((counts**alpha).sum()) / (1 - alpha)
    got = renyi_mi(x, x, alpha=alpha, x_width=0.01, y_width=0.01)
    assert got == pytest.approx(expected, abs=2e-5)


# Widths.


def test_default_width_is_the_stated_rule(samples):
    x, y = samples
    x_width, y_width = rule(x.astype(np.float64)), rule(y[:, None].astype(np.float64))
    got = renyi_mi(x, y, x_width=x_width, y_width=y_width)
    assert got == pytest.approx(float(renyi_mi(x, y)), abs=1e-4)


def test_scale_and_offset_do_not_matter(samples):
    x, y = samples
    expected = float(renyi_mi(x, y))
    for a, b in [(2.0**100, 2.0**-100), (3.0, -0.7), (1e30, 1e-30)]:
        got = renyi_mi(x * np.float32(a), y * np.float32(b))
        assert got == pytest.approx(expected, abs=5e-5)
    assert renyi_mi(x + 64, y - 8) == pytest.approx(expected, abs=1e-3)  # x is rounded


def test_widths_decide_the_number():
    x, y = np.random.default_rng(2).normal(size=(2, 60))  # independent
    narrow, rule_of_thumb, wide = (
        float(renyi_mi(x, y, x_width=w, y_width=w)) for w in (1e-6, None, 1e3)
    )
    assert narrow == pytest.approx(np.log2(60), abs=1e-5)
    assert 0.05 < rule_of_thumb < 1.0  # independent samples are not at 0
    assert wide == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_extreme_widths(samples, scale):
    x = samples[0] * np.float32(scale)
    assert renyi_mi(x, x, x_width=2e-38, y_width=2e-38) == pytest.approx(np.log2(60), abs=1e-5)
    assert renyi_mi(x, x, x_width=3e38, y_width=3e38) == pytest.approx(0.0, abs=1e-5)


def test_widths_and_order_may_be_traced(samples):
    x, y = samples
    traces = []

    @jax.jit
    def traced(x_width, y_width, alpha):
        traces.append(1)
        return renyi_mi(x, y, alpha=alpha, x_width=x_width, y_width=y_width)

    for numbers in [(1.0, 2.0, 1.0), (0.3, 0.4, 1.01), (5.0, 1.0, 3.0)]:
        x_width, y_width, alpha = numbers
        expected = renyi_mi(x, y, alpha=alpha, x_width=x_width, y_width=y_width)
        assert traced(*numbers) == pytest.approx(float(expected), abs=2e-5)
    assert len(traces) == 1
    for numbers in [
        (0.0, 1.0, 1.0),
        (1.0, -1.0, 1.0),
        (1.0, 1.0, 0.0),
        (np.nan, 1.0, 1.0),
        (1.0, np.inf, 1.0),
    ]:
        assert np.isnan(traced(*numbers))


# Contract.


@pytest.mark.slow
def test_constant_variable_gives_none(samples):
    for constant in (np.full(60, 0.3), np.full(60, -1e30), np.zeros(60)):
        assert renyi_mi(samples[0], constant) == pytest.approx(0.0, abs=1e-6)
        assert renyi_mi(constant, samples[0]) == pytest.approx(0.0, abs=1e-6)
    assert renyi_mi(np.ones((60, 100)) / 3, samples[1]) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.slow
def test_order_and_sides_do_not_matter(samples):
    x, y = samples
    expected = float(renyi_mi(x, y))
    order = np.random.default_rng(1).permutation(60)
    assert renyi_mi(x[order], y[order]) == pytest.approx(expected, abs=3e-5)
    assert renyi_mi(y, x) == pytest.approx(expected, abs=3e-5)
    assert renyi_mi(x[:, ::-1], y[:, None]) == pytest.approx(expected, abs=3e-5)


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager(samples):
    x, y = samples
    lanes = jnp.stack([x, x[::-1], x**2]), jnp.stack([y, y, y])
    loop = [renyi_mi(a, b) for a, b in zip(*lanes, strict=True)]
    for bits in loop:
        assert bits.shape == ()
        assert bits.dtype == jnp.float32
    assert jax.jit(renyi_mi)(x, y) == pytest.approx(float(loop[0]), abs=3e-5)
    np.testing.assert_allclose(jax.vmap(renyi_mi)(*lanes), loop, atol=3e-5)


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(samples, bad):
    lanes = [jnp.stack([v.reshape(60, -1)] * 3) for v in samples]
    clean = jax.vmap(renyi_mi)(*lanes)
    for side in (0, 1):
        spoilt = [v.at[1, 5, 0].set(bad) if side == s else v for s, v in enumerate(lanes)]
        got = jax.vmap(renyi_mi)(*spoilt)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], clean[::2])
        with pytest.raises(ValueError, match="expected finite values, got 1"):
            renyi_mi(*(v[1] for v in spoilt))


def test_refuses_bad_arguments(samples):
    x, y = samples
    for name in ("alpha", "x_width", "y_width"):
        for bad in (0, -1.0, np.nan, np.inf, 1e39, 1e-39):
            with pytest.raises(ValueError, match=f"{name}: expected a .*number, got"):
                renyi_mi(x, y, **{name: bad})
    for bad_x, bad_y in [(x[None], y), (x[:9], y), (x[:0], y[:0]), (x[:, :0], y), (x * 1j, y)]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            renyi_mi(bad_x, bad_y)
