"""The binned estimator under ``jit`` and ``vmap``, with traced arguments, and what it refuses."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi import binned_mi
from tests.marks import slow
from tests.mi.test_binned import EDGES, random_layer

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


@pytest.mark.parametrize("kind", [slow("edges"), "width"])
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


@pytest.mark.parametrize("options", [{"bin_width": 0.07}, {"bin_width": 1e-9}, {"bins": EDGES}])
def test_options_that_the_compiler_knows(options):
    """It may fold what depends on them alone: that must not change a bin."""
    t, y = lanes_of_layers(4)
    compiled = jax.jit(jax.vmap(lambda t: binned_mi(t, y[0], **options)))(t)
    for i in range(4):
        assert_bits_equal([bits[i] for bits in compiled], binned_mi(t[i], y[0], **options))


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
    "falling range": ((T, Y), {"range": (1.0, -1.0)}, "range.*expected.*got"),
    "NaN range": ((T, Y), {"range": (float("nan"), 1.0)}, "range.*expected.*got"),
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
