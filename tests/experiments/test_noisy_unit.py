"""The noisy unit: its exact information, and estimators that follow it."""

import numpy as np
import pytest

from experiments import noisy_unit


@pytest.mark.parametrize(("weight", "nats"), [(0.1, 0.395966), (0.5, 1.308976), (5, 0.695382)])
def test_exact_information(weight, nats):
    assert noisy_unit.exact_information(weight) * np.log(2) == pytest.approx(nats, abs=1e-6)


def test_exact_information_rises_and_falls():
    curve = [noisy_unit.exact_information(w) for w in np.geomspace(0.1, 5, 30)]
    peak = int(np.argmax(curve))
    assert 0 < peak < 29
    assert (np.diff(curve[: peak + 1]) > 0).all()
    assert (np.diff(curve[peak:]) < 0).all()


@pytest.mark.slow
def test_every_estimator_falls_and_those_that_know_the_noise_are_exact():
    results = noisy_unit.run(noisy_unit.Config(seeds=6, smoke=True))
    assert results.ixt.dims == ("estimator", "weight", "seed")
    assert results.ixt.attrs["units"] == "bits"
    mean = results.ixt.mean("seed")
    exact = results.exact
    error = np.abs(mean - exact).max("weight")
    assert error.sel(estimator="noisy_mi") < 0.05  # 2000 draws: a standard error of 0.02
    assert error.sel(estimator="ross_mi") < 0.1
    assert (mean.sel(estimator="kde_mi, lower") <= exact + 1e-4).all()
    assert (mean.sel(estimator="kde_mi, upper") >= exact - 1e-4).all()
    figures, (table,) = noisy_unit.report(results)
    assert set(figures) == {"noisy_unit.png"}
    fall_low = table.frame.set_index("estimator").fall_low
    for name in results.estimator.values:
        assert fall_low[name] > 0, name
