"""The phase diagram: the contract of a small run, tables and verdicts on made data."""

import numpy as np
import pytest

from experiments import phase_diagram
from experiments.phase_diagram.analysis import cell_summary, predictions
from experiments.phase_diagram.conclusions import (
    layers_table,
    misses_table,
    papers_table,
    scores_table,
    verdict,
)
from tests.experiments.phase_diagram.made_grid import RATES, SCALES, made_grid

END = np.log2(np.multiply.outer(SCALES, 1 + 10 * np.asarray(RATES)))  # of pre-activations


@pytest.mark.slow
def test_a_small_run_keeps_the_contract_and_reports_everything(monkeypatch):
    monkeypatch.setattr(phase_diagram, "SMOKE_RATES", (0.1, 1.0))
    results = phase_diagram.run(phase_diagram.Config(smoke=True, seeds=2, epochs=8))
    dims = ("activation", "init_scale", "learning_rate", "seed", "epoch", "layer")
    for name in ("ixt", "ity", "pre_activation", "saturated"):
        assert results[name].dims == dims
        assert results[name].attrs["units"]
    assert np.isfinite(results.ixt).all()
    # At the start only the initial scale matters.
    start = results.pre_activation.isel(epoch=0)
    assert (start.std("learning_rate") == 0).all()
    first = start.sel(layer=1, init_scale=[1.0, 4.0]).isel(learning_rate=0, drop=True)
    np.testing.assert_allclose(first.sel(init_scale=4.0), 4 * first.sel(init_scale=1.0), rtol=1e-5)
    assert results.attrs["num_samples"] == 1024
    assert results.attrs["measured_on"] == "all 1024 inputs"
    figures, tables = phase_diagram.report(results)
    assert len(figures) == 7
    assert [table.name for table in tables] == ["layers", "scores", "papers", "misses"]


def test_full_scale_is_the_default():
    assert len(phase_diagram.Config().seed_range) == 20
    assert phase_diagram.FULL.epochs == 2500
    assert 1.0 in phase_diagram.INIT_SCALES
    assert 0.1 in phase_diagram.LEARNING_RATES
    assert len(phase_diagram.INIT_SCALES) * len(phase_diagram.LEARNING_RATES) == 143


@pytest.fixture(scope="module")
def predicted():
    """The final pre-activation decides on compression in tanh layer 1, nothing does in layer 2."""
    noise = np.random.default_rng(1).normal(size=END.shape)
    tanh = np.stack([0.5 * END + 2, 2 + noise, np.ones_like(END)], axis=-1)
    return predictions(made_grid(np.stack([tanh, np.zeros_like(tanh)])))


class TestVerdicts:
    def test_follow_from_intervals(self, predicted):
        tanh = verdict(predicted, "tanh")
        assert "explains: most in layers 1 (R^2 1.0" in tanh
        assert "; less than half in layers 2 (R^2 0.0" in tanh
        assert "hardly varies over cells in layers 1, 2;" in verdict(predicted, "relu")

    @pytest.mark.slow
    def test_see_the_path(self):
        large = (np.asarray(SCALES) >= 2)[:, None, None]
        noise = np.random.default_rng(1).normal(size=END.shape)[..., None]
        tanh = np.broadcast_to(4 + noise - 3 * large, (*END.shape, 3))
        found = predictions(made_grid(np.stack([tanh, np.zeros_like(tanh)])))
        assert (
            "; the path there matters: at equal pre-activation, bits of compression of cells"
            in verdict(found, "tanh")
        )
        assert "no more than 0.25 bits between cells that start large and small is shown" in verdict(
            found, "relu"
        )

    @pytest.mark.slow
    def test_are_absent_where_too_few_cells_learn(self):
        found = predictions(made_grid(learnt=0.0))
        said = verdict(found, "tanh")
        assert "explains: too few cells that learn in layers 1, 2; cells that start large and" in said

    def test_compare_activations_at_equal_pre_activation(self, predicted):
        (*_, transfer) = scores_table(predicted).sentences
        missing = (0.5 * END + 2).mean()
        assert transfer.startswith("relu cells by the line of tanh cells")
        assert f"layers 1 -{missing:.1f}"[:-1] in transfer


class TestTables:
    def test_have_the_papers_cell_as_a_held_out_one(self, predicted):
        table = papers_table(predicted)
        assert len(table.frame) == 2 * 2
        cell = table.frame.iloc[0]
        np.testing.assert_allclose(cell.pre_activation, 2.0, rtol=1e-5)  # 1 at the rate 0.1
        np.testing.assert_allclose([cell.measured, cell.predicted], 2.5, atol=0.1)
        assert cell.predicted_low <= cell.measured <= cell.predicted_high
        assert table.sentences[1].startswith("tanh: ")
        assert "of 2 hidden layers" in table.sentences[1]

    def test_list_the_cells_that_are_farthest_from_their_prediction(self, predicted):
        table = misses_table(predicted)
        errors = abs(table.frame.measured - table.frame.predicted).astype(float)
        assert len(errors) == 12
        assert (np.diff(errors) <= 0).all()
        assert set(table.frame.layer) == {2}
        assert set(table.frame.activation) == {"tanh"}

    @pytest.mark.slow
    def test_count_the_cells_that_compress(self):
        bits = np.zeros((2, *END.shape, 3))
        bits[0, 2, 3, 1] = 2.0
        frame = layers_table(cell_summary(made_grid(bits))).frame.set_index(["activation", "layer"])
        assert frame["compress"].tolist() == [0, 1, 0, 0, 0, 0]
        row = frame.loc["tanh", 2]
        assert (row.answered, row.init_scale, row.learning_rate) == (49, 0.5, 0.3)
        np.testing.assert_allclose(row.compression, 2, atol=0.05)
