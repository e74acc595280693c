"""Cells of the map, folds that do not leak, and predictions of held-out cells."""

import numpy as np
import pytest
import xarray as xr

from experiments.phase_diagram import analysis
from experiments.phase_diagram.analysis import (
    cell_summary,
    jackknife,
    predictions,
    predictions_of,
)
from ibjax.analysis.intervals import mean_interval
from tests.experiments.phase_diagram.made_grid import RATES, SCALES, made_grid

SHAPE = (len(SCALES), len(RATES))


def numbers_of(values, kind):
    """Label made-up numbers (seed, init_scale, learning_rate)."""
    dims = (kind, "activation", "seed", "init_scale", "learning_rate", "layer")
    coords = {kind: ["only"], "activation": ["tanh"], "init_scale": list(SCALES), "layer": [1]}
    return xr.DataArray(values[None, None, ..., None], coords | {"learning_rate": list(RATES)}, dims)


def predicted_from(y, x):
    return predictions_of(numbers_of(y, "outcome"), numbers_of(x, "control")).squeeze(drop=True)


def test_jackknife_of_a_mean_is_students_interval():
    values = np.random.default_rng(0).normal(size=(12, 3))
    without = np.stack([np.delete(values, i, axis=0).mean(axis=0) for i in range(12)])
    ours, students = jackknife(values.mean(axis=0), without, 0.9), mean_interval(values, level=0.9)
    np.testing.assert_allclose(ours[:3], students[:3])


class TestFolds:
    def test_test_every_cell_once_by_each_half_of_the_seeds(self):
        tested = np.zeros((2, *SHAPE), int)
        for fold in analysis._folds(SHAPE):
            tested[fold.test_half] += fold.test_cells
        assert (tested == 1).all()

    def test_share_neither_cells_nor_seeds_with_their_fit(self):
        folds = list(analysis._folds(SHAPE))
        for fold in folds:
            assert not (fold.fit_cells & fold.test_cells).any()
            assert fold.fit_half != fold.test_half
        # Neighbours in the grid have different colours.
        first = folds[0].fit_cells
        assert (first[1:] != first[:-1]).all()
        assert (first[:, 1:] != first[:, :-1]).all()

    def test_a_prediction_does_not_see_what_it_is_compared_with(self):
        rng = np.random.default_rng(0)
        y, x = rng.normal(size=(2, 10, *SHAPE))
        before = predicted_from(y, x)
        changed = y.copy()
        changed[:, 2, 3] += 5
        after = predicted_from(changed, x)
        assert after.predicted[2, 3] == before.predicted[2, 3]
        assert after.half_width[2, 3] == before.half_width[2, 3]
        assert after.predicted[2, 2] != before.predicted[2, 2]  # of the other colour: fitted to it
        np.testing.assert_allclose(after.measured[2, 3], before.measured[2, 3] + 5)


class TestPredictions:
    def test_of_what_the_number_decides_are_exact_but_for_cells_beyond_those_fitted(self):
        x = np.tile(np.add.outer(np.arange(7.0), 0.3 * np.arange(7.0)), (8, 1, 1))
        found = predicted_from(2 * x + 1, x)
        np.testing.assert_allclose([found.r2, found.r2_low, found.r2_high], 1, atol=1e-3)
        error = (found.predicted - found.measured).values
        beyond = np.zeros(SHAPE, bool)
        beyond[0, 0] = beyond[-1, -1] = True
        np.testing.assert_allclose(error[~beyond], 0, atol=1e-9)
        np.testing.assert_allclose(error[beyond], [0.6, -0.6])  # to the next cell, 0.3 away
        np.testing.assert_allclose(found.path, 0, atol=0.1)
        assert found.num_cells == 49

    def test_see_the_path_where_the_start_matters_beside_the_number(self):
        rng = np.random.default_rng(0)
        x = np.tile(rng.normal(size=SHAPE), (10, 1, 1))
        large = (np.asarray(SCALES) >= 2)[:, None]
        found = predicted_from(x + 3.0 * large + 0.01 * rng.normal(size=(10, *SHAPE)), x)
        assert 2 < found.path < 4
        assert found.path_low > 1
        assert found.path_high < 5

    def test_spread_is_that_of_cells_without_the_noise_of_seeds(self):
        rng = np.random.default_rng(0)
        cells = rng.normal(size=SHAPE)
        noise = 0.5 * rng.normal(size=(40, *SHAPE))
        for size in (0.0, 1.0):
            found = predicted_from(size * cells + noise, noise)
            np.testing.assert_allclose(found.spread, size * cells.std(), atol=0.1)

    def test_keep_unknown_cells_out(self):
        rng = np.random.default_rng(0)
        x = np.tile(np.add.outer(np.arange(7.0), 0.3 * np.arange(7.0)), (8, 1, 1))
        y = 2 * x + 0.01 * rng.normal(size=x.shape)
        y[:, 0] = np.nan
        found = predicted_from(y, x)
        assert found.num_cells == 42
        assert found.predicted[0].isnull().all()
        assert found.predicted[1:].notnull().all()
        assert found.r2 > 0.95

    @pytest.mark.slow
    def test_show_nothing_where_there_is_nothing_to_show(self):
        """Networks of a seed are alike in all cells, by smooth functions that differ between seeds."""
        rng = np.random.default_rng(0)
        u, v = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 7), indexing="ij")
        shown = covered = inside = 0
        for _ in range(40):
            own = rng.normal(size=(3, 20, 1, 1))
            y = own[0] + own[1] * u + own[2] * v + 0.3 * rng.normal(size=(20, *SHAPE))
            x = 2 * u + v + 0.1 * rng.normal(size=(20, *SHAPE))
            found = predicted_from(y, x)
            shown += bool(found.r2_low > 0)
            covered += bool((found.path_low <= 0) & (found.path_high >= 0))
            inside += float(found.inside) / 40
        assert shown <= 2
        assert covered >= 34
        assert 0.9 < inside < 0.99


class TestCells:
    def test_are_those_of_networks_that_have_learnt(self):
        share = np.ones((2, *SHAPE))
        share[0, 0, 0], share[0, 1, 1] = 0.25, 0.75
        made = made_grid(learnt=share)
        made.ixt[0, 1, 1, 9:, -1] = 0.0  # one of those that have not learnt collapses
        cells = cell_summary(made)
        np.testing.assert_allclose(cells.learnt, share)
        assert cells.compression[0, 0, 0].isnull().all()
        np.testing.assert_allclose(cells.compression[0, 1, 1], 1, atol=0.05)
        assert cells.ixt[0, 1, 1].max() < 6  # all networks
        assert cells.compresses[1].all()
        assert not cells.compresses[0, 0, 0].any()
        assert all("units" in cells[name].attrs for name in cells)

    @pytest.mark.slow
    def test_are_predicted_by_their_final_pre_activation(self):
        end = np.log2(np.multiply.outer(SCALES, 1 + 10 * np.asarray(RATES)))
        bits = np.stack([0.5 * end + 2, np.zeros_like(end)])[..., None]  # tanh by the number, relu none
        found = predictions(made_grid(bits)).sel(outcome="compression")
        tanh = found.sel(activation="tanh", control="pre_activation")
        assert (tanh.r2 > 0.9).all()
        assert (abs(tanh.path) < 0.1).all()
        np.testing.assert_allclose(tanh.control_value.isel(layer=0), end, atol=1e-6)
        np.testing.assert_allclose(tanh.spread, 0.5 * end.std(), rtol=0.05)
        growth = found.control_value.sel(control="growth", activation="tanh").isel(layer=0)
        np.testing.assert_allclose(growth, np.log2(1 + 10 * np.tile(RATES, (len(SCALES), 1))), atol=1e-6)
        # relu has none of the bits that tanh's line promises.
        missing = -(0.5 * end + 2).mean()
        np.testing.assert_allclose(found.transfer.sel(control="pre_activation"), missing, atol=0.15)
        assert (found.sizes["layer"], found.attrs["seeds"]) == (2, 12)
