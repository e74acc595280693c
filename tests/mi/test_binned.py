"""The binned estimator against its twin on rows of bin indices, and its public contract."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ibjax.datasets import symmetric_task
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


def test_edges_among_subnormals_are_edges():
    edges = np.array([-1, -1e-40, 0, 1e-40, 1], np.float32)
    t = np.array([[-0.5], [-1e-41], [1e-41], [1e-39]], np.float32)
    assert binned_mi_twin(t, np.arange(4), bins=edges).num_states == 4
    assert binned_mi(t, np.arange(4), bins=edges).ixt == 2
    assert jax.jit(lambda edges: binned_mi(t, np.arange(4), bins=edges))(edges).ixt == 2


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
# jit, vmap, tracing.


def assert_bits_equal(got, expected):
    for bits, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(bits), np.asarray(other))


# By an argument that may be traced, so that one program serves all of a kind.
BY = {
    "edges": (lambda t, y, edges: binned_mi(t, y, bins=edges), [EDGES, EDGES / 4]),
    "width": (
        lambda t, y, w: binned_mi(t, y, bin_width=w),
        [np.float32(0.07), np.float32(1e-6), np.float32(1e-9)],  # by groups, by units, hashed
    ),
}


def lanes_of_layers(num_lanes):
    return [jnp.stack(parts) for parts in zip(*map(random_layer, range(num_lanes)), strict=True)]


@pytest.mark.parametrize("kind", BY)
def test_jit_eager_vmap_and_loop_agree_bit_for_bit(kind):
    t, y = lanes_of_layers(4)
    estimate, binnings = BY[kind]
    compiled = jax.jit(estimate)
    over_lanes = jax.vmap(estimate, in_axes=(0, 0, None))
    compiled_over_lanes = jax.jit(over_lanes)
    nested = jax.vmap(over_lanes, in_axes=(0, 0, None))
    for binning in binnings:
        loop = [estimate(t[i], y[i], binning) for i in range(4)]
        expected = [np.stack(bits) for bits in zip(*loop, strict=True)]
        lanes = [compiled(t[i], y[i], binning) for i in range(4)]
        assert_bits_equal([np.stack(bits) for bits in zip(*lanes, strict=True)], expected)
        assert_bits_equal(over_lanes(t, y, binning), expected)
        assert_bits_equal(compiled_over_lanes(t, y, binning), expected)
        two_by_two = nested(t.reshape(2, 2, 60, 5), y.reshape(2, 2, 60), binning)
        assert_bits_equal([bits.reshape(4) for bits in two_by_two], expected)


def test_known_labels_under_vmap():
    t, y = lanes_of_layers(4)
    labels = np.asarray(y[0]).astype(np.int64) * 2**40
    got = jax.vmap(lambda t: binned_mi(t, labels))(t)
    for i in range(4):
        assert_bits_equal([bits[i] for bits in got], binned_mi(t[i], labels))


def test_lanes_of_other_kinds_do_not_change_a_lane():
    """One lane fits into words by groups, one unit by unit, one is hashed, one is constant."""
    t, y = random_layer(9)
    scales = np.float32([1, 1e6, 1e20, 0])
    lanes = jnp.asarray(scales[:, None, None] * np.asarray(t))
    together = jax.vmap(lambda t: binned_mi(t, y, bin_width=0.5))(lanes)
    for i, lane in enumerate(lanes):
        assert_bits_equal([bits[i] for bits in together], binned_mi(lane, y, bin_width=0.5))


def test_traced_edges_and_widths():
    t, y = random_layer(10)
    widths = jnp.array([0.01, 0.07, 0.5, 1e-9, 1e9])
    by_width = jax.jit(jax.vmap(lambda w: binned_mi(t, y, bin_width=w)))(widths)
    for i, w in enumerate(widths):
        assert_bits_equal([bits[i] for bits in by_width], binned_mi(t, y, bin_width=float(w)))
    edges = jnp.asarray(np.stack([EDGES, EDGES / 2, np.linspace(-1, 1, 6, dtype=np.float32)]))
    by_edges = jax.jit(jax.vmap(lambda edges: binned_mi(t, y, bins=edges)))(edges)
    for i in range(3):
        assert_bits_equal([bits[i] for bits in by_edges], binned_mi(t, y, bins=edges[i]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -0.07])
def test_traced_widths_that_are_none_give_nan(bad):
    t, y = random_layer(11)
    got = jax.vmap(lambda w: binned_mi(t, y, bin_width=w))(jnp.array([0.07, bad]))
    assert_bits_equal([bits[0] for bits in got], binned_mi(t, y, bin_width=0.07))
    assert np.isnan([bits[1] for bits in got]).all()


@pytest.mark.parametrize(
    "bad",
    [[-1.0, 0.0, 0.0, 1.0], [-1.0, 0.5, 0.0, 1.0], [-1.0, np.nan, 0.0, 1.0], [-np.inf, -1, 0, 1.0]],
)
def test_traced_edges_that_are_none_give_nan(bad):
    t, y = random_layer(12)
    good = [-1.0, -0.5, 0.5, 1.0]
    got = jax.vmap(lambda edges: binned_mi(t, y, bins=edges))(jnp.array([good, bad]))
    assert_bits_equal([bits[0] for bits in got], binned_mi(t, y, bins=jnp.array(good)))
    assert np.isnan([bits[1] for bits in got]).all()


@pytest.mark.parametrize("kind", BY)
def test_traced_nan_gives_nan_in_its_own_lane(kind):
    t, y = lanes_of_layers(3)
    estimate, binnings = BY[kind]
    over_lanes = jax.jit(jax.vmap(estimate, in_axes=(0, 0, None)))
    for binning in binnings:
        for bad in (np.nan, np.inf, -np.inf):
            got = over_lanes(t.at[1, 3, 2].set(bad), y, binning)
            assert np.isnan([bits[1] for bits in got]).all()
            for i in (0, 2):
                assert_bits_equal([bits[i] for bits in got], estimate(t[i], y[i], binning))


def test_compiles_once_for_equal_shapes(caplog):
    def num_compiled(**binning):
        caplog.clear()
        with jax.log_compiles(), caplog.at_level(logging.DEBUG):
            jax.block_until_ready(binned_mi(t, y, **binning))
        return sum("Compiling" in record.getMessage() for record in caplog.records)

    t, y = random_layer(13, n=34, width=3)
    assert num_compiled(bins=11) > 0
    assert num_compiled(bin_width=0.2) > 0
    t, y = random_layer(14, n=34, width=3)
    y = y * 0 + jnp.arange(34)
    assert num_compiled(bins=11, range=(-0.5, 3.0)) == 0
    assert num_compiled(bin_width=0.01) == 0
    assert num_compiled(bin_width=1e-9) == 0


# --------------------------------------------------------------------------------------------------
# Refusals.

T, Y = random_layer(15)
NOT_USABLE = {
    "NaN": ((T.at[0, 0].set(jnp.nan), Y), {}, r"t: expected finite values, got 1 .*of 300"),
    "inf": ((T.at[0, 0].set(-jnp.inf), Y), {}, "t: expected finite values, got 1"),
    "beyond float32": ((np.full((60, 1), 1e39), Y), {}, "t: expected finite values, got 60"),
    "no samples": ((T[:0], Y[:0]), {}, r"t: expected.*got shape \(0, 5\)"),
    "no units": ((T[:, :0], Y), {}, r"t: expected.*got shape \(60, 0\)"),
    "lengths": ((T, Y[:-1]), {}, "t and y: expected.*got lengths 60 and 59"),
    "float labels": ((T, Y.astype(jnp.float32)), {}, "y: expected integer.*got dtype float32"),
    "rank of t": ((T[0], Y), {}, r"t: expected shape \(n_samples, width\), got shape \(5,\)"),
    "rank of y": ((T, Y[:, None]), {}, r"y: expected shape \(n_samples,\), got shape \(60, 1\)"),
    "complex": ((T + 1j, Y), {}, "t: expected real.*got dtype complex64"),
    "bins and width": (
        (T, Y),
        {"bins": 30, "bin_width": 0.1},
        "bin_width: expected alone.*got.*30",
    ),
    "range and width": (
        (T, Y),
        {"range": (-1.0, 1.0), "bin_width": 0.1},
        "bin_width: expected alone.*got.*range=",
    ),
    "range and edges": ((T, Y), {"bins": EDGES, "range": (-1.0, 1.0)}, "range: expected None.*got"),
    "equal edges": ((T, Y), {"bins": np.float32([0, 0, 1])}, "bins: expected.*increasing.*got"),
    "falling edges": ((T, Y), {"bins": np.float32([1, 0])}, "bins: expected.*increasing.*got"),
    "NaN edges": ((T, Y), {"bins": np.float32([0, np.nan, 1])}, "bins: expected finite.*got"),
    "infinite edges": ((T, Y), {"bins": np.float32([-np.inf, 0])}, "bins: expected finite.*got"),
    "one edge": ((T, Y), {"bins": np.float32([0])}, "bins: expected at least 2 edges, got 1"),
    "edges of rank 2": ((T, Y), {"bins": np.eye(2)}, r"bins: expected shape \(edges,\), got"),
    "edges equal in float32": (
        (T, Y),
        {"bins": np.array([1.0, 1.0 + 1e-12])},
        "bins: expected.*increasing.*got",
    ),
    "empty range": ((T, Y), {"range": (1.0, 1.0)}, r"range=\(1.0, 1.0\).*expected.*got"),
    "falling range": ((T, Y), {"range": (1.0, -1.0)}, "range=.*expected.*got"),
    "NaN range": ((T, Y), {"range": (float("nan"), 1.0)}, "range=.*expected.*got"),
    "infinite range": ((T, Y), {"range": (-np.inf, np.inf)}, "range.*expected.*got"),
    "range of three": ((T, Y), {"range": (0.0, 1.0, 2.0)}, "range: expected.*got"),
    "range of one": ((T, Y), {"range": 1.0}, "range: expected.*got"),
    "no bins": ((T, Y), {"bins": 0}, "bins: expected.*got 0"),
    "negative bins": ((T, Y), {"bins": -3}, "bins: expected.*got -3"),
    "fractional bins": ((T, Y), {"bins": 2.5}, "bins: expected.*got 2.5"),
    "zero width": ((T, Y), {"bin_width": 0.0}, "bin_width: expected.*got 0.0"),
    "negative width": ((T, Y), {"bin_width": -0.07}, "bin_width: expected.*got -0.07"),
    "NaN width": ((T, Y), {"bin_width": float("nan")}, "bin_width: expected.*got nan"),
    "infinite width": ((T, Y), {"bin_width": float("inf")}, "bin_width: expected.*got inf"),
    "subnormal width": ((T, Y), {"bin_width": 1e-40}, "bin_width: expected.*got 1e-40"),
    "width beyond float32": ((T, Y), {"bin_width": 1e39}, "bin_width: expected.*got"),
    "widths": ((T, Y), {"bin_width": np.float32([0.1, 0.2])}, "bin_width: expected.*got"),
}


@pytest.mark.parametrize(("args", "binning", "message"), NOT_USABLE.values(), ids=NOT_USABLE.keys())
def test_refuses_with_expected_and_got(args, binning, message, monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        binned_mi(*args, **binning)


def test_refuses_traced_ranges_and_counts(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match="range: expected two numbers, got traced"):
        jax.jit(lambda hi: binned_mi(T, Y, range=(0.0, hi)))(2.0)
    with pytest.raises(ValueError, match=r"bins: expected a whole number.*got"):
        jax.jit(lambda bins: binned_mi(T, Y, bins=bins))(30)


def test_lists_and_whole_numbers_will_do(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    t, y = [[-0.9], [-0.9], [0.1], [0.9]], [0, 0, 1, 1]
    for binning in ({}, {"bins": [-1, 0, 0.5, 1]}, {"range": (-1, 1)}, {"bins": np.int64(30)}):
        mi = binned_mi(t, y, **binning)
        assert (float(mi.ixt), float(mi.ity)) == (1.5, 1.0)
    assert binned_mi(t, y, bin_width=1).ixt == 1


# --------------------------------------------------------------------------------------------------
# Known values.


@pytest.mark.parametrize(("w", "bits"), [(0.1, 2.644466), (1.0, 4.877066), (5.0, 2.775133)])
def test_three_neuron_model(w, bits):
    """X ~ N(0, 1), h = tanh(w x), 30 bins on [-1, 1]: compression by saturation."""
    n = 200_000
    y = np.zeros(n, np.int32)
    # At the quantiles every count is within 1 of its expectation.
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)
    assert binned_mi(np.tanh(w * quantiles)[:, None], y).ixt == pytest.approx(bits, abs=1e-3)
    x = np.random.default_rng(0).normal(size=n)
    edges = np.linspace(-1, 1, 31)
    p = np.diff(norm.cdf(np.arctanh(np.clip(edges, -1 + 1e-16, 1 - 1e-16)) / w))
    p = p[p > 0] / p.sum()
    sampling_error = np.sqrt((p * np.log2(p) ** 2).sum() - bits**2) / np.sqrt(n)
    error = binned_mi(np.tanh(w * x)[:, None], y).ixt - bits
    assert abs(error) < 5 * sampling_error


@pytest.fixture(scope="module")
def saturated_layer():
    """A layer of 3 tanh units on the 4096 words, mildly saturated, some at t = 1.0 exactly."""
    rng = np.random.default_rng(4)
    data = symmetric_task(inputs="signed")
    t = np.tanh(np.asarray(data.x) @ rng.normal(scale=0.6, size=(12, 3))).astype(np.float32)
    t[np.abs(t) > 0.998] = np.sign(t[np.abs(t) > 0.998])
    assert (t == 1.0).any()
    return t, np.asarray(data.y)


def test_published_binnings(saturated_layer):
    """digitize over 30 edges: 29 bins and one for t == 1.0 alone; floor(t / 0.07): a width."""
    t, y = saturated_layer
    in_2017 = np.digitize(t, np.linspace(-1, 1, 30)) - 1
    edges_2017 = np.append(np.linspace(-1, 1, 30), 1.1).astype(np.float32)
    in_2018 = np.floor(t.astype(np.float64) / 0.07)
    by_edges, by_width = binned_mi(t, y, bins=edges_2017), binned_mi(t, y, bin_width=0.07)
    whole = np.arange(-40, 41) - np.float32(0.5)
    for mi, indices in ((by_edges, in_2017), (by_width, in_2018)):
        twin = binned_mi_twin(indices, y, bins=whole)
        assert mi.ixt == pytest.approx(twin.ixt, abs=1e-5)
        assert mi.ity == pytest.approx(twin.ity, abs=1e-5)


def test_convention_alone_moves_the_entropy(saturated_layer):
    t, y = saturated_layer
    edges_2017 = np.append(np.linspace(-1, 1, 30), 1.1).astype(np.float32)
    default = binned_mi(t, y).ixt
    assert binned_mi(t, y, bins=edges_2017).ixt != default
    assert 0.5 < binned_mi(t, y, bin_width=0.07).ixt - default < 1.0


def test_symmetric_task_itself():
    data = symmetric_task()
    mi = binned_mi(data.x, data.y)
    assert mi.ixt == 12
    assert mi.ity == pytest.approx(0.9991571, abs=1e-5)


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
