"""From what training reports to labelled arrays with their provenance, and to files."""

import datetime
import functools
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
import xarray as xr

from ibjax.types import History
from ibjax.version import __version__

__all__ = [
    "describe_function",
    "environment",
    "history_to_dataset",
    "load_results",
    "save_results",
    "stack_arms",
]

# Of a record: dims after seed and epoch, units, long name.
Variable: TypeAlias = tuple[tuple[str, ...], str, str]

VARIABLES: dict[str, Variable] = {
    "ixt": (("layer",), "bits", "I(X;T)"),
    "ity": (("layer",), "bits", "I(T;Y)"),
    "train_loss": ((), "nats", "training cross-entropy"),
    "test_loss": ((), "nats", "test cross-entropy"),
    "train_accuracy": ((), "1", "training accuracy"),
    "test_accuracy": ((), "1", "test accuracy"),
    "gradient_mean": (("layer",), "nats", "norm of the mean of minibatch gradients"),
    "gradient_std": (("layer",), "nats", "norm of the standard deviation of minibatch gradients"),
    "gradient_snr": (("layer",), "1", "signal-to-noise ratio of minibatch gradients"),
    "weight_norm": (("layer",), "1", "norm of the kernel"),
    "saturated": (("layer",), "1", "share of units and inputs at a flat part of the activation"),
}

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "xarray")


def history_to_dataset(
    history: History,
    attributes: Mapping[str, Any] | None = None,
    *,
    variables: Mapping[str, Variable] | None = None,
) -> xr.Dataset:
    """A history whose records are those of ``plane_record``, and others, as a labelled Dataset.

    Args:
        history: of S seeds, E recorded epochs and L layers.
        attributes: what the numbers rest on (config, binning, dataset, ...), kept as attributes;
            values that are not numbers or strings are written as JSON.
        variables: of records by other names: (dims after seed and epoch, units, long name).

    Returns:
        Dataset with ``ixt``, ``ity`` (seed, epoch, layer), bits; losses, nats, and accuracies (seed,
        epoch); ``diverged`` (seed,); coordinates ``seed``, ``epoch``, ``layer`` = 1..L, the softmax
        output last, and ``num_layers``. Every variable has ``units``.
    """
    known = VARIABLES | dict(variables or {})
    arrays = {}
    for name, values in history.records.items():
        dims, units, long_name = known[name]
        attrs = {"units": units, "long_name": long_name}
        arrays[name] = (("seed", "epoch", *dims), np.asarray(values), attrs)
    flag = {"units": "1", "long_name": "final parameters are not all finite"}
    arrays["diverged"] = (("seed",), history.diverged, flag)
    num_layers = np.shape(history.records["ixt"])[-1]
    result = xr.Dataset(
        arrays,
        {
            "seed": ("seed", history.seeds, {"units": "1", "long_name": "random seed"}),
            "epoch": ("epoch", history.epochs, {"units": "epochs", "long_name": "epochs trained"}),
            "layer": ("layer", np.arange(1, num_layers + 1), {"units": "1", "long_name": "layer"}),
            "num_layers": ((), num_layers, {"units": "1", "long_name": "layers of the network"}),
        },
    )
    return result.assign_attrs({k: _plain(v) for k, v in (attributes or {}).items()})


def stack_arms(arms: Mapping[tuple[str, ...], xr.Dataset], factors: tuple[str, ...]) -> xr.Dataset:
    """Join the arms of an experiment along new leading dimensions, one a factor.

    Args:
        arms: Dataset of each combination of the factors' levels, all combinations present. Where
            networks differ in depth the shallower are padded with NaN at the end of ``layer``.
        factors: names of the dimensions, in the order of the keys.

    Returns:
        Dataset with dims ``(*factors, "seed", "epoch", "layer")``; ``num_layers`` has dims
        ``factors``; each arm's own attributes are kept in the attribute ``arms`` as JSON.
    """
    levels = [list(dict.fromkeys(key[i] for key in arms)) for i in range(len(factors))]
    own = {"/".join(key): dict(arm.attrs) for key, arm in arms.items()}
    parts = [
        arm.drop_attrs(deep=False).expand_dims({f: [k] for f, k in zip(factors, key, strict=True)})
        .assign_coords(num_layers=(factors, np.full((1,) * len(factors), arm.num_layers.item())))
        for key, arm in arms.items()
    ]  # fmt: skip
    # Beforehand: combining would take axes of different lengths for ones to join along.
    parts = xr.align(*parts, join="outer", exclude=factors)
    joined = xr.combine_by_coords(
        parts,
        data_vars="all",
        join="outer",  # arms with other variables than the rest are joined after the rest
        combine_attrs="override",
        compat="no_conflicts",
    )
    assert isinstance(joined, xr.Dataset)
    joined = joined.reindex(dict(zip(factors, levels, strict=True)))
    joined.num_layers.attrs = {"units": "1", "long_name": "layers of the network"}
    for factor in factors:
        joined[factor].attrs = {"units": "1", "long_name": factor}
    return joined.assign_attrs(arms=_plain(own))


def environment() -> dict[str, str]:
    """Versions (JSON), device and time: what a number may depend on besides its config."""
    device = jax.local_devices()[0]
    return {
        "ibjax": __version__,
        "versions": json.dumps({name: importlib.metadata.version(name) for name in PACKAGES}),
        "device": f"{device.platform}: {device.device_kind}, {jax.local_device_count()} in use",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe_function(function: Callable) -> str:
    """A function's name with the arguments that ``functools.partial`` has fixed.

    Example:
        >>> describe_function(functools.partial(round, ndigits=2))
        'round(ndigits=2)'
    """
    if isinstance(function, functools.partial):
        fixed = [*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())]
        return f"{describe_function(function.func)}({', '.join(fixed)})"
    return getattr(function, "__name__", repr(function))


def save_results(results: xr.Dataset, path: str | Path) -> Path:
    """Write netCDF4, whole or not at all."""
    path = Path(path)
    partial = path.with_suffix(".partial")
    results.to_netcdf(partial, engine="h5netcdf")
    return partial.replace(path)


def load_results(path: str | Path) -> xr.Dataset:
    """Read a result file into memory.

    Raises:
        ValueError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path: expected a result file, got {path}, which does not exist")
    return xr.load_dataset(path, engine="h5netcdf")


def _plain(value: Any) -> Any:
    """netCDF attributes are numbers and strings; everything else becomes JSON."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    return json.dumps(value, default=str)
