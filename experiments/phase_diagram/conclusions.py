"""Tables of the map and of what one number of a layer predicts, and what follows from intervals."""

import numpy as np
import xarray as xr

from experiments.lab import Table, interval_text, levels_of, table_of, table_of_rows
from experiments.phase_diagram.analysis import LARGE_START, LEARNT, SMALL_START
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.intervals import Interval

__all__ = ["PAPERS", "PRIMARY", "layers_table", "misses_table", "papers_table", "scores_table"]

# What verdicts are about: chosen before the run.
PRIMARY = {"outcome": "compression", "control": "pre_activation"}

# Settings of both papers' comparison, plain SGD as in the text of Shwartz-Ziv & Tishby (2017): tanh
# there, relu in Saxe et al. (2018).
PAPERS = {"init_scale": 1.0, "learning_rate": 0.1}

# A number predicts compression if it explains more of the variance over cells than this.
MOST_OF_VARIANCE = 0.5

# Smaller differences between paths may be a line's misfit.
PATH_BITS = 0.25

NUM_MISSES = 12


def layers_table(cells: xr.Dataset) -> Table:
    """Tabulate by layer in how many cells it compresses, and where by most."""
    rows = []
    for levels in levels_of(cells, ("activation", "layer")):
        layer = cells.sel(levels).stack(cell=("init_scale", "learning_rate"))
        known = layer.compression.notnull()
        row = {**levels, "answered": int(known.sum()), "compress": int(layer.compresses.sum())}
        place = int(np.nan_to_num(layer.compression.values, nan=-np.inf).argmax())
        most = layer.isel(cell=place)
        names = ("compression", "compression_low", "compression_high", "pre_activation", "saturated")
        values = {name: float(most[name]) if known.any() else np.nan for name in names}
        at = {"init_scale": most.init_scale.item(), "learning_rate": most.learning_rate.item()}
        rows.append(row | at | values)
    count = cells.sizes["init_scale"] * cells.sizes["learning_rate"]
    note = (
        f"answered: of {count} cells those where half of the networks or more end with a training "
        f"accuracy of {LEARNT:.0%}; compress: those of them whose networks that have learnt lose more "
        f"than {NEGLIGIBLE_BITS} bits after fitting, by intervals that hold for all "
        f"{cells.num_intervals} cells and layers at once; the other columns: the cell that compresses "
        "most, and its final root mean square pre-activation and share of saturated units"
    )
    return table_of_rows("layers", rows, [note])


def scores_table(predicted: xr.Dataset) -> Table:
    """Tabulate how well one number predicts held-out cells, and say what follows."""
    names = ["num_cells", "spread", "r2", "r2_low", "r2_high", "path", "path_low", "path_high", "inside"]
    columns = {}
    for name in names:
        spread = predicted[name].broadcast_like(predicted.r2)
        columns[name] = spread.transpose(*predicted.r2.dims)
    note = (
        "r2: 1 - squared errors on held-out cells, of the other half of the seeds, over those of the "
        "mean of the cells fitted; path: bits by which measured less predicted is larger in cells that "
        f"start at {LARGE_START:g} times the usual weights or more than in those at {SMALL_START:g} "
        "times or less; inside: share of held-out cells in their 95% intervals; spread: standard "
        "deviation over cells without the noise of seeds, bits; num_cells: answered by both halves of "
        "the seeds"
    )
    verdicts = [verdict(predicted, name) for name in predicted.activation.values]
    return table_of("scores", xr.Dataset(columns), [note, *verdicts, transfer_verdict(predicted)])


def verdict(predicted: xr.Dataset, activation: str) -> str:
    """Say of each hidden layer whether its pre-activation predicts compression, whatever the path."""
    arm = predicted.sel(PRIMARY | {"activation": activation})
    found: dict[str, list[str]] = {"yes": [], "no": [], "open": [], "flat": [], "none": []}
    paths = []
    for number in arm.layer.values.tolist():
        layer = arm.sel(layer=number)
        r2 = Interval(float(layer.r2), float(layer.r2_low), float(layer.r2_high), 0)
        text = f"{number} (R^2 {interval_text(r2)})"
        if not np.isfinite(float(layer.r2_lowest)):
            found["none"].append(str(number))
        elif float(layer.spread) < NEGLIGIBLE_BITS:
            found["flat"].append(str(number))
        elif float(layer.r2_lowest) > MOST_OF_VARIANCE:
            found["yes"].append(text)
        elif float(layer.r2_highest) < MOST_OF_VARIANCE:
            found["no"].append(text)
        else:
            found["open"].append(text)
        if max(float(layer.path_lowest), -float(layer.path_highest)) > PATH_BITS:
            path = Interval(float(layer.path), float(layer.path_low), float(layer.path_high), 0)
            paths.append(f"{number} {interval_text(path)}")
    words = {
        "yes": "most in layers",
        "no": "less than half in layers",
        "open": "open by the intervals in layers",
        "flat": "compression hardly varies over cells in layers",
        "none": "too few cells that learn in layers",
    }
    facts = [f"{words[key]} {', '.join(layers)}" for key, layers in found.items() if layers]
    if paths:
        path = (
            "the path there matters: at equal pre-activation, bits of compression of cells that start "
            f"large less those of cells that start small, layers {', '.join(paths)}"
        )
    elif np.isfinite(arm.path_lowest).any():
        path = (
            f"no more than {PATH_BITS} bits between cells that start large and small is shown at equal "
            "pre-activation"
        )
    else:
        path = "cells that start large and small cannot be compared"
    return (
        f"{activation}: of the variance of compression over held-out cells the final pre-activation "
        f"explains: {'; '.join(facts)}; {path}."
    )


def transfer_verdict(predicted: xr.Dataset) -> str:
    """Say how far the second activation's layers are from the first one's line."""
    first, second = predicted.activation.values
    chosen, facts = predicted.sel(PRIMARY), []
    for number in chosen.layer.values.tolist():
        layer = chosen.sel(layer=number)
        middle, low, high = (float(layer[f"transfer{end}"]) for end in ("", "_low", "_high"))
        facts.append(f"{number} {interval_text(Interval(middle, low, high, 0))}")
    return (
        f"{second} cells by the line of {first} cells at equal pre-activation, bits measured less "
        f"predicted, layers {', '.join(facts)}."
    )


def papers_table(predicted: xr.Dataset) -> Table:
    """Tabulate the cell of both papers' settings, predicted from cells of the other colour."""
    cell = predicted.sel(PRIMARY).sel(PAPERS, method="nearest").drop_vars(["outcome", "control"])
    cell = cell.drop_vars(["init_scale", "learning_rate"])
    columns = {
        "pre_activation": 2**cell.control_value,
        **{name: cell[name] for name in ("measured", "predicted", "predicted_low", "predicted_high")},
    }
    note = (
        f"initial weights times {PAPERS['init_scale']:g} and rate {PAPERS['learning_rate']:g}: tanh as "
        "Shwartz-Ziv & Tishby (2017), relu as Saxe et al. (2018), of one map; compression after "
        "fitting, bits, measured, and predicted with the 95% interval of a held-out cell"
    )
    sentences = [note]
    for name in cell.activation.values:
        arm = cell.sel(activation=name)
        inside = (arm.measured >= arm.predicted_low) & (arm.measured <= arm.predicted_high)
        known = arm.predicted_low.notnull()
        if known.any():
            sentences.append(
                f"{name}: {int(inside.sum())} of {int(known.sum())} hidden layers of the papers' cell "
                "lie in the intervals predicted from other cells and seeds."
            )
    return table_of("papers", xr.Dataset(columns), sentences)


def misses_table(predicted: xr.Dataset) -> Table:
    """Tabulate the held-out cells that are farthest from their prediction."""
    chosen = predicted.sel(PRIMARY)
    rows = []
    for levels in levels_of(chosen, chosen.predicted.dims):
        cell = chosen.sel(levels)
        if np.isfinite(float(cell.predicted)):
            names = ("measured", "predicted", "predicted_low", "predicted_high")
            values = {name: float(cell[name]) for name in names}
            rows.append({**levels, "pre_activation": float(2**cell.control_value), **values})
    rows.sort(key=lambda row: -abs(row["measured"] - row["predicted"]))
    columns = [*chosen.predicted.dims, "pre_activation", "measured", "predicted", "predicted_low"]
    note = f"the {NUM_MISSES} held-out cells whose compression is farthest from its prediction, bits"
    names = [*map(str, columns), "predicted_high"]
    return table_of_rows("misses", rows[:NUM_MISSES], [note], columns=names)
