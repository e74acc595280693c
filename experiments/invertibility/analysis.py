"""Exact zeros of activations: the only bin that a ReLU network has by itself."""

import functools
from collections.abc import Hashable
from typing import cast

import jax.numpy as jnp
import numpy as np

from ibjax.analysis._inputs import as_numbers
from ibjax.analysis._networks import check_model
from ibjax.checks import as_whole
from ibjax.models import MLP
from ibjax.types import ArrayLike, Record

__all__ = ["lost_in_one_state", "zeros_record"]


def zeros_record(model: MLP) -> Record:
    """Return a record function of the exact zeros of hidden layers, on the training samples.

    Args:
        model: the network.

    Returns:
        ``record(params, data, split)``, which returns a dict of (layer,) arrays, NaN for the output:
        ``zero_state``, the fraction of samples on which all units of the layer are exactly 0, so that
        they share a state without any bins; ``zero_activations``, the fraction of units and samples at
        0; ``dead_units``, the number of units that are 0 on every sample. All are NaN if activations are
        not finite. The same model gives the same function, so that its program is compiled once.

    Raises:
        ValueError: for anything but an ``MLP``.
    """
    check_model(model)
    return _zeros_record(cast(Hashable, model))


@functools.lru_cache(maxsize=64)
def _zeros_record(model) -> Record:
    def record(params, data, split):
        _, hidden = model.apply(params, data.x[split.train].T, method="feature_major")
        rows = []
        for h in hidden:  # (width, n)
            zero = h == 0
            row = zero.all(axis=0).mean(), zero.mean(), zero.all(axis=1).sum().astype(jnp.float32)
            rows.append(jnp.where(jnp.isfinite(h).all(), jnp.stack(row), jnp.nan))
        columns = jnp.stack([*rows, jnp.full(3, jnp.nan)], axis=1)
        names = ("zero_state", "zero_activations", "dead_units")
        return dict(zip(names, columns, strict=True))

    return record


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
