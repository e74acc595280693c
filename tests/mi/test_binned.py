"""The binned estimator against its twin on rows of bin indices, and its properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibjax.mi import binned_mi
from tests.oracles import binned_mi_twin, edge_indices, width_indices

LARGEST = float(np.finfo(np.float32).max)
EDGES = np.array([-2.0, -0.5, 0.0, 0.25, 1.0, 3e37], np.float32)
MODES = {
    "default": {},
    "bins and range": {"bins": 7, "range": (-0.3, 2.1)},
    "edges": {"bins": EDGES},
    "width": {"bin_width": 0.07},
}


def assert_equals_twin(t, y, **binning):
    got, twin = binned_mi(t, y, **binning), binned_mi_twin(t, y, **binning)
    assert got.ixt == pytest.approx(twin.ixt, abs=1e-5)
    assert got.ity == pytest.approx(twin.ity, abs=1e-5)
    assert 0 <= got.ity <= min(got.ixt, twin.entropy_y) + 1e-5
    assert got.ixt <= np.float32(np.log2(len(t)))
    if twin.num_states == 1:
        assert got.ixt == 0
    if twin.num_states == len(t):
        assert got.ixt == np.float32(np.log2(len(t)))


# --------------------------------------------------------------------------------------------------
# The twin, on what hypothesis finds. Few shapes, because each one compiles a program.

SHAPES = [(1, 1), (7, 2), (60, 5), (90, 40)]

HUGE = float(np.float32(1e38))
any_float = st.floats(-HUGE, HUGE, width=32)
near_one = st.floats(-1.5, 1.5, width=32)
notable = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 1e-39, -1e-39, 1.1754944e-38, -1.1754944e-38, 1e38, -1e38]
)
labels = st.sampled_from(
    [
        lambda n, rng: np.zeros(n, np.int32),
        lambda n, rng: rng.integers(0, 2, n),
        lambda n, rng: rng.integers(-3, 4, n) * 5 - 2**31,
        lambda n, rng: rng.integers(-3, 4, n) * 2**33 + 2**40,
        lambda n, rng: np.arange(n) * 3,
    ]
)


@st.composite
def layers(draw, activations):
    """(t, y): rows of ``activations``, several of them equal, in all or in some units."""
    n, width = draw(st.sampled_from(SHAPES))
    pool = np.array(draw(st.lists(activations, min_size=1, max_size=8)), np.float32)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.choice(pool, size=(draw(st.integers(1, n)), width))
    return rows[rng.integers(0, len(rows), n)], draw(labels)(n, rng)


def ticks(w):
    """float32 multiples of ``w``: edges of the bins."""
    return st.integers(-3000, 3000).map(lambda m: float(np.float32(m) * np.float32(w)))


def neighbours(values):
    """``values`` and the float32 next to them."""
    steps = st.sampled_from([-np.inf, 0.0, np.inf])
    return st.tuples(values, steps).map(
        lambda pair: float(
            np.nextafter(np.float32(pair[0]), np.float32(pair[1])) if pair[1] else pair[0]
        )
    )


@given(layers(any_float | near_one | notable | neighbours(ticks(1 / 15))))
@settings(deadline=None)
def test_default_equals_twin(layer):
    assert_equals_twin(*layer)


@pytest.mark.slow
@given(
    layers(any_float | near_one | notable),
    st.tuples(any_float, any_float).filter(lambda ends: ends[0] < ends[1]),
)
@settings(deadline=None)
def test_any_range_equals_twin(layer, ends):
    edges = np.linspace(*ends, 8, dtype=np.float32)
    if (np.diff(edges) > 0).all():
        assert_equals_twin(*layer, bins=7, range=ends)
    else:  # narrower than float32 resolves
        with pytest.raises(ValueError, match=r"range=.* with 7 bins: expected finite, increasing"):
            binned_mi(*layer, bins=7, range=ends)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None)
def test_any_edges_equal_twin(data):
    edges = data.draw(st.lists(any_float | near_one | notable, min_size=6, max_size=6, unique=True))
    edges = np.unique(np.array(edges, np.float32))
    edges = np.append(edges, np.float32(2e38))[:6] if len(edges) < 6 else edges  # -0.0 and 0.0
    t, y = data.draw(layers(any_float | near_one | neighbours(st.sampled_from(edges.tolist()))))
    assert_equals_twin(t, y, bins=edges)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_any_width_equals_twin(data):
    w = data.draw(
        st.sampled_from([0.01, 0.07, 0.15, 0.3, 0.5, 1.0, 1e-6, 1.1754944e-38, 1e34])
        | st.floats(2.0**-126, 2.0**113, width=32)  # 3000 of them are a float32
    )
    t, y = data.draw(layers(any_float | near_one | notable | neighbours(ticks(w))))
    assert_equals_twin(t, y, bin_width=w)


# --------------------------------------------------------------------------------------------------
# The twin, on cases that someone thought of.


@pytest.mark.parametrize("name", ["default", "width"])
def test_large_layer_equals_twin(name):
    rng = np.random.default_rng(0)
    t = np.round(rng.normal(size=(60_000, 3)), 1).astype(np.float32)
    assert_equals_twin(t, rng.integers(0, 40_000, 60_000), **MODES[name])


@pytest.mark.parametrize("name", ["default", "width"])
def test_wide_layer_equals_twin(name):
    rng = np.random.default_rng(1)
    t = np.tanh(rng.normal(size=(120, 1024)))[rng.integers(0, 120, 300)].astype(np.float32)
    assert_equals_twin(t, rng.integers(0, 10, 300), **MODES[name])


def test_more_edges_than_are_compared_one_by_one_equal_twin():
    rng = np.random.default_rng(2)
    t = np.concatenate([rng.normal(size=(300, 2)), rng.integers(-9, 9, (300, 2)) / 8])
    assert_equals_twin(t.astype(np.float32), rng.integers(0, 3, 600), bins=1000)


@pytest.mark.parametrize("w", [0.01, 0.07, 0.15, 0.3, 0.5])
def test_multiples_of_the_width_begin_their_bins(w):
    """All different: XLA's quotient puts 328 of 2000 multiples of 0.01 into another bin."""
    multiples = (np.arange(-1000, 1000, dtype=np.float32) * np.float32(w))[:, None]
    below = np.nextafter(multiples, np.float32(-np.inf))
    y = np.arange(2000) % 2
    assert binned_mi(multiples, y, bin_width=w).ixt == np.float32(np.log2(2000))
    assert binned_mi(np.concatenate([multiples, below]), np.tile(y, 2), bin_width=w).ixt == (
        pytest.approx(binned_mi_twin(np.concatenate([multiples, below]), np.tile(y, 2), bin_width=w).ixt)
    )
    # A multiple shares its bin with what lies just above it, not with what lies just below it.
    above = np.nextafter(multiples, np.float32(np.inf))
    shared = np.stack([multiples, above]).reshape(-1, 1)
    assert binned_mi(shared, np.tile(y, 2), bin_width=w).ixt == pytest.approx(np.log2(2000), abs=1e-5)
    apart = np.stack([multiples[1000], below[1000]])
    assert binned_mi(apart, y[:2], bin_width=w).ixt == 1


@pytest.mark.parametrize("w", [0.01, 0.07])
def test_saturated_units_equal_twin(w):
    t = np.float32([[1.0, -1.0], [np.nextafter(np.float32(1), np.float32(0)), -1.0], [1.0, -1.0]])
    assert_equals_twin(t, np.array([0, 1, 1]), bin_width=w)
    assert_equals_twin(t, np.array([0, 1, 1]))


@pytest.mark.parametrize("t", [1.0, -1.0, 5.0, -5.0])
def test_values_outside_the_range_fall_into_the_outermost_bins(t):
    outermost = 0.99 * np.sign(t)
    assert binned_mi(np.float32([[t], [outermost]]), np.array([0, 1])).ixt == 0
    assert binned_mi(np.float32([[t], [-outermost]]), np.array([0, 1])).ixt == 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("w", [1.0, 0.5])
def test_widths_keep_the_largest_float32_apart(sign, w):
    whole = np.float32(LARGEST)
    t = [whole]
    for _ in range(7):
        t.append(np.nextafter(t[-1], np.float32(0)))
    t = sign * np.array(t, np.float32)[:, None] * np.float32(w)
    assert binned_mi_twin(t, np.arange(8), bin_width=w).num_states == 8
    assert binned_mi(t, np.arange(8), bin_width=w).ixt == 3


@pytest.mark.parametrize("width", [1, 40])  # packed by XLA, by NumPy
def test_edges_among_subnormals_are_edges(width):
    edges = np.array([-1, -1e-40, 0, 1e-40, 1], np.float32)
    t = np.array([[-0.5], [-1e-41], [1e-41], [1e-39]], np.float32).repeat(width, axis=1)
    assert binned_mi_twin(t, np.arange(4), bins=edges).num_states == 4
    assert binned_mi(t, np.arange(4), bins=edges).ixt == 2
    assert jax.jit(lambda edges: binned_mi(t, np.arange(4), bins=edges))(edges).ixt == 2


@pytest.mark.parametrize("width", [1, 2, 40])
@pytest.mark.parametrize("w", [0.07, 1.1754944e-38, 1e34])
def test_negative_subnormals_are_below_zero(w, width):
    t = np.array([[-1e-41], [0.0], [-0.0], [1e-41]], np.float32).repeat(width, axis=1)
    assert_equals_twin(t, np.arange(4), bin_width=w)
    assert binned_mi(t, np.arange(4), bin_width=w).ixt == pytest.approx(0.8112781, abs=1e-6)


def test_spans_beyond_float32_are_states():
    for low, high, w in ((-1e29, 1e38, 0.01), (-3.0, 1.0, 1.1754944e-38)):
        t = np.array([[low, low], [low, high], [low, high], [high, high]], np.float32)
        assert_equals_twin(t, np.arange(4), bin_width=w)
        assert binned_mi(t, np.arange(4), bin_width=w).ixt == 1.5


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_minus_zero_is_zero(mode):
    for n, width in SHAPES[1:]:
        t = np.where(np.arange(n) % 2 == 0, 0.0, -0.0)[:, None].repeat(width, axis=1)
        t[: n // 2, -1] = -2.0  # one unit tells half of the samples from the others
        assert_equals_twin(t.astype(np.float32), np.arange(n) % 3, **mode)
        assert binned_mi(t.astype(np.float32), np.arange(n), **mode).ixt <= 1


def test_other_floats_are_cast_to_float32():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 60)
    for dtype in (np.float16, np.float64, jnp.bfloat16):
        t = rng.normal(size=(60, 5)).astype(dtype)
        assert_equals_twin(t, y, bin_width=0.01)
        assert binned_mi(t, y) == binned_mi(t.astype(np.float32), y)


LABELS = {
    "negative": np.array([-7, -7, -1, -1]),
    "beyond 32 bits": np.array([2**40, 2**40, 2**40 + 2**32, 2**40 + 2**32]),
    "unsigned 64 bits": np.array([2**64 - 1, 2**64 - 1, 2**32 - 1, 2**32 - 1], np.uint64),
    "bytes": np.array([200, 200, 100, 100], np.uint8),
    "signed bytes": np.array([-128, -128, 127, 127], np.int8),
}


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS.keys())
def test_labels_may_have_any_values(y):
    t = np.float32([[-0.9], [-0.9], [0.1], [0.9]])
    mi = binned_mi(t, y)
    assert (float(mi.ixt), float(mi.ity)) == (1.5, 1.0)


# --------------------------------------------------------------------------------------------------
# Properties.


def random_layer(seed, n=60, width=5):
    rng = np.random.default_rng(seed)
    t = np.tanh(rng.normal(size=(n // 2, width))).astype(np.float32)
    return jnp.asarray(np.repeat(t, 2, axis=0)[:n]), jnp.asarray(rng.integers(0, 3, n, np.int32))


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_constant_layer_gives_exactly_zero(mode):
    rng = np.random.default_rng(0)
    for n, width in SHAPES:
        for num_classes in (1, 2, 3, 10, n):
            t = np.full((n, width), 0.3, np.float32)
            mi = binned_mi(t, rng.integers(0, num_classes, n), **mode)
            assert (float(mi.ixt), float(mi.ity)) == (0.0, 0.0)


@pytest.mark.parametrize(("n", "width"), [*SHAPES, (4096, 3)])
def test_distinct_states_give_exactly_log2_n(n, width):
    t = np.linspace(-100, 100, n, dtype=np.float32)[:, None].repeat(width, axis=1)
    assert binned_mi(t, np.arange(n) % 2, bin_width=0.01).ixt == np.float32(np.log2(n))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_never_more_than_the_layer_or_the_labels_have(seed):
    t, y = random_layer(seed)
    for mode in MODES.values():
        mi = binned_mi(t, y, **mode)
        assert 0 <= mi.ity <= mi.ixt + 1e-6
        assert mi.ity <= binned_mi_twin(t, y).entropy_y + 1e-6


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_order_and_names_do_not_matter(mode):
    t, y = random_layer(6)
    expected = binned_mi(t, y, **mode)
    order = np.random.default_rng(0).permutation(60)
    assert binned_mi(t[order], y[order], **mode) == expected
    for other_t, other_y in [(t[:, ::-1], y), (t, 2 - y), (t, y * -(10**9))]:
        got = binned_mi(other_t, other_y, **mode)
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_merging_bins_never_adds_information(seed):
    t, y = random_layer(seed)
    t = t.at[:, 2:].set(0.0)  # few units, or all samples stay apart
    fine = np.linspace(-1, 1, 6, dtype=np.float32)
    merged = [binned_mi(t, y, bins=fine)]
    for edge in range(1, 5):
        merged.append(binned_mi(t, y, bins=np.delete(fine, edge)))
    for coarse in merged[1:]:
        assert coarse.ixt <= merged[0].ixt + 1e-6
        assert coarse.ity <= merged[0].ity + 1e-6
    assert min(float(coarse.ixt) for coarse in merged[1:]) < merged[0].ixt
    halves, quarters = (binned_mi(t, y, bin_width=w) for w in (0.5, 0.25))
    assert halves.ixt <= quarters.ixt
    assert halves.ity <= quarters.ity + 1e-6


def test_another_unit_never_removes_information():
    t, y = random_layer(8)
    narrow, wide = binned_mi(t[:, :4], y), binned_mi(t, y)
    assert narrow.ixt <= wide.ixt
    assert narrow.ity <= wide.ity + 1e-6


# --------------------------------------------------------------------------------------------------
# The twin itself, where the answer is plain.


def test_twin_of_edges_is_numpys_histogram():
    t = np.random.default_rng(5).uniform(-1, 1, 1000).astype(np.float32)
    edges = np.linspace(-1, 1, 31, dtype=np.float32)
    counts = np.bincount(edge_indices(t, edges), minlength=30)
    np.testing.assert_array_equal(counts, np.histogram(t, edges)[0])


def test_twin_of_widths_brackets_the_activation():
    rng = np.random.default_rng(6)
    t = (rng.normal(size=500) * 10.0 ** rng.uniform(-3, 12, 500)).astype(np.float32)
    w = np.float32(0.07)
    m = width_indices(t, w)
    above = np.maximum(m + np.float32(1), np.nextafter(m, np.float32(np.inf)))
    assert (m == np.floor(m)).all()
    assert (m * w <= t).all()
    assert (above * w > t).all()
