"""Mixed activations: the contract of a small run, what the tables say, and the claim."""

import json

import numpy as np
import pytest

from experiments import mixed_activations
from tests.made import EPOCHS, made_results

LEVELS = mixed_activations.LEVELS


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = mixed_activations.run(mixed_activations.Config(smoke=True, seeds=2, epochs=2))
    assert results.ixt.dims == ("dataset", "first", "later", "seed", "epoch", "layer")
    assert results["first"].values.tolist() == results["later"].values.tolist() == list(LEVELS)
    arm = json.loads(results.attrs["arms"])["symmetric/relu/tanh"]
    assert json.loads(arm["activation"]) == ["relu", "relu", "tanh", "tanh", "tanh"]
    figures, tables = mixed_activations.report(results)
    assert set(figures) == {"planes_symmetric.png", "effects_symmetric.png"}
    assert [table.name for table in tables] == ["mixes", "effects", "seeds"]


def test_full_scale_is_the_default():
    assert len(mixed_activations.Config().seed_range) == 50
    assert mixed_activations.Config().num_epochs == 8000


@pytest.fixture(scope="module")
def made_up():
    """tanh first: layer 4 loses 2 bits late; later tanh: layer 5 has 1 bit less throughout."""
    factors = {"dataset": ("symmetric",), "first": LEVELS, "later": LEVELS}
    results = made_results(factors, layers=6, binning="bins of 0.07")
    late = np.arange(len(EPOCHS)) > 20
    results.ixt[:, 0, :, :, :, 3] -= 2.0 * late
    results.ixt[:, :, 0, :, :, 4] -= 1.0
    return results


def test_effects_are_those_put_in(made_up):
    found = mixed_activations.effects(mixed_activations.outcomes(made_up)).mean(["halving", "seed"])
    own = found.sel(dataset="symmetric")
    first, later = own.sel(effect="first"), own.sel(effect="later")
    np.testing.assert_allclose(first.compression, [0, 0, 0, 2, 0, 0], atol=0.01)
    np.testing.assert_allclose(first.final, [0, 0, 0, -2, 0, 0], atol=0.01)
    np.testing.assert_allclose(later.final, [0, 0, 0, 0, -1, 0], atol=0.01)
    np.testing.assert_allclose(own.sel(effect="interaction").compression, 0, atol=0.01)


def test_the_verdict_names_the_layers_that_the_first_ones_change(made_up):
    _, (mixes, effects, _) = mixed_activations.report(made_up)
    _, compression, final = effects.sentences
    assert "changes layers 4 by 2.00 (2.00 to 2.00) (same sign in 100% of seeds)." in compression
    assert "No clear change: layers 3 by" in compression
    assert "changes layers 4 by -2.00" in final
    shares = mixes.frame.set_index(["first", "later", "layer"]).share_that_compress
    assert shares["tanh", "relu", 4] == 1.0
    assert shares["relu", "relu", 4] == 0.0


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """What later layers show depends on the first ones."""
    results = mixed_activations.run(mixed_activations.Config(seeds=8, epochs=1500))
    found = mixed_activations.effects(mixed_activations.outcomes(results)).sel(dataset="symmetric")
    first = found.final.sel(effect="first", layer=[3, 4, 5]).mean("seed")
    assert float(abs(first).max()) > 0.2
