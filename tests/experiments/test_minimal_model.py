"""The one-unit network: outputs and claim at a reduced size."""

import numpy as np
import pytest

from experiments import minimal_model
from ibjax.analysis.single_unit import UNITS


@pytest.mark.slow
def test_run_and_report():
    results = minimal_model.run(minimal_model.Config(seeds=3, smoke=True))
    assert results.ixt.dims == results.noisy.dims == ("activation", "weight")
    assert results.sampled.dims == ("activation", "weight", "seed")
    assert {results[v].attrs["units"] for v in results} == {"bits"}
    assert results.activation.values.tolist() == list(UNITS)
    assert results.sizes["seed"] == 3
    # Plug-in entropy of 4096 draws: too low by (bins - 1) / 2n nats, and scattered.
    error = results.sampled.mean("seed") - results.ixt
    assert np.abs(error.sel(activation=["tanh", "sigmoid", "softsign"])).max() < 0.05
    assert error.sel(activation="linear").isel(weight=-1) < -0.5  # 25,000 bins
    figures, (table,) = minimal_model.report(results)
    assert set(figures) == {"minimal_model.png", "bins.png"}
    assert table.frame.activation.tolist() == list(UNITS)
    assert table.sentences[0].startswith(
        "I(h;X) rises and falls again with the weight for tanh, sigmoid, softsign; it only rises for "
        "relu, linear."
    )
