"""Results of a grid of settings, filled in block by block, in memory or in a netCDF file."""

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import h5netcdf
import numpy as np
import xarray as xr

from ibjax.checks import kind_of
from ibjax.results import whole_file
from ibjax.types import Variable

__all__ = ["GridResults", "GridVariable"]

DIVERGED = Variable((), "1", "final parameters are not all finite")

# Results in memory take at most this share of the machine's.
SHARE = 0.5


class GridVariable(NamedTuple):
    """A variable as one program measures it.

    Attributes:
        described: its description.
        shape: its shape at one epoch.
        dtype: its dtype.
    """

    described: Variable
    shape: tuple[int, ...]
    dtype: Any


class GridResults:
    """Arrays over all cells, seeds and epochs, NaN where nothing is written.

    Use it as a context manager: at its end a file gets its name, unless there was an error.
    """

    def __init__(
        self,
        *,
        axes: Mapping[str, np.ndarray],
        seeds: np.ndarray,
        epochs: np.ndarray,
        variables: Sequence[Mapping[str, GridVariable]],
        coords: Sequence[Mapping[str, tuple[str, ...]]],
        attributes: Mapping[str, Any],
        path: str | Path | None = None,
    ):
        """Lay out the results.

        Args:
            axes: (level,) values along each axis of the grid, by name.
            seeds: (seed,) seeds.
            epochs: (epoch,) epochs that any program records.
            variables: variables of each program, by name.
            coords: names along the record's own axes, of each program.
            attributes: provenance.
            path: file to write to; None keeps the results in memory.

        Raises:
            ValueError: for programs that measure other variables or axes than the first, for results
                that memory does not hold, and for a path that cannot be written to.
        """
        self._seeds, self._epochs, self._path = seeds, epochs, None if path is None else _checked(path)
        self._grid = {name: len(values) for name, values in axes.items()}
        first, own = variables[0], coords[0]
        for others, other_coords in zip(variables, coords, strict=True):
            if others.keys() != first.keys() or other_coords != own:
                raise ValueError(
                    f"record: expected {', '.join(first)} of every program, got {', '.join(others)}"
                )
        self._dims: dict[str, tuple[str, ...]] = {}
        sizes = {**self._grid, "seed": len(seeds), "epoch": len(epochs)}
        for name, variable in first.items():
            inner = variable.described.dims
            rest = [dim for dim in inner if dim not in own]
            factors = [dim for dim in inner if dim in own]
            self._dims[name] = (*axes, *factors, "seed", "epoch", *rest)
            for of_program in variables:
                for dim, size in zip(inner, of_program[name].shape, strict=True):
                    sizes[dim] = max(size, sizes.get(dim, 0))
        self._inner = {name: variable.described.dims for name, variable in first.items()}
        self._dims["diverged"] = (*axes, "seed")
        described = {name: v.described for name, v in first.items()} | {"diverged": DIVERGED}
        self._layout = {
            name: (dims, tuple(sizes[d] for d in dims), self._dtype(name, sizes, variables))
            for name, dims in self._dims.items()
        }
        self._attributes = {
            name: {"units": d.units, "long_name": d.long_name} for name, d in described.items()
        }
        self._frame = xr.Dataset(
            coords={
                **{k: (k, v, {"units": "1", "long_name": k}) for k, v in axes.items()},
                **{k: (k, list(v), {"units": "1", "long_name": k}) for k, v in own.items()},
                "seed": ("seed", seeds, {"units": "1", "long_name": "random seed"}),
                "epoch": ("epoch", epochs, {"units": "epochs", "long_name": "epochs trained"}),
            },
            attrs=dict(attributes),
        )
        if "layer" in sizes:
            numbers = np.arange(1, sizes["layer"] + 1)
            self._frame = self._frame.assign_coords(
                layer=("layer", numbers, {"units": "1", "long_name": "layer"})
            )
        self._layers = np.zeros(tuple(self._grid.values()), np.int64)
        self._check_memory()
        self._exits = contextlib.ExitStack()
        self._arrays: dict[str, Any] = {}

    def _dtype(self, name, sizes, variables) -> np.dtype:
        if name == "diverged":
            return np.dtype(bool)
        dtype = np.dtype(variables[0][name].dtype)
        dims = variables[0][name].described.dims
        whole = all(v[name].shape == tuple(sizes[d] for d in dims) for v in variables)
        # What is filled up with NaN must be able to hold it.
        return dtype if np.issubdtype(dtype, np.floating) or whole else np.dtype(np.float32)

    def _check_memory(self) -> None:
        size = sum(math.prod(shape) * dtype.itemsize for _, shape, dtype in self._layout.values())
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        if self._path is None and size > SHARE * pages * page:
            raise ValueError(
                f"over: expected results of at most {SHARE * pages * page / 1e9:.1f} GB, half of the "
                f"memory, got {size / 1e9:.1f} GB; save_to writes them to a file, and a schedule of "
                "fewer epochs makes them smaller"
            )

    def __enter__(self) -> "GridResults":
        """Make room for the results."""
        if self._path is None:
            for name, (_, shape, dtype) in self._layout.items():
                fill = np.nan if np.issubdtype(dtype, np.floating) else 0
                self._arrays[name] = np.full(shape, fill, dtype)
            return self
        partial = self._exits.enter_context(whole_file(self._path))
        self._frame.to_netcdf(partial, engine="h5netcdf")
        file = self._exits.enter_context(h5netcdf.File(partial, "a"))
        for name, (dims, shape, dtype) in self._layout.items():
            for dim, size in zip(dims, shape, strict=True):
                if dim not in file.dimensions:
                    file.dimensions[dim] = size
            is_flag, is_float = np.issubdtype(dtype, np.bool_), np.issubdtype(dtype, np.floating)
            kept = np.dtype(np.int8) if is_flag else dtype
            fill = kept.type(np.nan) if is_float else None
            variable = file.create_variable(name, dims, kept, fillvalue=fill)
            variable.attrs.update(self._attributes[name])
            if is_flag:
                variable.attrs["dtype"] = "bool"  # as xarray writes it
            self._arrays[name] = variable
        self._file = file
        return self

    def write(
        self, index: tuple[int, ...], seeds: slice, epochs: np.ndarray, values: Mapping[str, Any]
    ) -> None:
        """Write the records of some seeds of a cell.

        Args:
            index: the cell's position.
            seeds: positions of the seeds.
            epochs: (e,) epochs recorded.
            values: arrays (s, e, ...) of the record's variables, and ``diverged`` (s,).
        """
        at = np.searchsorted(self._epochs, epochs)
        for name, value in values.items():
            array = self._arrays[name]
            if name == "diverged":
                array[(*index, seeds)] = value
                continue
            inner, dims = self._inner[name], self._dims[name][len(index) :]
            order = [("seed", "epoch", *inner).index(dim) for dim in dims]
            value = np.transpose(value, order)
            if "layer" in inner:
                self._layers[index] = value.shape[dims.index("layer")]
            ends = dict(zip(dims, value.shape, strict=True))
            places = {"seed": seeds} | {dim: slice(ends[dim]) for dim in dims if dim != "seed"}
            if len(at) == len(self._epochs):
                array[(*index, *(places[dim] for dim in dims))] = value
                continue
            for i, epoch in enumerate(at):
                here = places | {"epoch": slice(epoch, epoch + 1)}
                part = value.take([i], axis=dims.index("epoch"))
                array[(*index, *(here[dim] for dim in dims))] = part

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and give it its name if there was no error."""
        if self._path is not None and kind is None and self._layers.any():
            dims = tuple(self._grid)
            variable = self._file.create_variable("num_layers", dims, self._layers.dtype)
            variable[...] = self._layers
            variable.attrs.update({"units": "1", "long_name": "layers of the network"})
        self._exits.__exit__(kind, error, trace)

    def dataset(self) -> xr.Dataset:
        """Return the results; those of a file are read when needed."""
        if self._path is not None:
            opened = xr.open_dataset(self._path, engine="h5netcdf")
            return opened.set_coords([n for n in ("num_layers",) if n in opened])
        arrays = {
            name: (self._dims[name], self._arrays[name], self._attributes[name]) for name in self._arrays
        }
        results = self._frame.assign(arrays)
        if self._layers.any():
            described = {"units": "1", "long_name": "layers of the network"}
            results = results.assign_coords(num_layers=(tuple(self._grid), self._layers, described))
        return results


def _checked(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"save_to: expected a path, got {kind_of(path)}")
    path = Path(path)
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"save_to: expected a file in a folder that exists, got {path}")
    return path
