"""Conventions of the papers' codes, by name. Numbers differ by 0.5 to 1 bit between them."""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ibjax.checks import check_known
from ibjax.mi import adaptive_edges, binned_mi, kde_mi
from ibjax.types import MI, Estimator

__all__ = [
    "PRESETS",
    "SAXE_BIN_WIDTH",
    "SAXE_ESTIMATORS",
    "SAXE_NOISE_VARIANCE",
    "Preset",
    "adaptive_binned_mi",
    "idnns_binned_mi",
    "preset",
]

SAXE_BIN_WIDTH, SAXE_NOISE_VARIANCE = 0.07, 1e-3

# Of a layer, by the names that figures give them; KDE is the upper bound.
SAXE_ESTIMATORS: dict[str, Estimator] = {
    "binned": functools.partial(binned_mi, bin_width=SAXE_BIN_WIDTH),
    "KDE": functools.partial(kde_mi, noise_variance=SAXE_NOISE_VARIANCE),
}

# The code's 30 edges make 29 bins; t == 1.0 has one of its own. Numbers, so that results name them.
IDNNS_EDGES = (*np.linspace(-1, 1, 30, dtype=np.float32).tolist(), 2.0)


class Preset(NamedTuple):
    """How a code builds, trains, records and bins.

    Attributes:
        training: arguments of ``TrainConfig`` that differ from its defaults.
        schedule: a name from ``ibjax.training.schedule.SCHEDULES``.
        estimator: of a layer.
        binning: in words, for titles.
        source: the paper and its code.
    """

    training: dict[str, Any]
    schedule: str
    estimator: Estimator
    binning: str
    source: str


def idnns_binned_mi(t, y, *, edges=IDNNS_EDGES) -> MI:
    """``binned_mi`` with the 2017 code's bins: ``digitize(t, linspace(-1, 1, 30)) - 1``.

    That is 29 bins on [-1, 1) and one for all t >= 1; t < -1 wraps around into it, and every ReLU
    activation of 1 or more is one state.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        edges: of the bins, increasing.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.
    """
    t = jnp.asarray(t, jnp.float32)
    return binned_mi(jnp.where(t < edges[0], edges[-1], t), y, bins=np.float32(edges))


def adaptive_binned_mi(t, y, *, bins: int) -> MI:
    """``binned_mi`` in equally filled bins of the layer's own unique values (Chelombiev et al. 2019).

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        bins: of ``adaptive_edges``.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi`` and ``adaptive_edges``.
    """
    return binned_mi(t, y, bins=adaptive_edges(t, bins))


PRESETS = {
    "paper": Preset(
        {"init": "fan_in", "optimizer": "sgd"},
        "log",
        functools.partial(binned_mi, bin_width=SAXE_BIN_WIDTH),
        f"bins of {SAXE_BIN_WIDTH}",
        "Plain SGD as in the text of Shwartz-Ziv & Tishby (2017); bins of Saxe et al. (2018)",
    ),
    "idnns": Preset(
        {
            "init": "fan_in",
            "optimizer": "adam",
            "learning_rate": 4e-4,
            "batch_size": 512,
            "split": "first_rows",
            "shuffle": False,
        },
        "idnns",
        functools.partial(idnns_binned_mi, edges=IDNNS_EDGES),
        "29 bins on [-1, 1), one for 1 and more",
        "The code of Shwartz-Ziv & Tishby (2017)",
    ),
    "saxe": Preset(
        {
            "init": "fan_out",
            "optimizer": "adam",
            "learning_rate": 4e-4,
            "batch_size": 256,
            "num_epochs": 10_000,
        },
        "saxe",
        functools.partial(binned_mi, bin_width=SAXE_BIN_WIDTH),
        f"bins of {SAXE_BIN_WIDTH}",
        "The code of Saxe et al. (2018)",
    ),
}


def preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    check_known("preset", name, PRESETS)
    return PRESETS[name]
