"""Tables of results, printed and written as CSV and text."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ibjax.analysis.compression import NEGLIGIBLE_BITS, dead_seeds
from ibjax.analysis.intervals import Interval
from ibjax.results import whole_file

__all__ = [
    "Table",
    "compresses_note",
    "interval_cells",
    "interval_text",
    "layer_rows",
    "levels_of",
    "seeds_table",
    "table_of",
    "table_of_rows",
    "with_caution",
]

# Fewer do not show how networks differ.
FEW_SEEDS = 10


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of results: a name, rows of words and numbers by column, and plain sentences.

    The sentences include notes that explain the columns; unlike conclusions from the numbers, notes do
    not end with a full stop.
    """

    name: str
    frame: pd.DataFrame
    sentences: Sequence[str] = ()

    def __post_init__(self):
        names = list(map(str, self.frame.columns))
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"frame: expected a name for each column, got {', '.join(twice)} twice")

    def __str__(self) -> str:
        rows = self.frame.itertuples(index=False, name=None)
        cells = [list(map(str, self.frame.columns)), *([_cell(x) for x in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.name, *lines, *([""] if self.sentences else []), *self.sentences])

    def save(self, folder: Path) -> list[Path]:
        """Write ``NAME.csv`` with the rows and ``NAME.txt`` as printed, and return the paths."""
        numbers, text = folder / f"{self.name}.csv", folder / f"{self.name}.txt"
        with whole_file(numbers) as partial:
            self.frame.to_csv(partial, index=False, na_rep="nan")
        with whole_file(text) as partial:
            partial.write_text(f"{self}\n")
        return [numbers, text]


def table_of_rows(
    name: str,
    rows: Sequence[Mapping[str, object]],
    sentences: Sequence[str] = (),
    *,
    columns: Sequence[str] = (),
) -> Table:
    """Make a table of rows, each a mapping of the same column names to cells.

    Args:
        name: name of the table and of its files.
        rows: the rows.
        sentences: sentences below the table.
        columns: names of the columns, needed where there may be no row.

    Raises:
        ValueError: for rows whose columns differ.
    """
    names = list(columns or (rows[0] if rows else ()))
    for row in rows:
        if set(row) != set(names):
            raise ValueError(f"rows: expected columns {', '.join(names)}, got {', '.join(row)}")
    # Objects, so that whole numbers stay whole beside NaN and words.
    return Table(name, pd.DataFrame(list(rows), columns=names, dtype=object), sentences)


def levels_of(results: xr.Dataset, dims: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield all combinations of the levels of some dims, as cells of a row and for ``sel``.

    Example:
        >>> plane = xr.Dataset(coords={"activation": ["tanh", "relu"], "layer": [1]})
        >>> [*levels_of(plane, ["activation", "layer"])]
        [{'activation': 'tanh', 'layer': 1}, {'activation': 'relu', 'layer': 1}]
    """
    for levels in itertools.product(*(results[dim].values.tolist() for dim in dims)):
        yield dict(zip(dims, levels, strict=True))


def layer_rows(summary: xr.Dataset, **arm: object) -> list[dict[str, object]]:
    """Return a row per layer of variables over ``layer``, for ``table_of_rows``.

    Args:
        summary: Dataset whose variables all have the dim ``layer`` alone.
        **arm: cells that all rows begin with, such as the arm's levels.
    """
    return [
        {**arm, "layer": layer, **{str(k): v.item() for k, v in summary.sel(layer=layer).items()}}
        for layer in summary.layer.values.tolist()
    ]


def table_of(name: str, data: xr.Dataset, sentences: Sequence[str] = ()) -> Table:
    """Make a table with a row per entry of variables of equal dims: its coordinates, then its values."""
    dims = [str(d) for d in next(iter(data.data_vars.values())).dims]
    others = [str(k) for k, v in data.coords.items() if v.dims and k not in dims]
    frame = data.transpose(*dims, missing_dims="ignore").to_dataframe(dim_order=dims).reset_index()
    columns = [*dims, *others, *map(str, data.data_vars)]
    return Table(name, frame.loc[:, columns], sentences)


def compresses_note(summary: xr.Dataset) -> str:
    """Say on how many layers and arms the word "compress" rests, for a table's sentences.

    Args:
        summary: result of ``compression_summary``.
    """
    return (
        f"a layer compresses: its mean I(X;T) falls by more than {NEGLIGIBLE_BITS} bits, by intervals "
        f"that hold for all {summary.num_intervals} layers and arms at once; after_fitting: from its "
        "peak since its I(T;Y) has made nine tenths of the gain"
    )


def seeds_table(
    results: xr.Dataset, quality: Sequence[str] = ("train_accuracy", "test_accuracy")
) -> Table:
    """Make a table of each arm's diverged and dead seeds, none dropped silently, and of their quality.

    Args:
        results: Dataset with ``num_varying`` (factors..., seed, epoch, layer), ``diverged`` and the
            variables of ``quality`` without ``layer``.
        quality: names of losses and accuracies, whose means at the end are shown.
    """
    factors = [str(d) for d in results[quality[0]].dims if d not in ("seed", "epoch")]
    rows = []
    for names in levels_of(results, factors):
        arm = results.sel(names)
        arm = arm.isel(layer=slice(int(arm.num_layers)))
        end = arm.isel(epoch=-1)
        rows.append(
            {
                **names,
                "seeds": arm.sizes["seed"],
                "diverged": int(arm.diverged.sum()),
                "dead": int(dead_seeds(arm).sum()),
                **{name: float(end[name].mean()) for name in quality},
            }
        )
    note = (
        "diverged: not finite at the end, left out of means; dead: all units of a hidden layer end "
        "constant over the samples measured, kept"
    )
    return table_of_rows("seeds", rows, [note])


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
    concludes = len(notes) < len(table.sentences) or any(
        str(name).endswith("low") for name in table.frame
    )
    if num_seeds is None or num_seeds >= FEW_SEEDS or not concludes:
        return table
    said = f"With {num_seeds} networks per arm, fewer than {FEW_SEEDS}, these intervals say little."
    return dataclasses.replace(table, sentences=[*table.sentences, said])


def interval_text(interval: Interval, digits: int = 2) -> str:
    """Format a mean, a median or a correlation with its 95% interval, for sentences.

    Example:
        >>> interval_text(Interval(1.0, 0.5, 2.25, 50), 1)
        '1.0 (0.5 to 2.2)'
    """
    middle, low, high = (f"{float(x):.{digits}f}" for x in interval[:3])
    return f"{middle} ({low} to {high})"


def interval_cells(name: str, interval: Interval) -> dict[str, float]:
    """Return a row's cells, by column, of an estimate and the limits of its interval.

    Example:
        >>> interval_cells("gain", Interval(1.0, 0.5, 2.25, 50))
        {'gain': 1.0, 'gain_low': 0.5, 'gain_high': 2.25}
    """
    names = (name, f"{name}_low", f"{name}_high")
    return dict(zip(names, map(float, interval[:3]), strict=True))


def _cell(x: object) -> str:
    return f"{x:.3f}" if isinstance(x, float | np.floating) else str(x)
