"""Exact zeros of activations: the only bin that a ReLU network has by itself."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis._networks import check_model
from ibjax.checks import as_whole
from ibjax.models import MLP
from ibjax.types import ArrayLike, PyTree, Record, Split, Variable

__all__ = ["ZEROS", "ZerosRecord", "losses", "lost_in_one_state"]

ZEROS = {
    "zero_state": Variable(("layer",), "1", "share of samples with all units at 0"),
    "zero_activations": Variable(("layer",), "1", "share of activations at 0"),
    "dead_units": Variable(("layer",), "1", "units at 0 on every sample"),
}


@dataclasses.dataclass(frozen=True)
class ZerosRecord(Record):
    """Record of the exact zeros of hidden layers, on the training samples.

    ``record(params, data, split)`` returns a dict of (layer,) arrays, NaN for the output:
    ``zero_state``, the fraction of samples on which all units of the layer are exactly 0, so that they
    share a state without any bins; ``zero_activations``, the fraction of units and samples at 0;
    ``dead_units``, the number of units that are 0 on every sample. All are NaN if activations are not
    finite.

    Args:
        model: the network.

    Raises:
        ValueError: for anything but an ``MLP``.
    """

    model: MLP

    def __post_init__(self):
        check_model(self.model)

    def __call__(self, params: PyTree, data: Any, split: Split) -> dict[str, Any]:
        _, hidden = self.model.apply(params, data.x[split.train].T, method="feature_major")
        layers = []
        for h in map(jnp.asarray, hidden):  # (width, n)
            zero = h == 0
            counts = zero.all(axis=0).mean(), zero.mean(), zero.all(axis=1).sum().astype(jnp.float32)
            layers.append(jnp.where(jnp.isfinite(h).all(), jnp.stack(counts), jnp.nan))
        measured = jnp.stack([*layers, jnp.full(3, jnp.nan)], axis=1)
        return dict(zip(ZEROS, measured, strict=True))

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return ZEROS

    def __str__(self) -> str:
        return "exact zeros of activations"


def losses(results: xr.Dataset) -> xr.Dataset:
    """Return H(X) - I(X;T) by both estimators, and what the state of zeros costs of it, bits."""
    parts = []
    for name in results.dataset.values:
        arms, count = results.sel(dataset=name), results.attrs[f"num_samples_{name}"]
        zero = arms.zero_state.copy(data=lost_in_one_state(arms.zero_state.values, count))
        parts.append(xr.Dataset({"lost": np.log2(count) - arms.ixt, "lost_in_zero": zero}))
    return xr.concat(parts, results.dataset)


def lost_in_one_state(share: ArrayLike, num_samples: int | np.integer) -> np.ndarray:
    """Return what one state costs of H(X) = log2 n: its part of H(X|T) = sum_t p(t) log2 n_t, bits.

    Args:
        share: probability p(t) of the state, of any shape; NaN where unknown.
        num_samples: number of samples n, all distinct.

    Raises:
        ValueError: for shares outside [0, 1], a number that is not whole.

    Example:
        >>> lost_in_one_state([0.0, 0.25, 1.0], 8).tolist()
        [0.0, 0.25, 3.0]
    """
    share = as_numbers("share", share, "(...)")
    num_samples = as_whole("num_samples", num_samples)
    if (share < 0).any() or (share > 1).any():
        raise ValueError(
            f"share: expected numbers from 0 to 1, got {np.nanmin(share)} to {np.nanmax(share)}"
        )
    return share * np.log2(np.where(share > 0, share * num_samples, 1.0))
