"""Overtraining and compression: outputs, the claim with fewer networks, and what tables say."""

import json

import numpy as np
import pytest

from experiments import overfitting as experiment
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from tests.made import results_of

HEAVY, NONE, WORDS = "100 samples, SNR 1", "1000 samples, SNR 10", "30% of words"
FIGURES = {f"{kind}_{name}.png" for kind in ("linear", "tanh") for name in ("learning", "plane")}


@pytest.fixture(scope="module")
def results():
    """Two linear conditions and one of tanh, at full length, with few networks."""
    return experiment.run(experiment.Config(smoke=True, epochs=experiment.FULL.epochs))


@pytest.fixture(scope="module")
def made_up():
    """Six networks a condition; the gap follows the final I(X;T) of tanh, whose layer 1 compresses."""
    rng, seeds, epochs = np.random.default_rng(0), 6, 5
    ixt = np.linspace(1, 2, epochs)[:, None] + 0.01 * rng.random((3, seeds, 1, 6))
    amount = 0.2 + 0.1 * rng.random(seeds)
    ixt[2, :, :, 0] = 2 - amount[:, None] * np.linspace(0, 1, epochs)
    ixt[:2, ..., 2:] = np.nan
    test = np.ones((3, seeds, epochs))
    test[0] += np.linspace(0, 9, epochs)
    test[2] += ixt[2, :, :, 0]
    quality = {"train_loss": 0.5 + 0 * test, "test_loss": test, "test_accuracy": 0.9 + 0 * test}
    results = results_of(
        {"ixt": ixt, "ity": ixt / 4} | quality, {"condition": [HEAVY, NONE, WORDS]}, epochs=range(epochs)
    )
    return results.assign_coords(
        network=("condition", ["linear", "linear", "tanh"]),
        num_layers=("condition", [2, 2, 6]),
        num_samples=("condition", [100, 1000, 1229]),
        snr=("condition", [1.0, 10.0, np.nan]),
    )


def test_tables_say_what_the_networks_do(made_up):
    figures, (generalisation, amount, together) = experiment.report(made_up)
    assert set(figures) == FIGURES
    by_condition = generalisation.frame.set_index("condition")
    errors = ["train_end", "test_lowest", "at_epoch", "test_end", "gap"]
    assert by_condition.loc[HEAVY, errors].tolist() == [0.5, 1.0, 0, 10.0, 9.5]
    assert by_condition.loc[NONE, ["test_end", "gap"]].tolist() == [1.0, 0.5]
    assert len(amount.frame) == 2 + 2 + 6
    assert amount.frame.loc[4, ["layer", "peak"]].tolist() == [1, 2.0]  # layer 1 of tanh falls
    correlations = together.frame.set_index(["network", "networks", "layer"])
    assert correlations.compression_rho["tanh", WORDS, 1] == pytest.approx(-1)
    assert correlations.final_rho["tanh", "all", 1] == pytest.approx(1)
    assert correlations["count"]["tanh", "all", 1] == 6
    assert correlations["count"]["linear", "all", 2] == 12
    assert np.isnan(correlations.compression_rho["linear", HEAVY, 2])  # without compression
    linear, tanh, _ = together.sentences
    assert linear.startswith(
        f"linear: the gap is 9.50 with {HEAVY} and 0.50 with {NONE}; a hidden layer"
    )
    assert "in 0 of 2 conditions. Generalisation differs where nothing compresses." in linear
    assert tanh.endswith("in 1 of 1 conditions. Networks overfit though they compress.")


@pytest.mark.slow
def test_results_keep_the_contract(results):
    dims = ("condition", "seed", "epoch")
    assert results.condition.values.tolist() == [HEAVY, NONE, WORDS]
    assert results.ixt.dims == results.ity.dims == (*dims, "layer")
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert results[name].dims == dims
    assert results.network.values.tolist() == ["linear", "linear", "tanh"]
    assert results.num_samples.values.tolist() == [100, 1000, 1229]
    np.testing.assert_array_equal(results.snr, [1.0, 10.0, np.nan])
    assert results.num_layers.values.tolist() == [2, 2, 6]
    assert results.ixt.sel(condition=HEAVY, layer=slice(3, None)).isnull().all()
    assert np.isfinite(results.ixt.sel(condition=WORDS)).all()
    assert results.train_accuracy.sel(condition=HEAVY).isnull().all()
    assert all(variable.attrs["units"] for variable in results.data_vars.values())
    assert json.loads(results.attrs["arms"])[NONE]["batch_size"] == 200


@pytest.mark.slow
def test_the_claim(results):
    """One linear network overtrains, the other does not; neither compresses. tanh does, and overfits."""
    figures, tables = experiment.report(results)
    assert set(figures) == FIGURES
    assert [table.name for table in tables] == ["generalisation", "compression", "together"]
    test = results.test_loss.mean("seed")
    overtrained = test.isel(epoch=-1) / test.min("epoch")
    assert overtrained.sel(condition=HEAVY) > 1.3
    assert overtrained.sel(condition=NONE) < 1.05
    gap = experiment.gap(results)
    assert (gap.sel(condition=HEAVY) > 10 * gap.sel(condition=NONE)).all()
    amounts = tables[1].frame.set_index("network")
    assert len(amounts.loc["linear"]) == 4
    assert (amounts.compression_high["linear"] < NEGLIGIBLE_BITS).all()
    assert (amounts.compression_low["tanh"][:5] > NEGLIGIBLE_BITS).any()  # hidden layers
    assert tables[0].frame.set_index("network").gap_low["tanh"] > 0.05  # nats


def test_full_scale_is_the_default():
    conditions = experiment.conditions_of(experiment.Config())
    trainings = [condition.arm.training for condition in conditions.values()]
    assert len(trainings) == 9
    assert {training.num_epochs for training in trainings} == {8000}
    assert {training.batch_size for training in trainings} == {20, 60, 200, 256}
    assert conditions["85% of words"].num_samples == 3482
