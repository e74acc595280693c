"""The plane of the reader's own activations."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import ibjax
from ibjax.mi import binned_mi
from ibjax.types import MI

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 60)
WIDTHS = (5, 3, 2)


def activations(epochs=3):
    return [[np.tanh(RNG.normal(size=(60, w))) for w in WIDTHS] for _ in range(epochs)]


class Tensor:
    """What another framework's array looks like to NumPy."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array.astype(dtype) if dtype else self.array


def test_values_are_the_estimators():
    t = activations()
    plane = ibjax.information_plane(t, Y, bin_width=0.5)
    for e in range(3):
        for i in range(3):
            mi = binned_mi(t[e][i], Y, bin_width=0.5)
            assert plane.ixt.values[e, i] == mi.ixt
            assert plane.ity.values[e, i] == mi.ity


def test_labels_and_units():
    plane = ibjax.information_plane(activations(), Y, epochs=[0, 10, 100], bins=4)
    assert plane.ixt.dims == plane.ity.dims == ("epoch", "layer")
    assert plane.epoch.values.tolist() == [0, 10, 100]
    assert plane.layer.values.tolist() == [1, 2, 3]
    assert plane.width.values.tolist() == list(WIDTHS)
    assert plane.ixt.attrs["units"] == plane.ity.attrs["units"] == "bits"
    assert plane.attrs["estimator"] == "binned_mi(bins=4)"
    assert plane.attrs["num_samples"] == 60


def test_any_array_and_estimator():
    t = activations(1)
    expected = ibjax.information_plane(t, Y, bin_width=0.5)
    wrapped = [[Tensor(layer) for layer in t[0]]]
    estimator = functools.partial(binned_mi, bin_width=0.5)
    actual = ibjax.information_plane(wrapped, Tensor(Y), estimator=estimator)
    np.testing.assert_array_equal(actual.ixt, expected.ixt)


def test_defaults_are_binned_mis():
    t = activations(1)
    plane = ibjax.information_plane(t, Y)
    assert plane.ixt.values[0, 0] == binned_mi(t[0][0], Y).ixt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [], "at least one epoch"),
        (lambda t: [[]], "at least one epoch"),
        (lambda t: [t[0], t[1][:2]], r"activations\[1\]: expected 3 layers"),
        (lambda t: [[t[0][0][:, 0]]], r"expected shape \(n_samples, width\)"),
        (lambda t: [[t[0][0][:50]]], "got lengths 50 and 60"),
        (lambda t: [{"a": t[0][0]}, {"b": t[1][0]}], r"activations\[1\]: expected the layers a as at"),
        (lambda t: [{"a": t[0][0]}, [t[1][0]]], r"activations\[1\]: expected layers as at the first"),
        (lambda t: [[t[0][0][:, :, None]]], r"got \(60, 5, 1\); reduce=\"flatten\" takes"),
        (lambda t: [[t[0][0]], [t[0][1]]], "expected width 5"),
    ],
)
def test_bad_activations(change, message):
    with pytest.raises(ValueError, match=message):
        ibjax.information_plane(change(activations(2)), Y)


def test_bad_labels_and_epochs():
    with pytest.raises(ValueError, match="integer class labels"):
        ibjax.information_plane(activations(), Y.astype(float))
    with pytest.raises(ValueError, match="each of the 3 recorded epochs, got 2"):
        ibjax.information_plane(activations(), Y, epochs=[0, 1])


# --------------------------------------------------------------------------------------------------
# Ceilings and flags.


def test_ceilings_are_coordinates():
    y = np.arange(64) % 4
    plane = ibjax.information_plane([[np.linspace(-1, 1, 64)[:, None]]], y)
    assert plane.log2_n == 6.0
    assert plane.entropy_y == pytest.approx(2.0)
    assert plane.log2_n.attrs["units"] == plane.entropy_y.attrs["units"] == "bits"


def test_points_of_the_estimator_are_flagged():
    n = 64
    all_apart, constant = np.linspace(-1, 1, n)[:, None], np.zeros((n, 1))
    half = np.where(np.arange(n) < n // 2, -1.0, 1.0)[:, None]
    layers = [[all_apart, half, constant], [half, all_apart, half]]
    plane = ibjax.information_plane(layers, np.arange(n) % 2, bin_width=0.01)
    flags = {str(flag): plane.flagged.sel(flag=flag).values.tolist() for flag in plane.flag.values}
    assert flags["ceiling"] == [[True, False, False], [False, True, False]]
    assert flags["floor"] == [[False, False, True], [False, False, False]]
    assert flags["rise"] == [[False, False, False], [False, True, False]]
    assert not np.any(flags["above H(Y)"])
    assert not np.any(flags["not finite"])


def test_what_cannot_be_is_flagged():
    def biased(t, y):
        return MI(jnp.float32(2.0), jnp.float32(1.5 if t.shape[1] == 1 else np.nan))

    t = np.zeros((8, 1)), np.zeros((8, 2))
    plane = ibjax.information_plane([t], np.arange(8) % 2, estimator=biased)
    assert plane.flagged.sel(flag="above H(Y)").values.tolist() == [[True, False]]
    assert plane.flagged.sel(flag="not finite").values.tolist() == [[False, True]]


# --------------------------------------------------------------------------------------------------
# Other forms of activations, labels and estimators.


def test_layers_may_have_names():
    t = activations(2)
    named = [dict(zip("abc", layers, strict=True)) for layers in t]
    named[1] = dict(reversed(named[1].items()))  # in any order
    plane = ibjax.information_plane(named, Y, bin_width=0.5)
    assert plane.name.values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(plane.ixt, ibjax.information_plane(t, Y, bin_width=0.5).ixt)


def test_one_layer_may_be_one_array():
    t = np.stack([layers[0] for layers in activations(3)])
    plane = ibjax.information_plane(t, Y, bin_width=0.5)
    expected = ibjax.information_plane([[layer] for layer in t], Y, bin_width=0.5)
    np.testing.assert_array_equal(plane.ixt, expected.ixt)


def test_feature_maps_are_reduced():
    maps = np.tanh(RNG.normal(size=(60, 4, 3, 2)))
    flat = ibjax.information_plane([[maps]], Y, reduce="flatten", bin_width=0.5)
    expected = ibjax.information_plane([[maps.reshape(60, -1)]], Y, bin_width=0.5)
    np.testing.assert_array_equal(flat.ixt, expected.ixt)
    mean = ibjax.information_plane([[maps]], Y, reduce=lambda t: t.mean(axis=(2, 3)), bin_width=0.1)
    assert mean.width.values.tolist() == [4]


@pytest.mark.parametrize(
    "labels",
    [
        Y[:, None],
        np.eye(2)[Y],
        np.eye(2, dtype=int)[Y],
        np.array(["no", "yes"])[Y],
        ["ab"[i] for i in Y],
    ],
    ids=["column", "one-hot", "one-hot integers", "texts", "list of texts"],
)
def test_labels_of_other_forms(labels):
    t = activations(1)
    plane = ibjax.information_plane(t, labels, bin_width=0.5)
    np.testing.assert_array_equal(plane.ity, ibjax.information_plane(t, Y, bin_width=0.5).ity)


def test_several_estimators_side_by_side():
    t = activations(2)
    wide, narrow = (functools.partial(binned_mi, bin_width=w) for w in (0.5, 0.1))
    plane = ibjax.information_plane(t, Y, estimator={"wide": wide, "narrow": narrow})
    assert plane.ixt.dims == ("estimator", "epoch", "layer")
    for name, estimator in {"wide": wide, "narrow": narrow}.items():
        alone = ibjax.information_plane(t, Y, estimator=estimator)
        np.testing.assert_array_equal(plane.ixt.sel(estimator=name), alone.ixt)
        np.testing.assert_array_equal(plane.flagged.sel(estimator=name), alone.flagged)
    with pytest.raises(ValueError, match="estimator: expected options within each"):
        ibjax.information_plane(t, Y, estimator={"wide": wide}, bin_width=0.5)


def test_a_layer_that_is_not_finite_is_nan_and_flagged_and_touches_no_other():
    t = activations(2)
    expected = ibjax.information_plane(t, Y, bin_width=0.5)
    t[1][1] = t[1][1].copy()
    t[1][1][0, 0] = np.nan
    plane = ibjax.information_plane(t, Y, bin_width=0.5)
    bad = plane.flagged.sel(flag="not finite").values
    assert np.argwhere(bad).tolist() == [[1, 1]]
    np.testing.assert_array_equal(plane.ixt, expected.ixt.where(~bad))
