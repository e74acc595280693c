"""What the tables say, on made-up results whose numbers are known."""

import json

import numpy as np
import pytest

from experiments.pruning.analysis import (
    control_accuracies,
    hidden_widths,
    known_choices,
    removals_of,
    trained_arms,
)
from experiments.pruning.choices import all_choices
from experiments.pruning.tables import controls_table, ends_table, steps_table, trained_table
from experiments.pruning.trained import removal_mask
from tests.made import made_results

SEEDS = 8
DEAD = 0  # the seed that is dead in step 0


@pytest.fixture(scope="module")
def made():
    """Five hidden layers, of which the last two are alike: whole 0.8, without two of them 0.7.

    The dead network has an accuracy of 0.5 wherever it is.
    """
    widths = {"0": "[6, 5, 4, 3, 3, 2]", "1": "[6, 5, 4, 2]"}
    arms = {f"symmetric/tanh/{step}": {"widths": text} for step, text in widths.items()}
    factors = {"dataset": ("symmetric",), "activation": ("tanh",), "step": ("0", "1")}
    results = made_results(factors, seeds=SEEDS, layers=6, arms=json.dumps(arms))
    results = results.assign_coords(num_layers=(tuple(factors), [[[6, 4]]]))
    for layer, bits in ((1, 12.0), (2, 9.0), (3, 7.0)):
        results.ixt.loc[{"layer": layer}] = bits
    results.ixt[:, :, 0, :, :, 3:5] = 6.99
    for name in ("ixt", "ity"):
        results[name].loc[{"step": "1", "layer": [5, 6]}] = np.nan
    stop = np.full((1, 1, 2, SEEDS), int(results.epoch[20]))
    results["stop"] = (*factors, "seed"), stop
    results["diverged"] = (*factors, "seed"), np.zeros((1, 1, 2, SEEDS), bool)
    jitter = 0.001 * np.arange(SEEDS)
    whole, anew = 0.8 + jitter, 0.85 + jitter
    whole[DEAD] = 0.5
    results.test_accuracy[0, 0] = np.stack([whole, anew])[:, :, None]
    results.num_varying[0, 0, 0, DEAD, :, 1] = 0
    results["dead"] = (*factors, "seed"), np.arange(SEEDS) == np.full((1, 1, 2, 1), DEAD)
    choices = all_choices(5, 2)
    bridged = np.full((len(choices), SEEDS), 0.6) + jitter
    bridged[0], bridged[1] = 0.7 + jitter, 0.75 + jitter
    bridged[:, DEAD] = 0.5
    numbers = np.full((1, 1, 2, len(choices), SEEDS), np.nan)
    numbers[0, 0, 0], numbers[0, 0, 1, 0] = bridged, anew
    results["bridged_accuracy"] = (*factors, "choice", "seed"), numbers
    _, mask, _ = removal_mask("choice", choices, 6)
    masks = np.full((1, 1, 2, len(choices), 6), np.nan)
    masks[0, 0, 0], masks[0, 0, 1, 0, :4] = mask, 0
    results["choice_removes"] = (*factors, "choice", "layer"), masks
    ends = np.full((1, 1, 2, 5, SEEDS), np.nan)
    ends[0, 0, 0] = whole - 0.05 * np.arange(5)[:, None]
    ends[0, 0, 1, :3] = anew
    results["end_accuracy"] = (*factors, "num_removed", "seed"), ends
    rules = ["farthest", "random 1", "random 2"]
    accuracy = np.full((1, 1, 2, 3, SEEDS), np.nan)
    accuracy[0, 0, 0, 0] = 0.75 + jitter
    accuracy[0, 0, 0, 1] = 0.9 + jitter
    results["control_accuracy"] = (*factors, "rule", "seed"), accuracy
    dead = np.zeros_like(accuracy, bool)
    dead[0, 0, 0, 0, 1] = True
    results["control_dead"] = (*factors, "rule", "seed"), dead
    results["control_stop"] = (*factors, "rule", "seed"), np.where(np.isnan(accuracy), -1, 7)
    _, mask, _ = removal_mask("rule", [(2, 3), (1, 4), None], 6)
    masks = np.full((1, 1, 2, 3, 6), np.nan)
    masks[0, 0, 0] = mask
    results["control_removes"] = (*factors, "rule", "layer"), masks
    return results.assign_coords(
        rule=rules, choice=range(len(choices)), num_removed=range(5)
    ).assign_attrs(threshold=1.0)


@pytest.fixture(scope="module")
def arms(made):
    return trained_arms(made)


def test_widths_come_from_the_provenance(arms):
    assert [hidden_widths(arm) for arm in arms.values()] == [(6, 5, 4, 3, 3), (6, 5, 4)]


def test_choices_and_rules_are_those_of_the_step(arms):
    first, second = arms.values()
    assert known_choices(first).sizes["choice"] == 10
    assert known_choices(second).sizes["choice"] == 1
    assert [*control_accuracies(first)] == ["farthest", "random 1"]
    assert control_accuracies(second) == {}
    dead = np.isnan(control_accuracies(first)["farthest"])
    assert dead.tolist() == [False, True] + [False] * 6


def test_accuracies_are_told_with_dead_networks_and_without(arms):
    frame = steps_table(arms, 1.0).frame
    alive = 0.8 + 0.001 * np.arange(1, SEEDS).mean()
    assert frame.accuracy[0] == pytest.approx(alive)
    assert frame.of_all[0] == pytest.approx((7 * alive + 0.5) / 8)
    assert frame.of_all_low[0] < frame.of_all[0] < frame.of_all_high[0]
    assert frame.change[1] == pytest.approx(0.05)
    assert frame.change_of_all[1] == pytest.approx((7 * 0.05 + 0.35) / 8)
    assert frame[["removed_next", "dead"]].to_numpy().tolist() == [[2, 1], [0, 0]]


def test_other_layers_are_compared_within_seeds(arms):
    table = controls_table(arms)
    cells = table.frame[["step", "rule", "removed", "left", "dead"]].to_numpy().tolist()
    assert cells == [["0", "farthest", "2 3", "6-3-3", 1], ["0", "random 1", "1 4", "5-4-3", 0]]
    better = table.frame[["better", "better_low", "better_high"]].to_numpy(float)
    np.testing.assert_allclose(better, [[0.1] * 3, [-0.05] * 3])
    np.testing.assert_allclose(table.frame.better_of_all.to_numpy(float), [0.1, -0.05])
    assert table.sentences[1].startswith("symmetric, tanh, step 0: trained anew, ")
    assert "in 1 of 2 choices, worse in 1, by intervals" in table.sentences[1]


def test_trained_networks_lose_what_choices_say(arms):
    table = trained_table(arms)
    frame = table.frame.set_index("rule")
    assert [*frame.index] == ["criterion", "farthest", "others"]
    assert frame.removed.tolist() == ["4 5", "2 3", ""]
    assert frame.change["criterion"] == pytest.approx(-0.1)
    assert frame.before_of_all["criterion"] - frame.after_of_all["criterion"] == pytest.approx(0.0875)
    others = (0.75 + 8 * 0.6) / 9
    assert frame.better["others"] == pytest.approx(0.7 - others)
    assert (frame.above["criterion"], frame.above["farthest"]) == (1, 2)
    assert (
        "step 0: without the last 2 layers, not trained anew, accuracy changes by -0.1000"
        in (table.sentences[1])
    )
    assert table.sentences[1].endswith("1 of the 9 other choices of as many layers have a higher mean.")


def test_ends_tell_which_thresholds_remove_them(arms):
    frame = ends_table(arms).frame
    assert frame.step.tolist() == ["0"] * 5 + ["1"] * 3
    first = frame[frame.step == "0"]
    np.testing.assert_allclose(first.above.to_numpy(float), [0, 0, 0.01, 2, 3], atol=0.01)
    np.testing.assert_allclose(first.change.to_numpy(float), -0.05 * np.arange(5), atol=1e-12)


def test_without_any_removal_tables_have_columns_alone(made):
    arms = trained_arms(made.isel(step=[1]))
    for table in (controls_table(arms), trained_table(arms)):
        assert len(table.frame) == 0
        assert "better_low" in table.frame
    shown = removals_of(trained_arms(made.isel(step=[1]).assign_coords(step=["0"])), "symmetric", 1.0)
    assert shown["counts"] == {"tanh": 0}
    assert shown["anew"] == {"tanh": {}}


def test_figures_show_living_networks(arms):
    shown = removals_of(arms, "symmetric", 1.0)
    assert shown["counts"] == {"tanh": 2}
    assert [*shown["anew"]["tanh"]] == ["criterion", "farthest", "random 1"]
    assert np.isnan(shown["ends"]["tanh"][:, DEAD]).all()
    assert shown["choices"]["tanh"].shape == (10, SEEDS)
