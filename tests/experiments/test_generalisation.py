"""Generalisation: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest
import xarray as xr

from experiments import generalisation
from experiments.generalisation.figures import plot_generalisation
from tests.made import EPOCHS, QUALITY, made_results, results_of

PLACE = np.arange(len(EPOCHS))


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = generalisation.run(generalisation.Config(smoke=True, seeds=2, epochs=2))
    assert results.ixt.dims == ("dataset", "activation", "seed", "epoch", "layer")
    figures, tables = generalisation.report(results)
    assert set(figures) == {"generalisation_symmetric.png"}
    assert [table.name for table in tables] == ["loss", "phases", "seeds"]


def test_full_scale_is_the_default():
    assert len(generalisation.Config().seed_range) == 50
    assert generalisation.Config().num_epochs == 8000


@pytest.fixture
def made_up():
    """tanh: loss rises by 0.2 nats from record 20 on, layer 2 compresses from 10 on; relu: neither."""
    results = made_results(
        {"dataset": ("symmetric",), "activation": ("tanh", "relu")}, binning="bins of 0.07"
    )
    results.validation_loss[:, 0] = 0.5 + np.where(PLACE > 20, 0.2, 0.01 * abs(PLACE - 20))
    results.validation_loss[:, 1] = 0.9 - 0.01 * PLACE
    results.ixt[:, 0, :, :, 1] = 6 - 2.0 * (PLACE > 10)
    results.ity[..., 1] = 0.5 + 0.4 * (PLACE > 5)
    return results


def test_the_verdict_says_whether_the_loss_rises_while_accuracy_holds(made_up):
    figures, (loss, phases, _) = generalisation.report(made_up)
    _, tanh, relu = loss.sentences
    assert f"least at epoch {EPOCHS[20]} " in tanh
    assert "rises by 0.20 (0.20 to 0.20) nats" in tanh
    assert "accuracy holds follows; it does in 100% of 8" in tanh
    assert "does not follow; it does in 0% of 8" in relu
    _, tanh, relu = phases.sentences
    assert "2 (starts before in 100%" in tanh
    assert "none compresses" in relu
    assert len(figures["generalisation_symmetric.png"].axes) == 6


def test_a_rise_with_falling_accuracy_is_another_thing(made_up):
    made_up.validation_accuracy[:, 0, :, 30:] = 0.7
    _, (loss, _, _) = generalisation.report(made_up)
    assert "does not follow; it does in 0% of 8" in loss.sentences[1]


def test_a_diverged_seed_is_left_out(made_up):
    made_up.validation_loss[:, 0, 0, 30:] = np.nan
    _, (loss, phases, _) = generalisation.report(made_up)
    assert "of 7 networks" in loss.sentences[1]
    assert "2 (starts before in 100% of 7;" in phases.sentences[1]


def test_loss_and_accuracy_beside_the_phases():
    rng = np.random.default_rng(0)
    quality = {name: rng.uniform(0.1, 1, (1, 5, 4)) for name in QUALITY}
    results = results_of(quality, {"activation": ["tanh"]})
    own = ("activation", "seed", "layer")
    values = {"fitting_end": 2.0, "compression_start": 10.0, "compression_end": 90.0}
    phases = xr.Dataset(
        {name: (own, np.full((1, 5, 3), value)) for name, value in values.items()},
        {"activation": ["tanh"], "layer": [1, 2, 3]},
    )
    phases.compression_start[0, :3, 0] = np.nan
    rises = xr.Dataset(
        {"epoch": (("activation", "seed"), [[3.0, 4, 5, 6, np.nan]])}, {"activation": ["tanh"]}
    )
    axes = plot_generalisation(results, phases, rises).axes
    assert axes[0].get_ylabel() == "tanh\ncross-entropy [nats]"
    assert axes[1].get_lines()[-1].get_xdata()[0] == 4.5
    bars = [line.get_xdata().tolist() for line in axes[2].get_lines()[:-1:2]]
    assert np.isnan(bars[0][0])  # of two seeds of five alone
    assert bars[1:] == [[10, 90], [10, 90]]


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    results = generalisation.run(generalisation.Config(seeds=6, epochs=4000))
    found = generalisation.since_minimum(results.sel(dataset="symmetric", activation="tanh"))
    assert float(found.loss_rise.mean()) > 0.05
    assert float(found.accuracy_change.mean()) > -0.01
