"""Phases of made-up gradients beside made-up compression."""

import numpy as np
import pytest
import xarray as xr

from ibjax.analysis.gradient_phases import network_snr, phase_agreement, phase_epochs
from tests.analysis.test_phases import EPOCHS, falling, step
from tests.made import results_of


@pytest.fixture
def arm():
    """12 seeds, 2 layers; the first compresses half a decade before its diffusion starts."""
    rng = np.random.default_rng(2)
    at = np.geomspace(300, 1500, 12)
    snr = np.stack([np.stack([step(a), np.full(len(EPOCHS), 3.0)], axis=1) for a in at])
    mean = snr * np.array([1.0, 1e-3])
    ixt = np.stack([falling(5.0, since=a / 3) for a in at])
    ixt = np.stack([ixt, np.full_like(ixt, 11.0)], axis=2) + 0.001 * rng.normal(size=snr.shape)
    gradients = {"gradient_mean": mean, "gradient_std": mean / snr, "gradient_snr": snr}
    return results_of(gradients | {"ixt": ixt}, epochs=EPOCHS, at=at)


def test_phases_of_every_seed_and_layer(arm):
    phases = phase_epochs(arm)
    assert phases.diffusion.dims == phases.compression.dims == ("seed", "layer")
    np.testing.assert_allclose(phases.diffusion.sel(layer=1), arm.at, rtol=0.05)
    assert phases.diffusion.sel(layer=2).isnull().all()
    # The first layer's gradients are a thousand times the second's.
    np.testing.assert_allclose(phases.network_diffusion, phases.diffusion.sel(layer=1))
    assert phases.compresses.values.tolist() == [True, False]
    assert (phases.compression.sel(layer=1) < arm.at).all()
    assert phases.compression.sel(layer=2).isnull().all()
    assert {phases[k].attrs["units"] for k in ("diffusion", "compression")} == {"epochs"}


def test_order_of_dimensions_does_not_matter(arm):
    xr.testing.assert_equal(phase_epochs(arm.transpose("layer", "epoch", "seed")), phase_epochs(arm))


def test_thresholds_move_both_starts(arm):
    """The second layer's ratio of 3 counts as diffusion at no level up to 3, and has no drift above."""
    ratio = arm.gradient_snr.sel(layer=1)
    arm.gradient_snr.loc[{"layer": 1}] = np.where(ratio > 1, ratio, np.where(EPOCHS < 4000, 0.7, 0.1))
    usual, early = phase_epochs(arm), phase_epochs(arm, level=0.5, part=0.2)
    np.testing.assert_allclose(early.diffusion.sel(layer=1), 4000, rtol=0.05)
    assert (usual.diffusion.sel(layer=1) < 2000).all()
    assert (early.compression.sel(layer=1) > usual.compression.sel(layer=1)).all()
    np.testing.assert_array_equal(early.network_diffusion, usual.network_diffusion)
    with pytest.raises(ValueError, match="level: expected a finite number above"):
        phase_epochs(arm, level=0)


def test_agreement_of_the_phases(arm):
    phases = phase_epochs(arm)
    agreement = phase_agreement(phases)
    first, second = agreement.sel(layer=1), agreement.sel(layer=2)
    ratios = phases.compression.sel(layer=1) / phases.diffusion.sel(layer=1)
    assert float(first.ratio) == pytest.approx(float(ratios.median()))
    assert first.ratio_low < first.ratio < first.ratio_high < 1
    assert first.ratio_p10 == pytest.approx(float(ratios.quantile(0.1)))
    assert first.ratio_p90 == pytest.approx(float(ratios.quantile(0.9)))
    assert (float(first.rho), float(first.rho_network)) == pytest.approx((1, 1))
    assert (int(first.both), int(first.before), int(first.undiffused)) == (12, 12, 0)
    assert (int(second.both), int(second.before), int(second.undiffused)) == (0, 0, 0)
    assert np.isnan([second.ratio, second.ratio_p10, second.rho, second.rho_low]).all()
    xr.testing.assert_equal(phase_agreement(phases.transpose()), agreement)


def test_seeds_that_compress_and_never_diffuse_are_counted_apart(arm):
    phases = phase_epochs(arm)
    phases.diffusion[:5, 0] = np.nan
    phases.diffusion[5, 0] = 1.0  # sooner than its compression
    agreement = phase_agreement(phases).sel(layer=1)
    assert (int(agreement.both), int(agreement.before), int(agreement.undiffused)) == (7, 6, 5)


def test_norms_of_the_network_are_of_all_kernels_together():
    dims = ("seed", "epoch", "layer")
    mean, std = np.array([[[3.0, 4.0], [0.0, 0.0]]]), np.array([[[6.0, 8.0], [0.0, 0.0]]])
    ratio = network_snr(xr.Dataset({"gradient_mean": (dims, mean), "gradient_std": (dims, std)}))
    np.testing.assert_allclose(ratio, [[0.5, np.nan]])
