"""Conventions of the papers' codes, by name. Information differs by 0.5 to 1 bit between them."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_float32
from ibjax.checks import as_whole, check_known, check_nonempty, check_positive, check_rank, kind_of
from ibjax.mi import adaptive_edges, binned_mi, kde_mi
from ibjax.models import ACTIVATIONS
from ibjax.types import MI, ArrayLike, Estimator

__all__ = [
    "PRESETS",
    "SAXE_BIN_WIDTH",
    "SAXE_ESTIMATORS",
    "SAXE_NOISE_VARIANCE",
    "Preset",
    "adaptive_binned_mi",
    "idnns_binned_mi",
    "preset",
    "revisiting_binned_mi",
    "revisiting_edges",
    "revisiting_estimators",
]

SAXE_BIN_WIDTH, SAXE_NOISE_VARIANCE = 0.07, 1e-3

# Estimators for a layer, by their names in the figures; KDE is the upper bound.
SAXE_ESTIMATORS: dict[str, Estimator] = {
    "binned": functools.partial(binned_mi, bin_width=SAXE_BIN_WIDTH),
    "KDE": functools.partial(kde_mi, noise_variance=SAXE_NOISE_VARIANCE),
}

# The code's 30 edges make 29 bins; t == 1.0 has a bin of its own. Plain numbers, so that results can
# name them.
IDNNS_EDGES = (*np.linspace(-1, 1, 30, dtype=np.float32).tolist(), 2.0)


# Largest number of bins of a bounded activation.
MOST_BINS = 1_000_000

# Lower and upper ends of bounded activations; the bins of other activations start at 0 and have no end.
BOUNDS = {"tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0)}


class Preset(NamedTuple):
    """Conventions of one paper's code for building, training, recording and binning.

    Attributes:
        training: arguments of ``TrainConfig`` that differ from its defaults.
        schedule: a name from ``ibjax.training.schedule.SCHEDULES``.
        estimator: estimator for a layer.
        binning: description of the binning, for titles.
        source: the paper and its code.
    """

    training: dict[str, Any]
    schedule: str
    estimator: Estimator
    binning: str
    source: str


def idnns_binned_mi(t: ArrayLike, y: ArrayLike, *, edges: ArrayLike = IDNNS_EDGES) -> MI:
    """Compute ``binned_mi`` with the 2017 code's bins: ``digitize(t, linspace(-1, 1, 30)) - 1``.

    These are 29 bins on [-1, 1) and one for all t >= 1; t < -1 wraps around into the latter, and all
    ReLU activations of 1 or more are one state.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        edges: bin edges, increasing.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.
    """
    edges = as_array("edges", edges)
    check_rank("edges", edges, 1, "(edges,)")
    check_nonempty("edges", edges)
    t, edges = as_array("t", t), as_float32("edges", edges)
    check_nonempty("t", t)
    t = as_float32("t", t)
    wraps = (t < edges[0]) & jnp.isfinite(t)
    return binned_mi(jnp.where(wraps, edges[-1], t), y, bins=np.asarray(edges))


def adaptive_binned_mi(t: ArrayLike, y: ArrayLike, *, bins: int | np.integer) -> MI:
    """Compute ``binned_mi`` in bins equally filled with unique values (Chelombiev et al. 2019).

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        bins: number of bins for ``adaptive_edges``.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi`` and ``adaptive_edges``.
    """
    return binned_mi(t, y, bins=adaptive_edges(t, bins=as_whole("bins", bins)))


def revisiting_binned_mi(
    t: ArrayLike, y: ArrayLike, *, activation: str = "tanh", bin_width: float | int = SAXE_BIN_WIDTH
) -> MI:
    """Compute ``binned_mi`` with the activation's bins of "Revisiting the Information Plane" (2019).

    Bins have equal width and start at the activation's lower end, -1 for tanh and softsign, 0 for
    sigmoid and softmax; they end at 1, which lies in the last bin. The paper bins ReLU from 0 to the
    largest activation of all epochs. Here these bins start at 0 and have no upper end, which gives the
    same bins without a second pass over the epochs. All other activations are binned likewise, also
    below 0.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.
    """
    edges = revisiting_edges(activation, bin_width)
    return binned_mi(t, y, bin_width=bin_width) if edges is None else binned_mi(t, y, bins=edges)


def revisiting_edges(activation: str, bin_width: float | int) -> np.ndarray | None:
    """Return the float32 bin edges of ``revisiting_binned_mi``, or None if bins have no end.

    Args:
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins; a bounded activation may have at most a million bins.

    Raises:
        ValueError: for an unknown activation, a width that is not positive or too small.
    """
    check_known("activation", activation, (*ACTIVATIONS, "softmax"))
    check_positive("bin_width", bin_width)
    if activation not in BOUNDS:
        return None
    low, high = BOUNDS[activation]
    # Use a whole number of bins: up to rounding, the last one ends at the upper end or beyond.
    count = int(np.ceil((high - low) / float(bin_width) - 1e-6))
    if count > MOST_BINS:
        raise ValueError(f"bin_width: expected {MOST_BINS} bins or fewer, got {bin_width}")
    return (low + float(bin_width) * np.arange(count + 1)).astype(np.float32)


def revisiting_estimators(
    activations: Sequence[str], bin_width: float | int = SAXE_BIN_WIDTH
) -> tuple[Estimator, ...]:
    """Return ``revisiting_binned_mi`` for each hidden layer and the final softmax, for ``plane_record``.

    Args:
        activations: names of the hidden layers' activations.
        bin_width: width of all bins.

    Raises:
        ValueError: for anything but a sequence of names, and as ``revisiting_edges``.
    """
    if isinstance(activations, str | bytes) or not isinstance(activations, Sequence):
        raise ValueError(f"activations: expected a sequence of names, got {kind_of(activations)}")
    for name in activations:
        revisiting_edges(name, bin_width)  # raises for unusable arguments
    bin_width = float(bin_width)
    return tuple(
        functools.partial(revisiting_binned_mi, activation=name, bin_width=bin_width)
        for name in (*activations, "softmax")
    )


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
    "revisiting": Preset(
        {
            "init": "fan_out",
            "optimizer": "adam",
            "learning_rate": 4e-4,
            "batch_size": 256,
            "num_epochs": 8000,
            # The code trains on 3276 of 4096 samples; rounding 0.8 of 4096 would give 3277.
            "train_fraction": 3276 / 4096,
        },
        "log",
        functools.partial(revisiting_binned_mi, activation="tanh", bin_width=SAXE_BIN_WIDTH),
        f"bins of {SAXE_BIN_WIDTH}, from the activation's lower end",
        "Revisiting the Information Plane (2019)",
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        ValueError: for an unknown name, listing the known ones.
    """
    check_known("preset", name, PRESETS)
    return PRESETS[name]
