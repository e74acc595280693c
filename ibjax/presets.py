"""Conventions of the papers' codes, by name. Information differs by 0.5 to 1 bit between them."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import check_finite, check_known, check_positive, kind_of
from ibjax.mi import binned_mi, idnns_binned_mi, kde_mi, revisiting_binned_mi, revisiting_edges
from ibjax.mi.conventions import IDNNS_EDGES, is_bounded
from ibjax.types import ArrayLike, Estimator

__all__ = [
    "PRESETS",
    "SAXE_BIN_WIDTH",
    "SAXE_ESTIMATORS",
    "SAXE_NOISE_VARIANCE",
    "Preset",
    "preset",
    "revisiting_estimators",
]

SAXE_BIN_WIDTH, SAXE_NOISE_VARIANCE = 0.07, 1e-3

# Estimators for a layer, by their names in the figures; KDE is the upper bound.
SAXE_ESTIMATORS: dict[str, Estimator] = {
    "binned": functools.partial(binned_mi, bin_width=SAXE_BIN_WIDTH),
    "KDE": functools.partial(kde_mi, noise_variance=SAXE_NOISE_VARIANCE),
}


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


def revisiting_estimators(
    activations: Sequence[str],
    bin_width: float | int = SAXE_BIN_WIDTH,
    limits: ArrayLike | None = None,
) -> tuple[Estimator, ...]:
    """Return ``revisiting_binned_mi`` for each hidden layer and the final softmax, for ``PlaneRecord``.

    Args:
        activations: names of the hidden layers' activations.
        bin_width: width of all bins before they are stretched to the range.
        limits: (hidden layers, 2) smallest and largest activation of each hidden layer, which may be
            traced. By default those of the samples measured, at each epoch anew.

    Raises:
        ValueError: for anything but a sequence of names, limits of other shapes, and as
            ``revisiting_binned_mi``.
    """
    if isinstance(activations, str | bytes) or not isinstance(activations, Sequence):
        raise ValueError(f"activations: expected a sequence of names, got {kind_of(activations)}")
    check_positive("bin_width", bin_width)
    layer_limits = [None] * len(activations)
    if limits is not None:
        array = as_array("limits", limits)
        if np.shape(array) != (len(activations), 2):
            raise ValueError(
                f"limits: expected shape ({len(activations)}, 2), got shape {np.shape(array)}"
            )
        check_finite("limits", array)
        layer_limits = list(array)
    estimators = []
    for name, own in zip((*activations, "softmax"), (*layer_limits, None), strict=True):
        if is_bounded(name):
            revisiting_edges(name, bin_width)  # raises for too many bins
        options = {} if own is None or is_bounded(name) else {"limits": own}
        estimators.append(
            functools.partial(
                revisiting_binned_mi, activation=name, bin_width=float(bin_width), **options
            )
        )
    return tuple(estimators)


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
            "init": "glorot",
            "optimizer": "adam",
            "learning_rate": 4e-4,
            "batch_size": 256,
            "num_epochs": 8000,
            # 3276 of the 4096 words are for training; rounding 0.8 of 4096 would give 3277.
            "train_fraction": 3276 / 4096,
            # The last 656 of them are for validation only.
            "validation_fraction": 0.2,
        },
        "log",
        functools.partial(revisiting_binned_mi, activation="tanh", bin_width=SAXE_BIN_WIDTH),
        f"bins of {SAXE_BIN_WIDTH}, stretched to the activation's range",
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
