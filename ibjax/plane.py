"""The information plane of the reader's own network."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ibjax.arrays import as_array, as_labels
from ibjax.checks import (
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
    activations: Any,
    y: Any,
    *,
    estimator: Estimator | Mapping[str, Estimator] = binned_mi,
    epochs: Sequence[int] | None = None,
    reduce: str | Callable[[Any], Any] | None = None,
    **options: Any,
) -> xr.Dataset:
    """Compute I(X;T) and I(T;Y) from activations that were recorded elsewhere.

    Args:
        activations: for each recorded epoch the layers' (n_samples, width) arrays, from NumPy, PyTorch
            or any framework whose arrays NumPy can read: ``activations[e][l]``, or dicts
            ``activations[e][name]`` of layers by name; or an (epoch, n_samples, width) array of one
            layer. Widths may differ between layers.
        y: (n_samples,) class labels, whole numbers or texts; also (n_samples, 1), or one-hot
            (n_samples, classes).
        estimator: any ``ibjax.mi`` estimator of a layer; or several by name.
        epochs: numbers of the recorded epochs; default 0, 1, 2, ....
        reduce: what becomes of layers with more axes, such as feature maps: "flatten" takes all entries
            of a sample as units; a function from (n_samples, ...) to (n_samples, width) arrays may
            average or choose, such as ``lambda t: t.mean(axis=(2, 3))``.
        **options: keyword arguments of the estimator, for example ``bin_width=0.07``.

    Returns:
        Dataset with ``ixt`` and ``ity`` ([estimator], epoch, layer), bits, and coordinates ``epoch``,
        ``layer`` = 1..L, ``name`` (layer,) of named layers, and ``width`` (layer,), ready for
        ``ibjax.plots``. ``flagged`` (flag, [estimator], epoch, layer) tells which points come from the
        estimator rather than the network: "ceiling", I(X;T) at least 99% of log2 n; "floor", at most 1%
        of it; "above H(Y)", an I(T;Y) that cannot be; "rise", more than in the layer before, of X or of
        Y; "not finite", NaN, as for a layer with activations that are not finite. The ceilings are the
        coordinates ``log2_n`` and ``entropy_y``, bits. ``ibjax.report`` says it in sentences. Join
        several networks by ``xr.concat(planes, "seed")``.

    Raises:
        ValueError: for no epochs or layers, epochs with other layers than the first, layers whose width
            changes, arrays that are not (n_samples, width) with one row per label, or have more axes
            without ``reduce``, labels that are neither whole numbers nor texts, options for several
            estimators.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 100)
        >>> activations = [[np.tanh(rng.normal(size=(100, w))) for w in (4, 2)] for _ in range(3)]
        >>> information_plane(activations, y, bin_width=0.5).ixt.shape
        (3, 2)
    """
    estimators = _estimators(estimator, options)
    names, layers = _read(activations, reduce)
    y = as_labels("y", _labels(y), _name(names, 0, 0), layers[0][0])
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
        for i, t in enumerate(at_epoch):
            where = _name(names, e, i)
            check_nonempty(where, t)
            check_same_length(where, t, "y", y)
            if t.shape[1] != layers[0][i].shape[1]:
                raise ValueError(
                    f"{where}: expected width {layers[0][i].shape[1]} as at the first epoch, "
                    f"got {t.shape[1]}"
                )
    # Run eagerly, so that estimators see all digits of concrete 64-bit arrays.
    mi = jax.device_get(
        [
            [[_measured(measure, t, y) for t in at_epoch] for at_epoch in layers]
            for measure in estimators.values()
        ]
    )
    planes = {
        name: np.array([[[getattr(m, name) for m in row] for row in of_one] for of_one in mi])
        for name in ("ixt", "ity")
    }
    ceilings = {
        "log2_n": math.log2(len(y)),
        "entropy_y": float(entropy(np.unique(np.asarray(y), return_counts=True)[1])),
    }
    texts = {"ixt": "I(X;T)", "ity": "I(T;Y)", "log2_n": "log2 n", "entropy_y": "H(Y)"}
    described = {name: {"units": "bits", "long_name": text} for name, text in texts.items()}
    told = {"units": "1", "long_name": "points that come from the estimator"}
    dims = ("estimator", "epoch", "layer")
    flags = _flags(**planes, num_samples=len(y), entropy_y=ceilings["entropy_y"])
    plane = xr.Dataset(
        {name: (dims, planes[name], described[name]) for name in planes}
        | {"flagged": (("flag", *dims), np.stack(list(flags.values())), told)},
        {
            "estimator": list(estimators),
            "epoch": ("epoch", np.asarray(numbers)),
            "layer": np.arange(1, len(layers[0]) + 1),
            "width": ("layer", [t.shape[1] for t in layers[0]]),
            "flag": list(flags),
            **{name: ((), bits, described[name]) for name, bits in ceilings.items()},
        },
        {
            "estimator": "; ".join(map(describe_function, estimators.values())),
            "num_samples": len(y),
            "device": environment()["device"],
            "ibjax": environment()["ibjax"],
        },
    )
    if names is not None:
        plane = plane.assign_coords(name=("layer", list(names)))
    return plane if isinstance(estimator, Mapping) else plane.isel(estimator=0, drop=True)


def _estimators(estimator: Any, options: Mapping[str, Any]) -> dict[str, Estimator]:
    """Return estimators by name; a single one has its own."""
    if not isinstance(estimator, Mapping):
        check_function("estimator", estimator, "f(t, y) -> MI")
        fixed = functools.partial(estimator, **options) if options else estimator
        return {describe_function(fixed): fixed}
    if not estimator:
        raise ValueError("estimator: expected one or more estimators by name, got none")
    if options:
        raise ValueError(
            "estimator: expected options within each of several estimators, by functools.partial, got "
            f"{', '.join(options)} for all"
        )
    for one in estimator.values():
        check_function("estimator", one, "f(t, y) -> MI")
    return {str(name): one for name, one in estimator.items()}


def _labels(y: Any) -> Any:
    """Return labels (n,) of a column, of one-hot rows, or of texts; others as they are."""
    try:
        array = np.asarray(y)
    except Exception:  # other frameworks' arrays that only as_array can read
        return y
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 2 and array.size and np.issubdtype(array.dtype, np.number):
        ones = array == 1
        if (ones.sum(axis=1) == 1).all() and (ones | (array == 0)).all():
            return ones.argmax(axis=1)
    is_text = array.dtype.kind in "US" or (
        array.dtype == object and array.size and all(isinstance(label, str) for label in array.flat)
    )
    return np.unique(array, return_inverse=True)[1].reshape(array.shape) if is_text else y


def _flags(*, ixt, ity, num_samples: int, entropy_y: float) -> dict[str, np.ndarray]:
    """Return by name which points (epoch, layer) tell of the estimator."""
    if num_samples < 2:
        none = np.zeros(ixt.shape, bool)
        return dict.fromkeys(FLAGS, none)
    found = diagnostics(ixt, ity, num_samples=num_samples, entropy_y=entropy_y)
    of_each = (
        found.ixt_saturated,
        ixt <= FLOOR * math.log2(num_samples),
        found.ity_above_entropy,
        found.ixt_grows | found.ity_grows,
        ~np.isfinite(ixt + ity),
    )
    return {name: np.asarray(flag) for name, flag in zip(FLAGS, of_each, strict=True)}


def _read(activations: Any, reduce: Any) -> tuple[tuple[str, ...] | None, list[list[Any]]]:
    """Return the names of the layers, if they have any, and their arrays, epoch by epoch."""
    if reduce is not None and reduce != "flatten":
        check_function("reduce", reduce, "of (n_samples, ...) arrays")
    if getattr(activations, "ndim", None) == 3:
        activations = [[t] for t in activations]
    names, layers = None, []
    for e, at_epoch in enumerate(_items("activations", activations)):
        named = tuple(map(str, at_epoch)) if isinstance(at_epoch, Mapping) else None
        if e > 0 and (named is None) != (names is None):
            raise ValueError(
                f"activations[{e}]: expected layers as at the first epoch, by name or by number"
            )
        if e == 0:
            names = named
        elif named is not None and set(named) != set(names or ()):
            raise ValueError(
                f"activations[{e}]: expected the layers {', '.join(names or ())} as at the first epoch, "
                f"got {', '.join(named)}"
            )
        if isinstance(at_epoch, Mapping):
            by_name = {str(key): t for key, t in at_epoch.items()}
            items = [by_name[name] for name in names or ()]
        else:
            items = _items(f"activations[{e}]", at_epoch)
        layers.append([_layer(_name(names, e, i), t, reduce) for i, t in enumerate(items)])
        if len(layers[-1]) != len(layers[0]):
            raise ValueError(
                f"activations[{e}]: expected {len(layers[0])} layers as at the first epoch, "
                f"got {len(layers[-1])}"
            )
    if not layers or not layers[0]:
        raise ValueError("activations: expected at least one epoch of at least one layer, got none")
    return names, layers


def _name(names: Sequence[str] | None, e: int, i: int) -> str:
    return f"activations[{e}][{i if names is None else repr(names[i])}]"


def _layer(name: str, t: Any, reduce: Any) -> Any:
    """Return a layer's activations as an (n_samples, width) array."""
    if callable(reduce):
        t = reduce(t)
    t = as_array(name, t)
    if t.ndim > 2 and reduce == "flatten":
        t = t.reshape(t.shape[0], -1)
    elif t.ndim > 2:
        raise ValueError(
            f"{name}: expected shape (n_samples, width), got {t.shape}; "
            'reduce="flatten" takes all entries of a sample as units, or give a function'
        )
    check_rank(name, t, 2, "(n_samples, width)")
    return t


def _items(name, several) -> list[Any]:
    if isinstance(several, str | bytes | Mapping) or not hasattr(several, "__getitem__"):
        raise ValueError(f"{name}: expected a list, got {kind_of(several)}")
    return list(several)


def _measured(estimator, t, y) -> MI:
    if not np.isfinite(np.asarray(t)).all():
        return MI(*jnp.full(2, jnp.nan))
    mi = estimator(t, y)
    if not isinstance(mi, MI):
        raise ValueError(
            f"estimator: expected one of a layer, which gives MI(ixt, ity), got {kind_of(mi)}"
        )
    return mi
