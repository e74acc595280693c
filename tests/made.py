"""Made results: smooth curves of both activations, for reports that train nothing."""

import numpy as np
import xarray as xr

from ibjax.training.schedule import log_spaced_epochs

EPOCHS = log_spaced_epochs(8000, 40)
QUALITY = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def made_results(
    factors: dict[str, tuple[str, ...]], *, seeds: int = 8, layers: int = 3, **attributes
) -> xr.Dataset:
    """``ixt`` 6 and ``ity`` 0.9 bits everywhere but for noise, losses 0.5 and accuracies 0.9.

    Args:
        factors: levels of the leading dimensions.
        seeds: networks per arm.
        layers: of them, the output last.
        attributes: of the Dataset.
    """
    rng = np.random.default_rng(0)
    dims = (*factors, "seed", "epoch", "layer")
    sizes = [len(levels) for levels in factors.values()] + [seeds, len(EPOCHS), layers]
    noise = 0.001 * rng.normal(size=sizes)
    results = xr.Dataset(
        {
            "ixt": (dims, 6 + noise),
            "ity": (dims, 0.9 + noise),
            "diverged": (dims[:-2], np.zeros(sizes[:-2], bool)),
            **{
                name: (dims[:-1], np.full(sizes[:-1], 0.5 if "loss" in name else 0.9))
                for name in QUALITY
            },
        },
        {
            **{name: list(levels) for name, levels in factors.items()},
            "seed": range(seeds),
            "epoch": EPOCHS,
            "layer": range(1, layers + 1),
        },
    )
    return results.assign_attrs(optimizer="adam", **attributes)
