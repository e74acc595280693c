"""Linear teacher and student: outputs, and the claim with fewer networks."""

import json

import numpy as np
import pytest

from experiments import linear_student_teacher as experiment
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.bottleneck import gaussian_ib_bound


@pytest.fixture(scope="module")
def results():
    return experiment.run(experiment.Config(seeds=5))


@pytest.mark.slow
def test_results_keep_the_contract(results):
    dims = ("optimizer", "seed", "epoch")
    assert results.ixt.dims == results.ity.dims == (*dims, "layer")
    assert results.train_loss.dims == results.test_loss.dims == dims
    assert results.optimal_loss.dims == ("seed",)
    assert results.optimizer.values.tolist() == ["bgd", "sgd"]
    assert results.epoch.values[[0, -1]].tolist() == [0, 200]
    assert {results[name].units for name in ("ixt", "ity")} == {"bits"}
    assert all(variable.attrs["units"] for variable in results.data_vars.values())
    rates = {k: v["learning_rate"] for k, v in json.loads(results.attrs["arms"]).items()}
    assert rates == {"bgd": 0.005, "sgd": 0.00025}
    for name in ("estimator", "dataset", "noise_variance", "num_samples", "snr", "versions", "device"):
        assert name in results.attrs


@pytest.mark.slow
def test_the_claim(results):
    """The network generalises, no layer compresses, and SGD does what full-batch descent does."""
    figures, (errors, compression) = experiment.report(results)
    assert set(figures) == {"information_plane.png", "learning.png"}
    shares = errors.frame
    assert (shares.learnt_low > 0.5).all()
    assert (shares.learnt_low < shares.learnt).all()
    assert (shares.learnt < 1).all()
    assert (compression.frame.compression_high < NEGLIGIBLE_BITS).all()
    assert "no layer compresses" in compression.sentences[1]
    assert "need not compress" in compression.sentences[-1]
    bgd, sgd = (results.sel(optimizer=name) for name in experiment.OPTIMIZERS)
    np.testing.assert_allclose(sgd.ixt, bgd.ixt, rtol=0.05, atol=0.02)
    assert (results.ixt.isel(epoch=-1) > results.ixt.isel(epoch=0)).all()


@pytest.mark.slow
def test_nothing_is_above_its_bound(results):
    """The best learner errs less on average; no layer is above the bottleneck of the largest signal."""
    end = results.isel(epoch=-1)
    assert (end.test_loss.mean("seed") > results.optimal_loss.mean()).all()
    assert (results.optimal_loss > results.noise_loss).all()
    signal = 2 * results.snr  # |teacher|^2 / 100 of every seed is below twice its mean
    best = gaussian_ib_bound([signal / (1 + signal)], results.ixt.values.ravel()).ity
    assert (results.ity.values.ravel() <= best + 1e-5).all()


def test_options_give_a_deeper_network():
    config = experiment.Config(hidden=(50, 50), learning_rate=0.001, smoke=True)
    sgd, bgd = (experiment.arm_config(config, name) for name in ("sgd", "bgd"))
    assert sgd.widths == (50, 50, 1)
    assert (sgd.batch_size, bgd.batch_size) == (5, None)
    assert sgd.learning_rate * 20 == pytest.approx(bgd.learning_rate) == 0.001


@pytest.mark.slow
def test_verdict_names_what_compresses(results):
    falling = results.copy(deep=True)
    falling.ixt.loc[{"optimizer": "sgd", "layer": 1}] = np.linspace(3, 1, results.sizes["epoch"])
    note, bgd, sgd = experiment.compression_table(falling).sentences  # no conclusion
    assert note.startswith("a layer compresses:")
    assert "bgd: no layer compresses" in bgd
    assert sgd == "sgd: layers 1 compress."
