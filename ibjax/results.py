"""Conversion of training histories to labelled Datasets with provenance, and saving and loading them."""

import datetime
import errno
import importlib.metadata
import itertools
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from ibjax.checks import kind_of
from ibjax.types import History, Record
from ibjax.version import __version__

__all__ = [
    "as_attribute",
    "environment",
    "history_to_dataset",
    "load_results",
    "save_results",
    "stack_arms",
]

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "xarray")


def history_to_dataset(
    history: History, record: Record, attributes: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Convert a history to a labelled Dataset.

    Args:
        history: result of ``fit`` with S seeds and E recorded epochs.
        record: record that measured it, such as ``PlaneRecord``; it declares its variables.
        attributes: provenance of the numbers (config, binning, dataset, ...), kept as attributes; values
            that are not numbers or strings are written as JSON.

    Returns:
        Dataset with the record's variables, for ``PlaneRecord`` ``ixt`` and ``ity`` (seed, epoch,
        layer), bits, losses in nats and accuracies (seed, epoch); the axes of the record's ``coords``
        come first. ``diverged`` (seed,); coordinates ``seed``, ``epoch``, and for variables of layers
        ``layer`` = 1..L, the output last, and ``num_layers``. Every variable has ``units``.

    Raises:
        ValueError: for anything but a history and a record that declares exactly its variables.
    """
    if not isinstance(history, History):
        raise ValueError(f"history: expected a History, as fit returns it, got {kind_of(history)}")
    if isinstance(record, type) or not isinstance(record, Record):
        wanted = "one that declares its variables, such as PlaneRecord"
        raise ValueError(f"record: expected {wanted}, got {kind_of(record)}")
    recorded = history.records if isinstance(history.records, Mapping) else {}
    if set(recorded) != set(record.variables):
        raise ValueError(
            f"record: expected the one that measured {', '.join(map(str, recorded)) or 'no names'}, "
            f"got one that measures {', '.join(record.variables)}"
        )
    arrays: dict[str, Any] = {
        name: (
            ("seed", "epoch", *described.dims),
            np.asarray(recorded[name]),
            {"units": described.units, "long_name": described.long_name},
        )
        for name, described in record.variables.items()
    }
    flag = {"units": "1", "long_name": "final parameters are not all finite"}
    arrays["diverged"] = (("seed",), history.diverged, flag)
    result = xr.Dataset(
        arrays,
        {
            "seed": ("seed", history.seeds, {"units": "1", "long_name": "random seed"}),
            "epoch": ("epoch", history.epochs, {"units": "epochs", "long_name": "epochs trained"}),
            **{
                name: (name, list(levels), {"units": "1", "long_name": name})
                for name, levels in record.coords.items()
            },
        },
    ).transpose(*record.coords, "seed", "epoch", ...)
    if "layer" in result.dims:
        numbers = np.arange(1, result.sizes["layer"] + 1)
        result = result.assign_coords(
            layer=("layer", numbers, {"units": "1", "long_name": "layer"}),
            num_layers=((), len(numbers), {"units": "1", "long_name": "layers of the network"}),
        )
    return result.assign_attrs({k: as_attribute(v) for k, v in (attributes or {}).items()})


def stack_arms(arms: Mapping[tuple[str, ...], xr.Dataset], factors: tuple[str, ...]) -> xr.Dataset:
    """Join the arms of an experiment along new leading dimensions, one per factor.

    Args:
        arms: one Dataset for each combination of the factors' levels, all combinations present. If
            networks differ in depth, shallower ones are padded with NaN at the end of ``layer``.
        factors: names of the new dimensions, in the order of the keys.

    Returns:
        Dataset with dims ``(*factors, "seed", "epoch", "layer")``; ``num_layers`` has dims
        ``factors``; each arm's own attributes are kept in the attribute ``arms`` as JSON.

    Raises:
        ValueError: for no arms, keys that are not one string per factor, missing combinations of levels,
            and arms that are not Datasets with ``num_layers``.
    """
    for key, arm in arms.items():
        all_strings = isinstance(key, tuple) and all(isinstance(level, str) for level in key)
        if not all_strings or len(key) != len(factors):
            wanted = f"keys of one string for each of {', '.join(factors)}"
            raise ValueError(f"arms: expected {wanted}, got {key!r}")
        if not isinstance(arm, xr.Dataset) or "num_layers" not in arm:
            wanted = "Datasets as history_to_dataset makes them, with num_layers"
            raise ValueError(f"arms: expected {wanted}, got {kind_of(arm)} for {key!r}")
    levels = [list(dict.fromkeys(key[i] for key in arms)) for i in range(len(factors))]
    missing = [key for key in itertools.product(*levels) if key not in arms]
    if not arms or missing:
        wanted = f"one or more arms, of all combinations of {', '.join(factors)}"
        raise ValueError(f"arms: expected {wanted}, got none for {missing or 'any'}")
    attributes = {"/".join(key): dict(arm.attrs) for key, arm in arms.items()}
    parts = [
        arm.drop_attrs(deep=False).expand_dims({f: [k] for f, k in zip(factors, key, strict=True)})
        .assign_coords(num_layers=(factors, np.full((1,) * len(factors), arm.num_layers.item())))
        for key, arm in arms.items()
    ]  # fmt: skip
    # Pad beforehand, because combining would try to join along axes of different lengths.
    parts = xr.align(*parts, join="outer", exclude=factors)
    joined = xr.combine_by_coords(
        parts,
        data_vars="all",
        join="outer",  # arms with different variables are joined last
        combine_attrs="override",
        compat="no_conflicts",
    )
    assert isinstance(joined, xr.Dataset)
    joined = joined.reindex(dict(zip(factors, levels, strict=True)))
    joined.num_layers.attrs = {"units": "1", "long_name": "layers of the network"}
    for factor in factors:
        joined[factor].attrs = {"units": "1", "long_name": factor}
    return joined.assign_attrs(arms=as_attribute(attributes))


def environment() -> dict[str, str]:
    """Return versions (JSON), device and time, on which a number may depend besides its config."""
    device = jax.local_devices()[0]
    return {
        "ibjax": __version__,
        "versions": json.dumps({name: importlib.metadata.version(name) for name in PACKAGES}),
        "device": f"{device.platform}: {device.device_kind}, {jax.local_device_count()} in use",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def save_results(results: xr.Dataset, path: str | Path) -> Path:
    """Save results as netCDF4, completely or not at all.

    The file gets its name only after it has been read back and compared. If anything goes wrong before,
    such as a full disk or Ctrl-C, an earlier file of that name is kept and no other file is left.

    Raises:
        ValueError: for anything but a Dataset and a path in a folder that exists.
        OSError: if the file cannot be written, or differs when read back.
    """
    path = _as_path(path)
    if not isinstance(results, xr.Dataset):
        raise ValueError(f"results: expected an xarray.Dataset, got {kind_of(results)}")
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"path: expected a file in a folder that exists, got {path}")
    with whole_file(path) as partial:
        results.to_netcdf(partial, engine="h5netcdf")
        with xr.open_dataset(partial, engine="h5netcdf") as written:
            if not written.equals(results):
                raise OSError(errno.EIO, "The file reads back as other results than written", str(path))
    return path


def load_results(path: str | Path) -> xr.Dataset:
    """Read a result file into memory.

    Raises:
        ValueError: if the file is missing, damaged, empty or not netCDF4.
    """
    path = _as_path(path)
    if not path.is_file():
        fault = "is not a file" if path.exists() else "does not exist"
        raise ValueError(f"path: expected a result file, got {path}, which {fault}")
    try:
        results = xr.load_dataset(path, engine="h5netcdf")
    # For damaged and foreign files, xarray, h5netcdf and h5py may raise any exception.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"path: expected a result file, got {path}, which cannot be read as netCDF4 "
            f"({type(error).__name__}: {reason})"
        ) from error
    if not results.data_vars:
        raise ValueError(f"path: expected a result file, got {path}, which has no variables")
    return results


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``: renamed to ``path`` at the end, removed on any error."""
    partial = path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # network disks and quotas may fail only here
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()


def _as_path(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path: expected a path, got {kind_of(path)}")
    return Path(path)


def as_attribute(value: Any) -> Any:
    """Return numbers and strings, which netCDF attributes can hold, unchanged; anything else as JSON."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    return json.dumps(value, default=str)
