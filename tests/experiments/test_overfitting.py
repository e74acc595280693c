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
    return experiment.run(experiment.Config(smoke=True, epochs=experiment.FULL_EPOCHS))


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
    by_condition = {row[1]: row for row in generalisation.rows}
    assert by_condition[HEAVY][2:7] == [0.5, 1.0, 0, 10.0, 9.5]
    assert by_condition[NONE][5:7] == [1.0, 0.5]
    assert len(amount.rows) == 2 + 2 + 6
    assert amount.rows[4][2:4] == [1, 2.0]  # layer 1 of tanh falls from 2 bits
    correlations = {tuple(row[:3]): row[3:] for row in together.rows}
    assert correlations["tanh", WORDS, 1][0] == pytest.approx(-1)
    assert correlations["tanh", "all", 1][3] == pytest.approx(1)
    assert correlations["tanh", "all", 1][-1] == 6
    assert correlations["linear", "all", 2][-1] == 12
    assert np.isnan(correlations["linear", HEAVY, 2][0])  # without compression
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
    linear = [row for row in tables[1].rows if row[0] == "linear"]
    assert len(linear) == 4
    assert all(row[8] < NEGLIGIBLE_BITS for row in linear)  # the upper end of the interval
    tanh = [row for row in tables[1].rows if row[0] == "tanh"]
    assert any(row[7] > NEGLIGIBLE_BITS for row in tanh[:5])  # the lower end, of a hidden layer
    (of_words,) = [row for row in tables[0].rows if row[0] == "tanh"]
    assert of_words[7] > 0.05  # the lower end of the gap, nats


def test_full_scale_is_the_default():
    arms = experiment.arms_of(experiment.Config())
    assert len(arms) == 9
    assert {arm.training.num_epochs for arm in arms.values()} == {8000}
    assert {arm.training.batch_size for arm in arms.values()} == {20, 60, 200, 256}
    assert arms["85% of words"].num_samples == 3482
