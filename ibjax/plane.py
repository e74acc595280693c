"""The information plane of the reader's own network."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from ibjax.arrays import as_array, as_labels
from ibjax.checks import (
    check_finite,
    check_function,
    check_nonempty,
    check_rank,
    check_same_length,
    kind_of,
)
from ibjax.functions import describe_function
from ibjax.mi import binned_mi, diagnostics, entropy
from ibjax.results import environment
from ibjax.types import MI, Estimator

__all__ = ["FLAGS", "information_plane"]

FLAGS = ("ceiling", "floor", "above H(Y)", "rise", "not finite")

# I(X;T) up to this share of log2 n counts as none.
FLOOR = 0.01


def information_plane(
    activations: Sequence[Sequence[Any]],
    y: Any,
    *,
    estimator: Estimator = binned_mi,
    epochs: Sequence[int] | None = None,
    **options: Any,
) -> xr.Dataset:
    """Compute I(X;T) and I(T;Y) from activations that were recorded elsewhere.

    Args:
        activations: nested sequence; ``activations[e][l]`` is the (n_samples, width) array of layer l at
            recorded epoch e, from NumPy, PyTorch or any framework whose arrays NumPy can read. Widths
            may differ between layers.
        y: (n_samples,) integer class labels.
        estimator: any ``ibjax.mi`` estimator of a layer.
        epochs: numbers of the recorded epochs; default 0, 1, 2, ....
        **options: keyword arguments of the estimator, for example ``bin_width=0.07``.

    Returns:
        Dataset with ``ixt`` and ``ity`` (epoch, layer), bits, and coordinates ``epoch``, ``layer`` =
        1..L and ``width`` (layer,), ready for ``ibjax.plots``. ``flagged`` (flag, epoch, layer) tells
        which points come from the estimator rather than the network: "ceiling", I(X;T) at least 99% of
        log2 n; "floor", at most 1% of it; "above H(Y)", an I(T;Y) that cannot be; "rise", more than in
        the layer before, of X or of Y; "not finite". The ceilings are the coordinates ``log2_n`` and
        ``entropy_y``, bits. ``ibjax.report`` says it in sentences. Join several networks by
        ``xr.concat(planes, "seed")``.

    Raises:
        ValueError: for no epochs or layers, epochs with different numbers of layers, layers whose width
            changes, arrays that are not (n_samples, width) with one row per label, NaN or infinite
            activations, labels that are not integers.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 100)
        >>> activations = [[np.tanh(rng.normal(size=(100, w))) for w in (4, 2)] for _ in range(3)]
        >>> information_plane(activations, y, bin_width=0.5).ixt.shape
        (3, 2)
    """
    check_function("estimator", estimator, "f(t, y) -> MI")
    layers = _read(activations)
    y = as_labels("y", y, "activations[0][0]", layers[0][0])
    numbers = np.arange(len(layers)) if epochs is None else as_array("epochs", epochs)
    check_rank("epochs", numbers, 1, "(epoch,)")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"epochs: expected whole numbers, got dtype {numbers.dtype}")
    if len(numbers) != len(layers):
        raise ValueError(
            f"epochs: expected a number for each of the {len(layers)} recorded epochs, "
            f"got {len(numbers)}"
        )
    for e, at_epoch in enumerate(layers):
        if len(at_epoch) != len(layers[0]):
            raise ValueError(
                f"activations[{e}]: expected {len(layers[0])} layers as at the first epoch, "
                f"got {len(at_epoch)}"
            )
        for i, t in enumerate(at_epoch):
            name = f"activations[{e}][{i}]"
            check_nonempty(name, t)
            check_same_length(name, t, "y", y)
            check_finite(name, t)
            if t.shape[1] != layers[0][i].shape[1]:
                raise ValueError(
                    f"{name}: expected width {layers[0][i].shape[1]} as at the first epoch, "
                    f"got {t.shape[1]}"
                )
    estimator = functools.partial(estimator, **options) if options else estimator
    # Run eagerly, so that estimators see all digits of concrete 64-bit arrays.
    mi = jax.device_get([[_measured(estimator, t, y) for t in at_epoch] for at_epoch in layers])
    points = {
        name: np.array([[getattr(m, name) for m in at_epoch] for at_epoch in mi])
        for name in ("ixt", "ity")
    }
    ceilings = {
        "log2_n": math.log2(len(y)),
        "entropy_y": float(entropy(np.unique(np.asarray(y), return_counts=True)[1])),
    }
    names = {"ixt": "I(X;T)", "ity": "I(T;Y)", "log2_n": "log2 n", "entropy_y": "H(Y)"}
    described = {name: {"units": "bits", "long_name": names[name]} for name in names}
    flags = _flags(**points, **ceilings)
    told = {"units": "1", "long_name": "points that come from the estimator"}
    return xr.Dataset(
        {name: (("epoch", "layer"), points[name], described[name]) for name in points}
        | {"flagged": (("flag", "epoch", "layer"), np.stack(list(flags.values())), told)},
        {
            "epoch": ("epoch", np.asarray(numbers)),
            "layer": np.arange(1, len(layers[0]) + 1),
            "width": ("layer", [t.shape[1] for t in layers[0]]),
            "flag": list(flags),
            **{name: ((), bits, described[name]) for name, bits in ceilings.items()},
        },
        {
            "estimator": describe_function(estimator),
            "num_samples": len(y),
            "device": environment()["device"],
            "ibjax": environment()["ibjax"],
        },
    )


def _flags(*, ixt, ity, log2_n: float, entropy_y: float) -> dict[str, np.ndarray]:
    """Return by name which points (epoch, layer) tell of the estimator."""
    num_samples = round(2**log2_n)
    if num_samples < 2:
        none = np.zeros(ixt.shape, bool)
        return dict.fromkeys(FLAGS, none)
    found = diagnostics(ixt, ity, num_samples=num_samples, entropy_y=entropy_y)
    of_each = (
        found.ixt_saturated,
        ixt <= FLOOR * log2_n,
        found.ity_above_entropy,
        found.ixt_grows | found.ity_grows,
        ~np.isfinite(ixt + ity),
    )
    return {name: np.asarray(flag) for name, flag in zip(FLAGS, of_each, strict=True)}


def _read(activations) -> list[list[Any]]:
    """Return the arrays of the layers, epoch by epoch."""
    layers = []
    for e, at_epoch in enumerate(_items("activations", activations)):
        items = _items(f"activations[{e}]", at_epoch)
        layers.append([as_array(f"activations[{e}][{i}]", t) for i, t in enumerate(items)])
        for i, t in enumerate(layers[-1]):
            check_rank(f"activations[{e}][{i}]", t, 2, "(n_samples, width)")
    if not layers or not layers[0]:
        raise ValueError("activations: expected at least one epoch of at least one layer, got none")
    return layers


def _items(name, several) -> list[Any]:
    if isinstance(several, str | bytes | Mapping) or not hasattr(several, "__getitem__"):
        raise ValueError(f"{name}: expected a list, got {kind_of(several)}")
    return list(several)


def _measured(estimator, t, y) -> MI:
    mi = estimator(t, y)
    if not isinstance(mi, MI):
        raise ValueError(
            f"estimator: expected one of a layer, which gives MI(ixt, ity), got {kind_of(mi)}"
        )
    return mi
