"""The same networks through every estimator: records, tables, and the smoke run."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import estimators
from ibjax.mi import binned_mi
from tests.made import results_of


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "values"), [("bin_width", (0.01, 0.07, 0.3)), ("bins", (100, 30, 10))]
)
def test_settings_give_what_each_gives_alone(option, values):
    t = jnp.tanh(jnp.asarray(np.random.default_rng(0).normal(size=(60, 3)), jnp.float32))
    y = jnp.arange(60) % 2
    mi = estimators.InSettings(binned_mi, option, values)(t, y)
    alone = [binned_mi(t, y, **{option: value}) for value in values]
    np.testing.assert_allclose(mi.ixt, [one.ixt for one in alone], rtol=1e-6)
    np.testing.assert_allclose(mi.ity, [one.ity for one in alone], rtol=1e-6)


@pytest.fixture
def results():
    """Two estimators; one sees layer 2 of the tanh networks compress by 2 bits."""
    rng = np.random.default_rng(2)
    ixt = 5 + 0.01 * rng.normal(size=(2, 2, 3, 6, 4, 3))
    ixt[0, 1, 2, :, 1:3, 1] += 2
    factors = {
        "activation": ["tanh", "relu"],
        "estimator": ["binned", "noisy"],
        "setting": ["fine", "medium", "coarse"],
    }
    option = (("estimator", "setting"), [[f"{e}={i}" for i in range(3)] for e in "wn"])
    return results_of({"ixt": ixt}, factors).assign_coords(option=option)


def test_the_table_says_who_sees_compression(results):
    _, (table,) = estimators.report(results)
    assert len(table.frame) == 2 * 2 * 3 * 3
    (seen,) = table.frame[table.frame.compression_low > 0.05].itertuples(index=False)
    assert seen[:5] == ("tanh", "noisy", "coarse", 2, "n=2")
    assert seen.compression == pytest.approx(2, abs=0.05)
    _, tanh, relu = table.sentences
    assert tanh.startswith("tanh: of 6 estimators 1 see a hidden layer compress: noisy (n=2).")
    assert relu.startswith("relu: of 6 estimators 0 see a hidden layer compress: none.")


@pytest.mark.slow
def test_smoke_run_writes_a_plane_of_every_estimator(tmp_path):
    config = estimators.Config(smoke=True, out=tmp_path)
    results = estimators.run(config, folder=tmp_path / "checkpoints")
    assert results.ixt.dims == ("activation", "estimator", "setting", "seed", "epoch", "layer")
    assert results.ixt.shape[:4] == (2, 6, 3, 4)
    assert np.isfinite(results.ixt).all()
    assert (results.ixt <= 9 + 1e-3).all()  # log2 of 512 inputs, beyond rounding and draws
    upper, lower = (results.ixt.sel(estimator=f"KDE {bound}") for bound in ("upper", "lower"))
    assert (lower <= upper + 1e-5).all()
    figures, tables = estimators.report(results)
    assert set(figures) == {"compression_by_estimator.png", "curves_by_estimator.png"}
    assert len(tables) == 1
