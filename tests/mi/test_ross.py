"""ross_mi against known values, a plain twin and scikit-learn; its ties, small classes and contract."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from ibjax.mi.ross import ross_mi
from tests.marks import slow

LANES, N = 16, 1000
NAT = np.log(2)  # in bits: nats * NAT


@functools.cache
def in_lanes():
    return jax.jit(jax.vmap(ross_mi))


def scaled(v) -> np.ndarray:
    """float32 values in float64, (n, d), each column divided by its standard deviation."""
    v = np.asarray(v, np.float32).astype(np.float64).reshape(len(v), -1)
    deviation = v.std(axis=0)
    return np.divide(v, deviation, out=np.zeros_like(v), where=deviation > 0)


def ross_twin(x, labels, k=3) -> float:
    """Bits, from the definitions, one sample at a time; distances tie where they agree to 2e-6."""
    x, labels = scaled(x), np.asarray(labels)
    kept = np.array([(labels == label).sum() > 1 for label in labels])
    x, labels = x[kept], labels[kept]
    terms = []
    for i, label in enumerate(labels):
        d = abs(x - x[i]).max(axis=1)
        same = labels == label
        others = np.sort(d[same & (np.arange(len(x)) != i)])
        radius = others[min(k, len(others)) - 1] * (1 - 2.0**-19)
        within = (d <= radius)[same].sum()
        terms.append(digamma(within) - digamma(same.sum()) - digamma((d <= radius).sum()))
    return (digamma(len(x)) + np.mean(terms)) / NAT


def mixed(rng, m, shape):
    """Labels 0..m-1 and x uniform on (label, label + 2): ln m - (m - 1) ln 2 / m nats."""
    labels = rng.integers(0, m, shape)
    return rng.uniform(labels, labels + 2).astype(np.float32), labels.astype(np.int32)


@pytest.mark.parametrize(("m", "nats"), [(2, 0.346574), slow(5, 1.054920), slow(10, 1.678753)])
def test_mixed_distribution(m, nats):
    got = np.asarray(in_lanes()(*mixed(np.random.default_rng(m), m, (LANES, N)))) * NAT
    standard_error = got.std(ddof=1) / np.sqrt(LANES)
    assert standard_error < 0.01
    # The bias at n = 1000 is downward and below 0.01 nats.
    assert -0.01 - 3.5 * standard_error < got.mean() - nats < 3.5 * standard_error


@pytest.mark.slow
def test_binary_input_in_gaussian_noise():
    """+-1 with noise of variance 1: 0.336831 nats by quadrature."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (LANES, N)).astype(np.int32)
    x = (2 * labels - 1 + rng.normal(size=(LANES, N))).astype(np.float32)
    got = np.asarray(in_lanes()(x, labels)) * NAT
    assert abs(got.mean() - 0.336831) < 3.5 * got.std(ddof=1) / np.sqrt(LANES)


def test_independence_is_unbiased_and_not_clipped():
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(LANES, N)).astype(np.float32), rng.integers(0, 4, (LANES, N))
    got = np.asarray(in_lanes()(x, labels.astype(np.int32)))
    assert abs(got.mean()) < 4 * got.std() / np.sqrt(LANES)
    assert (got < 0).any()


@pytest.mark.slow
def test_separated_classes_give_the_entropy_of_the_labels():
    labels = np.repeat([0, 1], [100, 50])
    x = np.random.default_rng(4).normal(size=(150, 3)) + 1000 * labels[:, None]
    nats = digamma(150) - (100 * digamma(100) + 50 * digamma(50)) / 150
    assert ross_mi(x, labels) == pytest.approx(nats / NAT, abs=1e-5)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, 3, 150)).astype(np.int32)
    labels[:3] = [7, 8, 8]  # a class of one sample, and one of less than k + 1
    x = rng.normal(size=(150, 3)) * [1, 100, 0.01] + [0, 50, 1]
    x[:, 0] += labels
    return x.astype(np.float32), labels


@pytest.mark.parametrize("k", [slow(1), 3, slow(20)])
def test_agrees_with_twin(samples, k):
    assert ross_mi(*samples, k=k) == pytest.approx(ross_twin(*samples, k), abs=1e-5)


@pytest.mark.parametrize("rare", [0, 5])
def test_agrees_with_scikit_learn(rare):
    pytest.importorskip("sklearn")
    from sklearn.feature_selection._mutual_info import _compute_mi_cd

    x, labels = mixed(np.random.default_rng(1), 5, N)
    labels[:rare] = np.arange(100, 100 + rare)  # classes of one sample
    nats = _compute_mi_cd(x.astype(np.float64), labels, 3)
    assert ross_mi(x, labels) * NAT == pytest.approx(nats, abs=1e-4)


# Small classes and ties.


@pytest.mark.slow
def test_classes_of_one_sample_are_left_out(samples):
    x, labels = samples
    x = x[:, 0]  # in one dimension the scale, which is of all samples, does not matter
    assert ross_mi(x, labels) == pytest.approx(ross_twin(x[1:], labels[1:]), abs=1e-5)


@pytest.mark.slow
def test_labels_all_different(samples):
    x, _ = samples
    with pytest.raises(ValueError, match="y: expected a label that occurs twice, got 150 different"):
        ross_mi(x, np.arange(150))
    assert np.isnan(jax.jit(ross_mi)(x, jnp.arange(150)))


def test_constants_give_none(samples):
    x, labels = samples
    assert ross_mi(np.full_like(x, 0.3), labels) == 0.0
    assert ross_mi(x, np.full(150, 5)) == 0.0
    assert ross_mi(np.full_like(x, 0.3), np.full(150, 5)) == 0.0


def test_copies_give_plug_in_estimate():
    """Few values of many copies: psi in the place of the plug-in estimate's logarithm."""
    rng = np.random.default_rng(7)
    x = rng.integers(0, 3, 150)
    labels = (x + rng.integers(0, 2, 150)) % 4
    c_xy, c_x, c_y = (
        np.array([(states == s).sum() for s in states]) for states in (4 * x + labels, x, labels)
    )
    assert c_xy.min() > 3
    nats = digamma(150) + np.mean(digamma(c_xy) - digamma(c_x) - digamma(c_y))
    assert ross_mi(x, labels) == pytest.approx(nats / NAT, abs=1e-5)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 4)), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_lattices(points):
    x, labels = np.array([*points, (0, 0), (1, 0)]).T
    got = float(ross_mi(x, labels))
    assert abs(got) <= np.log2(14) + 0.84
    assert got == pytest.approx(ross_twin(x, labels), abs=1e-5)
    order = np.random.default_rng(0).permutation(14)
    assert got == pytest.approx(float(ross_mi(x[order], labels[order])), abs=1e-5)


# Contract.


def test_order_names_and_scales_do_not_matter(samples):
    x, labels = samples
    expected = float(ross_mi(x, labels))
    order = np.random.default_rng(1).permutation(150)
    names = np.array([-3, 2**62, 2**62 + 2**32, 0, 0, 0, 0, 1, -(2**40)])
    for other in [
        ross_mi(x[order], labels[order]),
        ross_mi(x[:, ::-1], labels),
        ross_mi(x, names[labels]),  # 64 bits
        ross_mi(x * np.float32([2**10, -(2**-13), 2**100]), labels),
    ]:
        assert other == pytest.approx(expected, abs=1e-5)


def test_one_dimension_needs_no_scale(samples):
    x, labels = samples
    assert ross_mi(x[:, 0] * 3 + 1, labels) == pytest.approx(float(ross_mi(x[:, 0], labels)), abs=5e-3)


@pytest.mark.slow
def test_jit_and_vmap_agree_with_eager(samples):
    x, labels = samples
    lanes = jnp.stack([x, x[::-1], x * 2]), jnp.stack([labels, labels, labels[::-1] % 2])
    loop = [ross_mi(a, b) for a, b in zip(*lanes, strict=True)]
    for bits in loop:
        assert bits.shape == ()
        assert bits.dtype == jnp.float32
    assert jax.jit(ross_mi)(x, labels) == pytest.approx(float(loop[0]), abs=1e-5)
    np.testing.assert_allclose(jax.vmap(ross_mi)(*lanes), loop, atol=1e-5)


@pytest.mark.slow
def test_number_of_classes_is_no_part_of_the_program(samples):
    x, labels = samples
    traces = []

    @jax.jit
    def counted(x, labels):
        traces.append(1)
        return ross_mi(x, labels)

    for classes in (labels, labels % 2, np.zeros_like(labels)):
        assert counted(x, classes) == pytest.approx(float(ross_mi(x, classes)), abs=1e-5)
    assert len(traces) == 1


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number(samples, bad):
    x, labels = (jnp.stack([v] * 3) for v in samples)
    clean = jax.vmap(ross_mi)(x, labels)
    spoilt = x.at[1, 5, 1].set(bad)
    got = jax.vmap(ross_mi)(spoilt, labels)
    assert np.isnan(got[1])
    np.testing.assert_array_equal(got[::2], clean[::2])
    with pytest.raises(ValueError, match="x: expected finite values, got 1"):
        ross_mi(spoilt[1], labels[1])


@pytest.mark.slow
def test_memory_is_bounded():
    x = jax.ShapeDtypeStruct((60_000,), jnp.float32)
    labels = jax.ShapeDtypeStruct((60_000,), jnp.int32)
    compiled = jax.jit(ross_mi).lower(x, labels).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2**26


def test_refuses_bad_arguments(samples):
    x, labels = samples
    with pytest.raises(ValueError, match="n_samples: expected at least 4 for k = 3, got 3"):
        ross_mi(x[:3], labels[:3])
    with pytest.raises(ValueError, match="n_samples: expected at least 151 for k = 150, got 150"):
        jax.jit(functools.partial(ross_mi, k=150))(x, labels)
    with pytest.raises(ValueError, match="k: expected a whole number"):
        ross_mi(x, labels, k=0)
    with pytest.raises(ValueError, match="y: expected integer class labels, got dtype float32"):
        ross_mi(x, labels.astype(np.float32))
    for bad_x, bad_labels in [
        (x[None], labels),
        (x[:9], labels),
        (x, labels[:, None]),
        (x[:, :0], labels),
    ]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            ross_mi(bad_x, bad_labels)
