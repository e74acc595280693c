"""Controls: what each keeps of the trained network and what it does not."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.analysis.controls import (
    CONTROLS,
    ControlsRecord,
    draw_controls,
    permuted,
    rescaled,
    rotated,
)
from ibjax.analysis.records import PlanesRecord
from ibjax.mi import binned_mi
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Split

NUM_SAMPLES = 200
MODEL = MLP((5, 2), ("tanh",))
ESTIMATORS = {f"width {w}": functools.partial(binned_mi, bin_width=w) for w in (0.25, 0.5)}


@pytest.fixture(scope="module")
def network():
    """Parameters of a network with biases, its controls' draws and its split."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (NUM_SAMPLES, 6))
    data = LabelledSamples(jnp.asarray(x, jnp.float32), jnp.asarray((x.sum(1) > 2).astype(int)))
    params = MODEL.init(jax.random.key(1), data.x)
    params = jax.tree.map(lambda p: 3 * p + 0.1, params)
    rows = jnp.arange(NUM_SAMPLES)
    return params, draw_controls(MODEL, data)(jax.random.key(2)), Split(rows[:150], rows[150:])


@pytest.fixture(scope="module")
def seen(network):
    return jax.jit(ControlsRecord(MODEL, ESTIMATORS))(*network)


@pytest.mark.slow
def test_every_control_has_a_plane_of_every_estimator(seen):
    assert seen["ixt"].shape == seen["ity"].shape == (len(CONTROLS), 2, 2)
    assert seen["train_loss"].shape == (len(CONTROLS),)


@pytest.mark.slow
def test_trained_is_the_network_itself(network, seen):
    params, data, split = network
    planes = PlanesRecord(MODEL, ESTIMATORS)(params, LabelledSamples(data.x, data.y), split)
    for name, value in planes.items():
        np.testing.assert_allclose(seen[name][CONTROLS.index("trained")], value, rtol=1e-5)


@pytest.mark.slow
def test_shuffled_keeps_ixt_and_loses_the_labels(network, seen):
    params, data, _ = network
    trained, shuffled = (CONTROLS.index(name) for name in ("trained", "shuffled"))
    np.testing.assert_array_equal(seen["ixt"][shuffled], seen["ixt"][trained])
    assert (seen["ity"][shuffled] < seen["ity"][trained]).all()
    assert (seen["ity"][shuffled, :, 0] < seen["ity"][trained, :, 0] - 0.3).all()
    # The pairs (t, y) are those of activations in another order.
    _, hidden = MODEL.apply(params, data.x)
    inverse = np.argsort(np.asarray(data.order))
    expected = binned_mi(np.asarray(hidden[0])[inverse], np.asarray(data.y), bin_width=0.25)
    assert float(seen["ity"][shuffled, 0, 0]) == pytest.approx(float(expected.ity), abs=1e-5)


@pytest.mark.slow
def test_rescaled_has_the_norms_of_the_trained_network_and_other_directions(network):
    params, data, _ = network
    control = rescaled(data.directions, params)
    for trained, other in zip(*map(jax.tree.leaves, (params, control)), strict=True):
        assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(trained), rel=1e-5)
        cosine = np.vdot(trained, other) / np.linalg.norm(trained) ** 2
        assert abs(cosine) < 0.95


@pytest.mark.slow
@pytest.mark.parametrize("control", [rescaled, rotated, permuted])
def test_controls_are_measured_as_any_network(network, seen, control):
    params, data, split = network
    changed = control(data.directions, params)
    planes = PlanesRecord(MODEL, ESTIMATORS)(changed, LabelledSamples(data.x, data.y), split)
    index = CONTROLS.index(control.__name__)
    for name, value in planes.items():
        np.testing.assert_allclose(seen[name][index], value, rtol=1e-4)


def test_rotated_keeps_singular_values_and_takes_other_singular_vectors(network):
    params, data, _ = network
    layers = (tree["params"]["layer_1"] for tree in (params, data.directions))
    trained, drawn = (np.asarray(layer["kernel"], np.float64) for layer in layers)
    control = rotated(data.directions, params)["params"]["layer_1"]
    kernel = np.asarray(control["kernel"], np.float64)
    values = np.linalg.svd(trained, compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), values, rtol=1e-5)
    # Its Gram matrices have the eigenvectors of the drawn kernel's: they commute.
    for gram in (lambda k: k @ k.T, lambda k: k.T @ k):
        product = gram(kernel) @ gram(drawn)
        np.testing.assert_allclose(product, product.T, rtol=1e-4, atol=1e-4)
    bias = params["params"]["layer_1"]["bias"]
    assert np.linalg.norm(control["bias"]) == pytest.approx(np.linalg.norm(bias), rel=1e-5)


def test_a_kernel_rotated_by_its_own_singular_vectors_stays(network):
    params, _, _ = network
    for same, trained in zip(*map(jax.tree.leaves, (rotated(params, params), params)), strict=True):
        np.testing.assert_allclose(same, trained, atol=1e-5)


def test_permuted_keeps_the_entries_in_the_drawn_order(network):
    params, data, _ = network
    control = jax.jit(permuted)(data.directions, params)
    leaves = map(jax.tree.leaves, (params, data.directions, control))
    for trained, drawn, moved in zip(*leaves, strict=True):
        np.testing.assert_array_equal(np.sort(moved, axis=None), np.sort(trained, axis=None))
        order = np.argsort(drawn, axis=None)
        assert (np.diff(np.ravel(moved)[order]) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("control", [rotated, permuted])
def test_controls_of_many_networks_are_those_of_each(network, control):
    params, data, _ = network
    twice = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), params)
    both = jax.vmap(control, in_axes=(None, 0))(data.directions, twice)
    expected = control(data.directions, jax.tree.map(lambda p: 2 * p, params))
    for several, alone in zip(*map(jax.tree.leaves, (both, expected)), strict=True):
        np.testing.assert_allclose(several[1], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("control", [rotated, permuted])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_finite_gives_nan(network, control, which):
    params, data, _ = network
    trees = [data.directions, params]
    trees[which] = jax.tree.map(lambda p: p.at[(0,) * p.ndim].set(jnp.nan), trees[which])
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(control(*trees)))


@pytest.mark.parametrize("control", [rescaled, rotated, permuted])
def test_parameters_of_another_network_are_refused(network, control):
    params, data, _ = network
    other = MLP((4, 2), ("tanh",)).init(jax.random.key(0), data.x)
    with pytest.raises(ValueError, match="expected parameters of the same network"):
        control(other, params)


def test_untrained_biases_of_zero_stay_zero(network):
    _, data, _ = network
    params = MODEL.init(jax.random.key(1), data.x)
    control = rescaled(data.directions, params)
    assert all((np.asarray(p) == 0).all() for p in jax.tree.leaves(control) if p.ndim == 1)


def test_draws_are_of_the_key(network):
    _, data, _ = network
    draw = draw_controls(MODEL, LabelledSamples(data.x, data.y))
    again, other = draw(jax.random.key(2)), draw(jax.random.key(3))
    np.testing.assert_array_equal(again.order, data.order)
    assert (np.asarray(other.order) != np.asarray(data.order)).any()
    assert (np.sort(other.order) == np.arange(NUM_SAMPLES)).all()


@pytest.mark.slow
def test_a_network_that_is_not_finite_has_nan_everywhere(network):
    params, data, split = network
    broken = jax.tree.map(lambda p: jnp.full_like(p, jnp.nan), params)
    got = jax.jit(ControlsRecord(MODEL, ESTIMATORS))(broken, data, split)
    assert all(np.isnan(value).all() for name, value in got.items() if name != "num_varying")
