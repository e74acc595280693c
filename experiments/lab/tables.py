"""Tables of results, printed and written as CSV and text."""

import csv
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ibjax.analysis.compression import dead_seeds
from ibjax.analysis.intervals import Interval
from ibjax.results import whole_file

__all__ = [
    "Table",
    "columns",
    "interval_columns",
    "interval_text",
    "seeds_table",
    "table_of",
    "with_caution",
]

# Fewer do not show how networks differ.
FEW_SEEDS = 10


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of results: a name, a header, rows of words and numbers, and plain sentences.

    The sentences include notes that explain the columns; unlike conclusions from the numbers, notes do
    not end with a full stop.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    sentences: Sequence[str] = ()

    def __post_init__(self):
        names = list(self.header)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"header: expected a name for each column, got {', '.join(twice)} twice")

    def __str__(self) -> str:
        cells = [list(self.header), *([_cell(x) for x in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.name, *lines, *([""] if self.sentences else []), *self.sentences])

    def save(self, folder: Path) -> list[Path]:
        """Write ``NAME.csv`` with the rows and ``NAME.txt`` as printed, and return the paths."""
        numbers, text = folder / f"{self.name}.csv", folder / f"{self.name}.txt"
        with whole_file(numbers) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([self.header, *self.rows])
        with whole_file(text) as partial:
            partial.write_text(f"{self}\n")
        return [numbers, text]


def table_of(name: str, data: xr.Dataset, sentences: Sequence[str] = ()) -> Table:
    """Make a table with a row per entry of variables of equal dims: its coordinates, then its values."""
    dims = [str(d) for d in next(iter(data.data_vars.values())).dims]
    others = [str(k) for k, v in data.coords.items() if v.dims and k not in dims]
    frame = data.transpose(*dims, missing_dims="ignore").to_dataframe(dim_order=dims).reset_index()
    header = [*dims, *others, *map(str, data.data_vars)]
    return Table(name, header, frame[header].to_numpy(object).tolist(), sentences)


def seeds_table(results: xr.Dataset) -> Table:
    """Make a table of each arm's diverged and dead seeds, none dropped silently, and of its accuracies.

    Args:
        results: Dataset with ``ixt`` (factors..., seed, epoch, layer), by one estimator, and
            ``train_accuracy`` and ``test_accuracy`` without ``layer``.
    """
    factors = [str(d) for d in results.train_accuracy.dims if d not in ("seed", "epoch")]
    rows = []
    for levels in itertools.product(*(results[factor].values for factor in factors)):
        arm = results.sel(dict(zip(factors, levels, strict=True)))
        end = arm.isel(epoch=-1)
        counts = arm.sizes["seed"], int(arm.diverged.sum()), int(dead_seeds(arm).sum())
        quality = (float(end[name].mean()) for name in ("train_accuracy", "test_accuracy"))
        rows.append([*levels, *counts, *quality])
    header = [*factors, *"seeds diverged dead train_accuracy test_accuracy".split()]
    note = (
        "diverged: not finite at the end, left out of means; dead: a hidden layer ends in one state for "
        "all samples measured, kept"
    )
    return Table("seeds", header, rows, [note])


def with_caution(table: Table, num_seeds: int | None, *, smoke: bool) -> Table:
    """Add cautions to a table so that it claims no more than its number of networks supports.

    Args:
        table: table of a report.
        num_seeds: number of networks per arm; None if there is no axis of seeds.
        smoke: whether the table is from a smoke run, from which nothing follows; only notes on columns
            are kept.
    """
    notes = [sentence for sentence in table.sentences if not sentence.endswith(".")]
    if smoke:
        size = "" if num_seeds is None else f", of {num_seeds} networks and few epochs,"
        said = f"A smoke run{size} shows that everything works; nothing follows from its numbers."
        return dataclasses.replace(table, sentences=[*notes, said])
    concludes = len(notes) < len(table.sentences) or any(h.endswith("low") for h in table.header)
    if num_seeds is None or num_seeds >= FEW_SEEDS or not concludes:
        return table
    said = f"With {num_seeds} networks per arm, fewer than {FEW_SEEDS}, these intervals say little."
    return dataclasses.replace(table, sentences=[*table.sentences, said])


def interval_text(interval: Interval, digits: int = 2) -> str:
    """A mean, a median or a correlation with its 95% interval, for sentences.

    Example:
        >>> interval_text(Interval(1.0, 0.5, 2.25, 50), 1)
        '1.0 (0.5 to 2.2)'
    """
    middle, low, high = (f"{float(x):.{digits}f}" for x in interval[:3])
    return f"{middle} ({low} to {high})"


def interval_columns(name: str) -> list[str]:
    """Names of the columns of an estimate and of the limits of its interval.

    Example:
        >>> interval_columns("gain")
        ['gain', 'gain_low', 'gain_high']
    """
    return [name, f"{name}_low", f"{name}_high"]


def columns(names: str) -> list[str]:
    """Split names of columns at spaces; "gain+-" stands for an estimate and its interval's limits.

    Example:
        >>> columns("layer gain+-")
        ['layer', 'gain', 'gain_low', 'gain_high']
    """
    each = (interval_columns(name[:-2]) if name.endswith("+-") else [name] for name in names.split())
    return [*itertools.chain(*each)]


def _cell(x: object) -> str:
    return f"{x:.3f}" if isinstance(x, float | np.floating) else str(x)
