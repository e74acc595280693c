"""The data-processing inequality: the table and the verdict on made-up planes, a run, the claim."""

import jax
import numpy as np
import pytest
import xarray as xr

from experiments import data_processing
from ibjax.analysis.data_processing import violation_summary
from ibjax.mi import discrete_mi
from tests.made import results_of

DIMS = ("activation", "estimator", "seed", "epoch", "layer")


def made_up(violating):
    """Planes in which ``violating`` rises by 0.5 bits from layer 2 to 3 in half of the tanh networks."""
    names = ["exact", "bins of 0.3"]
    rng = np.random.default_rng(0)
    ixt = np.array([8.0, 4.0, 2.0]) + 0.01 * rng.normal(size=(2, 2, 6, 3, 3))
    if violating:
        ixt[0, names.index(violating), :3, 1, 2] = ixt[0, names.index(violating), :3, 1, 1] + 0.5
    ity = 1 - 0.1 * (ixt * 0 + [1, 2, 3])
    results = results_of(
        {"ixt": ixt, "ity": ity, "diverged": np.zeros((2, 2, 6), bool)},
        {"activation": ["tanh", "relu"], "estimator": names},
        epochs=[0, 10, 100],
    )
    # As recorded, without estimator.
    return results.assign(num_varying=xr.ones_like(results.ixt[:, 0].drop_vars("estimator"), int))


def test_without_violations_everyone_obeys():
    summary = violation_summary(made_up(None))
    sentence = data_processing.verdict(summary, "tanh", "ixt")
    assert sentence == "tanh, I(X;T): obeyed by exact, bins of 0.3."


def test_the_verdict_names_who_violates_it_where_and_by_how_much():
    summary = violation_summary(made_up("bins of 0.3"))
    sentence = data_processing.verdict(summary, "tanh", "ixt")
    assert "obeyed by exact." in sentence
    assert "bins of 0.3: most between layers 2-3 at epoch 10, by 0.250 bits" in sentence
    assert "in 50% of networks; at the end in at most 0%" in sentence


def test_exact_states_that_violate_it_are_an_error_of_the_measurement():
    summary = violation_summary(made_up("exact"))
    assert "something is wrong" in data_processing.verdict(summary, "tanh", "ixt")


def test_report_draws_and_lists_what_is_violated():
    figures, (table,) = data_processing.report(made_up("bins of 0.3"))
    assert set(figures) == {"violations.png", "along_layers_ixt.png", "along_layers_ity.png"}
    (row,) = table.frame.itertuples(index=False)
    assert row[:5] == ("tanh", "ixt", "bins of 0.3", "2-3", "10")
    assert len(table.sentences) == 6


@pytest.mark.slow
def test_exact_is_of_the_float32_numbers():
    t = jax.random.normal(jax.random.key(0), (500, 2))
    t = t.at[::5].set(t[1::5])  # equal rows
    t = t.at[::7, 0].multiply(1 + 2.0**-23)  # rows that differ in the last bit
    y = np.arange(500) % 3
    mi = data_processing.ESTIMATORS["exact"](t, y)
    words = jax.lax.bitcast_convert_type(t, np.int32)
    np.testing.assert_allclose(mi.ixt, discrete_mi(words, np.arange(500)), atol=1e-5)
    np.testing.assert_allclose(mi.ity, discrete_mi(words, y), atol=1e-5)


def test_full_scale_is_the_default():
    config = data_processing.Config()
    assert (config.seeds, data_processing.FULL.epochs) == (50, 8000)
    assert len(data_processing.ESTIMATORS) == 8


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """relu: exact states obey the inequality, bins of one width do not."""
    kept = {k: data_processing.ESTIMATORS[k] for k in ("exact", "bins of 0.3")}
    monkeypatch.setattr(data_processing, "ESTIMATORS", kept)
    monkeypatch.setattr(data_processing, "ACTIVATIONS", ("relu",))
    results = data_processing.run(data_processing.Config(seeds=8, epochs=300, out=tmp_path))
    assert results.ixt.dims == DIMS
    assert np.isfinite(results.ixt).all()
    summary = violation_summary(results)
    assert float(summary.share.sel(estimator="exact").max()) == 0
    binned = summary.sel(activation="relu", estimator="bins of 0.3", variable="ixt")
    assert float(binned.share.max()) > 0.2
    assert float(binned.excess.max()) > 0.05
