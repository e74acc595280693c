"""Pruning: the contract of a small run, the loop of removals, what the tables say."""

import numpy as np
import pytest

from experiments import pruning


@pytest.fixture(scope="module")
def small():
    """With so large a threshold all layers but the first go at once."""
    return pruning.run(pruning.Config(smoke=True, seeds=3, epochs=30, threshold=50.0))


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
    figures, tables = pruning.report(small)
    assert set(figures) == {"planes_symmetric.png", "pruning_symmetric.png"}
    assert [table.name for table in tables] == ["steps", "thresholds", "distances"]


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
    _, (steps, thresholds, _) = pruning.report(made)
    arms = pruning.trained_arms(made).values()
    assert thresholds.frame["at_0.5"].tolist() == [pruning.removable(arm, 0.5) for arm in arms]
    counts = thresholds.frame[[f"at_{x}" for x in pruning.THRESHOLDS]].to_numpy()
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


def test_full_scale_is_the_default():
    assert pruning.HIDDEN == (10, 7, 5, 4, 3, 3, 3, 3, 3, 3)
    config = pruning.Config()
    assert (len(config.seed_range), config.patience, config.threshold) == (50, 0, 1.0)
    for name, value in (("patience", -1), ("threshold", 0.0)):
        with pytest.raises(ValueError, match=f"{name}: expected"):
            pruning.Config(**{name: value})
