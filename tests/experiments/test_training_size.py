"""Too little data: the contract of a small run, what the tables say, and the claim."""

import numpy as np
import pytest

from experiments import training_size
from tests.made import QUALITY, results_of

LEVELS = ["5%", "45%", "85%", "5%, equal updates", "45%, equal updates"]


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything():
    results = training_size.run(training_size.Config(smoke=True, seeds=2, epochs=2))
    dims = ("network", "training", "seed", "epoch", "layer")
    assert results.ixt.dims == results.ity.dims == dims
    assert results.test_loss.dims == dims[:-1]
    assert np.isfinite(results.ixt).all()
    figures, tables = training_size.report(results)
    assert set(figures) == {"training_size.png", "equal_updates.png"}
    assert [table.name for table in tables] == ["training_size", "seeds"]
    assert results.training.values.tolist() == LEVELS
    trained = results.epochs_trained.sel(network="standard")
    assert trained.dims == ("training", "epoch")
    assert trained.values.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 14, 28], [0, 2, 4]]
    assert '"batch_size": 205' in results.attrs["arms"]
    assert "widths" in results.attrs["arms"]


def test_full_scale_is_the_default():
    assert len(training_size.Config().seed_range) == 50
    assert training_size.FULL.epochs == 10_000
    assert training_size.NETWORKS["sigmoid"] == (10, 8, 6, 4, 2, 1)
    assert list(training_size.SIZES.values()) == [0.05, 0.45, 0.85]
    updates = [training_size.updates_per_epoch(4096, size) for size in training_size.SIZES.values()]
    assert updates == [1, 8, 14]


def test_the_verdict_names_the_layers_that_lose():
    rng = np.random.default_rng(0)
    sizes = (2, 5, 8, 4, 3)
    ity = 0.8 + 0.001 * rng.normal(size=sizes)
    ity[0, 0, :, 3, 2] -= 0.3
    quality = {name: np.full(sizes[:4], 0.1 if name == "train_loss" else 0.5) for name in QUALITY}
    results = results_of(
        {"ity": ity, "ixt": np.full(sizes, 5.0), "num_varying": np.ones(sizes, int)}
        | {"diverged": np.zeros(sizes[:3])}
        | quality,
        {"network": ["sigmoid", "standard"], "training": LEVELS},
        binning="bins of 0.07",
    ).assign_coords(num_layers=3)
    figures, (falls, seeds) = training_size.report(results)
    titles = {name: [ax.get_title() for ax in figure.axes[:3]] for name, figure in figures.items()}
    assert titles["training_size.png"] == [f"{size}, sigmoid" for size in LEVELS[:3]]
    updates = [LEVELS[3], LEVELS[4], "85%"]
    assert titles["equal_updates.png"] == [f"{size}, sigmoid" for size in updates]
    note, *verdicts = falls.sentences
    assert note.startswith("fall:")
    assert verdicts[0].startswith("sigmoid network, 5%: layers that lose I(T;Y): 3 by 0.30")
    assert all(verdict.endswith("lose I(T;Y): none.") for verdict in verdicts[1:])
    assert len(falls.frame) == 30
    assert falls.frame.falls.sum() == 1
    assert "all 30 layers and arms at once" in note
    assert seeds.frame.gap[0] == pytest.approx(0.4)


@pytest.mark.slow
def test_the_claim_at_reduced_size(monkeypatch):
    monkeypatch.setattr(training_size, "NETWORKS", {"standard": (10, 7, 5, 4, 3, 2)})
    monkeypatch.setattr(training_size, "SIZES", {"5%": 0.05, "85%": 0.85})
    results = training_size.run(training_size.Config(seeds=8, epochs=4000))
    falls = training_size.compression_summary(results, "ity").sel(network="standard")
    assert float(falls.compression_low.sel(training="5%", layer=5)) > 0.02
    assert float(falls.compression_high.sel(training="85%", layer=5)) < 0.02
