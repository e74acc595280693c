"""Finite samples: the contract of a small run, what the tables say, and that the bounds hold."""

import numpy as np
import pytest
import xarray as xr

from experiments import finite_samples as experiment
from experiments.finite_samples import analysis
from ibjax.bottleneck import layer_information

DIMS = ("encoder", "num_samples", "repeat")
SIZES = (100, 10_000)


@pytest.fixture(scope="module")
def smoke():
    return experiment.run(experiment.Config(smoke=True))


@pytest.fixture(scope="module")
def small():
    """Two encoders of a made-up task, 60 draws, no training."""
    p_xy = np.random.default_rng(0).dirichlet(np.ones(24)).reshape(12, 2)
    encoders = {"2 states": np.eye(2)[np.arange(12) % 2], "12 states, network 3": np.eye(12)}
    drawn = {n: analysis.draws(p_xy, n, range(60)) for n in SIZES}
    measured = [
        [analysis.estimates_and_bounds(drawn[n], e, n) for n in SIZES] for e in encoders.values()
    ]
    exact = [layer_information(e, p_xy) for e in encoders.values()]
    variables = {
        k: (DIMS, np.array([[cell[k] for cell in row] for row in measured], float))
        for k in analysis.ESTIMATES
    }
    variables |= {f"exact_{k}": ("encoder", [getattr(mi, k) for mi in exact]) for k in ("ixt", "ity")}
    variables["cardinality"] = ("encoder", [2, 12])
    coordinates = {"encoder": list(encoders), "num_samples": list(SIZES), "repeat": range(60)}
    return xr.Dataset(variables, coordinates, {"delta": analysis.DELTA})


def test_draws_are_the_repeat_s_own():
    p_xy = np.full((3, 2), 1 / 6)
    counts = analysis.draws(p_xy, 50, range(4))
    assert counts.shape == (4, 3, 2)
    assert (counts.sum(axis=(1, 2)) == 50).all()
    np.testing.assert_array_equal(counts[2:], analysis.draws(p_xy, 50, range(2, 4)))
    assert (counts[0] != counts[1]).any()


def test_tables_say_how_far_estimates_and_bounds_are_off(small):
    figures, (bounds, estimates) = experiment.report(small)
    assert set(figures) == {"ixt.png", "ity.png"}
    rows = estimates.frame.set_index(["encoder", "n"])
    assert set(rows.index) == {(e, n) for e in small.encoder.values for n in SIZES}
    few, many = (rows.loc[("12 states, network 3", n)] for n in SIZES)
    # I^(X;T) is low by about 11 / (2 n) nats, which the correction takes away.
    assert few["ixt_bias"] == pytest.approx(-11 / (200 * np.log(2)), rel=0.3)
    assert abs(few["ixt_corrected_bias"]) < -few["ixt_bias"] / 3
    assert few["ity_bias"] > few["ity_corrected_bias"]
    assert abs(many["ixt_bias"]) < abs(few["ixt_bias"]) / 5
    assert many["ixt_width"] < few["ixt_width"]
    assert set(rows.ixt_method) | set(rows.ity_method) <= {"bounded_differences", "distance"}
    by_encoder = bounds.frame.set_index("encoder")
    assert by_encoder.states["2 states"] == 2
    assert (by_encoder.worst_coverage >= 1 - analysis.DELTA).all()
    assert bounds.sentences[0].startswith("The bounds hold: in the worst case 1.000 of 60 draws")


def test_a_verdict_without_coverage_says_so(small):
    broken = small.assign(ity_low=small.ity_low + 2, ity_high=small.ity_high + 2)
    assert experiment.verdict(broken).startswith("The bounds do not hold: in the worst case 0.000")


def test_samples_needed_are_those_of_the_worst_late_size(small):
    samples = analysis.needed(small, "2 states")
    assert samples["estimate"] in (*SIZES, np.inf)
    assert samples["ixt_speaks"] in (*SIZES, np.inf)
    assert samples["ity_speaks"] < samples["ity_speaks_distance"] < samples["ity_useful"]
    assert samples["ity_speaks"] < samples["ity_speaks_shamir"]


def test_full_scale_is_the_default():
    assert len(experiment.Config().seed_range) == 200
    assert (experiment.NUM_SAMPLES[0], experiment.NUM_SAMPLES[-1]) == (30, 10**9)


@pytest.mark.slow
def test_results_keep_the_contract_and_the_claim(smoke):
    for name in analysis.ESTIMATES:
        assert smoke[name].dims == DIMS
        assert smoke[name].attrs["units"] == ("1" if name.endswith("vacuous") else "bits")
        assert np.isfinite(smoke[name]).all(), name
    assert smoke.exact_ixt.dims == smoke.exact_ity.dims == smoke.cardinality.dims == ("encoder",)
    assert smoke.num_samples.values.tolist() == [30, 1000, 30_000]
    for name in ("source", "dataset", "delta", "binning", "noise_variance", "seed", "versions"):
        assert name in smoke.attrs
    # At most what X says of Y; all of it where T is the class.
    assert (smoke.exact_ity <= 0.9).all()
    assert float(smoke.exact_ity.sel(encoder="44 classes")) == pytest.approx(0.9, abs=1e-3)
    assert smoke.cardinality.sel(
        encoder=["2 hard states", "6 hard states", "44 classes"]
    ).values.tolist() == [2, 6, 44]
    # Bounds hold; of layers they are wide at 30,000 samples, where estimates are good.
    assert analysis.inside(smoke).mean() >= 1 - analysis.DELTA
    layers = smoke.sel(encoder=[e for e in smoke.encoder.values if "layer 2" in e], num_samples=30_000)
    assert not layers.ity_vacuous.any()
    assert (layers.ity_high - layers.ity_low > 0.3).all()
    assert (np.abs(layers.ity - layers.exact_ity) < 0.1).all()
    figures, tables = experiment.report(smoke)
    assert set(figures) == {"ixt.png", "ity.png"}
    assert [table.name for table in tables] == ["bounds", "estimates"]
