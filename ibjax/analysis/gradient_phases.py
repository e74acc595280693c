"""Phases of the gradients, drift and diffusion, beside compression: when each starts, how they agree."""

import numpy as np
import xarray as xr

from ibjax.analysis._labelled import check_results
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import mean_interval, rank_correlation
from ibjax.analysis.phases import OF_LAYERS, by_layer, compression_start, diffusion_start

__all__ = ["network_snr", "phase_agreement", "phase_epochs"]


def network_snr(arm: xr.Dataset) -> xr.DataArray:
    """Compute the signal-to-noise ratio of all kernels together; squared norms add up over layers.

    Args:
        arm: Dataset with ``gradient_mean`` and ``gradient_std`` (seed, epoch, layer).

    Returns:
        (seed, epoch) ratios; NaN where all gradients are 0.

    Raises:
        ValueError: for other variables or dims.
    """
    check_results("arm", arm, dict.fromkeys(("gradient_mean", "gradient_std"), OF_LAYERS))
    mean = (arm.gradient_mean**2).sum("layer", skipna=False)
    variance = (arm.gradient_std**2).sum("layer", skipna=False)
    return (mean / variance.where(variance > 0)) ** 0.5


def phase_epochs(arm: xr.Dataset) -> xr.Dataset:
    """Find the epochs at which each seed's phases begin.

    Args:
        arm: Dataset with ``ixt``, ``gradient_mean``, ``gradient_std``, ``gradient_snr``
            (seed, epoch, layer).

    Returns:
        Dataset of ``diffusion`` (seed, layer) by the layer's own ratio, ``network_diffusion`` (seed,) by
        the network's, ``compression`` (seed, layer), all in epochs, NaN where there is none; and
        ``compresses`` (layer,), as ``compression_summary`` decides for all layers at once. If fewer than
        two seeds are known, the attribute ``note`` says so.

    Raises:
        ValueError: for other variables or dims.
    """
    measured = ("ixt", "gradient_mean", "gradient_std", "gradient_snr")
    check_results("arm", arm, dict.fromkeys(measured, OF_LAYERS))
    arm = arm.transpose("seed", "epoch", "layer", ...)
    units = {"units": "epochs"}
    network_diffusion = diffusion_start(network_snr(arm).values, arm.epoch.values)
    summary = compression_summary(arm)
    return xr.Dataset(
        {
            "diffusion": (("seed", "layer"), by_layer(diffusion_start, arm, "gradient_snr"), units),
            "network_diffusion": (("seed",), network_diffusion, units),
            "compression": (("seed", "layer"), by_layer(compression_start, arm, "ixt"), units),
            "compresses": summary.compresses,
        },
        {"layer": arm.layer.values},
        summary.attrs,
    )


def phase_agreement(phases: xr.Dataset) -> xr.Dataset:
    """Relate the start of compression to that of diffusion, over the seeds that have both.

    Args:
        phases: result of :func:`phase_epochs`.

    Returns:
        Dataset over ``layer``: ``ratio`` (geometric mean of compression's epoch over the network's
        diffusion's, epoch 0 counted as 1) with ``ratio_low`` and ``ratio_high``, 95% by Student's t on
        logarithms; ``rho`` and ``rho_own`` (with the layer's own diffusion), as from
        :func:`rank_correlation`, each with ``_low``, ``_high`` and ``_seeds``. NaN if fewer than two
        seeds, or four for correlations, have both.

    Raises:
        ValueError: for other variables or dims.
    """
    layer_dims = dict.fromkeys(("diffusion", "compression"), ("seed", "layer"))
    check_results("phases", phases, layer_dims | {"network_diffusion": ("seed",)})
    rows = []
    for layer in phases.layer.values:
        start = phases.compression.sel(layer=layer).values
        network_diffusion = phases.network_diffusion.values
        layer_diffusion = phases.diffusion.sel(layer=layer).values
        logs = np.log(np.maximum(start, 1)) - np.log(np.maximum(network_diffusion, 1))
        ratio = np.exp(mean_interval(logs)[:3])
        rho, rho_own = (rank_correlation(x, start) for x in (network_diffusion, layer_diffusion))
        rows.append([*ratio, *rho, *rho_own])
    names = ["ratio", "ratio_low", "ratio_high"]
    names += [f"{rho}{part}" for rho in ("rho", "rho_own") for part in ("", "_low", "_high", "_seeds")]
    columns = {name: np.array(column) for name, *column in zip(names, *rows, strict=True)}
    data = {name: ("layer", values, {"units": "1"}) for name, values in columns.items()}
    return xr.Dataset(data, {"layer": phases.layer.values})
