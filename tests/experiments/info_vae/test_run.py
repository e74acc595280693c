"""InfoVAE: the verdict and the table on made-up ends, a small run, the claim at a reduced size."""

import numpy as np
import pytest
import xarray as xr

from experiments import info_vae

COURSE = (*info_vae.DIMS, "step")


def made_up(growth):
    """Ends in which the ELBO's KL(q(z)||p(z)) grows by ``growth`` bits with every lower floor."""
    rng = np.random.default_rng(0)
    shape = (2, 3, 3, 6, 2)
    divergence = 0.5 + 0.01 * rng.random(shape)
    divergence[:, 0] += growth * np.arange(3)[:, None, None]
    grid = np.zeros((*shape[:-1], 241))
    return xr.Dataset(
        {
            "divergence": (COURSE, divergence),
            "information": (COURSE, np.full(shape, 0.9)),
            "separation": (COURSE, np.ones(shape)),
            "mean_width": (COURSE, np.full(shape, 0.5)),
            "elbo": (COURSE, np.zeros(shape)),
            "mean": ((*info_vae.DIMS, "point"), np.ones(shape) * [1.0, -1.0]),
            "width": ((*info_vae.DIMS, "point"), np.full(shape, 0.5)),
            "m": ((*info_vae.DIMS, "z"), grid),
            "s": ((*info_vae.DIMS, "z"), grid + 0.1),
            "diverged": (info_vae.DIMS, np.zeros(shape[:-1], bool)),
        },
        {
            "encoder": list(info_vae.ENCODERS),
            "objective": list(info_vae.OBJECTIVES),
            "floor": list(info_vae.FLOORS),
            "seed": range(6),
            "step": [0, 100],
            "point": [-1, 1],
            "z": info_vae.Z,
        },
    )


@pytest.mark.parametrize(("growth", "says"), [(0.3, "moves away from"), (-0.1, "does not leave")])
def test_the_verdict_follows_the_divergence_as_the_floor_falls(growth, says):
    of_elbo, others = info_vae.verdict(made_up(growth), "width 1").split("beta-VAE, beta 4:")
    assert f"q(z) {says} the prior (KL {2 * growth:+.2f}" in of_elbo
    assert f"KL(q(z)||p(z)) {0.5 + 2 * growth:.1f}" in of_elbo
    assert "I_q 0.90 (0.90 to 0.90) bits" in others


@pytest.mark.slow
def test_report_draws_both_encoders_and_counts_what_collapsed():
    results = made_up(0.3)
    results.information[0, 1, 2, :2] = 0.001
    figures, (table,) = info_vae.report(results)
    assert set(figures) == {"encodings_free_width.png", "encodings_width_1.png", "course.png"}
    assert len(table.frame) == 2 * 3 * 3
    collapsed = table.frame[table.frame.collapsed > 0]
    (row,) = collapsed[["encoder", "objective", "floor", "collapsed"]].to_numpy().tolist()
    assert row == ["free width", "beta-VAE, beta 4", 0.01, 2]


def test_full_scale_is_the_default():
    assert info_vae.Config().seeds == 50
    assert info_vae.FULL.epochs == 3000


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """The ELBO leaves the prior, further with a lower floor; InfoVAE does not, and keeps information."""
    monkeypatch.setattr(info_vae, "FLOORS", (0.1, 0.03))
    monkeypatch.setattr(info_vae, "NUM_RECORDED", 4)
    results = info_vae.run(info_vae.Config(seeds=4, epochs=1000, out=tmp_path))
    assert results.information.dims == COURSE
    assert not results.diverged.any()
    end = results.isel(step=-1)
    infovae = f"InfoVAE, lambda {info_vae.LAMBDA:.0f}"
    # Starts may stay collapsed onto the prior for long: the networks that have left it furthest.
    divergence, means = (end[k].max("seed") for k in ("divergence", "separation"))
    elbo = divergence.sel(objective="ELBO")
    assert float(elbo.sel(encoder="free width", floor=0.03)) > 0.5
    assert float(elbo.sel(encoder="width 1", floor=0.03)) > 1.5
    assert (elbo.sel(floor=0.03) > 1.2 * elbo.sel(floor=0.1)).all()
    assert float(divergence.sel(objective=infovae).max()) < 0.1
    kept = end.information.sel(objective=infovae, floor=0.03, encoder="free width")
    assert float(kept.median()) > 0.5
    # Means move outwards where widths cannot shrink, and hardly where they can.
    of_elbo = means.sel(objective="ELBO", floor=0.03)
    assert float(of_elbo.sel(encoder="width 1")) > 1.5
    assert float(of_elbo.sel(encoder="free width")) < 1.2
