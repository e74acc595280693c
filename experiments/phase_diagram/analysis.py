"""Cells of the map, and predictions of held-out cells from one number of a layer.

A fold fits the cells of one colour of a checkerboard (even or odd sum of the positions of initial scale
and learning rate) by the even or the odd seeds, and predicts the other colour's cells by the other
seeds. There are four. Whatever chance has given the seeds of a fit, those of its test have not. Nothing
is chosen by the data of a test: compression takes its epochs within each half of the seeds.

The replicates are the seeds. Intervals are Student's by the jackknife: every statistic is computed anew
without each seed, in all cells at once, since cells share their seeds.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import xarray as xr

from experiments.phase_diagram.lines import fit_line, half_width
from ibjax.analysis.compression import (
    NEGLIGIBLE_BITS,
    compression_after_fitting,
    compression_summary,
)
from ibjax.analysis.intervals import (
    Interval,
    jackknife_variance,
    mean_interval,
    simultaneous_level,
)

__all__ = [
    "CELL_DIMS",
    "CONTROLS",
    "LARGE_START",
    "LEARNT",
    "OUTCOMES",
    "SMALL_START",
    "cell_summary",
    "jackknife",
    "learnt",
    "predictions",
    "predictions_of",
]

CELL_DIMS = ("activation", "init_scale", "learning_rate")

# Final training accuracy of a network that has learnt; share of a cell's networks that must have.
LEARNT, MOST = 0.95, 0.5

# What is predicted, bits, and from which one number: the base-2 logarithm of the final root mean square
# pre-activation, its gain since initialisation, and the final share of saturated units.
OUTCOMES = ("compression", "final")
CONTROLS = ("pre_activation", "growth", "saturated")

# Factors on the initial weights of cells that start small and of those that start large.
SMALL_START, LARGE_START = 0.5, 2.0


def learnt(results: xr.Dataset) -> xr.DataArray:
    """Return which networks end with a training accuracy of ``LEARNT``; (cells..., seed)."""
    return results.train_accuracy.isel(epoch=-1, drop=True) >= LEARNT


def cell_summary(results: xr.Dataset) -> xr.Dataset:
    """Summarise each cell of the grid.

    Returns:
        Dataset (cells...): ``learnt``, the share of seeds that have, and ``test_accuracy``; with
        ``layer``: ``compression`` after fitting of the networks that have learnt, with its limits and
        ``compresses``, by intervals that hold for all cells at once, NaN where fewer than half have;
        final ``ixt``, ``ity``, ``saturated`` and ``pre_activation`` (geometric mean) of all networks.
    """
    done = learnt(results)
    share, end = done.mean("seed"), results.isel(epoch=-1, drop=True)
    known = results[["ixt", "ity"]].where(done & (share >= MOST))
    summary = compression_summary(known)
    columns = {
        "compression": summary.after_fitting,
        "compression_low": summary.after_fitting_low,
        "compression_high": summary.after_fitting_high,
        "compresses": summary.compresses_after_fitting,
        "learnt": share,
        "ixt": end.ixt.mean("seed"),
        "ity": end.ity.mean("seed"),
        "saturated": end.saturated.mean("seed"),
        "pre_activation": np.exp(np.log(end.pre_activation).mean("seed")),
        "test_accuracy": end.test_accuracy.mean("seed"),
    }
    described = {
        "compression": ("compression after fitting", "bits"),
        "learnt": ("share of networks that learn", "1"),
        "ixt": ("I(X;T) at the end", "bits"),
        "ity": ("I(T;Y) at the end", "bits"),
        "saturated": ("share of saturated units at the end", "1"),
        "pre_activation": ("root mean square pre-activation at the end", "1"),
        "test_accuracy": ("test accuracy", "1"),
    }
    for name in columns:
        text, units = described.get(name, (name, "bits" if "_" in name else "1"))
        columns[name] = columns[name].assign_attrs(long_name=text, units=units)
    cells = xr.Dataset(columns).drop_vars("num_layers", errors="ignore")
    return cells.assign_attrs(num_intervals=summary.num_intervals, seeds=results.sizes["seed"])


class _Fold(NamedTuple):
    """Which cells and which half of the seeds a line is fitted to, and which it is tested on."""

    fit_cells: np.ndarray  # (init_scale, learning_rate) bool
    fit_half: int

    @property
    def test_cells(self) -> np.ndarray:
        return ~self.fit_cells

    @property
    def test_half(self) -> int:
        return 1 - self.fit_half


def _folds(shape: tuple[int, int]) -> Iterator[_Fold]:
    colour = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 2
    for chosen in (0, 1):
        for half in (0, 1):
            yield _Fold(colour == chosen, half)


def predictions(results: xr.Dataset) -> xr.Dataset:
    """Predict the hidden layers of held-out cells; see ``predictions_of``."""
    results = results.transpose(*CELL_DIMS, "seed", "epoch", "layer").isel(layer=slice(0, -1))
    done = learnt(results)
    halves = np.arange(results.sizes["seed"]) % 2
    enough = np.stack(
        [done.values[..., halves == h].mean(axis=-1) >= MOST for h in (0, 1)]
        + [done.values[..., halves == h].sum(axis=-1) >= 2 for h in (0, 1)]
    )
    known = done & xr.DataArray(enough.all(axis=0), dims=CELL_DIMS)
    known_results = results[["ixt", "ity", "pre_activation", "saturated"]].where(known)
    size = np.log2(known_results.pre_activation)
    end = size.isel(epoch=-1, drop=True)
    controls = {
        "pre_activation": end,
        "growth": end - size.isel(epoch=0, drop=True),
        "saturated": known_results.saturated.isel(epoch=-1, drop=True),
    }
    outcomes = {
        "compression": _falls(known_results, halves),
        "final": known_results.ixt.isel(epoch=-1, drop=True),
    }
    return predictions_of(
        xr.Dataset({k: outcomes[k] for k in OUTCOMES}).to_dataarray("outcome"),
        xr.Dataset({k: controls[k] for k in CONTROLS}).to_dataarray("control"),
    )


def _falls(known: xr.Dataset, halves: np.ndarray) -> xr.DataArray:
    """Return compression after fitting, seed by seed, with epochs chosen within each half of them."""
    ixt = known.ixt.transpose(*CELL_DIMS, "layer", "seed", "epoch")
    ity = known.ity.transpose(*ixt.dims)
    epochs, falls = ixt.epoch.values, np.full(ixt.shape[:-1], np.nan)
    for place in np.ndindex(ixt.shape[:-2]):
        for half in (0, 1):
            seeds = halves == half
            curves, labels = ixt.values[place][seeds], ity.values[place][seeds]
            if np.isfinite(curves).all(axis=1).sum() > 1:
                by_halving = compression_after_fitting(curves, labels, epochs)
                falls[(*place, seeds)] = mean_interval(by_halving).estimate
    return ixt.isel(epoch=0, drop=True).copy(data=falls)


def predictions_of(outcomes: xr.DataArray, controls: xr.DataArray) -> xr.Dataset:
    """Predict held-out cells by broken lines, with intervals by the jackknife over seeds.

    Args:
        outcomes: (outcome, activation, init_scale, learning_rate, seed, layer), bits; NaN for networks
            that take no part.
        controls: (control, activation, init_scale, learning_rate, seed, layer).

    Returns:
        Dataset. Over (outcome, control, activation, layer): ``r2``, 1 minus the squares of the errors on
        held-out cells over those of the mean of the cells fitted, with ``_low`` and ``_high``, and with
        ``_lowest`` and ``_highest`` of intervals that hold for all activations and layers at once;
        ``path``, bits, by how much measured less predicted is larger in cells that start large than in
        those that start small, with such limits; ``inside``, the share of held-out cells within their
        95% intervals; ``spread``, the standard deviation over cells of what is measured, without the
        noise of seeds, bits; ``num_cells``. Over (outcome, control, layer): ``transfer``, the mean over
        cells of the second activation of measured less predicted by the first one's line, bits, with
        such limits. Over cells: ``measured``, ``control_value``, ``predicted`` with ``_low``, ``_high``.
    """
    cells = (*CELL_DIMS, "seed", "layer")
    outcomes = outcomes.transpose("outcome", *cells)
    controls = controls.transpose("control", *cells)
    y, x = (np.moveaxis(a.values, -2, 0) for a in (outcomes, controls))  # (seed, kind, cells..., layer)
    start = outcomes.init_scale.values
    halves = np.arange(len(y)) % 2

    def scores(kept: np.ndarray) -> np.ndarray:
        return _scores(*_half_means(y, x, halves, kept), start)

    everything = scores(np.ones(len(y), bool))
    without = np.stack([scores(np.arange(len(y)) != i) for i in range(len(y))])
    dims = ("outcome", "control", "activation", "layer")
    num_at_once = everything.shape[-1] * everything.shape[-2]
    columns: dict[str, Any] = {}
    for i, name in enumerate(("r2", "path")):
        for ends, level in ((("low", "high"), 0.95), (("lowest", "highest"), None)):
            level = simultaneous_level(num_at_once) if level is None else level
            interval = jackknife(everything[i], without[:, i], level)
            limits = zip(ends, (interval.low, interval.high), strict=True)
            columns |= {f"{name}_{end}": (dims, limit) for end, limit in limits}
        columns[name] = (dims, everything[i])
    interval = jackknife(everything[2, :, :, -1], without[:, 2, :, :, -1])
    named = zip(("transfer", "transfer_low", "transfer_high"), interval[:3], strict=True)
    columns |= {name: (("outcome", "control", "layer"), value) for name, value in named}
    half_y, half_x = _half_means(y, x, halves, np.ones(len(y), bool))
    by_cell = _by_cell(half_y, half_x)
    in_cells = ("outcome", "control", *CELL_DIMS, "layer")
    columns |= {name: (in_cells, by_cell[name]) for name in ("predicted", "half_width")}
    columns["inside"] = (dims, by_cell["inside"])
    columns["measured"] = (("outcome", *CELL_DIMS, "layer"), half_y.mean(axis=0))
    columns["control_value"] = (("control", *CELL_DIMS, "layer"), half_x.mean(axis=0))
    data = xr.Dataset(columns, {d: outcomes[d].values for d in (*CELL_DIMS, "layer", "outcome")})
    data = data.assign_coords(control=controls.control.values)
    data["spread"] = (("outcome", "activation", "layer"), _spread(half_y))
    data["num_cells"] = data.measured.notnull().sum(["init_scale", "learning_rate"])
    return data.assign(
        predicted_low=data.predicted - data.half_width, predicted_high=data.predicted + data.half_width
    ).assign_attrs(seeds=len(y), num_at_once=num_at_once, negligible=NEGLIGIBLE_BITS)


def jackknife(estimate: Any, without: np.ndarray, level: float = 0.95) -> Interval:
    """Return Student's interval from the statistic without each seed, (seed, ...)."""
    count = len(without)
    half = scipy.stats.t.ppf(0.5 + level / 2, max(count - 1, 1)) * np.sqrt(jackknife_variance(without))
    return Interval(estimate, estimate - half, estimate + half, count)


def _half_means(y, x, halves, kept) -> tuple[np.ndarray, np.ndarray]:
    """Average over the kept seeds of each half: (seed, ...) -> (half, ...)."""
    chosen = [(halves == h) & kept for h in (0, 1)]
    means = [np.stack([mean_interval(a[c]).estimate for c in chosen]) for a in (y, x)]
    return means[0], means[1]


class _Test(NamedTuple):
    """Errors of a fold's line on its held-out cells."""

    cells: np.ndarray  # (init_scale, learning_rate) bool
    measured: np.ndarray
    predicted: np.ndarray
    mean: float  # of the outcomes fitted
    half_width: float


def _tests(y, x, y_test=None, x_test=None, *, intervals=False) -> Iterator[_Test]:
    """Yield each fold's test, of (half, init_scale, learning_rate) outcomes and controls.

    Args:
        y: outcomes to fit.
        x: controls to fit.
        y_test: outcomes to predict, if not the same.
        x_test: controls to predict from, if not the same.
        intervals: whether to compute the intervals, which are of the same outcomes.
    """
    y_test, x_test = (y if y_test is None else y_test), (x if x_test is None else x_test)
    known, known_test = (np.isfinite(a + b).all(axis=0) for a, b in ((y, x), (y_test, x_test)))
    for fold in _folds(y.shape[1:]):
        fitted, tested = fold.fit_cells & known, fold.test_cells & known_test
        own = x[fold.fit_half][fitted], y[fold.fit_half][fitted]
        line = fit_line(*own)
        if line is not None and tested.any():
            others = x[fold.test_half][fitted], y[fold.test_half][fitted]
            width = half_width(*own, *others) if intervals else np.nan
            predicted = line(x_test[fold.test_half][tested])
            yield _Test(tested, y_test[fold.test_half][tested], predicted, own[1].mean(), width)


def _scores(y, x, start) -> np.ndarray:
    """Return R^2, path and transfer, (3, outcome, control, activation, layer).

    Args:
        y: (half, outcome, activation, init_scale, learning_rate, layer).
        x: (half, control, activation, init_scale, learning_rate, layer).
        start: (init_scale,) factors on the initial weights.
    """
    shape = (y.shape[1], x.shape[1], y.shape[2], y.shape[-1])
    scores = np.full((3, *shape), np.nan)
    small, large = start <= SMALL_START, start >= LARGE_START
    for o, c, a, layer in np.ndindex(shape):
        tests = list(_tests(y[:, o, a, ..., layer], x[:, c, a, ..., layer]))
        errors = np.concatenate([t.measured - t.predicted for t in tests] or [[]])
        around_mean = np.concatenate([t.measured - t.mean for t in tests] or [[]])
        rows = np.concatenate([np.nonzero(t.cells)[0] for t in tests] or [[]]).astype(int)
        if around_mean.any():
            scores[0, o, c, a, layer] = 1 - (errors**2).sum() / (around_mean**2).sum()
        if small[rows].any() and large[rows].any():
            scores[1, o, c, a, layer] = errors[large[rows]].mean() - errors[small[rows]].mean()
        if a > 0:
            first = y[:, o, 0, ..., layer], x[:, c, 0, ..., layer]
            others = list(_tests(*first, y[:, o, a, ..., layer], x[:, c, a, ..., layer]))
            misses = np.concatenate([t.measured - t.predicted for t in others] or [[]])
            scores[2, o, c, a, layer] = misses.mean() if misses.size else np.nan
    return scores


def _spread(y) -> np.ndarray:
    """Return the standard deviation over cells, (half, kind, activation, cells..., layer) -> (...).

    The noise of one half of the seeds is not that of the other: their covariance is the cells' variance.
    """
    over, known = (2, 3), np.isfinite(y).all(axis=0)
    count = np.maximum(known.sum(axis=over, keepdims=True), 1)
    values = np.where(known, y, 0.0)
    apart = [h - h.sum(axis=over, keepdims=True) / count for h in values]
    covariance = np.where(known, apart[0] * apart[1], 0.0).sum(axis=over)
    count = known.sum(axis=over)
    return np.sqrt(np.where(count > 1, np.maximum(covariance, 0) / np.maximum(count, 1), np.nan))


def _by_cell(y, x) -> dict[str, np.ndarray]:
    """Return the mean of a cell's two predictions, their intervals' half width, and how many hold."""
    num_outcomes, num_controls = y.shape[1], x.shape[1]
    shape = (num_outcomes, num_controls, *y.shape[2:])
    total, width, count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    inside = np.full((num_outcomes, num_controls, y.shape[2], y.shape[-1]), np.nan)
    for o, c, a, layer in np.ndindex(inside.shape):
        tests = list(_tests(y[:, o, a, ..., layer], x[:, c, a, ..., layer], intervals=True))
        for test in tests:
            place = (o, c, a, *np.nonzero(test.cells), layer)
            total[place] += test.predicted / 2
            width[place] += test.half_width / 2
            count[place] += 1
        held = [np.abs(t.measured - t.predicted) <= t.half_width for t in tests]
        if tests and all(np.isfinite(t.half_width) for t in tests):
            inside[o, c, a, layer] = np.concatenate(held).mean()
    return {
        "predicted": np.where(count == 2, total, np.nan),
        "half_width": np.where(count == 2, width, np.nan),
        "inside": inside,
    }
