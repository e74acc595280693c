"""Maps of a sweep: a variable over two settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ibjax.analysis._inputs import check_text
from ibjax.analysis._labelled import check_results
from ibjax.checks import check_number, kind_of
from ibjax.plots.axes import (
    ARM_COLOURS,
    MARKERS,
    add_title,
    at_levels,
    check_dimensions,
    facets,
    joined,
    levels,
    plain_log_labels,
)

__all__ = ["plot_phase_diagram"]

# A map whose lowest value is below 0 by more than this fraction of its largest has 0 in the middle.
CENTRED = 0.1

HATCH, BACKGROUND, LINES = "////", "0.93", "0.6"


def plot_phase_diagram(
    results: xr.Dataset,
    *,
    x: str,
    y: str,
    value: str,
    contour: str | None = None,
    contour_level: float | int = 0.5,
    column: str | None = None,
    row: str | None = None,
    marks: Mapping[str, Sequence[Any]] | None = None,
    title: str = "",
) -> Figure:
    """Map a variable over two settings of a sweep, one panel per level of other dimensions.

    An axis whose settings are numbers has a log scale if they are nearer to a geometric than to an
    arithmetic progression; other settings have one step each. Cells are hatched where the value is NaN.
    All panels share one colour scale, which has 0 in the middle if values fall clearly below.

    Args:
        results: Dataset with the variables ``value`` and ``contour``, of dims ``(x, y, [row],
            [column])``; the ``contour`` may lack ``row`` and ``column``, and either may have ``seed``,
            over which the mean of what is known is shown.
        x: setting along the horizontal axis.
        y: setting along the vertical axis.
        value: variable that the colour shows; its ``long_name`` and ``units`` label the colour bar.
        contour: optional variable of which the line ``contour_level`` is drawn.
        contour_level: value of the contour variable along that line.
        column: optional dimension for columns of panels, such as "layer".
        row: optional dimension for rows of panels.
        marks: settings to mark in all panels, as pairs of x and y by text for the legend.
        title: title of the figure.

    Raises:
        ValueError: for variables or dims that are missing, a contour level that is not a finite number,
            marks that are not pairs.
    """
    used = facets(x=x, y=y, row=row, column=column)
    check_text("value", value)
    check_number("contour_level", contour_level)
    shown = _mean_map(results, value, used, used)
    line = None
    if contour is not None:
        check_dimensions(value=value, contour=contour)
        line = _mean_map(results, contour, used, (x, y))
    marks = _checked_marks(marks)
    shown = shown.transpose(..., y, x)
    rows, columns = levels(shown, row), levels(shown, column)
    size = (2.55 * len(columns) + 2.0, 2.3 * len(rows) + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    norm, colours = _colours(shown.values)
    across, up = _Axis(shown[x]), _Axis(shown[y])
    image = None
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            ax, chosen = axes[i, j], {row: r, column: c}
            cells = across.ordered(up.ordered(at_levels(shown, chosen).values, 0), 1)
            ax.patch.set(facecolor=BACKGROUND, hatch=HATCH, edgecolor=LINES, linewidth=0)
            known = np.ma.masked_invalid(cells)
            image = ax.pcolormesh(across.edges, up.edges, known, norm=norm, cmap=colours)
            if line is not None:
                there = {d: v for d, v in chosen.items() if d in line.dims}
                _draw_line(ax, across, up, at_levels(line, there).transpose(y, x).values, contour_level)
            for k, (at_x, at_y) in enumerate(marks.values()):
                ax.plot(across.place(at_x), up.place(at_y), **_mark(k))
            across.finish(ax, "x")
            up.finish(ax, "y")
            if i == 0 and column is not None:
                is_number = np.issubdtype(shown[column].dtype, np.number)
                ax.set_title(f"{_text(shown[column])} {c}" if is_number else str(c), fontsize="medium")
    for ax in axes[-1]:
        ax.set_xlabel(_label(shown[x]))
    for ax, r in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(joined("\n", r, _label(shown[y])))
    assert image is not None
    figure.colorbar(image, ax=axes, label=_label(results[value]), aspect=14 * len(rows))
    _add_legend(figure, results, shown, contour, contour_level, marks)
    add_title(figure, title)
    return figure


class _Axis:
    """The settings along an axis: where their cells lie, on which scale."""

    def __init__(self, settings: xr.DataArray):
        values = settings.values
        self.names, self.is_log = None, False
        if np.issubdtype(values.dtype, np.number):
            self._order = np.argsort(values)
            places = values[self._order].astype(float)
            self.is_log = _spaced_geometrically(places)
        else:
            self.names = [str(v) for v in values]
            self._order = np.arange(len(values))
            places = self._order.astype(float)
        scaled = np.log(places) if self.is_log else places
        middle = (scaled[1:] + scaled[:-1]) / 2
        step = np.diff(scaled) if len(scaled) > 1 else np.array([1.0])
        edges = np.concatenate([[scaled[0] - step[0] / 2], middle, [scaled[-1] + step[-1] / 2]])
        self.places, self.edges = places, np.exp(edges) if self.is_log else edges

    def ordered(self, values: np.ndarray, axis: int) -> np.ndarray:
        return np.take(values, self._order, axis=axis)

    def place(self, setting: Any) -> float:
        if self.names is None:
            return float(setting)
        if str(setting) not in self.names:
            raise ValueError(f"marks: expected one of {', '.join(self.names)}, got {setting}")
        return float(self.names.index(str(setting)))

    def finish(self, ax: Axes, which: str) -> None:
        """Set scale, limits and ticks."""
        axis = getattr(ax, f"{which}axis")
        if self.is_log:
            getattr(ax, f"set_{which}scale")("log")
            plain_log_labels(axis)
        elif self.names is not None:
            axis.set_ticks(self.places, self.names)
        getattr(ax, f"set_{which}lim")(self.edges[0], self.edges[-1])


def _spaced_geometrically(places: np.ndarray) -> bool:
    """Tell whether increasing numbers are nearer to a geometric than to an arithmetic progression."""
    if len(places) < 2 or places[0] <= 0:
        return False
    if len(places) == 2:
        return bool(places[1] >= 4 * places[0])
    spread = [np.std(steps) / np.mean(steps) for steps in (np.diff(places), np.diff(np.log(places)))]
    return bool(spread[1] < spread[0])


def _mean_map(results: Any, name: str, used: tuple[str, ...], needed: tuple[str, ...]) -> xr.DataArray:
    """Return a variable averaged over seeds; refuse one without the needed dims, or with others."""
    seeds = {"seed"} if hasattr(results, "dims") and name in results else set()
    seeds = {d for d in seeds if d in results[name].dims and d not in used}
    wanted = [d for d in used if d in needed or (name in results and d in results[name].dims)]
    check_results("results", results, {name: (*wanted, *seeds)})
    for dimension in used:
        if dimension not in results.coords:
            raise ValueError(
                f"results: expected a coordinate {dimension}, got {', '.join(map(str, results.coords))}"
            )
    values = results[name].astype(float)
    return values.mean([*seeds], keep_attrs=True) if seeds else values


def _checked_marks(marks: Any) -> Mapping[str, Sequence[Any]]:
    marks = {} if marks is None else marks
    pairs = list(marks.values()) if isinstance(marks, Mapping) else [None]
    if not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
        raise ValueError(f"marks: expected pairs of x and y by text, got {kind_of(marks)}")
    return marks


def _colours(values: np.ndarray) -> tuple[Normalize, str]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low < -CENTRED * max(high, 0.0) and low < 0:
        most = max(-low, high)
        return Normalize(-most, most), "RdBu_r"
    return Normalize(low, high if high > low else low + 1), "viridis"


def _draw_line(ax: Axes, across: _Axis, up: _Axis, values: np.ndarray, level: float | int) -> None:
    """Draw a contour line up to the edges of the outermost cells."""
    values = np.pad(across.ordered(up.ordered(values, 0), 1), 1, mode="edge")
    known = values[np.isfinite(values)]
    if not known.size or not known.min() < level <= known.max():
        return  # all on one side of the line
    places = [np.concatenate([a.edges[:1], a.places, a.edges[-1:]]) for a in (across, up)]
    halo: list[effects.AbstractPathEffect] = [effects.withStroke(linewidth=3.5, foreground="white")]
    drawn = ax.contour(*places, np.ma.masked_invalid(values), [level], colors="black", linewidths=1.8)
    drawn.set_path_effects(halo)


def _mark(k: int) -> dict[str, Any]:
    marker = MARKERS[k % len(MARKERS)]
    return {"marker": marker, "ms": 8, "mfc": ARM_COLOURS[1], "mec": "white", "mew": 1.4, "ls": ""}


def _add_legend(figure, results, shown, contour, level, marks) -> None:
    handles: list[Any] = []
    if not np.isfinite(shown.values).all():
        handles.append(Patch(fc=BACKGROUND, ec=LINES, hatch=HATCH, lw=0, label="no answer"))
    if contour is not None:
        text = f"{_label(results[contour])} = {level:g}"
        handles.append(Line2D([], [], color="black", lw=1.8, label=text))
    handles += [Line2D([], [], label=text, **_mark(k)) for k, text in enumerate(marks)]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", fontsize="small", ncols=len(handles))


def _text(values: xr.DataArray) -> str:
    return str(values.attrs.get("long_name", values.name)).replace("_", " ")


def _label(values: xr.DataArray) -> str:
    units = values.attrs.get("units", "1")
    return _text(values) if units == "1" else f"{_text(values)} [{units}]"
