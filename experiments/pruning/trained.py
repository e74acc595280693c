"""Layers removed from a trained network that is not trained again: least-squares bridges.

Without a layer, what is before it does not fit what comes after it: the widths differ, and so do the
meanings of units. A bridge is the affine map from the activations before the gap to the pre-activations
after it that is closest, over training samples, to those of the whole network. Nothing else changes, no
label is used, and there are no steps of descent.
"""

import functools
from collections.abc import Sequence

import numpy as np
import xarray as xr

from experiments.lab import Arm
from experiments.lab.parameters import HOST_ACTIVATIONS, HostLayer, host_layers, splits_of
from experiments.lab.revisiting import stop_positions
from experiments.pruning.analysis import alive, removable
from experiments.pruning.choices import Layers, all_choices, last_layers
from ibjax.analysis.stopping import at_position
from ibjax.training import make_model
from ibjax.types import Samples, Split

__all__ = ["bridged_accuracies", "least_squares_bridge", "removal_mask", "with_removals"]

DEAD = "a hidden layer is constant at the stop"


def least_squares_bridge(h: np.ndarray, z: np.ndarray) -> HostLayer:
    """Return the affine layer that maps h closest to z: least squares, of least norm if not unique.

    Args:
        h: (n, width) activations before the gap.
        z: (n, units) pre-activations after it.

    Example:
        >>> h = np.array([[0.0], [1.0], [2.0]])
        >>> layer = least_squares_bridge(h, 3 * h - 1)
        >>> layer.kernel.round(9).tolist(), layer.bias.round(9).tolist()
        ([[3.0]], [-1.0])
    """
    columns = np.concatenate([h, np.ones((len(h), 1))], axis=1)
    solution, *_ = np.linalg.lstsq(columns, z, rcond=None)
    return HostLayer(solution[:-1], solution[-1])


def bridged_accuracies(
    layers: Sequence[HostLayer],
    activations: Sequence[str],
    data: Samples,
    split: Split,
    choices: Sequence[Layers],
) -> np.ndarray:
    """Measure a trained network's test accuracy without some of its hidden layers.

    Every gap is bridged by ``least_squares_bridge``, fitted on all training samples, to the
    pre-activations of the whole network's next layer that is kept, which may be the output, from the
    activations of the pruned network, which earlier bridges have changed already. If the first layer is
    removed, the bridge begins at the inputs.

    Args:
        layers: the network's layers, the output last.
        activations: names of the hidden layers' activations.
        data: samples.
        split: rows for training and testing.
        choices: layers to remove; () leaves the whole network.

    Returns:
        (choice,) test accuracies; NaN if parameters are not finite.
    """
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        return np.full(len(choices), np.nan)
    x, output = np.asarray(data.x, np.float64), len(layers)
    rows, labels = np.asarray(split.train), np.asarray(data.y)[split.test]
    functions = [HOST_ACTIVATIONS[name] for name in activations]

    @functools.cache
    def activations_after(kept: Layers) -> np.ndarray:  # (n, width)
        """Activations of the last of the kept layers; many choices share those before a gap."""
        return functions[kept[-1] - 1](before(kept[:-1], kept[-1])) if kept else x

    @functools.cache
    def whole(layer: int) -> np.ndarray:  # (n, units)
        """Pre-activations of the whole network's layer."""
        return before(tuple(range(1, layer)), layer)

    def before(kept: Layers, layer: int) -> np.ndarray:
        h, last = activations_after(kept), kept[-1] if kept else 0
        if last == layer - 1:
            return h @ layers[layer - 1].kernel + layers[layer - 1].bias
        bridge = least_squares_bridge(h[rows], whole(layer)[rows])
        return h @ bridge.kernel + bridge.bias

    def accuracy(removed: Layers) -> float:
        kept = tuple(i for i in range(1, output) if i not in removed)
        return float(np.mean(before(kept, output)[split.test].argmax(axis=1) == labels))

    measured = np.array([accuracy(removed) for removed in choices])
    activations_after.cache_clear()  # tens of MB, which reference themselves
    whole.cache_clear()
    return measured


def with_removals(arm: xr.Dataset, trained: Arm, threshold: float) -> xr.Dataset:
    """Return an arm with the accuracies of its networks, as they stop, without layers.

    Args:
        arm: one step's networks, with ``stop`` and the ``parameters`` of every recorded epoch, which are
            left out of what is returned.
        trained: their training and task.
        threshold: the criterion's, bits.

    Returns:
        The arm with ``dead`` (seed,); ``end_accuracy`` (num_removed, seed), without as many layers at
        the end; ``bridged_accuracy`` (choice, seed), without as many as the criterion removes, for all
        choices of them, the criterion's first; and ``choice_removes`` (choice, layer), 1 for a layer
        that is removed.
    """
    training, task, *_ = trained
    num_hidden = len(training.widths) - 1
    ends = [last_layers(num_hidden, count) for count in range(num_hidden)]
    choices = all_choices(num_hidden, removable(arm, threshold))
    parameters = at_position(arm.parameters, stop_positions(arm, arm.stop.values))
    num_samples, num_inputs = np.shape(task.data.x)
    accuracies = [
        bridged_accuracies(
            host_layers(make_model(training), num_inputs, network),
            training.activations,
            task.data,
            split,
            [*ends, *choices],
        )
        for network, split in zip(
            parameters.transpose("seed", "parameter").values,
            splits_of(training, arm.seed.values, num_samples),
            strict=True,
        )
    ]
    of_ends, of_choices = np.split(np.transpose(accuracies), [len(ends)])
    text = "test accuracy at the stop, bridged by least squares, without"
    measured = {
        "dead": ("seed", (arm.stop.values >= 0) & ~alive(arm), _described(DEAD)),
        "end_accuracy": (("num_removed", "seed"), of_ends, _described(f"{text} the last layers")),
        "bridged_accuracy": (("choice", "seed"), of_choices, _described(f"{text} any layers")),
        "choice_removes": removal_mask("choice", choices, arm.sizes["layer"]),
    }
    numbers = {"num_removed": range(len(ends)), "choice": range(len(choices))}
    return arm.drop_vars("parameters").assign(measured).assign_coords(numbers)


def removal_mask(
    dim: str, choices: Sequence[Layers | None], num_layers: int
) -> tuple[tuple[str, str], np.ndarray, dict[str, str]]:
    """Return a variable (dim, layer): 1 for a layer that is removed, 0 for others; NaN for no choice."""
    numbers = np.arange(1, num_layers + 1)
    mask = [np.full(num_layers, np.nan) if c is None else np.isin(numbers, c) for c in choices]
    return (dim, "layer"), np.array(mask, float), _described("whether the layer is removed")


def _described(long_name: str) -> dict[str, str]:
    return {"units": "1", "long_name": long_name}
