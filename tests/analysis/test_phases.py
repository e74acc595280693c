"""Phases of made-up curves."""

import numpy as np
import pytest

from ibjax.analysis.phases import (
    compression_end,
    compression_start,
    diffusion_start,
    fitting_end,
    plane_phases,
    reaching_epoch,
    running_median,
)
from ibjax.training.schedule import log_spaced_epochs
from tests.made import results_of

EPOCHS = log_spaced_epochs(8000)


def step(at, low=0.1):
    """A ratio of 5 before the epoch ``at`` and of ``low`` from it on."""
    return np.where(at > EPOCHS, 5.0, low)


def test_running_median_equals_a_slow_loop():
    values = np.random.default_rng(0).normal(size=(3, len(EPOCHS)))
    smooth = running_median(values, EPOCHS)
    ends = np.log([1, *(0.5 * (EPOCHS[1:] + EPOCHS[:-1]) + 1), 8001])
    for i, epoch in enumerate(EPOCHS):
        near = [j for j, other in enumerate(EPOCHS) if epoch / 1.5 <= other <= epoch * 1.5]
        for seed in range(3):
            total, passed = sum(ends[j + 1] - ends[j] for j in near), 0.0
            for j in sorted(near, key=lambda j, seed=seed: values[seed, j]):
                passed += ends[j + 1] - ends[j]
                if passed >= total / 2:
                    break
            assert smooth[seed, i] == values[seed, j]


def test_diffusion_starts_where_the_ratio_falls_below_1():
    start = diffusion_start(np.stack([step(100), step(1000)]), EPOCHS)
    np.testing.assert_allclose(start, [100, 1000], rtol=0.05)  # the schedule's spacing is 3%


def test_diffusion_starts_there_for_curves_that_jump_about():
    rng = np.random.default_rng(1)
    noisy = step(700)[None] * np.exp(rng.normal(size=(50, len(EPOCHS))))
    assert (noisy[:, EPOCHS > 700] > 1).any()
    start = diffusion_start(noisy, EPOCHS)
    assert np.isfinite(start).all()
    assert np.median(start) == pytest.approx(700, rel=0.05)
    np.testing.assert_allclose(start, 700, rtol=0.3)


def test_diffusion_that_ends_does_not_count():
    again = np.where((EPOCHS >= 100) & (EPOCHS < 300), 0.1, step(2000))
    (start,) = diffusion_start(again[None], EPOCHS)
    assert start == pytest.approx(2000, rel=0.05)


def test_no_diffusion_without_drift_before_or_with_drift_at_the_end():
    broken = step(100)
    broken[150:] = np.nan
    curves = [np.full(len(EPOCHS), 0.5), np.full(len(EPOCHS), 2.0), 1 / step(100), broken]
    assert np.isnan(diffusion_start(np.stack(curves), EPOCHS)).all()


def falling(by, since=100):
    """8 bits until the epoch ``since``, then a fall that is linear in the epoch's logarithm."""
    done = np.log(np.maximum(EPOCHS, since) / since) / np.log(EPOCHS[-1] / since)
    return 8 - by * done


def test_compression_starts_when_a_tenth_of_it_is_done():
    expected = 100 * 80**0.1
    curves = np.stack([falling(1.0), falling(6.0)])
    # The median of the last window lies within it: its half, a factor of 1.2, less is lost.
    np.testing.assert_allclose(compression_start(curves, EPOCHS), expected, rtol=0.06)


def test_compression_starts_after_the_largest_of_several_peaks():
    bump = np.exp(-((np.log(np.maximum(EPOCHS, 1) / 10) / 0.4) ** 2))
    curve = falling(4.0, since=300) - 3 + 3 * bump  # about 8 at epoch 10, 5 between, 1 at the end
    (start,) = compression_start(curve[None], EPOCHS)
    assert 10 < start < 15


def test_compression_ends_when_nine_tenths_of_it_are_done():
    ixt = np.stack([falling(5.0), falling(0.5, since=400), np.full(len(EPOCHS), 3.0)])
    end, start = compression_end(ixt, EPOCHS), compression_start(ixt, EPOCHS)
    for curve, at in zip(ixt[:2], end, strict=False):
        later = 1.5 * at < EPOCHS
        assert (curve[later] <= curve.max() - 0.9 * (curve.max() - curve[-1])).all()
        assert curve[at == EPOCHS].item() >= curve.max() - 0.95 * (curve.max() - curve[-1])
    assert (end[:2] > start[:2]).all()
    assert np.isnan(end[2])


def test_a_level_is_reached_at_the_first_epoch_at_which_the_median_is_there():
    late, jump = np.where(EPOCHS < 50, 0.1, 1.0), np.where(EPOCHS == 5, 1.0, 0.1)
    values = np.stack([late, jump, np.full(len(EPOCHS), 0.95), np.full(len(EPOCHS), np.nan)])
    reached = reaching_epoch(values, EPOCHS, 0.9)
    assert reached[0] == pytest.approx(50, rel=0.3)
    assert np.isnan(reached[1])  # one epoch above is noise
    assert reached[2] == EPOCHS[0]
    assert np.isnan(reached[3])


def test_what_does_not_compress_has_no_start():
    curves = np.stack([falling(0.04), -falling(3.0), np.full(len(EPOCHS), np.nan)])
    assert np.isnan(compression_start(curves, EPOCHS)).all()


def test_diffusion_starts_at_another_level_of_the_ratio():
    """A ratio of 5, then 1.5 from epoch 100, then 0.7 from epoch 1000."""
    ratio = np.where(EPOCHS < 100, 5.0, np.where(EPOCHS < 1000, 1.5, 0.7))[None]
    for level, expected in ((0.5, np.nan), (1, 1000), (2, 100), (6, np.nan)):
        np.testing.assert_allclose(diffusion_start(ratio, EPOCHS, level=level), expected, rtol=0.05)


def test_compression_starts_later_where_more_must_be_lost():
    curve = falling(4.0)[None]
    for part in (0.05, 0.2, 0.5):
        expected = 100 * (80 / 1.5**0.5) ** part  # the last window's median lies at its half
        start = compression_start(curve, EPOCHS, part=part)
        np.testing.assert_allclose(start, expected, rtol=0.06)


@pytest.mark.parametrize("part", [0, 1, np.nan])
def test_parts_that_are_all_or_nothing_are_refused(part):
    with pytest.raises(ValueError, match="part: expected a finite number above 0"):
        compression_start(np.ones((2, len(EPOCHS))), EPOCHS, part=part)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="values: expected shape"):
        running_median(np.ones(3), np.arange(3))
    with pytest.raises(ValueError, match=r"values\.T and epochs: expected one entry"):
        running_median(np.ones((2, 3)), np.arange(4))


def test_fitting_ends_where_nine_tenths_are_gained():
    epochs = np.array([0, 1, 3, 10, 30, 100, 300, 1000])
    rising = np.array([0.1, 0.1, 0.2, 0.5, 0.9, 0.99, 1.0, 1.0])
    flat = np.full(8, 0.7)
    lost = np.where(np.arange(8) > 5, np.nan, rising)
    found = fitting_end(np.stack([rising, flat, lost]), epochs)
    np.testing.assert_array_equal(found, [100, np.nan, np.nan])


def test_phases_of_the_plane_of_made_curves():
    """Layer 1 fits by epoch 30 and loses 2 bits from epoch 100 on; layer 2 does neither."""
    epochs = np.array([0, 1, 3, 10, 30, 100, 300, 1000, 3000])
    ixt, ity = np.full((3, 9, 2), 5.0), np.full((3, 9, 2), 0.5)
    ixt[:, 5, 0] = 6.0
    ixt[:, 7:, 0] = 4.0
    ity[:, 4:, 0] = 1.0
    ixt[2], ity[2] = np.nan, np.nan
    phases = plane_phases(results_of({"ixt": ixt, "ity": ity}, epochs=epochs))
    expected = {
        "peak": [6, 5],
        "peak_epoch": [100, 0],
        "fitting_end": [30, np.nan],
        "compression_start": [100, np.nan],
        "compression_end": [300, np.nan],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(phases[name], [values, values, [np.nan, np.nan]], err_msg=name)
        assert phases[name].attrs["units"] in ("bits", "epochs")
