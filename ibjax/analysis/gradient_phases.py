"""Phases of the gradients, drift and diffusion, beside compression: when each starts, how they agree."""

import functools

import numpy as np
import xarray as xr

from ibjax.analysis._labelled import check_results
from ibjax.analysis.compression import compression_summary
from ibjax.analysis.intervals import median_interval, rank_correlation
from ibjax.analysis.phases import (
    DIFFUSION_LEVEL,
    OF_LAYERS,
    STARTED,
    by_layer,
    compression_start,
    diffusion_start,
)

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


def phase_epochs(
    arm: xr.Dataset, *, level: float | int = DIFFUSION_LEVEL, part: float | int = STARTED
) -> xr.Dataset:
    """Find the epochs at which each seed's phases begin.

    Args:
        arm: Dataset with ``ixt``, ``gradient_mean``, ``gradient_std``, ``gradient_snr``
            (seed, epoch, layer).
        level: signal-to-noise ratio below which gradients diffuse, as in ``diffusion_start``.
        part: fraction of the loss of I(X;T) after which compression counts as started, as in
            ``compression_start``.

    Returns:
        Dataset of ``diffusion`` (seed, layer) by the layer's own ratio, ``network_diffusion`` (seed,) by
        the network's, ``compression`` (seed, layer), all in epochs, NaN where there is none; and
        ``compresses`` (layer,), as ``compression_summary`` decides for all layers at once. If fewer than
        two seeds are known, the attribute ``note`` says so.

    Raises:
        ValueError: for other variables or dims, and as ``diffusion_start`` and ``compression_start``.
    """
    measured = ("ixt", "gradient_mean", "gradient_std", "gradient_snr")
    check_results("arm", arm, dict.fromkeys(measured, OF_LAYERS))
    arm = arm.transpose("seed", "epoch", "layer", ...)
    units = {"units": "epochs"}
    diffuses = functools.partial(diffusion_start, level=level)
    starts = functools.partial(compression_start, part=part)
    network_diffusion = diffuses(network_snr(arm).values, arm.epoch.values)
    summary = compression_summary(arm)
    return xr.Dataset(
        {
            "diffusion": (("seed", "layer"), by_layer(diffuses, arm, "gradient_snr"), units),
            "network_diffusion": (("seed",), network_diffusion, units),
            "compression": (("seed", "layer"), by_layer(starts, arm, "ixt"), units),
            "compresses": summary.compresses,
        },
        {"layer": arm.layer.values},
        summary.attrs,
    )


def phase_agreement(phases: xr.Dataset) -> xr.Dataset:
    """Relate the start of each layer's compression to that of its own diffusion, over seeds.

    Starts can be bimodal over seeds, where a layer's I(X;T) has two peaks of nearly equal height, and no
    mean describes them: the ratio of the two starts is summarised by quantiles and by counts.

    Args:
        phases: result of :func:`phase_epochs`.

    Returns:
        Dataset over ``layer``: ``both``, the number of seeds with both starts; ``before``, how many of
        them start to compress first; ``undiffused``, the number of seeds that compress and never
        diffuse; ``ratio``, compression's epoch over diffusion's (epoch 0 counted as 1), as its median
        over the seeds that have both with ``ratio_low`` and ``ratio_high``, as from
        :func:`median_interval`, and its deciles ``ratio_p10`` and ``ratio_p90``; ``rho``, the rank
        correlation of the two starts, and ``rho_network``, that of compression's with the network's
        diffusion, as from :func:`rank_correlation`, each with ``_low`` and ``_high``. NaN where too few
        seeds have both.

    Raises:
        ValueError: for other variables or dims.
    """
    layer_dims = dict.fromkeys(("diffusion", "compression"), ("seed", "layer"))
    check_results("phases", phases, layer_dims | {"network_diffusion": ("seed",)})
    phases = phases.transpose("seed", "layer", ...)
    rows = []
    for layer in phases.layer.values:
        compression = phases.compression.sel(layer=layer).values
        diffusion = phases.diffusion.sel(layer=layer).values
        ratios = np.maximum(compression, 1) / np.maximum(diffusion, 1)
        known = ratios[np.isfinite(ratios)]
        median = median_interval(ratios)
        deciles = np.quantile(known, (0.1, 0.9)) if len(known) else (np.nan, np.nan)
        undiffused = (np.isfinite(compression) & np.isnan(diffusion)).sum()
        rho = rank_correlation(diffusion, compression)
        rho_network = rank_correlation(phases.network_diffusion.values, compression)
        counts = (len(known), (known < 1).sum(), undiffused)
        rows.append([*counts, *median[:3], *deciles, *rho[:3], *rho_network[:3]])
    names = [
        "both",
        "before",
        "undiffused",
        "ratio",
        "ratio_low",
        "ratio_high",
        "ratio_p10",
        "ratio_p90",
    ]
    names += [f"{rho}{end}" for rho in ("rho", "rho_network") for end in ("", "_low", "_high")]
    columns = {name: np.array(column) for name, *column in zip(names, *rows, strict=True)}
    data = {name: ("layer", values, {"units": "1"}) for name, values in columns.items()}
    return xr.Dataset(data, {"layer": phases.layer.values})
