"""The simulations of ``benchmarks.calibration`` at reduced size: the library's intervals hold."""

import numpy as np
import pytest

from benchmarks.calibration import Rates, cases, rates
from ibjax.analysis.intervals import Interval, mean_interval

NUM_WORLDS = 300
# Three standard errors of a share of 3% or of 95% in so many worlds.
CHANCE = {"excluded": 0.030, "covered": 0.038}


def judged(num_seeds):
    return [case for case in cases(num_seeds) if case.judged]


def test_shares_and_what_they_say():
    low_high = iter([(1.0, 2.0), (-2.0, -1.0), (-1.0, 1.0), (0.5, 1.0)])

    def statistic(rng, num_seeds):
        low, high = next(low_high)
        return Interval((low + high) / 2, low, high, num_seeds)

    rate = rates(statistic, 5, 0.0, 4, seed=0)
    assert rate == Rates(above=0.5, below=0.25, length=1.125, bias=0.1875)
    assert rate.covers == 0.25
    assert Rates(0.035, 0.035, 1.0, 0.0).verdict(null=True) == "passes"
    assert Rates(0.036, 0.0, 1.0, 0.0).verdict(null=True) == "FAILS"
    assert Rates(0.036, 0.0, 1.0, 0.0).verdict(null=False) == "passes"
    assert Rates(0.05, 0.03, 1.0, 0.0).verdict(null=False) == "FAILS"
    assert Rates(0.01, 0.01, 1.0, 0.0).verdict(null=False) == "conservative"


def test_students_interval_of_normal_numbers_is_calibrated():
    rate = rates(lambda rng, n: mean_interval(rng.normal(size=n)), 5, 0.0, 2000, seed=0)
    assert rate.covers == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [10, 50])
def test_a_peak_that_all_others_choose_is_not_calibrated(num_seeds):
    """The rule that the library does not use, so that the simulation is seen to find it out."""
    case = next(c for c in cases(num_seeds) if c.name == "independent noise" and c.rule == "others")
    rate = rates(case.statistic, num_seeds, case.truth, NUM_WORLDS, seed=0)
    assert max(rate.above, rate.below) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [10, 50])
def test_intervals_of_the_library_hold(num_seeds):
    failing = {}
    for case in judged(num_seeds):
        rate = rates(case.statistic, num_seeds, case.truth, NUM_WORLDS, seed=1)
        excluded = max(rate.above, rate.below) > 0.035 + CHANCE["excluded"]
        missed = rate.covers < 0.93 - CHANCE["covered"]
        if excluded if case.null else missed:
            failing[case.name] = rate
    assert not failing
    assert len(judged(num_seeds)) >= 18
