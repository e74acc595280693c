"""Invertibility: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import invertibility
from tests.made import made_results


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = invertibility.run(invertibility.Config(smoke=True, seeds=2, epochs=2))
    assert results.ixt.dims == ("dataset", "activation", "estimator", "seed", "epoch", "layer")
    assert results.zero_state.dims == ("dataset", "activation", "seed", "epoch", "layer")
    lost = invertibility.losses(results)
    assert float(lost.lost.min()) > -1e-4
    exact = lost.lost.sel(estimator="exact")
    assert bool((exact >= lost.lost_in_zero - 1e-4).isel(layer=slice(0, -1)).all())
    # Untrained, without biases, every layer maps the word of all zeros to zeros.
    leaky = results.zero_state.sel(activation="leaky_relu").isel(layer=slice(0, -1))
    assert float(leaky.max()) <= 1 / 410 + 1e-6
    assert results.lost_finally.dims == ("dataset", "activation", "arithmetic", "seed", "layer")
    assert "parameters" not in results
    labelled = [*results.data_vars, "arithmetic"]
    assert [name for name in labelled if "units" not in results[name].attrs] == []
    # Recorded within training's program, and measured on the host: the same states.
    finally_lost = exact.isel(epoch=-1, layer=slice(0, -1))
    of_xla = results.lost_finally.sel(arithmetic="XLA float32").isel(layer=slice(0, -1))
    np.testing.assert_allclose(of_xla, finally_lost.transpose(*of_xla.dims), atol=1e-4)
    figures, tables = invertibility.report(results)
    assert set(figures) == {"lost_symmetric.png", "arithmetics_symmetric.png"}
    assert [table.name for table in tables] == ["lost", "arithmetics", "seeds"]


def test_full_scale_is_the_default():
    assert invertibility.ACTIVATIONS == ("relu", "leaky_relu", "tanh")
    assert invertibility.Config().num_epochs == 8000


@pytest.fixture(scope="module")
def made_up():
    """Of 64 samples, 6 bits, relu's layer 2 maps 16 to zeros, which costs 1 bit, and loses 2 in all."""
    factors = {
        "dataset": ("symmetric",),
        "activation": invertibility.ACTIVATIONS,
        "estimator": invertibility.ESTIMATORS,
    }
    results = made_results(factors, num_samples_symmetric=64)
    results.ixt[:] = 6.0
    results.ixt[:, 0, :, :, :, 1] = 4.0
    results.ixt[:, :, 1] -= 1.5
    for name in invertibility.ZEROS:
        results[name] = results.ixt.isel(estimator=0, drop=True) * 0
    results.zero_state[:, 0, :, :, 1] = 0.25
    # After training relu loses as much in any arithmetic; tanh 1 bit in XLA float32, 0.5 when rounded.
    dims = ("dataset", "activation", "arithmetic", "seed", "layer")
    for name, (relu, tanh) in {
        "lost_finally": ((2.0,) * 3, (1.0, 0.5, 0.0)),
        "shared_samples": ((16.0,) * 3, (8.0, 4.0, 0.0)),
    }.items():
        values = np.zeros((1, 3, 3, 8, 3))
        values[:, 0, :, :, 1], values[:, 2, :, :, 0] = (np.array([x])[..., None] for x in (relu, tanh))
        values[..., 2] = np.nan
        results[name] = dims, values
    return results.assign_coords(arithmetic=[*invertibility.ARITHMETICS])


def test_the_verdict_says_what_is_lost_exactly_and_where(made_up):
    _, (table, *_) = invertibility.report(made_up)
    _, relu, leaky, _ = table.sentences
    assert "lose bits exactly: 2 by 2.00 (2.00 to 2.00)." in relu
    assert "a share of 0.50 (0.50 to 0.50) is in their state of zeros (8 networks" in relu
    assert "lose bits exactly: none." in leaky
    assert "Bins show up to 1.50 (1.50 to 1.50) bits more of loss" in leaky
    by_layer = table.frame.set_index(["activation", "layer"])
    assert by_layer.lost_in_zero["relu", 2] == pytest.approx(1.0)


def test_the_verdict_says_what_the_arithmetic_loses(made_up):
    table = invertibility.arithmetics_table(made_up)
    _, relu, leaky, tanh = table.sentences
    assert relu == (
        "symmetric, relu: layer 2 loses 2.00 (2.00 to 2.00) bits in XLA float32, "
        "2.00 (2.00 to 2.00) in rounded float32 and 2.00 (2.00 to 2.00) in float64."
    )
    assert leaky == "symmetric, leaky_relu: hidden layers lose nothing, whatever the arithmetic."
    assert "layer 1 loses 1.00 (1.00 to 1.00) bits in XLA float32, 0.50 (" in tanh
    cells = table.frame.set_index(["activation", "layer", "arithmetic"])
    assert len(cells) == 3 * 2 * 3
    assert cells.less["tanh", 1, "rounded float32"] == 0.5
    assert cells.shared["tanh", 1, "XLA float32"] == 8
    diverged = made_up.sel(dataset="symmetric", activation="tanh") * np.nan
    assert invertibility.arithmetics_verdict(diverged) == "all networks have diverged."


@pytest.mark.slow
def test_the_claim_at_reduced_size():
    """ReLU layers lose information exactly, leaky ones of the same initial weights hardly any."""
    results = invertibility.run(invertibility.Config(seeds=6, epochs=300))
    lost = invertibility.losses(results).lost.sel(estimator="exact", dataset="symmetric")
    hidden = lost.isel(epoch=-1, layer=slice(0, 5)).mean("seed")
    assert float(hidden.sel(activation="relu").max()) > 0.3
    assert float(hidden.sel(activation="leaky_relu").max()) < 0.05
    assert np.isfinite(lost).all()
