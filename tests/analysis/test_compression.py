"""Compression statistics against loops and known cases."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from ibjax.analysis.compression import (
    NEGLIGIBLE_BITS,
    compression,
    compression_after_fitting,
    compression_at,
    compression_summary,
    dead_seeds,
    epochs_of_equal_loss,
    optimizer_difference,
    peak_epochs,
    seed_compression,
)
from ibjax.analysis.intervals import halving_interval, halvings, simultaneous_level
from tests.made import results_of


def make_arm(ixt, loss=None):
    variables = {"ixt": np.asarray(ixt, float)}
    if loss is not None:
        variables["train_loss"] = np.asarray(loss, float)
    return results_of(variables, epochs=10 * np.arange(variables["ixt"].shape[1]))


def test_peak_is_that_of_the_other_half():
    ixt = np.random.default_rng(0).normal(size=(7, 9))
    peaks = peak_epochs(ixt)
    for first, positions in zip(halvings(7), peaks, strict=True):
        assert first.sum() == 3
        for seed in range(7):
            others = ixt[first != first[seed]]
            assert positions[seed] == others.mean(axis=0).argmax()


def test_the_peak_of_a_plateau_is_its_middle():
    plateau = np.tile([1.0, 6.0, 6.0, 6.0, 6.0, 6.0, 2.0], (4, 1))
    assert (peak_epochs(plateau) == 3).all()
    last_bits = plateau + 1e-6 * np.random.default_rng(0).normal(size=plateau.shape)
    assert (peak_epochs(last_bits) == 3).all()
    clear = plateau + np.array([0, 0, 0, 0, 2e-4, 0, 0])  # above float32's rounding
    assert (peak_epochs(clear) == 4).all()


def test_seeds_that_reach_or_leave_a_plateau_before_the_others_are_measured_on_it():
    curve = np.array([1.0, 2.0, 6.0, 6.0, 6.0, 6.0, 6.0, 4.0, 2.0])
    late, early = curve.copy(), curve.copy()
    late[2] = 2.0
    early[6] = 4.0
    np.testing.assert_allclose(compression(np.stack([curve, curve, late, early])), 4.0)
    rises = np.minimum(curve.max(), np.arange(9) * np.array([[1.3], [2.0], [2.1], [2.2]]))
    np.testing.assert_allclose(compression(rises), 0.0)  # without compression the mean is 0


def test_compression_of_plateaus_rests_on_no_last_bit():
    """A fall in powers of ten whose plateau the other seeds share but for rounding."""
    leaves = np.array([5, 6, 7, 8])[:, None]
    norm = np.where(np.arange(12) < leaves, 0.4, 0.2)
    for rounding in (np.nextafter(norm, 0), np.nextafter(norm, 1), norm.astype(np.float32)):
        mixed = np.where(np.random.default_rng(0).random(norm.shape) < 0.5, norm, rounding)
        np.testing.assert_allclose(compression(np.log10(mixed)), np.log10(2), rtol=1e-6)


def test_compression_of_noise_is_not_biased():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 20))
    own_peak = (noise.max(axis=1) - noise[:, -1]).mean()
    interval = halving_interval(compression(noise))
    assert own_peak > 1.5  # what peak minus final of the same curve would claim
    assert interval.low < 0 < interval.high


def test_compression_of_a_curve_that_rises_and_falls():
    curve = np.array([1.0, 4.0, 3.0, 1.5])
    ixt = curve + 0.01 * np.arange(5)[:, None]
    np.testing.assert_allclose(compression(ixt), 2.5)


def test_compression_so_far_is_zero_before_the_peak():
    ixt = np.tile([1.0, 2.0, 5.0, 3.0], (3, 1))
    falls = compression_at(ixt, np.array([0, 2, 3]))
    np.testing.assert_allclose(falls, np.broadcast_to([0, 0, 2], falls.shape))


def test_a_diverged_seed_is_missing_and_spares_the_others():
    ixt = np.tile([1.0, 3.0, 2.0], (3, 1))
    ixt[1] = np.nan
    falls = compression(ixt)
    np.testing.assert_array_equal(falls, np.broadcast_to([1.0, np.nan, 1.0], falls.shape))


def test_a_single_seed_has_no_compression():
    assert np.isnan(compression(np.array([[1.0, 3.0, 2.0]]))).all()


def test_equal_loss_is_the_lowest_that_both_reach():
    a = np.array([[1.0, 0.5, 0.2], [1.0, 0.9, 0.8]])
    b = np.array([[1.0, 0.6, 0.5], [1.0, 0.3, 0.1]])
    first, second = epochs_of_equal_loss(a, b)
    assert first.tolist() == [1, 2]
    assert second.tolist() == [2, 1]


def test_equal_loss_of_a_diverged_arm_is_unknown():
    a = np.array([[1.0, 0.5, np.nan]])
    first, second = epochs_of_equal_loss(a, np.array([[1.0, 0.6, 0.5]]))
    assert first.tolist() == second.tolist() == [-1]


def test_a_fall_before_fitting_is_no_compression_after_it():
    """From an untrained plateau at 6 to 3 before the labels are fitted, then up to 4 and down to 3.5."""
    ixt = np.array([6.0, 6.0, 3.0, 3.0, 4.0, 4.0, 3.5, 3.5]) + 0.1 * np.arange(4)[:, None]
    ity = np.array([0.1, 0.1, 0.1, 0.9, 0.9, 1.0, 1.0, 1.0]) + np.zeros((4, 1))
    epochs = 10.0 ** np.arange(8)  # so far apart that medians are of single epochs
    np.testing.assert_allclose(compression(ixt), 2.5)
    np.testing.assert_allclose(compression_after_fitting(ixt, ity, epochs), 0.5)
    # Nothing to fit: any epoch may be the peak.
    np.testing.assert_allclose(compression_after_fitting(ixt, np.ones_like(ity), epochs), 2.5)
    with pytest.raises(ValueError, match=r"ity: expected the shape of ixt, \(4, 8\), got \(4, 7\)"):
        compression_after_fitting(ixt, ity[:, 1:], epochs)
    arm = results_of({"ixt": ixt[..., None], "ity": ity[..., None]}, epochs=epochs)
    summary = compression_summary(arm)
    assert summary.after_fitting.item() == pytest.approx(0.5)
    assert summary.fitted_epoch.item() == epochs[5]  # nine tenths of the gain
    assert "after_fitting" not in compression_summary(arm, "ity")


def test_levels_of_families_widen_intervals():
    ixt = np.random.default_rng(0).normal(size=(8, 5, 1))
    plain, wide = (compression_summary(make_arm(ixt), level=simultaneous_level(m)) for m in (1, 10))
    assert plain.compression.item() == wide.compression.item()
    assert wide.compression_low.item() < plain.compression_low.item()
    t = scipy.stats.t.ppf([0.9975, 0.975], 7)
    ratio = (wide.compression_high - wide.compression) / (plain.compression_high - plain.compression)
    assert ratio.item() == pytest.approx(t[0] / t[1])


def test_what_compresses_holds_for_all_layers_and_arms_at_once():
    rng = np.random.default_rng(0)
    fall = np.array([0.0, 1.0, 0.0])[:, None] * np.array([1.0, 0.05, 0.0, 0.21])  # of four layers
    results = results_of(
        {"ixt": fall + 0.25 * rng.normal(size=(3, 30, 3, 4))},
        {"arm": ["a", "b", "c"]},
        epochs=range(3),
    )
    summary = compression_summary(results)
    assert summary.num_intervals == 12
    limits = compression_summary(results, level=simultaneous_level(12)).compression_low
    assert summary.compresses.equals((limits > NEGLIGIBLE_BITS).rename("compresses"))
    pointwise = summary.compression_low > NEGLIGIBLE_BITS
    assert pointwise.sum() > summary.compresses.sum() >= 3
    assert summary.compresses.dtype == bool


def test_summary_by_layer():
    ixt = np.stack([np.tile([1.0, 4.0, 2.0], (4, 1)), np.tile([1.0, 2.0, 3.0], (4, 1))], axis=2)
    summary = compression_summary(make_arm(ixt))
    assert summary.peak.values.tolist() == [4.0, 3.0]
    assert summary.peak_epoch.values.tolist() == [10, 20]
    assert summary.final.values.tolist() == [2.0, 3.0]
    assert summary.compression.values.tolist() == [2.0, 0.0]
    assert all(variable.attrs["units"] for variable in summary.data_vars.values())


def test_summary_of_another_variable():
    falling = np.linspace(1, 0, 5)[None, :, None] + np.zeros((3, 5, 2))
    arm = make_arm(np.ones((3, 5, 2)))
    arm["ity"] = (("seed", "epoch", "layer"), falling)
    summary = compression_summary(arm, "ity")
    np.testing.assert_allclose(summary.compression, 1)
    np.testing.assert_allclose(compression_summary(arm).compression, 0)
    both = xr.concat([arm, arm], xr.Variable("arm", ["a", "b"]))
    np.testing.assert_allclose(compression_summary(both, "ity").sel(arm="b").compression, 1)


def test_one_seed_says_why_nothing_is_known():
    one = make_arm(np.tile([1.0, 4.0, 2.0], (1, 1))[..., None], np.ones((1, 3)))
    summary = compression_summary(one)
    assert summary.compression.isnull().all()
    assert summary.num_seeds.values.tolist() == [0]
    assert (summary.peak.item(), summary.final.item()) == (4.0, 2.0)
    note = "compression needs two known seeds or more: the peak of each is chosen by others"
    assert summary.attrs["note"] == note
    assert seed_compression(one).attrs["note"] == note
    assert optimizer_difference(one, one).attrs["note"] == note
    two = make_arm(np.tile([1.0, 4.0, 2.0], (2, 1))[..., None])
    assert "note" not in compression_summary(two).attrs


def test_arms_of_other_seeds_are_not_paired():
    arm = make_arm(np.ones((3, 4, 2)), np.ones((3, 4)))
    first, second = (arm.assign_coords(seed=np.arange(3) + start) for start in (0, 1))
    with pytest.raises(ValueError, match=r"first, second: .* same seeds .*, got 0, 1, 2 and 1, 2, 3"):
        optimizer_difference(first, second)
    with pytest.raises(ValueError, match="loss_a, loss_b: expected the same seeds"):
        epochs_of_equal_loss(first.train_loss, second.train_loss)
    with pytest.raises(ValueError, match="first, second: expected networks of as many layers"):
        optimizer_difference(first, first.isel(layer=[0]))
    assert optimizer_difference(first, first).at_end.values.tolist() == [0.0, 0.0]


def test_difference_is_paired_and_at_equal_loss_too():
    seed = np.arange(5.0)[:, None]
    falls = seed + np.array([1.0, 5.0, 4.0, 2.0])
    stays = seed + np.array([1.0, 5.0, 5.0, 5.0])
    loss = np.tile([1.0, 0.8, 0.6, 0.4], (5, 1))
    slow = np.tile([1.0, 0.9, 0.8, 0.6], (5, 1))
    difference = optimizer_difference(make_arm(falls[..., None], loss), make_arm(stays[..., None], slow))
    assert difference.at_end.values == pytest.approx([3.0])
    # Both reach 0.6: the first arm at its third record, where it has lost 1 bit.
    assert difference.at_equal_loss.values == pytest.approx([1.0])
    assert difference.at_end_low.values == pytest.approx([3.0])  # no spread between seeds


def test_dead_seeds_have_a_constant_hidden_layer():
    ixt, num_varying = np.ones((4, 2, 3)), np.full((4, 2, 3), 2)
    ixt[0, -1, 0] = 0.0  # varies within one bin
    num_varying[1, -1, 0] = 0  # a hidden layer
    num_varying[2, -1, -1] = 0  # the output alone
    num_varying[3, 0, 0] = 0  # not at the end
    arm = results_of({"ixt": ixt, "num_varying": num_varying}, epochs=[0, 5])
    assert dead_seeds(arm).tolist() == [False, True, False, False]


def test_compression_of_every_seed_layer_and_arm():
    rng = np.random.default_rng(0)
    ixt = rng.normal(size=(2, 5, 7, 3))
    results = results_of({"ixt": ixt}, {"activation": ["a", "b"]}, epochs=range(7))
    amounts = seed_compression(results)
    assert set(amounts.dims) == {"activation", "halving", "seed", "layer"}
    for activation in ("a", "b"):
        for layer in range(3):
            expected = compression(results.ixt.sel(activation=activation)[:, :, layer].values)
            np.testing.assert_array_equal(amounts.sel(activation=activation)[layer], expected)
