"""Sentences on what follows from a plane."""

import functools

import numpy as np
import pytest
import xarray as xr

import ibjax
from ibjax.mi import binned_mi

N = 64
Y = np.arange(N) % 2
ALL_APART, CONSTANT = np.linspace(-1, 1, N)[:, None], np.zeros((N, 1))
HALVES = np.where(np.arange(N) < N // 2, -1.0, 1.0)[:, None]
QUARTERS = np.repeat([-0.9, -0.3, 0.3, 0.9], N // 4)[:, None]


def plane_of(*epochs):
    return ibjax.information_plane(epochs, Y, bin_width=0.01, epochs=range(0, 10 * len(epochs), 10))


def said(plane):
    return ibjax.report(plane).splitlines()


def test_ceilings_and_estimator_come_first():
    assert said(plane_of([HALVES]))[0] == (
        "64 inputs, binned_mi(bin_width=0.01): I(X;T) is at most log2 n = 6.00 bits, "
        "I(T;Y) at most H(Y) = 1.00."
    )


@pytest.mark.parametrize(
    ("epochs", "where"),
    [
        (
            [[ALL_APART, ALL_APART, HALVES]] * 2,
            "layers 1, 2, all epochs: I(X;T) is at log2 n, 6.00 bits",
        ),
        ([[HALVES], [ALL_APART], [ALL_APART]], "layer 1, from epoch 10 on: I(X;T) is at log2 n"),
        ([[ALL_APART], [HALVES], [HALVES]], "layer 1, up to epoch 0: I(X;T) is at log2 n"),
        (
            [[HALVES], [ALL_APART], [HALVES]],
            "layer 1, 1 of 3 recorded epochs: I(X;T) is at log2 n",
        ),
        ([[CONSTANT]], "layer 1, all epochs: I(X;T) is near 0"),
        (
            [[HALVES, QUARTERS]],
            "layer 2, all epochs: I(X;T) or I(T;Y) is larger than in the layer before",
        ),
    ],
)
def test_flags_are_said_with_layers_and_epochs(epochs, where):
    assert any(line.startswith(where) for line in said(plane_of(*epochs)))


def test_without_flags_nothing_is_warned_of():
    assert len(said(plane_of([QUARTERS, HALVES]))) == 2


def test_few_networks_say_nothing_of_others():
    plane = plane_of([QUARTERS, HALVES])
    assert said(plane)[-1] == "1 network: how others would differ is not known."
    several = xr.concat([plane] * 3, "seed", coords="minimal")
    assert said(several)[-1].startswith("3 networks: how others would differ is not known well enough")


@pytest.mark.parametrize("falls", [True, False])
def test_many_networks_are_said_to_compress_or_not(falls):
    rng = np.random.default_rng(0)
    states = [rng.permutation(N) for _ in range(12)]
    course = [QUARTERS, QUARTERS, HALVES if falls else QUARTERS]
    planes = [plane_of(*([t[order], ALL_APART] for t in course)) for order in states]
    lines = said(xr.concat(planes, "seed", coords="minimal"))
    verdict = "compresses: I(X;T) falls by 1.00" if falls else "does not compress beyond chance"
    assert any(line.startswith(f"layer 1 {verdict}") for line in lines)
    assert not any(line.startswith(("layer 2 compresses", "layer 2 does not")) for line in lines)


def test_several_estimators_have_a_paragraph_each():
    by_width = {f"{w}": functools.partial(binned_mi, bin_width=w) for w in (0.01, 0.5)}
    plane = ibjax.information_plane([[ALL_APART]], Y, estimator=by_width)
    fine, coarse = ibjax.report(plane).split("\n\n")
    assert fine.startswith("64 inputs, 0.01: ")
    assert "log2 n, 6.00 bits" in fine
    assert "log2 n, 6.00 bits" not in coarse


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize("plane", [None, {}, xr.Dataset({"ixt": 1.0})])
def test_other_things_than_planes_are_refused(plane):
    with pytest.raises(ValueError, match="plane: expected a Dataset of information_plane, with"):
        ibjax.report(plane)
