"""Correlations of weights within a network and between networks, beside those of random weights."""

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

from ibjax.analysis.intervals import jackknife_interval, mean_interval
from ibjax.analysis.weights import (
    expected_cosine,
    matched_correlations,
    random_correlations,
    within_cosines,
)
from ibjax.models import MLP
from ibjax.types import PyTree, Record, Samples, Split, Variable

__all__ = ["KernelsRecord", "correlation_summary", "excess", "with_correlations"]

# Units of odd activations may be negated.
ODD_ACTIVATIONS = ("tanh",)

# Number of pairs of random networks.
NUM_RANDOM = 2000


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
        ``arm`` with ``within`` and ``within_signed`` (seed, epoch, layer), ``matched`` and ``unmatched``
        (seed, other, epoch, layer), ``within_null`` and ``matched_null`` (layer,) instead of kernels.
    """
    signs = levels[0] in ODD_ACTIVATIONS
    names = [f"kernel_{i}" for i in arm.layer.values]
    kernels = [arm[name].values for name in names]  # each (seed, epoch, fan_in, width)
    within, signed = (np.stack(x, axis=-1) for x in zip(*map(within_cosines, kernels), strict=True))
    between = [
        matched_correlations([k[:, e] for k in kernels], signs=signs) for e in range(arm.sizes["epoch"])
    ]
    matched, unmatched = (np.stack(x, axis=2) for x in zip(*between, strict=True))
    shapes = [k.shape[2:] for k in kernels]
    null = random_correlations(shapes, num_pairs=NUM_RANDOM, signs=signs, seed=0)
    network_dims, pair_dims = ("seed", "epoch", "layer"), ("seed", "other", "epoch", "layer")
    columns = {
        "within": (network_dims, within, "mean |cos| between units of a layer"),
        "within_signed": (network_dims, signed, "mean cosine between units of a layer"),
        "matched": (pair_dims, matched, "correlation with another network, units matched"),
        "unmatched": (pair_dims, unmatched, "correlation with another network, as they are"),
        "within_null": (("layer",), [expected_cosine(n) for n, _ in shapes], "within, Gaussian weights"),
        "matched_null": (("layer",), null.mean(axis=0), "matched, Gaussian weights"),
    }
    data = {k: (dims, v, {"units": "1", "long_name": name}) for k, (dims, v, name) in columns.items()}
    return arm.drop_vars(names).assign(data).assign_coords(other=("other", arm.seed.values))


def correlation_summary(results: xr.Dataset) -> xr.Dataset:
    """Compute means over networks and pairs with their intervals, (activation, epoch, layer)."""
    columns = {}
    rules = {"within": mean_interval, "matched": jackknife_interval, "unmatched": jackknife_interval}
    for name, rule in rules.items():
        values = results[name].transpose("seed", "other", ..., "epoch", "layer", missing_dims="ignore")
        dims = values.dims[-3:]
        interval = rule(values.values)
        columns |= {name: (dims, interval.estimate)}
        columns |= {f"{name}_low": (dims, interval.low), f"{name}_high": (dims, interval.high)}
    coords = {d: results[d].values for d in ("activation", "epoch", "layer")}
    nulls = {
        k: results[k].drop_vars("num_layers", errors="ignore") for k in ("within_null", "matched_null")
    }
    return xr.Dataset(columns, coords).assign(nulls)


def excess(summary: xr.Dataset) -> xr.Dataset:
    """Compare measured correlations with those of random weights: how far they exceed them."""
    columns = {}
    for name in ("within", "matched"):
        null = summary[f"{name}_null"].broadcast_like(summary[name])
        columns |= {name: summary[name], f"{name}_random": null, f"{name}_excess": summary[name] - null}
        for end in ("low", "high"):
            columns[f"{name}_excess_{end}"] = summary[f"{name}_{end}"] - null
    columns |= {k: summary[k] for k in ("unmatched", "unmatched_low", "unmatched_high")}
    return xr.Dataset(columns).transpose("activation", "epoch", "layer")
