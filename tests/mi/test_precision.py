"""Offsets and scales cost no digits that the user's array had: estimators against themselves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi import (
    adaptive_edges,
    binned_mi,
    discrete_mi,
    discrete_p_value,
    edge_info,
    edge_mi,
    entropy,
    exact_mi,
    gaussian_mi,
    kde_mi,
    ksg_mi,
    linear_gaussian_mi,
    noisy_mi,
    quantised_mi,
    renyi_mi,
    ross_mi,
    shuffle_test,
    variational_info,
)
from ibjax.types import MI
from tests.marks import slow
from tests.oracles import entropy_bits

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N = 400
X, Z = RNG.normal(size=(2, N, 1))
# On a lattice of 2^-20, so that offsets of 1e9 leave every difference as it is.
X = np.round(X * 2**20) / 2**20
Y = (X + Z) / 2
LABELS = RNG.integers(0, 3, N) + (X[:, 0] > 0)

INVARIANT = {
    "ksg": lambda x: ksg_mi(x, Y),
    "ksg 2": lambda x: ksg_mi(x, Y, variant=2),
    "ksg, other side": lambda x: ksg_mi(Y, x),
    "ross": lambda x: ross_mi(x, LABELS),
    "gaussian": lambda x: gaussian_mi(x, Y),
    "renyi": lambda x: renyi_mi(x[:60], Y[:60]),
    "edge": lambda x: edge_mi(x, Y, key=KEY),
    "quantised": lambda x: quantised_mi(x, LABELS, bits=5).ixt,
}
VARIATIONAL = {
    "infonce": lambda x: variational_info(x, Y, key=KEY, num_steps=20, hidden=(8,)).mi,
}
SHIFTED = {
    "1e9": lambda x: x + 1e9,
    "-1e9": lambda x: x - 1e9,
    "big-endian 1e9": lambda x: (x + 1e9).astype(">f8"),
    "1e-40": lambda x: x * 2.0**-133,
    "1e-300": lambda x: x * 2.0**-1000,
    "1e300": lambda x: x * 2.0**1000,
    "integers": lambda x: (x * 2**20).astype(np.int64),
    "integers from 2^60": lambda x: (x * 2**20).astype(np.int64) + 2**60,
    "unsigned from 2^63": lambda x: (x * 2**20 + 2**25).astype(np.uint64) + np.uint64(2**63),
    "integers of 32 bits": lambda x: (x * 2**20).astype(np.int32) + 2**30,
    "float32, subnormal": lambda x: (np.round(x * 2**10) * 2.0**-149).astype(np.float32),
}


@pytest.mark.parametrize("shift", SHIFTED.values(), ids=SHIFTED.keys())
@pytest.mark.parametrize("estimate", INVARIANT.values(), ids=INVARIANT.keys())
def test_offset_and_scale_do_not_matter(estimate, shift, request):
    x = X if "subnormal" not in request.node.callspec.id else np.round(X * 2**10) / 2**10
    if estimate is INVARIANT["edge"] and shift(x).dtype.kind in "iu":
        pytest.skip("integers are not cut")
    if estimate is INVARIANT["quantised"] and shift(x).dtype == np.float32:
        pytest.skip("subnormal float32 activations count as 0")
    assert float(estimate(shift(x))) == pytest.approx(float(estimate(x)), abs=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shift", SHIFTED.values(), ids=SHIFTED.keys())
def test_offset_and_scale_do_not_matter_to_networks(shift):
    if shift(X).dtype == np.float32:
        pytest.skip("of another rounding")
    estimate = VARIATIONAL["infonce"]
    assert float(estimate(shift(X))) == pytest.approx(float(estimate(X)), abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [kde_mi, functools.partial(noisy_mi, key=KEY, num_draws=1)])
@pytest.mark.parametrize("offset", [1e9, -1e12])
def test_an_offset_does_not_matter_to_layers_with_noise(estimator, offset):
    t = np.round(np.tanh(RNG.normal(size=(N, 3))) * 2**12) / 2**12
    got, expected = (estimator(x, LABELS, noise_variance=1e-3) for x in (t + offset, t))
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.slow
def test_traced_subnormal_numbers_keep_their_differences():
    x = (np.round(X * 2**10) * 2.0**-149).astype(np.float32)
    y = Y.astype(np.float32)
    for f in (ksg_mi, gaussian_mi):
        expected = float(f(np.round(X * 2**10) / 2**10, Y))
        assert float(jax.jit(f)(x, y)) == pytest.approx(expected, abs=2e-4)


@pytest.mark.slow
def test_units_of_weights_and_noise_cancel():
    w = RNG.normal(size=(3, 2))
    f = linear_gaussian_mi
    expected = f(w, input_covariance=np.eye(3), noise_variance=0.5)
    for got in (
        f(w * 1e-40, input_covariance=np.eye(3), noise_variance=0.5e-80),
        f([w * 1e-200, 1e200 * np.eye(2)], input_covariance=np.eye(3), noise_variance=0.5),
        f(w, input_covariance=1e60 * np.eye(3), noise_variance=0.5e60),
    ):
        assert float(got) == pytest.approx(float(expected), abs=1e-5)


# --------------------------------------------------------------------------------------------------
# Bins and states are absolute.


def counted(states) -> float:
    return entropy_bits(np.unique(states, axis=0, return_counts=True)[1])


@pytest.mark.parametrize("offset", [0.0, 1e8, -3e12])
@pytest.mark.parametrize("bin_width", [0.25, 0.1])
def test_bins_that_float32_does_not_resolve(offset, bin_width):
    t = RNG.normal(size=(N, 2)) + offset
    m = np.rint(t / bin_width)  # the answer, or one above it
    expected = counted(np.where(m * bin_width > t, m - 1, m))
    assert float(binned_mi(t, LABELS, bin_width=bin_width).ixt) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scale", [1, 10**6, 10**11])
def test_timestamps_fall_into_bins_of_whole_widths(scale):
    t = 1_700_000_000_000_000_000 + RNG.integers(0, 10**6, (N, 1)) * scale
    expected = counted(t // (7 * scale))
    mi = binned_mi(t, LABELS, bin_width=7.0 * scale)
    assert float(mi.ixt) == pytest.approx(expected, abs=1e-5)


def test_edges_that_float32_does_not_resolve():
    t = RNG.normal(size=(N, 2)) + 1e8
    edges = 1e8 + np.linspace(-1, 1, 31)
    expected = counted(np.searchsorted(edges[1:-1], t, side="right"))
    assert float(binned_mi(t, LABELS, bins=edges).ixt) == pytest.approx(expected, abs=1e-5)
    ranged = binned_mi(t, LABELS, bins=30, range=(1e8 - 1, 1e8 + 1))
    assert float(ranged.ixt) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match=r"t: expected numbers that float32 tells apart"):
        adaptive_edges(t, bins=4)
    for falling in (edges[::-1], np.append(edges, np.nan), [1e8, 1e8]):
        with pytest.raises(ValueError, match="bins: expected finite, increasing float32 edges, got"):
            binned_mi(t, LABELS, bins=falling)


def test_bins_that_no_float_resolves_are_refused():
    with pytest.raises(
        ValueError, match="bin_width: expected bins that float64 resolves at activations"
    ):
        binned_mi(1e16 + 2 * RNG.normal(size=(N, 1)), LABELS, bin_width=0.1)


def test_exact_states_are_of_all_bits():
    f32 = np.float32
    for t, states in [
        (f32([[0], [1.4e-45], [4.9e-44], [-0.0]]), [0, 1, 2, 0]),
        (f32([[1e-40], [2e-40], [1e-40], [-1e-40]]), [0, 1, 0, 2]),
        (np.array([[1.0], [1 + 2.0**-52], [1.0], [-1.0]]), [0, 1, 0, 2]),
        (np.array([[0.0], [-0.0], [5e-324], [0.0]]), [0, 0, 1, 0]),
        (np.array([[2**62], [2**62 + 1], [2**62], [-1]]), [0, 1, 0, 2]),
        (np.array([[2**63], [2**63 + 1], [2**63], [1]], np.uint64), [0, 1, 0, 2]),
        (np.array([[2**30], [2**30 + 1], [2**30], [-1]], np.int32), [0, 1, 0, 2]),
    ]:
        assert float(exact_mi(t, [0, 0, 1, 1]).ixt) == pytest.approx(counted(states), abs=1e-6)
        if t.dtype == np.float32:
            traced = jax.jit(exact_mi)(jnp.asarray(t), jnp.asarray([0, 0, 1, 1]))
            assert float(traced.ixt) == pytest.approx(counted(states), abs=1e-6)


@pytest.mark.slow
def test_shuffles_see_what_the_estimate_sees():
    x, y = X[:60, 0], Z[:60, 0]
    tests = [
        shuffle_test(gaussian_mi, np.asarray(a), b, key=KEY, num_shuffles=19)
        for a, b in ((x, y), (x.astype(">f8"), y.astype(">f4")), (x.tolist(), y))
    ]
    for test in tests[1:]:
        np.testing.assert_allclose(test.null, tests[0].null, atol=1e-6)
    for bad, message in [
        (x + 1e9, "x: expected numbers that float32 tells apart"),
        (np.full(60, 2**40), "x: expected integers of 32 bits"),
        (np.full(60, 1e39), "x: expected finite values"),
    ]:
        with pytest.raises(ValueError, match=message):
            shuffle_test(gaussian_mi, bad, y, key=KEY, num_shuffles=19)


# --------------------------------------------------------------------------------------------------
# Sizes, labels and what an estimate says of itself.


@pytest.mark.parametrize("kind", [np.uint8, *map(slow, (np.int8, np.int16, np.int32, np.uint64))])
@pytest.mark.usefixtures("as_users")
def test_sizes_of_few_bits_do_not_overflow(kind):
    t = np.tanh(X)
    for f in (
        lambda of: discrete_p_value(0.01, num_samples=of(100), num_states_x=of(12), num_states_y=of(12)),
        lambda of: quantised_mi(t, LABELS, bits=of(3)).ixt,
        lambda of: binned_mi(t, LABELS, bins=of(120)).ixt,
        lambda of: ksg_mi(X, Y, k=of(3), variant=of(2)),
        lambda of: adaptive_edges(t, bins=of(100)),
        lambda of: entropy([1, 2, 3], correction="nsb", num_states=of(100)),
    ):
        np.testing.assert_array_equal(f(kind), f(int))


@pytest.mark.usefixtures("as_users")
def test_large_samples_of_few_bits():
    got, expected = (
        discrete_p_value(0.001, num_samples=n, num_states_x=2, num_states_y=2)
        for n in (np.int16(20_000), 20_000)
    )
    assert got == expected < 1e-6


@pytest.mark.slow
def test_labels_of_64_bits_are_told_apart_where_they_are_traced():
    x, y = [0, 2**32, 1, 2**32], [0, 1, 0, 1]
    assert discrete_mi(x, y) == 1
    with jax.enable_x64(True):
        x = jnp.asarray(x)
        assert x.dtype == jnp.int64
        assert float(jax.jit(discrete_mi)(x, jnp.asarray(y))) == 1
        assert float(jax.jit(discrete_mi)(x[:, None], x)) == 1.5
        t = jnp.asarray([[-0.9], [0.9], [-0.9], [0.9]])
        for f in (binned_mi, exact_mi, kde_mi):
            assert float(jax.jit(f)(t, x).ity) == pytest.approx(1, abs=1e-5)
        assert float(jax.jit(lambda x: edge_mi(x, x, key=KEY))(x)) == pytest.approx(1.5, abs=1e-6)


@pytest.mark.slow
def test_labels_for_counts_are_warned_of():
    digits = np.arange(1000) % 10
    with pytest.warns(UserWarning, match=r"entropy: 1000 whole numbers from 0 to 9.*numpy.bincount"):
        entropy(digits)
    # Without a warning, which would be an error here.
    assert float(entropy(np.bincount(digits))) == pytest.approx(np.log2(10), abs=1e-6)
    entropy(digits, num_states=1000)
    entropy([4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1])
    entropy(digits.astype(float))


@pytest.mark.slow
def test_cells_that_merge_discrete_values_are_flagged():
    words = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(float)
    info = edge_info(words, words, key=KEY)
    assert info.merged
    assert info.mi < 7.5
    for x, options in ((words.astype(int), {}), (words, {"cell_width": 0.5}), (X, {})):
        assert not edge_info(x, x, key=KEY, **options).merged
    assert edge_info(words, words, key=KEY, cell_width=0.5).mi == pytest.approx(8, abs=1e-5)


@pytest.mark.slow
def test_outliers_that_dominate_are_flagged():
    x, y = np.append(X, 1e30), np.append(Y, 0.0)
    options = {"key": KEY, "num_steps": 20, "hidden": (8,)}
    assert variational_info(x, y, **options).dominated
    assert not variational_info(X, Y, **options).dominated


def test_estimates_stay_of_their_type():
    """64 bits in, 32 out: nothing that is wide reaches a program."""
    with jax.enable_x64(True):
        for bits in (ksg_mi(X, Y), *binned_mi(X, LABELS), entropy([3, 2])):
            assert bits.dtype == jnp.float32
        assert isinstance(binned_mi(jnp.asarray(X), jnp.asarray(LABELS)), MI)
