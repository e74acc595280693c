"""Empty and extreme bins, correlations within seeds, on made counts and curves."""

import numpy as np
import pytest

from experiments.bin_histograms.analysis import (
    correlation_over_epochs,
    empty_bins,
    extreme_share,
)


def test_empty_and_extreme_bins_of_made_counts():
    counts = np.zeros((1, 2, 2, 5), int)  # (seed, epoch, layer, bins)
    counts[0, 0, 0, [0, 1, 2]] = [5, 2, 1]  # one activation alone leaves a bin unused
    counts[0, 1, 0, [0, 3]] = [5, 3]
    counts[0, :, 1, 0] = 8
    reach = np.array([[4, 1]])
    np.testing.assert_array_equal(empty_bins(counts, reach), [[[2, 0], [2, 0]]])
    np.testing.assert_allclose(extreme_share(counts, reach), [[[5 / 8, 1], [1, 1]]])


def test_layers_without_counts_have_neither():
    counts = np.zeros((1, 1, 2, 16), int)
    counts[0, 0, 0, [3, 6]] = [5, 10]
    reach = np.array([[7, 4]])
    assert np.isnan(empty_bins(counts, reach)).ravel().tolist() == [False, True]
    assert np.isnan(extreme_share(counts, reach)).ravel().tolist() == [False, True]


def test_correlation_within_seeds():
    epochs = np.arange(10.0)
    a = np.stack([epochs, epochs], axis=1)[None]
    b = np.stack([-(epochs**2), np.ones(10)], axis=1)[None]
    rho = correlation_over_epochs(a, b)
    assert rho[0, 0] == pytest.approx(-1)
    assert np.isnan(rho[0, 1])


def test_bins_of_other_layers_are_refused():
    with pytest.raises(ValueError, match="num_bins: expected the last axes"):
        empty_bins(np.ones((2, 3, 4), int), np.ones((3, 1), int))
