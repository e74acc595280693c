"""Grids of settings: their cells, and which cells share a program."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ibjax.checks import check_known, kind_of
from ibjax.training.arguments import check_numbers_used
from ibjax.training.config import TrainConfig, numbers_of
from ibjax.training.optimizers import Numbers

__all__ = ["Cell", "Grid", "Program", "checked_grid"]

DATASET = "dataset"


class Cell(NamedTuple):
    """One combination of settings.

    Attributes:
        index: (axis,) positions along the grid's axes.
        numbers: numeric settings, float32 scalars.
    """

    index: tuple[int, ...]
    numbers: Numbers


class Program(NamedTuple):
    """Cells whose networks are lanes of one compiled program: they differ in numbers alone.

    Attributes:
        name: their structural settings, for progress and dashboards.
        config: their configuration, apart from the numbers along the grid's axes.
        dataset: name of their data, or None if the grid has one.
        cells: the cells.
    """

    name: str
    config: TrainConfig
    dataset: str | None
    cells: list[Cell]


class Grid(NamedTuple):
    """All combinations of settings.

    Attributes:
        axes: names of the settings.
        labels: (level,) values along each axis as coordinates: numbers, or texts.
        programs: the cells, by program.
    """

    axes: tuple[str, ...]
    labels: tuple[np.ndarray, ...]
    programs: list[Program]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of levels of each axis."""
        return tuple(map(len, self.labels))


def checked_grid(config: TrainConfig, over: Any, *, model: Any = None, optimizer: Any = None) -> Grid:
    """Return the cells of a grid.

    Args:
        config: settings of all cells that ``over`` does not name.
        over: values by the names of settings; for "dataset", data by their names.
        model: a model of one's own, which replaces the config's.
        optimizer: an optimizer of one's own, which replaces the config's.

    Raises:
        ValueError: for unknown settings and those that do nothing, no values or the same one twice,
            values of the wrong kind.
    """
    if not isinstance(over, Mapping) or not over:
        wanted = 'values by the names of settings, such as {"learning_rate": [0.01, 0.1]}'
        raise ValueError(f"over: expected {wanted}, got {kind_of(over)}")
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    levels = {name: _levels(name, values, known) for name, values in over.items()}
    numeric = [name for name in levels if name in Numbers._fields]
    for name in numeric:
        for value in levels[name]:
            dataclasses.replace(config, **{name: value})  # checks the number
    programs: dict[Any, Program] = {}
    bases: dict[Any, tuple[TrainConfig, Numbers]] = {}
    for index in itertools.product(*(range(len(values)) for values in levels.values())):
        chosen = {name: values[i] for (name, values), i in zip(levels.items(), index, strict=True)}
        own = {name: np.float32(chosen.pop(name)) for name in numeric}
        structure = tuple(chosen.values())
        if structure not in bases:
            options = {name: value for name, value in chosen.items() if name != DATASET}
            base = dataclasses.replace(config, **options)
            check_numbers_used("over", numeric, base, model=model, optimizer=optimizer)
            bases[structure] = base, numbers_of(base)
        base, numbers = bases[structure]
        numbers = numbers._replace(**own)
        # Whether there is noise, or decay, is a matter of structure: programs without are others.
        key = (*structure, numbers.noise_variance > 0, numbers.weight_decay > 0)
        if key not in programs:
            name = " ".join(str(_label(value)) for value in structure)
            programs[key] = Program(name, base, chosen.get(DATASET), [])
        programs[key].cells.append(Cell(index, numbers))
    labels = tuple(_labels(values) for values in levels.values())
    return Grid(tuple(levels), labels, list(programs.values()))


def _levels(name: Any, values: Any, known: Sequence[str]) -> list[Any]:
    check_known("over", name, [*known, DATASET])
    if name == DATASET and not isinstance(values, Mapping):
        raise ValueError(f"over: expected samples by name for {name!r}, got {kind_of(values)}")
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise ValueError(f"over: expected several values of {name!r}, got {kind_of(values)}")
    levels = [value.item() if isinstance(value, np.generic) else value for value in values]
    levels = [tuple(value) if isinstance(value, list) else value for value in levels]
    if not levels:
        raise ValueError(f"over: expected one or more values of {name!r}, got none")
    if name in Numbers._fields:  # as the programs take them
        distinct = {np.float32(v) if isinstance(v, int | float) else v for v in levels}
    else:
        distinct = set(map(_label, levels))
    if len(distinct) < len(levels):
        raise ValueError(f"over: expected each value of {name!r} once, got {levels}")
    return levels


def _labels(levels: Sequence[Any]) -> np.ndarray:
    """Return numbers as they are if all are numbers, and texts otherwise."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in levels):
        return np.asarray(levels)
    return np.asarray([str(_label(v)) for v in levels])


def _label(value: Any) -> Any:
    """Return a value as a text, if it is no number: widths as "10-7-2", and no batch size as "full"."""
    if value is None:
        return "full"
    return "-".join(map(str, value)) if isinstance(value, tuple) else value
