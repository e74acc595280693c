"""Controls: tables and verdicts on made-up results, the smoke run, and the claim at a reduced size."""

import json

import numpy as np
import pytest

from experiments import controls
from experiments.lab import Scale
from ibjax.analysis.compression import compression_summary
from tests.made import results_of

DIMS = ("activation", "control", "seed", "epoch", "layer")
ALL = [
    "trained", "shuffled", "rescaled", "rotated", "permuted", "random labels", "5% of the data",
    "5%, random labels",
]  # fmt: skip


def made_up(falling):
    """Results in which layer 2 of the tanh networks falls by 2 bits, at last, in these controls."""
    rng = np.random.default_rng(0)
    ixt = 5 + 0.01 * rng.normal(size=(2, 8, 6, 4, 3))
    for name in falling:
        ixt[0, ALL.index(name), :, 1:3, 1] += 2
    sizes = ixt.shape[:-1]
    loss = np.broadcast_to(np.array([0.7, 0.6, 0.5, 0.4]), sizes).copy()
    loss[:, ALL.index("random labels")] += 0.1
    quality = {"train_loss": loss, "train_accuracy": np.full(sizes, 0.6)}
    return results_of(
        {"ixt": ixt, "ity": 0 * ixt + 0.25, "num_varying": np.ones(ixt.shape, int)}
        | {"diverged": np.zeros(sizes[:-1], bool), "test_accuracy": quality["train_accuracy"]}
        | quality,
        {"activation": ["tanh", "relu"], "control": ALL},
        binning="bins of 0.07",
    )


@pytest.mark.parametrize(
    ("falling", "conclusion"),
    [
        ([], "No hidden layer of the trained networks compresses."),
        (["trained", "shuffled"], "No control compresses: what the trained networks lose goes with"),
        (["trained", "rotated"], "It compresses without learning the task, too: rotated."),
        (["trained", "5%, random labels"], "without learning the task, too: 5%, random labels."),
    ],
)
def test_the_verdict_follows_the_controls(falling, conclusion):
    results = made_up(falling)
    sentence = controls.verdict(results, compression_summary(results), "tanh")
    assert conclusion in sentence
    assert "training accuracy of random labels 60%, 5%, random labels 60%." in sentence
    assert "its I(T;Y) is 0.25 bits" in sentence
    if falling:
        assert sentence.startswith("tanh, layer 2, bits: compression of trained 2.0")


def test_differences_are_within_seeds_and_at_equal_loss():
    results = made_up(ALL)
    spread = np.linspace(0, 3, 6)
    tanh = {"activation": "tanh", "layer": 1}
    for name, more in (("trained", 0.0), ("random labels", 1.0), ("rescaled", 0.5)):
        results.ixt.loc[tanh | {"control": name}] = (5 + more + spread)[:, None] + np.arange(4)
    got = controls.differences(results, "tanh", "random labels")
    assert [float(x[0]) for x in got["at_end"][:3]] == pytest.approx([1.0] * 3)
    # Losses of 0.5 are reached at the last record and at the third.
    assert [float(x[0]) for x in got["at_equal_loss"][:3]] == pytest.approx([2.0] * 3)
    rescaled = controls.differences(results, "tanh", "rescaled")
    assert set(rescaled) == {"at_end"}
    assert float(rescaled["at_end"].low[0]) == pytest.approx(0.5)


def test_report_draws_every_control_but_the_one_that_is_equal_by_construction():
    figures, (compression, differences, seeds) = controls.report(made_up(ALL))
    assert set(figures) == {"compression_of_controls.png", *controls.PLANES}
    assert set().union(*controls.PLANES.values()) == set(ALL) - {"shuffled"}
    assert len(compression.frame) == 2 * 7 * 3
    assert "shuffled" not in compression.frame.control.values
    assert len(compression.sentences) == 3
    assert len(differences.frame) == 2 * 5 * 3
    known = differences.frame.at_equal_loss.notna().groupby(differences.frame.control).all()
    assert known[known].index.tolist() == ["5%, random labels", "random labels"]
    assert len(seeds.frame) == 2 * 8


@pytest.mark.slow
def test_a_small_run_keeps_the_contract(tmp_path):
    results = controls.run(controls.Config(smoke=True, seeds=2, epochs=4, out=tmp_path))
    assert results.ixt.dims == DIMS
    assert results.control.values.tolist() == ALL
    assert np.isfinite(results.ixt).all()
    assert results.train_loss.dims == DIMS[:-1]
    arms = json.loads(results.arms)
    assert arms["tanh"]["batch_size"] == 256
    assert arms["relu/5%, random labels"]["batch_size"] == 16
    assert len(arms) == 2 * 4
    _, tables = controls.report(results)
    assert [table.name for table in tables] == ["compression", "differences", "seeds"]


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path, monkeypatch):
    """tanh: trained networks compress in bins; shuffling changes no I(X;T) and loses the labels."""
    monkeypatch.setattr(controls, "FULL", Scale(epochs=8000, num_recorded=8))
    results = controls.run(controls.Config(seeds=6, epochs=1500, out=tmp_path))
    summary = compression_summary(results).sel(activation="tanh", layer=4)
    assert float(summary.compression_low.sel(control="trained")) > 0.3
    np.testing.assert_array_equal(
        results.ixt.sel(control="shuffled"), results.ixt.sel(control="trained")
    )
    last = results.isel(epoch=-1).sel(activation="tanh")
    label = last.ity.mean("seed").sel(layer=5)
    assert float(label.sel(control="trained")) > 0.5 + float(label.sel(control="shuffled"))
    accuracy = last.test_accuracy.mean("seed")
    assert float(accuracy.sel(control="trained")) > 0.85
    assert abs(float(accuracy.sel(control="random labels")) - 0.5) < 0.05
    memorised = last.train_accuracy.mean("seed")
    assert float(memorised.sel(control="random labels")) < 0.75
    assert float(memorised.sel(control="5%, random labels")) > 0.9
