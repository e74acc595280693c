"""The 12-bit task against the original labels and the geometry of the icosahedron."""

import hashlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io

from ibjax.datasets import draw_labels, permute_labels, soft_label_probability, symmetric_task
from ibjax.datasets.symmetric import ADJACENT, ANTIPODE, SOFT_RULES, SoftRule, symmetric_score
from tests.oracles import entropy_bits

LABELS_SHA256 = "371b2b46a5052b4f69f7991ca141fb5afa1ac364ef7beb81ec900eecac2f86d9"


def binary_entropy(p):
    p = np.clip(p, 1e-300, 1.0)
    q = np.clip(1 - p, 1e-300, 1.0)
    return -p * np.log2(p) - q * np.log2(q)


@pytest.fixture(scope="module")
def invariants():
    """(4096, 3): numbers of ones, of edges between ones and of antipodal pairs of ones."""
    rows = []
    edges = [(i, j) for i, j in itertools.combinations(range(12), 2) if ADJACENT[i, j]]
    pairs = [(i, j) for i, j in enumerate(ANTIPODE) if i < j]
    for word in itertools.product((0, 1), repeat=12):
        both = [sum(word[i] * word[j] for i, j in some) for some in (edges, pairs)]
        rows.append([sum(word), *both])
    return np.array(rows)


@pytest.fixture(scope="module")
def symmetries():
    """(120, 12): the permutations of the vertices that keep all edges."""
    found = [[]]
    for vertex in range(12):
        found = [
            [*begun, image]
            for begun in found
            for image in range(12)
            if image not in begun
            and all(ADJACENT[image, begun[v]] == ADJACENT[vertex, v] for v in range(vertex))
        ]
    return np.array(found)


def test_labels_are_the_original_ones():
    y = np.asarray(symmetric_task().y)
    assert hashlib.sha256(np.packbits(y.astype(bool)).tobytes()).hexdigest() == LABELS_SHA256


def test_equals_the_original_file(reference_data):
    original = scipy.io.loadmat(reference_data / "var_u.mat")
    data = symmetric_task()
    np.testing.assert_array_equal(data.x, original["F"])
    np.testing.assert_array_equal(data.y, original["y"].ravel())


def test_words_are_in_counting_order_most_significant_bit_first():
    data = symmetric_task()
    assert data.x.shape == (4096, 12)
    assert data.x.dtype == jnp.float32
    assert data.y.shape == (4096,)
    assert data.y.dtype == jnp.int32
    assert set(np.unique(data.x)) == {0.0, 1.0}
    np.testing.assert_array_equal(data.x @ 2.0 ** np.arange(11, -1, -1), np.arange(4096))


def test_label_counts_and_entropy():
    counts = np.bincount(symmetric_task().y)
    assert counts.tolist() == [1978, 2118]
    assert entropy_bits(counts) == pytest.approx(0.9991571, abs=5e-8)


def test_signed_inputs_have_zero_mean_and_the_same_labels():
    binary, signed = symmetric_task(), symmetric_task(inputs="signed")
    np.testing.assert_array_equal(signed.x, 2 * np.asarray(binary.x) - 1)
    np.testing.assert_array_equal(np.asarray(signed.x).mean(axis=0), np.zeros(12))
    np.testing.assert_array_equal(signed.y, binary.y)


def test_refuses_unknown_inputs():
    with pytest.raises(ValueError, match="inputs: expected one of binary, signed; got 'ternary'"):
        symmetric_task(inputs="ternary")


def test_vertices_are_those_of_an_icosahedron():
    np.testing.assert_array_equal(ADJACENT, ADJACENT.T)
    assert set(np.unique(ADJACENT)) == {0, 1}
    np.testing.assert_array_equal(ADJACENT.sum(axis=1), np.full(12, 5))
    np.testing.assert_array_equal(np.diag(ADJACENT), np.zeros(12))
    spectrum = [-(5**0.5)] * 3 + [-1.0] * 5 + [5**0.5] * 3 + [5.0]
    np.testing.assert_allclose(np.linalg.eigvalsh(ADJACENT), spectrum, atol=1e-12)


def test_antipodes_lie_three_edges_apart():
    vertex = np.arange(12)
    np.testing.assert_array_equal(ANTIPODE[ANTIPODE], vertex)
    assert (vertex != ANTIPODE).all()
    assert not ADJACENT[vertex, ANTIPODE].any()
    assert not (ADJACENT @ ADJACENT)[vertex, ANTIPODE].any()


def test_labels_do_not_change_under_rotations_and_reflections(symmetries):
    assert len(symmetries) == 120
    labels = np.asarray(symmetric_task().y).reshape((2,) * 12)
    for symmetry in symmetries:
        np.testing.assert_array_equal(labels.transpose(symmetry), labels)


def test_numbers_of_orbits(symmetries):
    identity = np.arange(12)

    def power(g, k):
        return identity if k == 0 else g[power(g, k - 1)]

    def num_orbits(group):  # Burnside: a permutation keeps 2^cycles words
        cycles = [len({min(power(g, k)[v] for k in range(10)) for v in range(12)}) for g in group]
        return np.mean(2.0 ** np.array(cycles))

    turns = [g for g in symmetries if (power(g, 5) == identity).all() and not (g == identity).all()]
    rotations = {tuple(g[h]) for g in turns for h in turns}
    assert len(rotations) == 60
    assert num_orbits(np.array(sorted(rotations))) == 96
    assert num_orbits(symmetries) == 82


def test_score_follows_the_invariants(invariants):
    n, e, a = invariants.T
    np.testing.assert_array_equal(symmetric_score(), 30 * n + 8 * e - 4 * a - 3 * n**2)
    np.testing.assert_array_equal(symmetric_task().y, symmetric_score() >= 120)
    assert len(np.unique(symmetric_score())) == 44


def test_sixty_four_classes_are_label_pure(invariants):
    classes, members = np.unique(invariants, axis=0, return_inverse=True)
    assert len(classes) == 64
    y = np.asarray(symmetric_task().y)
    assert all(len(set(y[members.reshape(-1) == k])) == 1 for k in range(64))


@pytest.mark.parametrize(("name", "information"), [("0.99", 0.990), ("0.90", 0.900)])
def test_soft_rules_keep_the_information_they_are_named_by(name, information):
    p = soft_label_probability(name)
    assert p.shape == (4096,)
    assert binary_entropy(p.mean()) - binary_entropy(p).mean() == pytest.approx(information, abs=1e-3)
    assert ((p > 0.5) == np.asarray(symmetric_task().y, bool)).all()


def test_papers_soft_rule_is_nearly_balanced():
    assert soft_label_probability("0.99").mean() == pytest.approx(0.517, abs=1e-3)


def test_soft_rule_is_a_logistic_function_of_the_score():
    rule = SoftRule(gamma=0.05, theta=100.0)
    expected = 1 / (1 + np.exp(-0.05 * (symmetric_score() - 100.0)))
    np.testing.assert_allclose(soft_label_probability(rule), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        soft_label_probability("0.90"), soft_label_probability(SOFT_RULES["0.90"])
    )


def test_a_steep_soft_rule_is_the_hard_one():
    p = soft_label_probability(SoftRule(gamma=1e6, theta=119.5))
    np.testing.assert_array_equal(p, symmetric_task().y)


@pytest.mark.parametrize("rule", ["0.95", SoftRule(0.0, 119.5), SoftRule(-1.0, 119.5)])
def test_refuses_other_rules(rule):
    with pytest.raises(ValueError, match=r"(rule|gamma): expected .* got"):
        soft_label_probability(rule)


def test_drawn_labels_follow_their_probabilities():
    p = soft_label_probability("0.90")
    keys = jax.random.split(jax.random.key(0), 300)
    drawn = np.asarray(jax.vmap(lambda key: draw_labels(key, p))(keys))
    assert drawn.dtype == np.int32
    assert set(np.unique(drawn)) == {0, 1}
    # By probability, so that many draws meet few numbers: 44 scores, 5 standard deviations.
    for value in np.unique(p):
        words = p == value
        num_draws = 300 * words.sum()
        error = abs(drawn[:, words].mean() - value)
        assert error <= 5 * np.sqrt(value * (1 - value) / num_draws) + 1e-6


def test_drawn_labels_depend_on_the_key_alone():
    p = jnp.full(4096, 0.5)
    first, again, other = (draw_labels(jax.random.key(k), p) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert 0.4 < np.mean(np.asarray(first) != np.asarray(other)) < 0.6
    sure = jnp.asarray(np.arange(4096) % 2, jnp.float32)
    np.testing.assert_array_equal(draw_labels(jax.random.key(2), sure), np.arange(4096) % 2)


def test_permuted_labels_keep_their_counts_and_lose_their_words():
    y = symmetric_task().y
    first, again, other = (np.asarray(permute_labels(jax.random.key(k), y)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.dtype == np.int32
    assert np.bincount(first).tolist() == [1978, 2118]
    assert abs(np.corrcoef(first, y)[0, 1]) < 5 / np.sqrt(4096)
