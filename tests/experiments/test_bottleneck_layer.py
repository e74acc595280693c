"""Bottleneck layer: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import bottleneck_layer
from tests.made import made_results

ESTIMATORS = ("bins of 0.07", "bins of 0.3", "exact")


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = bottleneck_layer.run(bottleneck_layer.Config(smoke=True, seeds=2, epochs=2))
    assert results.ixt.dims == ("dataset", "activation", "estimator", "seed", "epoch", "layer")
    assert results.estimator.values.tolist() == list(ESTIMATORS)
    figures, tables = bottleneck_layer.report(results)
    assert set(figures) == {"planes_symmetric.png", "narrow_and_wide_symmetric.png"}
    assert [table.name for table in tables] == ["violations", "seeds"]


def test_full_scale_is_the_default():
    assert bottleneck_layer.HIDDEN == (12, 3, 2, 12, 2)
    assert len(bottleneck_layer.Config().seed_range) == 50


@pytest.fixture
def made_up():
    """By bins of 0.07 layer 4 shows 0.5 bits more than layer 3 in 6 of 8 networks, from epoch 100 on."""
    factors = {"dataset": ("symmetric",), "activation": ("tanh",), "estimator": ESTIMATORS}
    results = made_results(factors, layers=6)
    results.ixt[..., 2], results.ixt[..., 3] = 4.0, 4.0
    late = results.epoch.values >= 100
    results.ixt[0, 0, 0, :6, late, 3] = 4.5
    return results


def test_networks_that_seem_to_violate_are_counted(made_up):
    _, (table, _) = bottleneck_layer.report(made_up)
    by_name = table.frame.set_index("estimator")
    assert by_name.loc["bins of 0.07", ["seeds", "violate_at_end"]].tolist() == [8, 0.75]
    assert by_name.loc["bins of 0.3", "violate_at_end"] == 0
    assert "in 6 of 8 networks at some epoch, in 6 at the end" in table.sentences[1]
    assert table.sentences[3].endswith("as must be.")


def test_exact_states_that_violate_are_called_wrong(made_up):
    made_up.ixt[0, 0, 2, 0, -1, 3] = 5.0
    _, (table, _) = bottleneck_layer.report(made_up)
    assert table.sentences[3].endswith("something is wrong with the measurement.")


def test_diverged_networks_are_left_out(made_up):
    made_up.ixt[0, 0, 0, 0, 5:] = np.nan
    _, (table, _) = bottleneck_layer.report(made_up)
    assert table.frame.seeds[0] == 7


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    results = bottleneck_layer.run(bottleneck_layer.Config(seeds=8, epochs=3000))
    ever = (bottleneck_layer.excess_of_wide(results) > 0).any("epoch").sum("seed")
    ever = ever.sel(dataset="symmetric")
    assert int(ever.sel(activation="tanh", estimator="bins of 0.07")) >= 4
    assert int(ever.sel(estimator="exact").sum()) == 0
