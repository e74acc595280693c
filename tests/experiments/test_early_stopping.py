"""Early stopping: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import early_stopping
from experiments.early_stopping.figures import plot_stops
from tests.made import EPOCHS, made_results, results_of


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = early_stopping.run(early_stopping.Config(smoke=True, seeds=2, epochs=60))
    assert results.ixt.dims == ("dataset", "activation", "seed", "epoch", "layer")
    assert results.stop.dims == ("dataset", "activation", "stopping", "seed")
    # The loss at the stop is the first, at recorded epochs too, that is not below those before it.
    for _, arm in early_stopping.arms_of(results):
        for seed, stop in enumerate(arm.stop.sel(stopping="early stopping").values):
            before = np.minimum.accumulate(arm.validation_loss.values[seed, 1:stop])
            assert (np.diff(before) < 0).all()
            if stop < arm.sizes["epoch"] - 1:
                assert arm.validation_loss.values[seed, stop] >= before[-1]
    figures, tables = early_stopping.report(results)
    assert set(figures) == {"planes_symmetric.png", "stops_symmetric.png"}
    assert [table.name for table in tables] == ["stops", "layers", "seeds"]


def test_full_scale_is_the_default_and_no_patience_is_the_papers():
    assert (early_stopping.Config().num_epochs, early_stopping.Config().patience) == (8000, 0)
    with pytest.raises(ValueError, match="patience: expected"):
        early_stopping.Config(patience=-1)


def with_own_stops(arm):
    return early_stopping.with_stops(arm, early_stopping.epochs_of_stops(arm.validation_loss, 0))


@pytest.fixture(scope="module")
def made_up():
    """Losses are best at the 20th recorded epoch; layer 2 compresses by 1 bit before, by 2 after."""
    results = made_results(
        {"dataset": ("symmetric",), "activation": ("tanh",)}, binning="bins of 0.07", patience=0
    )
    place = np.arange(len(EPOCHS))
    results.validation_loss[:] = 0.3 + 0.01 * abs(place - 20)
    # The untrained network's loss does not count, however small.
    results.validation_loss[..., 0] = 0.0
    results.ixt[..., 1] = 6 - (place >= 10) - 2 * (place >= 30)
    results.test_accuracy[..., 20:] = 0.95
    arm = with_own_stops(results.sel(dataset="symmetric", activation="tanh"))
    return arm.expand_dims(dataset=["symmetric"], activation=["tanh"])


def test_stops_are_where_the_loss_says(made_up):
    stops = made_up.stop.sel(dataset="symmetric", activation="tanh")
    assert stops.sel(stopping="perfect stopping").values.tolist() == [20] * 8
    assert stops.sel(stopping="early stopping").values.tolist() == [21] * 8
    assert stops.sel(stopping="all epochs").values.tolist() == [len(EPOCHS) - 1] * 8


def test_the_verdict_says_what_is_compressed_by_then(made_up):
    _, (stops, layers, _) = early_stopping.report(made_up)
    _, text = layers.sentences
    before, after = text.split("all epochs")
    assert before.count("compressed: 2 by 1.00 (1.00 to 1.00)") == 2
    assert "compressed: 2 by 3.00 (3.00 to 3.00)" in after
    perfect = stops.frame.set_index("stopping").loc["perfect stopping"]
    assert perfect.epoch == EPOCHS[20]
    assert perfect[["gain", "gain_low", "gain_high"]].tolist() == pytest.approx([0, 0, 0])


def test_a_diverged_seed_is_left_out(made_up):
    broken = made_up.sel(dataset="symmetric", activation="tanh").copy(deep=True)
    broken.validation_loss[0, 25:] = np.nan
    found = with_own_stops(broken.drop_vars("stop"))
    assert found.stop[:, 0].values.tolist() == [-1, -1, -1]
    stopped = early_stopping.stopped(found, "perfect stopping")
    assert np.isnan(stopped.ixt[0]).all()
    assert np.isfinite(stopped.ixt[1:]).all()


def test_stops_are_drawn_at_their_medians():
    variables = {"validation_loss": np.full((1, 5, 4), 0.5), "ixt": np.full((1, 5, 4, 3), 5.0)}
    results = results_of(variables, {"activation": ["tanh"]})
    stop = (("activation", "stopping", "seed"), [[[1, 1, 2, 2, -1], [3, 3, 3, 3, -1]]])
    results = results.assign(stop=stop).assign_coords(stopping=["early stopping", "perfect stopping"])
    figure = plot_stops(results)
    lines = {line.get_label(): line.get_xdata()[0] for line in figure.axes[1].get_lines()[1:]}
    assert lines == {"early stopping": 5.5, "perfect stopping": 100}
    assert figure.axes[0].get_ylabel() == "tanh\nvalidation loss [nats]"


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """Most of tanh's compression comes after early stopping."""
    results = early_stopping.run(early_stopping.Config(seeds=6, epochs=4000))
    arm = results.sel(dataset="symmetric", activation="tanh")
    amounts = early_stopping.compression_until_stops(arm).sel(layer=5).mean(["halving", "seed"])
    assert float(amounts.sel(stopping="early stopping")) < float(amounts.sel(stopping="all epochs"))
