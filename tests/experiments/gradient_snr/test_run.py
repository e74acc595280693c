"""Gradient signal and noise: the contract of a small run, what the tables say, and the claim."""

import json

import numpy as np
import pytest

from experiments import gradient_snr
from ibjax.training.schedule import log_spaced_epochs
from tests.made import results_of

EPOCHS = log_spaced_epochs(3000, 80)
NUM_SEEDS, NUM_LAYERS = 8, 3


@pytest.fixture(scope="module")
def smoke():
    return gradient_snr.run(gradient_snr.Config(smoke=True, seeds=2, epochs=2))


@pytest.mark.slow
def test_results_keep_the_contract(smoke):
    dims = ("activation", "seed", "epoch")
    of_layers = ("ixt", "ity", "gradient_mean", "gradient_std", "gradient_snr", "weight_norm")
    for name in (*of_layers, "saturated"):
        assert smoke[name].dims == (*dims, "layer")
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert smoke[name].dims == dims
    for name in of_layers:
        assert np.isfinite(smoke[name]).all(), name
    assert smoke.saturated.sel(layer=3).isnull().all()
    assert ((smoke.saturated >= 0) & (smoke.saturated <= 1)).isel(layer=slice(0, 2)).all()
    np.testing.assert_allclose(smoke.gradient_snr, smoke.gradient_mean / smoke.gradient_std, rtol=1e-5)
    assert smoke.epoch.values.tolist() == [0, 1, 2]
    units = {name: variable.attrs.get("units") for name, variable in smoke.data_vars.items()}
    assert (units["ixt"], units["gradient_mean"], units["gradient_snr"]) == ("bits", "nats", "1")
    assert all(units.values())
    assert "gradients of cross_entropy in batches of 256 at fixed parameters" in smoke.attrs["estimator"]
    assert smoke.attrs["saturated"] == "slope of the activation below 0.1 of its steepest"
    assert set(json.loads(smoke.attrs["arms"])) == {"tanh", "relu"}
    for name in ("estimator", "dataset", "noise_variance", "num_samples", "seed", "versions", "device"):
        assert name in smoke.attrs


@pytest.mark.slow
def test_a_small_run_reports_everything(smoke):
    figures, tables = gradient_snr.report(smoke)
    assert set(figures) == {"gradients_tanh.png", "gradients_relu.png", "phases.png"}
    assert [table.name for table in tables] == ["phases", "agreement", "thresholds", "saturation"]


def test_full_scale_is_the_default():
    config = gradient_snr.Config()
    assert (len(config.seed_range), config.batch_size, gradient_snr.FULL.epochs) == (50, 256, 8000)


@pytest.mark.slow
def test_batches_too_large_to_have_a_second_are_refused():
    config = gradient_snr.Config(smoke=True, batch_size=1639)
    with pytest.raises(ValueError, match="batch_size: expected at most half of the 3277"):
        gradient_snr.run(config)


@pytest.fixture(scope="module")
def made_up():
    """Both arms diffuse from about epoch 300 on; tanh layer 1 compresses from about epoch 30 on."""
    rng = np.random.default_rng(0)
    at = np.geomspace(200, 500, NUM_SEEDS)
    sizes = (2, NUM_SEEDS, len(EPOCHS), NUM_LAYERS)
    snr = np.where(at[:, None, None] > EPOCHS[:, None], 4.0, 0.2) * np.ones(sizes)
    ixt = 6 + 0.001 * rng.normal(size=sizes)
    lost = np.log(np.maximum(EPOCHS / (at[:, None] / 10), 1))
    ixt[0, :, :, 0] -= 0.5 * lost
    loss = np.where(EPOCHS < 1000, 0.5, 0.05) * np.ones(sizes[:3])
    std = np.where(EPOCHS < 1000, 0.1, 0.001)[:, None] * np.ones(sizes)
    saturated = np.where(EPOCHS < 1000, 0.0, 0.5)[:, None] * np.ones(sizes)
    values = {"gradient_mean": snr * std, "gradient_std": std, "gradient_snr": snr}
    values |= {"ixt": ixt, "saturated": saturated, "weight_norm": np.ones(sizes)}
    return results_of(
        values | {"train_loss": loss},
        {"activation": ["tanh", "relu"]},
        epochs=EPOCHS,
        binning="bins of 0.07",
    )


def test_verdicts_say_what_the_intervals_say(made_up):
    _, (phases, agreement, _, saturation) = gradient_snr.report(made_up)
    _, tanh, relu = agreement.sentences
    assert tanh.startswith("tanh: of 8 networks diffusion starts for layer 1 in 8, 2 in 8, 3 in 8; ")
    assert "layer 1 starts to compress before its diffusion in 8 of the 8 networks with both" in tanh
    assert "without any diffusion in 0, |rho| at most 1.00" in tanh
    assert "although most networks' diffuse: 2, 3 (upper limits: at most 0.00 bits)." in tanh
    assert "starts to compress" not in relu
    assert "although most networks' diffuse: 1, 2, 3 (" in relu
    by_layer = phases.frame.set_index(["activation", "layer"])
    assert by_layer.diffuse["tanh", "all"] == by_layer.diffuse["relu", 3] == NUM_SEEDS
    assert by_layer.final_snr["tanh", "all"] == by_layer.final_snr["tanh", 2] == pytest.approx(0.2)
    assert by_layer.loc[("tanh", 1), ["compresses", "lose_bits"]].tolist() == ["yes", NUM_SEEDS]
    assert by_layer.loc[("relu", 1), ["compresses", "lose_bits"]].tolist() == ["no", 0]
    assert agreement.frame[["activation", "layer"]].to_numpy().tolist() == [["tanh", 1]]
    # From 4 x 0.1 at a loss of 0.5 to 0.2 x 0.001 at 0.05.
    tanh = saturation.frame.set_index("activation").loc["tanh"]
    assert (tanh.saturated_first, tanh.saturated_last) == (0.0, 0.5)
    assert tanh.fall == pytest.approx(np.log10(0.4 / 0.0002), abs=1e-6)
    assert tanh.fall_per_nat == pytest.approx(np.log10(0.4 / 0.0002) - 1, abs=1e-6)


@pytest.mark.slow
def test_thresholds_are_compared_for_layers_that_compress(made_up):
    """The made-up ratio falls from 4 to 0.2 at once, at every level; more loss is later."""
    _, (_, _, thresholds, _) = gradient_snr.report(made_up)
    frame = thresholds.frame
    assert len(frame) == 9
    assert set(frame.layer) == {1}
    assert frame.groupby("part").ratio.nunique().tolist() == [1, 1, 1]
    assert frame[frame.level == 1].ratio.is_monotonic_increasing
    assert (frame.both == NUM_SEEDS).all()


def test_layers_that_compress_and_never_diffuse_are_said(made_up):
    made_up = made_up.copy(deep=True)
    made_up.gradient_snr.loc[{"layer": 1}] = 3.0
    _, (phases, agreement, *_) = gradient_snr.report(made_up)
    tanh = agreement.sentences[1]
    assert "diffusion starts for layer 1 in 0, 2 in 8" in tanh
    assert "in 0 of the 0 networks with both, without any diffusion in 8; layers that" in tanh
    assert phases.frame.set_index(["activation", "layer"]).final_snr["tanh", 1] == 3.0


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    results = gradient_snr.run(gradient_snr.Config(seeds=8, epochs=3000))
    tanh, relu = (gradient_snr.phase_epochs(results.sel(activation=name)) for name in ("tanh", "relu"))
    for phases in (tanh, relu):  # the first layers of both have a diffusion phase
        assert (phases.diffusion.sel(layer=[1, 2]) > 100).sum("seed").min() >= 4
    hidden = {"layer": slice(0, -1)}
    assert tanh.compresses.sel(layer=[4, 5]).all()
    assert not relu.compresses.isel(hidden).any()
    # tanh layers start to compress well before diffusion does.
    start = tanh.compression.sel(layer=[4, 5])
    assert (start < tanh.network_diffusion).mean() > 0.8
    share = results.saturated.isel(hidden).mean(["seed", "layer"])
    assert float(share.sel(activation="tanh")[-1] - share.sel(activation="tanh")[0]) > 0.3
