"""Fixed points: the contract of a small run, what tables and verdicts say, and the claim, smaller."""

import json

import numpy as np
import pytest

from experiments import fixed_points as experiment
from tests.made import results_of

DIMS = ("rule", "seed", "epoch", "layer")
FIGURES = {"fixed_points.png", "betas.png"}


@pytest.fixture(scope="module")
def smoke():
    return experiment.run(experiment.Config(smoke=True, seeds=2, epochs=2))


@pytest.fixture(scope="module")
def made_up():
    """Eight networks of three layers: betas fall with depth at the end, before only in rule 0.99."""
    rng = np.random.default_rng(0)
    sizes = (2, 8, 2, 3)
    noise = 1 + 0.01 * rng.random(sizes)
    beta = np.ones(sizes) * noise
    beta[:, :, 1] *= [1e4, 10, 2]
    beta[1, :, 0] *= [1e4, 10, 2]
    values = {
        "ixt": np.array([12, 8, 4]) * noise,
        "ict": np.array([5, 4, 3]) * noise,
        "ity": np.array([0.9, 0.8, 0.6]) * noise,
        "beta": beta,
        "below": np.array([0.01, 0.1, 0.3]) * noise,
        "irrelevant": np.array([7, 4, 1]) * noise,
        "distance": np.array([3, 2, 1]) * noise,
        "at_bound": np.zeros(sizes),
        "diverged": np.zeros((2, 8), bool),
    }
    curve = {k: (("rule", "point"), np.ones((2, 5))) for k in ("curve_ixt", "curve_ity")}
    factors = {"rule": ["0.90", "0.99"]}
    return results_of(values, factors, epochs=[0, 100], binning="bins of 0.07").assign(curve)


def test_verdicts_say_what_the_intervals_say(made_up):
    figures, (layers, order) = experiment.report(made_up)
    assert set(figures) == FIGURES
    soft, hard, _ = order.sentences
    for sentence in (soft, hard):
        assert (
            "layers within 0.05 bits of the curve at their I(C;T): 1; the furthest is 0.30" in sentence
        )
        assert "of untrained ones 0.30 bits. Of I(X;T) up to 7.0" in sentence
        assert "differ from the bottleneck's by 1.0" in sentence
        assert "Betas fall between layers 1-2, 2-3: that they fall with depth is supported" in sentence
    assert soft.endswith("of untrained networks it is not known for all layers.")
    assert hard.endswith("untrained networks have that order, too: alone it is no result of training.")
    pairs = order.frame.set_index(["rule", "epoch", "layers"])
    trained, untrained = pairs.loc[("0.90", 100, "2-3")], pairs.loc[("0.90", 0, "1-2")]
    assert trained.fall == pytest.approx(np.log10(5), abs=0.01)
    assert trained[["share_falling", "seeds", "unknown"]].tolist() == [1.0, 8, 0]
    assert untrained.fall_low < 0 < untrained.fall_high
    by_layer = layers.frame.set_index(["rule", "layer"])
    first = by_layer.loc[("0.90", 1), ["ixt", "irrelevant"]].tolist()
    assert first == pytest.approx([12.06, 7.035], abs=0.05)
    assert by_layer.loc[("0.90", 3), ["at_bound", "seeds"]].tolist() == [0, 8]
    assert layers.sentences[-1] == "diverged: 0 of 16 networks, left out"


def test_layers_at_the_end_of_the_range_are_no_order(made_up):
    bound = made_up.copy(deep=True)
    bound.at_bound[..., :2] = 1
    _, (layers, order) = experiment.report(bound)
    assert "(both at a bound: 1-2)" in order.sentences[0]
    assert set(order.frame.unknown[order.frame.layers == "1-2"]) == {8}
    assert layers.frame.at_bound[:3].tolist() == [8, 8, 0]


def test_what_does_not_fall_is_not_said_to_fall(made_up):
    flat = made_up.assign(beta=made_up.beta / made_up.beta.mean(["seed", "epoch"]))
    flat.beta[:, :, 1] = flat.beta[:, :, 0]
    sentence = experiment.verdict(flat, "0.90")
    assert sentence.endswith(
        "Betas fall between layers none: that they fall with depth does not follow."
    )


@pytest.mark.slow
def test_results_keep_the_contract(smoke):
    for name in ("ixt", "ity", "ict", "beta", "distance", "below", "irrelevant", "at_bound"):
        assert smoke[name].dims == DIMS
        assert np.isfinite(smoke[name]).all(), name
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert smoke[name].dims == DIMS[:3]
    assert smoke.curve_ixt.dims == smoke.curve_ity.dims == ("rule", "point")
    assert all(variable.attrs["units"] for variable in smoke.data_vars.values())
    assert "states" not in smoke
    assert (smoke.ict <= smoke.ixt + 1e-9).all()
    assert (smoke.ity <= smoke.ict + 1e-9).all()
    assert (smoke.below > -1e-3).all()  # nothing above the curve, up to the lines between its points
    np.testing.assert_allclose(smoke.curve_ity.max("point"), [0.9, 0.99], atol=1e-3)
    assert set(json.loads(smoke.attrs["arms"])) == {"0.90", "0.99"}
    for name in ("estimator", "dataset", "rules", "ity", "num_samples", "seed", "versions", "device"):
        assert name in smoke.attrs
    figures, tables = experiment.report(smoke)
    assert set(figures) == FIGURES
    assert [table.name for table in tables] == ["layers", "order"]


def test_full_scale_is_the_default():
    assert len(experiment.Config().seed_range) == 50
    assert (experiment.FULL.epochs, experiment.RULES) == (8000, ("0.90", "0.99"))


@pytest.mark.slow
def test_the_claim_at_reduced_size(monkeypatch):
    """Layers approach the curve as they train, yet keep bits that are of no use for Y."""
    monkeypatch.setattr(experiment, "RULES", ("0.90",))
    results = experiment.run(experiment.Config(seeds=6, epochs=1500)).sel(rule="0.90")
    start, end = results.isel(epoch=0), results.isel(epoch=-1)
    hidden = {"layer": [4, 5]}  # an untrained output knows nothing, which is on the curve
    assert (end.below.sel(hidden).mean("seed") < start.below.sel(hidden).mean("seed") - 0.3).all()
    assert (end.below.mean("seed") < 0.12).all()
    assert float(end.distance.sel(layer=3).mean()) > 1
    assert float(end.irrelevant.sel(layer=1).mean()) > 6
    assert float(end.ixt.sel(layer=6).mean()) < float(end.ixt.sel(layer=1).mean()) - 5
    falls = experiment.beta_falls(end)
    assert all(np.nanmean(falls[pair]) > 0 for pair in ("2-3", "3-4", "4-5"))
