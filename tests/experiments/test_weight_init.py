"""Weight init: the design, the contract of a small run, and what the tables say."""

import numpy as np
import pytest
import xarray as xr

from experiments import weight_init
from ibjax.analysis.factorial import variance_components
from tests.analysis.test_factorial import drawn_table
from tests.made import made_results


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_crosses_weights_with_data():
    results = weight_init.run(weight_init.Config(smoke=True, seeds=4, epochs=2))
    assert results.ixt.dims == ("dataset", "first", "later", "seed", "epoch", "layer")
    assert results.init.values.tolist() == [0, 0, 1, 1]
    assert results.draw.values.tolist() == [0, 1, 0, 1]
    start = results.sel(dataset="symmetric", first="tanh", later="tanh").isel(epoch=0)
    # Measured on the training samples: the same for the same draw and weights alone.
    assert len(np.unique(start.train_loss.values.round(6))) == 4
    figures, tables = weight_init.report(results)
    assert set(figures) == {"variance_symmetric.png"}
    assert [table.name for table in tables] == ["variance", "seeds"]


def test_full_scale_is_thirteen_weights_times_thirteen_draws():
    config = weight_init.Config()
    assert (len(config.seed_range), config.draws) == (169, 13)


@pytest.mark.parametrize(("seeds", "draws"), [(169, 13), (50, 7), (11, 3), (4, 2), (2, 1), (1, 1)])
def test_fewer_networks_make_smaller_designs(seeds, draws):
    assert weight_init.Config(seeds=seeds).draws == draws


@pytest.mark.parametrize("weights", [0.1, 0.2, 0.5])
def test_the_design_finds_a_share_of_a_fifth(weights):
    """Power of the data's F test, by simulation with normal effects."""
    design = weight_init.NUM_INITS, weight_init.NUM_DRAWS
    table = drawn_table(np.random.default_rng(0), *design, (weights, 0.2, 0.8 - weights), 2000)
    assert (variance_components(table).p_columns < weight_init.SIGNIFICANT).mean() > 0.8


def test_networks_beyond_the_last_whole_row_take_no_part(made_up):
    more = made_up.isel(seed=[*range(50), 0])
    more["init"] = ("seed", [*made_up.init.values, 10])
    more["draw"] = ("seed", [*made_up.draw.values, 0])
    whole, longer = (weight_init.variance_parts(results) for results in (made_up, more))
    xr.testing.assert_allclose(longer.sel(outcome="final"), whole.sel(outcome="final"))


def test_two_networks_are_no_design_and_say_so(made_up):
    two = made_up.isel(seed=[0, 5])
    figures, (table, _) = weight_init.report(two)
    assert "all missing where there are not two" in table.sentences[0]
    assert table.frame.p_data.isna().all()
    assert table.frame.weights.isna().all()
    assert set(figures) == {"variance_symmetric.png"}


@pytest.fixture(scope="module")
def made_up():
    """Layer 2 ends where the weights say, layer 3 where the data say, to 0.001 bits."""
    levels = ("tanh", "relu")
    factors = {"dataset": ("symmetric",), "first": levels, "later": levels}
    results = made_results(factors, seeds=50, binning="bins of 0.07")
    init, draw = np.divmod(np.arange(50), 5)
    rng = np.random.default_rng(1)
    results.ixt[..., 1] += rng.normal(size=10)[init][:, None]
    results.ixt[..., 2] += rng.normal(size=5)[draw][:, None]
    return results.assign_coords(init=("seed", init), draw=("seed", draw))


def test_shares_of_next_to_nothing_are_not_drawn(made_up):
    figures, _ = weight_init.report(made_up)
    final = figures["variance_symmetric.png"].axes[4]
    heights = np.array([bar.get_height() for bar in final.patches]).reshape(3, -1)
    assert np.isnan(heights[:, 0]).all()
    assert not np.isnan(heights[:, 1:3]).any()


def test_the_verdict_says_where_the_variance_comes_from(made_up):
    _, (table, _) = weight_init.report(made_up)
    _, *verdicts = table.sentences
    compression, final = verdicts[0], verdicts[4]
    assert "compression of I(X;T): no layer. Standard deviations of at most 0.05" in compression
    assert "layer 2 (" in final
    assert "bits): weights 100% (100% to 100%), data 0% (0% to 0%), data in all 0% (0% to 0%)" in final
    assert "weights 0% (0% to 0%), data 100% (100% to 100%), data in all 100%" in final
    assert final.endswith("unknown: layers 1. Main effect of the data found (p < 0.001): layers 3.")
    by_arm = table.frame.set_index(["outcome", "dataset", "first", "later", "layer"])
    row = by_arm.loc["final", "symmetric", "tanh", "relu", 2]
    assert row["std"] > 0.3
    assert row.weights == pytest.approx(1, abs=0.001)
    assert row.total_data == pytest.approx(0, abs=0.001)


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """ReLU mixes' first layers differ by their initial weights above all."""
    results = weight_init.run(weight_init.Config(seeds=20, epochs=200))
    parts = weight_init.variance_parts(results).sel(outcome="final", dataset="symmetric")
    own = parts.sel(first="relu", later="relu", layer=3)
    assert float(own.weights) > float(own.data)
