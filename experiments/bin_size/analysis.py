"""The point (H(X), I(X;Y)) of the measured samples, and layers' distances from it."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.stats
import xarray as xr

from ibjax.datasets import symmetric_task
from ibjax.types import PyTree, Record, Samples, Split, Variable

__all__ = ["ClassesRecord", "distances", "share_of_splits_as_low", "with_entropies"]


@dataclasses.dataclass(frozen=True)
class ClassesRecord(Record):
    """Record of ``classes`` (class,), the number of training samples in each class.

    Args:
        num_classes: number of classes.
    """

    num_classes: int

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        return {"classes": jnp.zeros(self.num_classes, jnp.int32).at[data.y[split.train]].add(1)}

    @property
    def variables(self) -> dict[str, Variable]:
        """Description of the recorded variable."""
        return {"classes": Variable(("class",), "1", "training samples in the class")}

    def __str__(self) -> str:
        return "training samples in each class"


def with_entropies(arm: xr.Dataset) -> xr.Dataset:
    """Replace ``classes`` by ``hx`` and ``ixy`` (seed,): H(X) and I(X;Y) of the training samples.

    The samples are distinct, and their labels are functions of them, so that I(X;Y) = H(Y).
    """
    counts = arm.classes.isel(epoch=0).transpose("seed", "class").values  # the same at all epochs
    hx, ixy = np.log2(counts.sum(axis=1)), scipy.stats.entropy(counts, base=2, axis=1)
    return arm.drop_vars("classes").assign(
        hx=("seed", hx, {"units": "bits", "long_name": "H(X)"}),
        ixy=("seed", ixy, {"units": "bits", "long_name": "I(X;Y)"}),
    )


def distances(results: xr.Dataset) -> xr.DataArray:
    """Return the layers' distances from (H(X), I(X;Y)) after training, bits.

    Dims: dataset, activation, bins, seed, layer.
    """
    end = results.isel(epoch=-1)
    away = np.hypot(results.hx - end.ixt, results.ixy - end.ity)
    return away.transpose("dataset", "activation", "bins", "seed", "layer")


def share_of_splits_as_low(ixy: float, num_samples: int) -> float:
    """Return the share of all random splits of the symmetric task whose I(X;Y) is at most ``ixy``.

    Exact: the number of training samples in class 1 is hypergeometric, and I(X;Y) is the entropy of
    their share.
    """
    y = np.asarray(symmetric_task().y)
    ones = np.arange(num_samples + 1)
    entropies = scipy.stats.entropy([ones, num_samples - ones], base=2, axis=0)
    probability = scipy.stats.hypergeom.pmf(ones, len(y), y.sum(), num_samples)
    return float(probability[entropies <= ixy + 1e-12].sum())
