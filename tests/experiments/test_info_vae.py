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


def test_report_draws_both_encoders_and_counts_what_collapsed():
    results = made_up(0.3)
    results.information[0, 1, 2, :2] = 0.001
    figures, (table,) = info_vae.report(results)
    assert set(figures) == {"encodings_free_width.png", "encodings_width_1.png", "course.png"}
    assert len(table.rows) == 2 * 3 * 3
    collapsed = [(*row[:3], row[-2]) for row in table.rows if row[-2]]
    assert collapsed == [("free width", "beta-VAE, beta 4", 0.01, 2)]


def test_full_scale_is_the_default():
    assert info_vae.Config().seeds == 50
    assert info_vae.FULL_STEPS == 3000


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """The ELBO leaves the prior, further with a lower floor; InfoVAE does not, and keeps information."""
    monkeypatch.setattr(info_vae, "FLOORS", (0.1, 0.03))
    monkeypatch.setattr(info_vae, "NUM_RECORDED", 4)
    results = info_vae.run(info_vae.Config(seeds=4, epochs=1000, out=tmp_path))
    assert results.information.dims == COURSE
    assert not results.diverged.any()
    end = results.isel(step=-1)
    # A start may stay collapsed onto the prior for long: the median.
    divergence = end.divergence.median("seed").sel(floor=0.03)
    of = {name.split(",")[0]: divergence.sel(objective=name) for name in info_vae.OBJECTIVES}
    assert float(of["ELBO"].sel(encoder="free width")) > 0.4
    assert float(of["ELBO"].sel(encoder="width 1")) > 1.0
    assert float(of["InfoVAE"].max()) < 0.1
    kept = end.information.median("seed").sel(floor=0.03, encoder="free width")
    assert float(kept.sel(objective=f"InfoVAE, lambda {info_vae.LAMBDA:.0f}")) > 0.5
    means = end.separation.median("seed").sel(objective="ELBO")
    assert float(means.sel(encoder="width 1", floor=0.03)) > 1.2 * float(
        means.sel(encoder="width 1", floor=0.1)
    )
    assert float(means.sel(encoder="free width").max()) < 1.2
