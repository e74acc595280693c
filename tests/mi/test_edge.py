"""EDGE against dictionaries of cells on the same shifted grids, and its bias as documented."""

from collections import Counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ibjax.mi.edge import edge_info, edge_mi
from tests.oracles import entropy_bits

KEY = jax.random.key(0)
N = 90


class Twin(NamedTuple):
    """What edge_info gives, and how close a sample comes to an edge, in widths of a cell."""

    bits: float
    capped: float
    bits_per_shift: np.ndarray
    clearance: float


def twin(x, y, *, cell_width=None, num_shifts=5, cap=np.inf):
    """By counting tuples in dictionaries."""
    x, y = (np.asarray(v).reshape(len(v), -1) for v in (x, y))
    num_cut = sum(v.shape[1] for v in (x, y) if is_cut(v))
    scotts_rule = 3.5 * len(x) ** (-1 / (num_cut + 2))
    width_x, width_y = np.broadcast_to(scotts_rule if cell_width is None else cell_width, 2)
    results = []
    for shift in np.asarray(jax.random.uniform(KEY, (num_shifts, num_cut))):
        cells_x, clear_x = cells(x, width_x, shift[: x.shape[1]])
        cells_y, clear_y = cells(y, width_y, shift[-y.shape[1] :])
        results.append((*information(cells_x, cells_y, cap), min(clear_x, clear_y)))
    bits, capped, clearance = np.transpose(results)
    return Twin(np.median(bits), np.mean(capped), bits, clearance.min())


def is_cut(v):
    return v.dtype.kind == "f"


def cells(v, width, shift):
    """The samples' cells, as tuples, and the smallest distance to an edge."""
    if not is_cut(v):
        return list(map(tuple, v)), np.inf
    v = v.astype(np.float64)
    deviation = v.std(axis=0)
    z = (v - v.mean(axis=0)) / np.where(deviation > 0, deviation, 1) / width + shift
    return list(map(tuple, np.floor(z))), np.abs(z - np.round(z)).min()


def information(cells_x, cells_y, cap):
    """sum_ij (N_ij / n) min(log2(n N_ij / (N_i N_j)), cap), and the share of samples at the cap."""
    n = len(cells_x)
    of_x, of_y, of_both = Counter(cells_x), Counter(cells_y), Counter(zip(cells_x, cells_y, strict=True))
    bits, num_capped = 0.0, 0
    for (i, j), count in of_both.items():
        log_ratio = np.log2(n * count / (of_x[i] * of_y[j]))
        bits += count / n * min(log_ratio, cap)
        num_capped += count * (log_ratio >= min(cap, np.log2(n)) - 1e-9)
    return bits, num_capped / n


def assert_equals_twin(x, y, **options):
    info, expected = edge_info(x, y, key=KEY, **options), twin(x, y, **options)
    np.testing.assert_allclose(info.mi_per_shift, expected.bits_per_shift, atol=1e-5)
    assert info.mi == pytest.approx(expected.bits, abs=1e-5)
    assert info.capped == pytest.approx(expected.capped, abs=1e-6)
    assert edge_mi(x, y, key=KEY, **options) == info.mi


def gaussian(rho, n, d=1, seed=0):
    x, noise = np.random.default_rng(seed).normal(size=(2, n, d))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


# --------------------------------------------------------------------------------------------------
# The twin.

cut = {
    "smooth": lambda rng: rng.normal(size=(N, 2)),
    "skewed": lambda rng: rng.exponential(size=(N, 2)) ** 3,
    "repeated": lambda rng: rng.normal(size=(6, 2))[rng.integers(0, 6, N)],
    "constant": lambda rng: np.full((N, 2), 0.3),
}
words = {"words": lambda rng: rng.integers(0, 2, (N, 4)).astype(np.uint8)}
labels = {"labels": lambda rng: rng.integers(-2, 3, N).astype(np.int32)}


@pytest.mark.slow
@given(st.sampled_from([*cut, "words"]), st.sampled_from([*cut, "labels"]), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=8)
def test_equals_twin(name_x, name_y, seed):
    rng = np.random.default_rng(seed)
    x, y = (cut | words)[name_x](rng), (cut | labels)[name_y](rng)
    x, y = (v.astype(np.float32) if is_cut(v) else v for v in (x, y))
    for options in ({}, {"cell_width": (0.9, 2.1), "cap": 1.5}):
        # Where float32 and float64 are sure to agree on the cells.
        assume(twin(x, y, **options).clearance > 1e-5)
        assert_equals_twin(x, y, **options)


@pytest.mark.slow
def test_even_number_of_shifts():
    x, y = (v.astype(np.float32) for v in gaussian(0.8, 200))
    assert_equals_twin(x, y, num_shifts=4)


@pytest.mark.slow
def test_many_samples_equal_twin_and_have_little_bias():
    x, y = (v.astype(np.float32) for v in gaussian(0.75, 60_000))
    got = edge_info(x, y, key=KEY)
    # A sample or two lie closer to an edge than float32 resolves.
    np.testing.assert_allclose(got.mi_per_shift, twin(x, y).bits_per_shift, atol=5e-5)
    assert got.mi == pytest.approx(0.596322, abs=0.02)


@pytest.mark.slow
def test_wide_variables_equal_twin():
    x, y = (v.astype(np.float32) for v in gaussian(0.8, 60, d=300))
    assert_equals_twin(x, y, cell_width=20.0)


@pytest.mark.parametrize("values", [[0, 2**32, 2**40], [-(2**31), 0, 2**31 - 1], [0, 2**24, 2**24 + 1]])
def test_integers_of_any_size_are_told_apart(values):
    labels = np.array(values)[np.random.default_rng(1).integers(0, 3, 200)]
    counts = np.unique(labels, return_counts=True)[1]
    expected = entropy_bits(counts)
    assert edge_mi(labels, labels, key=KEY) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_classes_are_not_cut():
    """Ten labels on standardised axes are .35 apart: cells of the default width would merge them."""
    labels = np.arange(200) % 10
    t = labels[:, None] * np.float32([1.0, -1.0])
    assert edge_mi(t, labels, key=KEY, cell_width=0.1) == pytest.approx(np.log2(10), abs=1e-5)
    assert edge_mi(t, labels, key=KEY, cell_width=1.0) < 3
    assert edge_mi(labels // 5, labels, key=KEY) == pytest.approx(1, abs=1e-5)


# --------------------------------------------------------------------------------------------------
# The cap.


@pytest.mark.slow
def test_isolated_samples_reach_the_cap_and_are_reported():
    x, y = gaussian(0.0, 200)
    info = edge_info(x, y, key=KEY, cell_width=1e-5)
    assert info.mi == pytest.approx(np.log2(200), abs=1e-5)
    assert info.capped == 1
    info = edge_info(x, y, key=KEY, cell_width=1e-5, cap=2.5)
    assert info.mi == pytest.approx(2.5, abs=1e-5)
    assert info.capped == 1


@pytest.mark.slow
def test_default_cap_changes_nothing():
    x, y = gaussian(0.9, 200)
    free, capped = (edge_info(x, y, key=KEY, cap=cap) for cap in (40.0, None))
    assert free.mi == capped.mi
    assert free.capped == 0


@pytest.mark.slow
def test_lower_cap_never_raises_the_estimate():
    x, y = gaussian(0.95, 200)
    bits = [float(edge_mi(x, y, key=KEY, cap=cap)) for cap in (0.5, 1.0, 2.0, 4.0, 8.0)]
    assert (np.diff(bits) >= 0).all()
    assert bits[0] < 0.5


def test_no_floor_lifts_independent_variables():
    """All combinations once: every N_ij is what independence expects, and the sum is 0."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(10), np.arange(20)))
    assert edge_mi(x, y, key=KEY) == pytest.approx(0, abs=1e-6)
    # With a cap negative log-ratios outweigh the positive ones that are cut: below 0, not floored.
    x, y = gaussian(0.0, 200)
    assert edge_mi(x, y, key=KEY, cap=0.05) < 0


# --------------------------------------------------------------------------------------------------
# The bias, as documented.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "nats", "low", "high"),
    [
        (0.0, 0.0, 0.03, 0.12),
        (0.5, 0.143841, -0.02, 0.08),
        (0.75, 0.413339, -0.12, 0.03),
        (0.95, 1.163991, -0.45, -0.2),
    ],
)
def test_bias_of_gaussian_columns(rho, nats, low, high):
    """Upward for independent columns, downward for strongly dependent ones."""
    bias = [float(edge_mi(*gaussian(rho, 1000, seed=i), key=KEY)) - nats / np.log(2) for i in range(4)]
    assert low < np.mean(bias) < high


def test_binary_symmetric_channel():
    """Labels are counted as they are: ln 2 - h(.1) = .368064 nats."""
    x = np.arange(200) % 2
    y = x ^ (np.arange(200) // 2 % 10 == 0)
    assert float(edge_mi(x, y, key=KEY)) * np.log(2) == pytest.approx(0.368064, abs=1e-6)


# --------------------------------------------------------------------------------------------------
# Calls.


def lanes():
    pairs = [gaussian(rho, N, d=2, seed=3) for rho in (0.0, 0.5, 0.95)]
    x, y = (np.float32(side) for side in zip(*pairs, strict=True))
    return jnp.asarray(x), jnp.asarray(y)


def f(x, y, key=KEY):
    return edge_mi(x, y, key=key)


f_of_lanes = jax.jit(jax.vmap(f))


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager():
    x, y = lanes()
    loop = [f(*pair) for pair in zip(x, y, strict=True)]
    assert loop[0].shape == ()
    assert loop[0].dtype == jnp.float32
    jitted = jax.jit(f)
    for i in range(3):
        assert jitted(x[i], y[i]) == pytest.approx(float(loop[i]), abs=1e-5)
    assert jitted._cache_size() == 1
    np.testing.assert_allclose(f_of_lanes(x, y), jnp.stack(loop), atol=1e-5)


@pytest.mark.slow
def test_vmap_over_keys_labels_and_options():
    x, classes = lanes()[0], jnp.arange(N) % 4
    keys = jax.random.split(KEY, 3)

    def of_lane(x, key, width, cap):
        return edge_mi(x, classes, key=key, cell_width=(width, 1.0), cap=cap)

    arguments = x, keys, jnp.float32([0.5, 1.0, -1.0]), jnp.float32([2.0, 1.0, -1.0])
    got = jax.jit(jax.vmap(of_lane))(*arguments)
    expected = [of_lane(x[0], keys[0], 0.5, 2.0), of_lane(x[1], keys[1], 1.0, 1.0)]
    np.testing.assert_allclose(got[:2], expected, atol=1e-5)
    assert np.isnan(got[2])


@pytest.mark.slow
def test_shifts_depend_on_the_key_alone():
    x, y = gaussian(0.5, N)
    assert f(x, y) == f(x, y)
    assert f(x, y) != f(x, y, jax.random.key(1))


@pytest.mark.slow
def test_symmetries():
    x, y = lanes()
    x, y = x[1], y[1]
    rows = np.random.default_rng(4).permutation(N)
    assert f(x[rows], y[rows]) == pytest.approx(float(f(x, y)), abs=1e-5)
    assert f(8 * x, y / 1024) == pytest.approx(float(f(x, y)), abs=1e-5)
    assert f(*jnp.stack([y, x])) == pytest.approx(float(f(x, y)), abs=0.2)  # other shifts


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 0.3, -3e38])
def test_constant_gives_exactly_nothing(value):
    y = lanes()[1][1]
    assert f(jnp.full((N, 2), value), y) == 0
    assert f(y, jnp.full((N, 2), value)) == 0
    assert f(jnp.full((N, 2), int(value > 0)), y) == 0


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(bad):
    x, y = lanes()
    clean = f_of_lanes(x, y)
    for name, spoilt in (("x", (x.at[1, 5, 1].set(bad), y)), ("y", (x, y.at[1, 0, 0].set(bad)))):
        with pytest.raises(ValueError, match=f"{name}: expected finite values, got 1"):
            f(spoilt[0][1], spoilt[1][1])
        got = f_of_lanes(*spoilt)
        assert np.isnan(got[1])
        np.testing.assert_array_equal(got[::2], clean[::2])


@pytest.mark.slow
def test_all_of_a_failure_is_nan():
    x, y = lanes()
    info = jax.jit(lambda x, y: edge_info(x, y, key=KEY))(x[0] * np.nan, y[0])
    assert np.isnan(info.capped)
    assert np.isnan(info.mi_per_shift).all()


def test_refuses_other_arguments(monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    x, y = gaussian(0.5, 20)
    for bad in (x[:4], x[None], np.float32(1.0), x.astype(complex), x[:, :0]):
        with pytest.raises(ValueError, match=r"expected .* got "):
            f(bad, y)
    with pytest.raises(ValueError, match="n_samples: expected at least 2, got 1"):
        f(x[:1], y[:1])
    for options, message in [
        ({"cell_width": 0.0}, "cell_width: expected a positive finite number"),
        ({"cell_width": -1.0}, "cell_width: expected a positive finite number"),
        ({"cell_width": (1.0, np.inf)}, "cell_width: expected a positive finite number"),
        ({"cell_width": 1e-9}, "cell_width: expected at least 1e-06 standard deviations"),
        ({"cell_width": (1.0, 1.0, 1.0)}, "cell_width: expected a number or a pair"),
        ({"cap": 0.0}, "cap: expected a positive finite number"),
        ({"cap": np.nan}, "cap: expected a positive finite number"),
        ({"num_shifts": 0}, "num_shifts: expected a whole number"),
        ({"num_shifts": 2.0}, "num_shifts: expected a whole number"),
    ]:
        with pytest.raises(ValueError, match=message):
            edge_mi(x, y, key=KEY, **options)
