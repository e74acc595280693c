"""Where tanh saturates, by arithmetic, and who shares a state, against counting by hand."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from experiments.invertibility.arithmetic import (
    ARITHMETICS,
    host_activations,
    sharing,
    with_arithmetics,
)
from experiments.lab import Arm, symmetric
from experiments.lab.parameters import HostLayer, splits_of
from ibjax.mi import exact_mi
from ibjax.training import TrainConfig, make_model
from tests.made import results_of

IDENTITY = [HostLayer(np.ones((1, 1)), np.zeros(1))]


def saturated(z, *, rounded):
    """Whether tanh of a unit without weights is exactly 1."""
    (t,) = host_activations(IDENTITY, ("tanh",), np.reshape(z, (-1, 1)), rounded=rounded)
    return (t[:, 0] == 1).tolist()


def test_tanh_is_one_from_where_the_next_number_is_nearer():
    """1 - tanh(z), about 2 exp(-2 z), is half the spacing below 1 at 13 log 2, and at 27.5 log 2."""
    single, double = 13 * np.log(2), 27.5 * np.log(2)
    found = saturated([7.999, single - 1e-4, single + 1e-4, 18.0], rounded=True)
    assert found == [False, False, True, True]
    found = saturated([7.999, single, 18.0, 18.9, double + 0.01], rounded=False)
    assert found == [False, False, False, False, True]


def test_xla_is_earlier_than_correct_rounding():
    """What makes a difference: XLA's tanh on this platform may saturate before 13 log 2."""
    z = jnp.linspace(7.0, 9.5, 2501)
    of_xla = np.asarray(jax.jit(jnp.tanh)(z)) == 1
    rounded = np.array(saturated(z, rounded=True))
    assert of_xla.sum() >= rounded.sum() - 1
    assert rounded.sum() == np.sum(np.asarray(z, float) > 13 * np.log(2))


def test_activations_are_those_of_loops():
    """Sample by sample, in Python's own float64, and rounded where a float32 network rounds."""
    rng = np.random.default_rng(0)
    layers = [
        HostLayer(rng.normal(size=fans).astype(np.float32).astype(float), np.full(fans[1], 0.25))
        for fans in ((4, 3), (3, 2), (2, 2))
    ]
    x = rng.integers(2, size=(20, 4))
    for rounded in (True, False):
        kind = np.float32 if rounded else np.float64
        found = host_activations(layers, ("tanh", "leaky_relu"), x, rounded=rounded)
        assert [t.shape for t in found] == [(20, 3), (20, 2)]
        for n in range(20):
            h = [float(v) for v in x[n]]
            for (kernel, bias), t, name in zip(layers, found, ("tanh", "leaky"), strict=False):
                new = []
                for j in range(len(bias)):
                    z = bias[j]
                    for i, value in enumerate(h):
                        z += kernel[i, j] * value
                    z = float(kind(z))
                    slope = float(np.float32(0.1))
                    new.append(float(kind(np.tanh(z) if name == "tanh" else z if z > 0 else slope * z)))
                h = new
                np.testing.assert_array_equal(t[n], h)


def test_samples_that_share_a_state_share_all_later_ones():
    """Products of whole matrices may sum the last rows in another order; these do not."""
    rng = np.random.default_rng(1)
    layers = [HostLayer(rng.normal(size=fans), rng.normal(size=fans[1])) for fans in ((7, 5), (5, 3))]
    x = np.tile(rng.normal(size=(1, 7)), (1001, 1))
    for t in host_activations([*layers, layers[0]], ("tanh", "tanh"), x, rounded=False):
        assert sharing(t) == (1001, pytest.approx(np.log2(1001)))


def test_sharing_is_counted_by_hand():
    rng = np.random.default_rng(2)
    t = rng.integers(-1, 2, size=(50, 3)) * rng.choice([0.5, 1e-300], size=(1, 3))
    counts = Counter(map(tuple, (t + 0.0).tolist()))
    shared, lost = sharing(t)
    assert shared == sum(n for n in counts.values() if n > 1)
    assert lost == pytest.approx(sum(n * np.log2(n) for n in counts.values()) / 50)
    ity = np.zeros(50, int)
    assert lost == pytest.approx(np.log2(50) - float(exact_mi(t, ity).ixt), abs=1e-5)
    assert sharing([[0.0], [-0.0], [1.0], [2.0]]) == (2, 0.5)
    assert np.isnan(sharing([[0.0], [np.nan]])).all()


@pytest.mark.slow
def test_a_network_loses_what_its_weights_make_it_lose():
    """A unit tanh(8.5 x1 + 12 x2): XLA's float32 knows whether either is set, as 8.5 is beyond 7.999.

    Rounded float32 also tells 8.5 from 12 and 20.5, which it maps to 1; float64 tells all four apart.
    """
    words = symmetric(every=8)
    training = TrainConfig(widths=(1, 2), activation="tanh", batch_size=32, num_epochs=1)
    model = make_model(training)
    params = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), words.data.x))
    kernel = np.zeros((12, 1), np.float32)
    kernel[0], kernel[1] = 8.5, 12.0
    params["params"]["layer_1"]["kernel"] = jnp.asarray(kernel)
    parameters = np.asarray(ravel_pytree(params)[0])
    kept = np.stack([parameters, np.full_like(parameters, np.nan)])  # the second network has diverged
    arm = results_of({"train_loss": np.zeros((2, 1))}, epochs=[1])
    arm["parameters"] = ("seed", "epoch", "parameter"), kept[:, None]
    found = with_arithmetics(arm.assign_coords(layer=[1, 2]), Arm(training, words, None))
    assert found.lost_finally.dims == ("arithmetic", "seed", "layer")
    assert found.arithmetic.values.tolist() == [*ARITHMETICS]
    assert "parameters" not in found
    rows = splits_of(training, [0], len(words.data.x))[0].train
    first, second = np.asarray(words.data.x)[rows][:, :2].T.astype(int)
    states = first | second, np.where(second == 1, 2, first), first + 2 * second
    if jax.default_backend() != "cpu":
        states, found = states[1:], found.isel(arithmetic=slice(1, None))
    for i, state in enumerate(states):
        counts = np.unique(state, return_counts=True)[1]
        lost = np.sum(counts * np.log2(counts)) / len(rows)
        assert found.lost_finally[i].sel(layer=1)[0] == pytest.approx(lost)
    assert (found.shared_samples.sel(layer=1)[:, 0] == len(rows)).all()
    assert np.isnan(found.lost_finally.sel(layer=2)).all()
    assert np.isnan(found.lost_finally[:, 1]).all()
