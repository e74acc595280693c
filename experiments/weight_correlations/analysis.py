"""Correlations of weights within a network and between networks, beside those of random weights."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ibjax.analysis.intervals import jackknife_interval, mean_interval
from ibjax.analysis.weights import (
    expected_cosine,
    matched_correlations,
    rotated_kernels,
    within_cosines,
)
from ibjax.models import MLP
from ibjax.types import PyTree, Record, Samples, Split, Variable

__all__ = [
    "KernelsRecord",
    "correlation_summary",
    "excess",
    "rank_p_value",
    "rotated_null",
    "with_correlations",
]

# Units of odd activations may be negated.
ODD_ACTIVATIONS = ("tanh",)

# Number of times that all kernels are rotated.
NUM_ROTATIONS = 99


@dataclasses.dataclass(frozen=True)
class KernelsRecord(Record):
    """Record of every layer's kernel, ``kernel_1`` (fan_in, width) and so on, the output last.

    Args:
        model: the network.
    """

    model: MLP

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        numbers = range(1, len(self.model.widths) + 1)
        return {f"kernel_{i}": params["params"][f"layer_{i}"]["kernel"] for i in numbers}

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        numbers = range(1, len(self.model.widths) + 1)
        return {
            f"kernel_{i}": Variable((f"fan_in_{i}", f"width_{i}"), "1", f"kernel of layer {i}")
            for i in numbers
        }

    def __str__(self) -> str:
        return "kernels"


def with_correlations(levels: tuple[str, ...], arm: xr.Dataset) -> xr.Dataset:
    """Replace the kernels by their correlations, and add those of random weights.

    Args:
        levels: activation of the hidden layers.
        arm: Dataset of what ``KernelsRecord`` and others measured.

    Returns:
        ``arm`` with ``within`` and ``within_signed`` (seed, epoch, layer), ``matched``, ``unmatched``
        and ``matched_null`` (seed, other, epoch, layer), ``within_null`` (layer,) and ``p_value``
        (epoch, layer) instead of kernels.
    """
    signs = levels[0] in ODD_ACTIVATIONS
    names = [f"kernel_{i}" for i in arm.layer.values]
    kernels = [arm[name].values for name in names]  # each (seed, epoch, fan_in, width)
    within, signed = (np.stack(x, axis=-1) for x in zip(*map(within_cosines, kernels), strict=True))
    between = [
        (*matched_correlations(networks, signs=signs), *rotated_null(networks, signs=signs))
        for networks in ([k[:, e] for k in kernels] for e in range(arm.sizes["epoch"]))
    ]
    matched, unmatched, null = (np.stack([x[i] for x in between], axis=2) for i in range(3))
    null_means = np.stack([x[3] for x in between], axis=1)  # (draw, epoch, layer)
    p_value = rank_p_value(np.nanmean(matched, axis=(0, 1)), null_means)
    network_dims, pair_dims = ("seed", "epoch", "layer"), ("seed", "other", "epoch", "layer")
    expected = [expected_cosine(k.shape[2]) for k in kernels]
    columns = {
        "within": (network_dims, within, "mean |cos| between units of a layer"),
        "within_signed": (network_dims, signed, "mean cosine between units of a layer"),
        "matched": (pair_dims, matched, "correlation with another network, units matched"),
        "unmatched": (pair_dims, unmatched, "correlation with another network, as they are"),
        "within_null": (("layer",), expected, "within, Gaussian weights"),
        "matched_null": (pair_dims, null, "matched, kernels rotated at random, mean over draws"),
        "p_value": (
            ("epoch", "layer"),
            p_value,
            "p-value of matched: rotated kernels correlate as much",
        ),
    }
    data = {k: (dims, v, {"units": "1", "long_name": name}) for k, (dims, v, name) in columns.items()}
    return arm.drop_vars(names).assign(data).assign_coords(other=("other", arm.seed.values))


def rotated_null(networks: Sequence[np.ndarray], *, signs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw the matched correlations of networks that keep every layer's Gram matrix and nothing else.

    Args:
        networks: kernels of the layers, each (seed, fan_in, width), the output last.
        signs: whether units may be negated.

    Returns:
        For each pair, the mean over draws, (seed, seed, layer); for each draw, the mean over pairs,
        (draw, layer), NaN where no network has finite weights.
    """
    draws = [
        matched_correlations(rotated_kernels(networks, seed=draw), signs=signs)[0]
        for draw in range(NUM_ROTATIONS)
    ]
    return np.mean(draws, axis=0), np.nanmean(draws, axis=(1, 2))


def rank_p_value(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the share of draws, the observed one included, that are as large: (...) of (draw, ...)."""
    return (1 + (null >= observed).sum(axis=0)) / (1 + len(null))


def correlation_summary(results: xr.Dataset) -> xr.Dataset:
    """Compute means over networks and pairs with their intervals, (activation, epoch, layer)."""
    measured = results.assign(matched_excess=results.matched - results.matched_null)
    columns = {}
    pairs = ("matched", "unmatched", "matched_null", "matched_excess")
    rules = {"within": mean_interval} | dict.fromkeys(pairs, jackknife_interval)
    for name, rule in rules.items():
        values = measured[name].transpose("seed", "other", ..., "epoch", "layer", missing_dims="ignore")
        dims = values.dims[-3:]
        interval = rule(values.values)
        columns |= {name: (dims, interval.estimate)}
        columns |= {f"{name}_low": (dims, interval.low), f"{name}_high": (dims, interval.high)}
    coords = {d: results[d].values for d in ("activation", "epoch", "layer")}
    others = {k: results[k].drop_vars("num_layers", errors="ignore") for k in ("within_null", "p_value")}
    return xr.Dataset(columns, coords).assign(others)


def excess(summary: xr.Dataset) -> xr.Dataset:
    """Compare measured correlations with those of random weights: how far they exceed them."""
    within_null = summary.within_null.broadcast_like(summary.within)
    ends = ("", "_low", "_high")
    columns = {"within": summary.within, "within_random": within_null}
    columns |= {f"within_excess{end}": summary[f"within{end}"] - within_null for end in ends}
    columns |= {"matched": summary.matched, "matched_random": summary.matched_null}
    columns |= {f"matched_excess{end}": summary[f"matched_excess{end}"] for end in ends}
    columns |= {"p_value": summary.p_value}
    columns |= {f"unmatched{end}": summary[f"unmatched{end}"] for end in ends}
    return xr.Dataset(columns).transpose("activation", "epoch", "layer")
