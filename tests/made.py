"""Made-up results, for what reads results and trains nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ibjax.training.schedule import log_spaced_epochs

EPOCHS = log_spaced_epochs(8000, 40)
QUALITY = tuple(
    f"{part}_{quantity}" for quantity in ("loss", "accuracy") for part in ("train", "validation", "test")
)


def results_of(
    variables: Mapping[str, np.ndarray],
    factors: Mapping[str, Sequence] | None = None,
    *,
    epochs: Sequence[int] | np.ndarray = (0, 1, 10, 100),
    **attributes: Any,
) -> xr.Dataset:
    """Results of these arrays, with their coordinates.

    Args:
        variables: arrays (factors..., seed, epoch, layer); those of fewer axes have the first of them.
        factors: levels of the leading dimensions.
        epochs: recorded.
        attributes: of the Dataset.
    """
    factors = factors or {}
    dims = (*factors, "seed", "epoch", "layer")
    results = xr.Dataset(
        {name: (dims[: np.ndim(values)], values) for name, values in variables.items()},
        {name: list(levels) for name, levels in factors.items()},
        attributes,
    )
    results = results.assign_coords(seed=range(results.sizes["seed"]), epoch=np.asarray(epochs))
    if "layer" in results.sizes:
        num_layers = np.full([len(levels) for levels in factors.values()], results.sizes["layer"])
        results = results.assign_coords(
            layer=range(1, results.sizes["layer"] + 1), num_layers=(tuple(factors), num_layers)
        )
    return results


def made_results(
    factors: Mapping[str, Sequence[str]], *, seeds: int = 8, layers: int = 3, **attributes: Any
) -> xr.Dataset:
    """``ixt`` 6 and ``ity`` 0.9 bits everywhere but for noise, losses 0.5 and accuracies 0.9, none dead.

    Args:
        factors: levels of the leading dimensions.
        seeds: networks per arm.
        layers: of them, the output last.
        attributes: of the Dataset.
    """
    sizes = (*map(len, factors.values()), seeds, len(EPOCHS), layers)
    noise = 0.001 * np.random.default_rng(0).normal(size=sizes)
    variables = {"ixt": 6 + noise, "ity": 0.9 + noise, "diverged": np.zeros(sizes[:-2], bool)}
    variables |= {"num_varying": np.ones(sizes, np.int32)}
    variables |= {name: np.full(sizes[:-1], 0.5 if "loss" in name else 0.9) for name in QUALITY}
    made_by = {"optimizer": "adam", "split": "random splits"}
    results = results_of(variables, factors, epochs=EPOCHS, **made_by, **attributes)
    return results.assign_coords(num_layers=(tuple(factors), np.full(sizes[:-3], layers)))
