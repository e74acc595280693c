"""Depth: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import depth
from ibjax.training.schedule import log_spaced_epochs
from tests.made import results_of

EPOCHS = log_spaced_epochs(8000, 80)


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = depth.run(depth.Config(smoke=True, seeds=2, epochs=2))
    dims = ("shape", "depth", "seed", "epoch", "layer")
    assert results.ixt.dims == results.ity.dims == dims
    assert results.sizes["layer"] == 4
    assert results.num_layers.values.tolist() == [[2, 3, 4]] * 2
    missing = np.isnan(results.ixt).any(["seed", "epoch"]).values
    np.testing.assert_array_equal(missing, [[[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]] * 2)
    figures, tables = depth.report(results)
    assert set(figures) == {"depth_narrowing.png", "depth_equal.png", "information_plane.png"}
    assert [table.name for table in tables] == ["depth", "seeds"]


def test_full_scale_is_the_default():
    assert len(depth.Config().seed_range) == 50
    assert depth.FULL.epochs == 8000
    assert depth.HIDDEN == {"narrowing": (12, 10, 8, 6, 4, 2), "equal": (4, 4, 4, 4, 4, 4)}


@pytest.fixture(scope="module")
def made_up():
    """Of 1 to 4 hidden layers: outputs reach 0.95 bits near 900, 300, 100, 50, hidden layers at 0.

    The loss falls there, too, and compression starts and ends at twice that epoch; with equal widths
    the loss falls at epoch 100 at every depth.
    """
    at = np.array([900, 300, 100, 50])[:, None] * np.linspace(0.8, 1.2, 8)  # (depth, seed)
    reached = np.where(at[..., None] <= EPOCHS, 0.95, 0.3)
    ity = np.full((2, 4, 8, len(EPOCHS), 5), np.nan)
    ixt = np.full_like(ity, np.nan)
    loss = np.where(at[..., None] <= EPOCHS, 0.1, 0.6)
    loss = np.stack([loss, np.broadcast_to(np.where(EPOCHS >= 100, 0.1, 0.6), loss.shape)])
    for i in range(4):
        ity[:, i, :, :, : i + 1], ity[:, i, :, :, i + 1] = 0.99, reached[i]
        ixt[:, i, :, :, : i + 2] = 10.0
        ixt[:, i, :, :, i] = np.where(at[i][:, None] * 2 <= EPOCHS, 4.0, 9.0)
    variables = {"ixt": ixt, "ity": ity, "num_varying": np.ones(ixt.shape, int), "train_loss": loss}
    variables |= {name: np.full(loss.shape, 0.9) for name in ("train_accuracy", "test_accuracy")}
    return results_of(
        variables | {"diverged": np.zeros((2, 4, 8), bool)},
        {"shape": ["narrowing", "equal"], "depth": [1, 2, 3, 4]},
        epochs=EPOCHS,
        binning="bins of 0.07",
        at=at.ravel(),
    )


def test_epochs_needed_are_those_of_the_last_hidden_layer_the_output_and_the_loss(made_up):
    needed = depth.epochs_needed(made_up)
    at = np.broadcast_to(made_up.at.reshape(4, 8), (2, 4, 8))
    np.testing.assert_array_equal(needed.hidden_fitted, 0)
    np.testing.assert_allclose(needed.output_fitted, at, rtol=0.25)
    np.testing.assert_allclose(needed.started, 2 * at, rtol=0.25)
    np.testing.assert_allclose(needed.compressed, 2 * at, rtol=0.25)
    np.testing.assert_allclose(needed.learnt, [at[0], np.full_like(at[0], 100)], rtol=0.25)
    np.testing.assert_allclose(needed.relative, needed.started / needed.learnt)


@pytest.mark.slow
def test_the_verdict_says_what_the_intervals_say(made_up):
    _, (table, seeds) = depth.report(made_up)
    note, *verdicts = table.sentences
    assert note.startswith("_seeds:")
    hidden, output, learnt, started, compressed, relative = verdicts[:6]
    assert hidden.endswith("does not follow.")
    for text in (output, learnt, started, compressed):
        assert "-1.00 (-1.00 to -1.00); 8 of 8 seeds" in text
        assert text.endswith("It falls with more layers.")
    # Twice the epoch of the loss at every depth, but for the schedule; then the loss is at one epoch.
    assert relative.startswith("narrowing widths, start of compression, as a multiple")
    assert not relative.endswith("It falls with more layers.")
    assert verdicts[-1].startswith("equal widths")
    assert verdicts[-1].endswith("It falls with more layers.")
    assert table.frame.depth.tolist() == [1, 2, 3, 4] * 2
    assert seeds.frame.loc[0, ["seeds", "diverged", "dead"]].tolist() == [8, 0, 0]


@pytest.mark.slow
def test_the_claim_at_reduced_size(monkeypatch):
    """Two hidden layers fit in fewer epochs than one."""
    monkeypatch.setattr(depth, "HIDDEN", {"equal": (12, 10)})
    results = depth.run(depth.Config(seeds=8, epochs=3000))
    needed = depth.epochs_needed(results).sel(shape="equal")
    one, two = needed.output_fitted.sel(depth=1), needed.output_fitted.sel(depth=2)
    assert int(two.notnull().sum()) == 8
    assert float(two.median()) < 0.7 * float(one.fillna(3000).median())
