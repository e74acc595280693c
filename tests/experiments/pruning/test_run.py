"""Pruning: the contract of a small run, the loop of removals, what the tables say."""

import numpy as np
import pytest

from experiments import pruning
from experiments.pruning.analysis import accuracy_of_all
from experiments.pruning.tables import THRESHOLDS

CONFIG = pruning.Config(smoke=True, seeds=3, epochs=30, threshold=50.0)


@pytest.fixture(scope="module")
def small():
    """With so large a threshold all layers but the first go at once."""
    return pruning.run(CONFIG)


@pytest.mark.slow
def test_a_small_run_prunes_trains_anew_and_stops(small):
    assert small.ixt.dims == ("dataset", "activation", "step", "seed", "epoch", "layer")
    assert small.step.values.tolist() == ["0", "1"]
    assert small.num_layers.sel(dataset="symmetric", activation="tanh").values.tolist() == [4, 2]
    second = small.sel(dataset="symmetric", activation="tanh", step="1")
    assert small.stop.dims == ("dataset", "activation", "step", "seed")
    recorded = np.isfinite(second.ixt.isel(layer=0)).any("seed")
    assert set(second.stop.values) <= set(second.epoch.values[recorded])
    assert np.isfinite(second.ixt.isel(layer=[0, 1], epoch=recorded.values)).all()
    assert np.isnan(second.ixt.isel(layer=[2, 3])).all()
    labelled = [*small.data_vars, *pruning.REMOVALS]
    assert [name for name in labelled if "units" not in small[name].attrs] == []
    figures, tables = pruning.report(small)
    assert set(figures) == {f"{name}_symmetric.png" for name in ("planes", "pruning", "removals")}
    names = ["steps", "controls", "trained", "ends", "thresholds", "distances"]
    assert [table.name for table in tables] == names


@pytest.mark.slow
def test_layers_are_removed_from_trained_networks(small):
    """A network without removals is the recorded one; the criterion's choice removes the last layers."""
    assert small.end_accuracy.dims == (*pruning.FACTORS, "num_removed", "seed")
    assert small.bridged_accuracy.dims == (*pruning.FACTORS, "choice", "seed")
    for arm in pruning.trained_arms(small).values():
        np.testing.assert_allclose(arm.end_accuracy.sel(num_removed=0), accuracy_of_all(arm), atol=1e-6)
    first = small.sel(step="0")
    np.testing.assert_array_equal(
        first.bridged_accuracy.sel(choice=0), first.end_accuracy.sel(num_removed=2)
    )
    assert first.choice_removes[0, 0].values[:, :3].tolist() == [[0, 1, 1], [1, 1, 0], [1, 0, 1]]
    last = small.sel(step="1")
    assert np.isnan(last.bridged_accuracy.sel(choice=[1, 2])).all()
    assert not small.dead.any()


@pytest.mark.slow
def test_controls_train_as_steps_do(small):
    """Of three layers 5-3-3 without two, 3 alone is left: the only network but the criterion's 5."""
    first = small.sel(step="0", dataset="symmetric", activation="tanh")
    assert np.isfinite(first.control_accuracy).any("seed").values.tolist() == [False, True, False]
    assert np.isnan(small.control_accuracy.sel(step="1")).all()
    assert first.control_removes.sel(rule="random 1").values[:3].sum() == 2
    levels = ("symmetric", "tanh", "0", "again")
    again = pruning.train_control(CONFIG, levels, (5,), None)
    step = small.sel(step="1", dataset="symmetric", activation="tanh")
    np.testing.assert_array_equal(again.stop, step.stop)
    np.testing.assert_allclose(accuracy_of_all(again), accuracy_of_all(step), atol=1e-6)


@pytest.mark.slow
def test_steps_that_an_activation_does_not_need_are_empty(small):
    made = small.copy(deep=True)
    for name in ("ixt", "ity"):
        made[name].loc[{"activation": "relu", "step": "1"}] = np.nan
    _, (steps, *_) = pruning.report(made)
    arms = steps.frame[["activation", "step"]].to_numpy().tolist()
    assert arms == [["tanh", "0"], ["tanh", "1"], ["relu", "0"]]
    assert steps.sentences[-1].endswith("nothing is removed.")


@pytest.mark.slow
def test_the_tables_say_what_pruning_costs(small):
    made = small.copy(deep=True)
    gain = np.array([0.05, 0.06, 0.07])
    made.test_accuracy.loc[{"step": "0"}] = 0.9
    made.test_accuracy.loc[{"step": "1"}] = 0.9 + gain[:, None]
    _, (steps, *_, thresholds, _) = pruning.report(made)
    arms = pruning.trained_arms(made).values()
    assert thresholds.frame["at_0.5"].tolist() == [pruning.removable(arm, 0.5) for arm in arms]
    counts = thresholds.frame[[f"at_{x}" for x in THRESHOLDS]].to_numpy()
    assert (np.diff(counts.astype(int), axis=1) >= 0).all()
    tanh = steps.frame[steps.frame.activation == "tanh"]
    assert tanh[["hidden", "removed_next"]].to_numpy().tolist() == [[3, 2], [1, 0]]
    assert tanh.accuracy[1] == pytest.approx(0.96)
    assert tanh.paper.tolist() == [0.8768, 0.8780]
    assert "1 prunings; accuracy changes by 0.0600" in steps.sentences[1]
    assert steps.sentences[1].endswith("pruning gains accuracy.")


@pytest.mark.slow
def test_dead_networks_take_no_part(small):
    arm = pruning.trained_arms(small)["symmetric", "tanh", "0"].copy(deep=True)
    arm.num_varying[0, :, 1] = 0
    assert pruning.alive(arm).tolist() == [False, True, True]
    assert np.isnan(pruning.hidden_distances(arm)[0]).all()
    assert np.isnan(pruning.stop_accuracy(arm)).tolist() == [True, False, False]


@pytest.mark.slow
def test_controls_are_trained_until_they_have_stopped():
    """The same networks as those trained to the end, of which none stops later."""
    config = pruning.Config(smoke=True, seeds=3, epochs=480, optimizer="sgd")
    levels = ("symmetric", "relu", "0", "random 1")
    short = pruning.train_control(config, levels, (5,), None)
    full = pruning.train_control_until(config, levels, (5,), None)
    assert (short.sizes["epoch"], full.sizes["epoch"]) == (61, 481)
    assert int(full.stop.min()) > 0
    assert int(full.stop.max()) < 60
    np.testing.assert_array_equal(short.stop, full.stop)
    for name in ("validation_loss", "test_accuracy", "num_varying"):
        np.testing.assert_array_equal(short[name], full[name].isel(epoch=slice(61)))


def test_full_scale_is_the_default():
    assert pruning.HIDDEN == (10, 7, 5, 4, 3, 3, 3, 3, 3, 3)
    config = pruning.Config()
    assert (len(config.seed_range), config.patience, config.threshold) == (50, 0, 1.0)
    for name, value in (("patience", -1), ("threshold", 0.0)):
        with pytest.raises(ValueError, match=f"{name}: expected"):
            pruning.Config(**{name: value})
