"""Estimators whatever the user's settings of JAX are: x64, strict promotion, other keys, shard_map."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from ibjax.mi import (
    adaptive_binned_mi,
    binned_mi,
    discrete_mi,
    discrete_p_value,
    edge_info,
    entropy,
    exact_mi,
    gaussian_mi,
    gaussian_p_value,
    idnns_binned_mi,
    kde_mi,
    ksg_mi,
    linear_gaussian_mi,
    noisy_info,
    quantised_mi,
    renyi_mi,
    revisiting_binned_mi,
    ross_mi,
    shuffle_test,
    subsample_std,
    variational_mi,
)
from ibjax.tracing import own_settings
from tests.marks import slow

KEY = jax.random.key(0, impl="threefry2x32")
RNG = np.random.default_rng(0)
T = np.tanh(RNG.normal(size=(2, 48, 3))).astype(np.float32)
Y = RNG.integers(0, 3, (2, 48)).astype(np.int32)

# f(t, y) -> pytree of arrays, of every public estimator.
CALLS = {
    "binned": binned_mi,
    "binned, width": functools.partial(binned_mi, bin_width=0.1),
    "binned, hashed": lambda t, y: binned_mi(jnp.tile(t, (1, 20)), y, bin_width=0.01),
    "binned, adaptive": functools.partial(adaptive_binned_mi, bins=8),
    "binned, idnns": idnns_binned_mi,
    "binned, revisiting": revisiting_binned_mi,
    "exact": exact_mi,
    "quantised": functools.partial(quantised_mi, bits=3),
    "kde": kde_mi,
    "noisy": functools.partial(noisy_info, noise_variance=0.1, key=KEY, num_draws=2),
    "discrete": lambda t, y: discrete_mi((t > 0).astype(jnp.int32), y),
    "entropy": lambda t, y: entropy(y + 1, correction="nsb", num_states=48),
    "ksg": lambda t, y: ksg_mi(t[:, :2], t[:, 2]),
    "ross": ross_mi,
    "gaussian": lambda t, y: gaussian_mi(t[:, :2], t[:, 2]),
    "gaussian linear": lambda t, y: linear_gaussian_mi(
        t[:3], input_covariance=np.eye(3, dtype=np.float32), noise_variance=0.5
    ),
    "renyi": lambda t, y: renyi_mi(t[:, :2], t[:, 2]),
    "edge": lambda t, y: edge_info(t, y, key=KEY),
    "variational": lambda t, y: variational_mi(t[:, :2], t[:, 2], key=KEY, num_steps=5, hidden=(4,)),
    "shuffles": lambda t, y: shuffle_test(gaussian_mi, t[:, 0], t[:, 1], key=KEY, num_shuffles=4),
    "subsamples": lambda t, y: subsample_std(gaussian_mi, t[:, 0], t[:, 1], key=KEY, num_subsamples=3),
    "p-values": lambda t, y: (
        discrete_p_value(t[0, 0] ** 2, num_samples=9, num_states_x=2, num_states_y=2),
        gaussian_p_value(t[0, 0] ** 2, num_samples=9, num_columns_x=1, num_columns_y=1),
    ),
}
SETTINGS = {
    "x64": lambda: jax.enable_x64(True),
    "strict promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "rbg keys": lambda: jax.default_prng_impl("rbg"),
    "other threefry": lambda: jax.threefry_partitionable(False),
}
OF_KEYS = ("rbg keys", "other threefry")


@pytest.fixture(scope="module")
def expected():
    return functools.cache(lambda call, i: jax.device_get(call(T[i], Y[i])))


def assert_same(got, wanted, atol=0.0):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)
        assert np.asarray(a).dtype == np.asarray(b).dtype


# Longer than a sample of them are the slow tests.
LONG = ("variational", "shuffles", "subsamples")


def calls(default):
    """All calls, those that are not ``default`` among the slow tests."""
    each = [(pytest.param if name in default else slow)(f, id=name) for name, f in CALLS.items()]
    return pytest.mark.parametrize("call", each)


each_call = calls(CALLS.keys() - LONG)


@pytest.mark.parametrize(
    "setting",
    [(slow if name in OF_KEYS else pytest.param)(f, id=name) for name, f in SETTINGS.items()],
)
@calls(("binned", "gaussian"))
def test_settings_change_no_bit(call, setting, expected):
    with setting():
        assert_same(call(jnp.asarray(T[0]), jnp.asarray(Y[0])), expected(call, 0))


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["x64", "strict promotion"])
@each_call
def test_settings_do_not_matter_under_jit(call, setting, expected):
    with SETTINGS[setting]():
        assert_same(jax.jit(call)(jnp.asarray(T[0]), jnp.asarray(Y[0])), expected(call, 0), atol=1e-5)


@calls(("binned",))
def test_works_inside_shard_map(call, expected):
    mesh = jax.make_mesh((2,), ("lane",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec("lane")

    def of_lane(t, y):
        return jax.tree.map(lambda x: x[None], call(t[0], y[0]))

    got = jax.jit(jax.shard_map(of_lane, mesh=mesh, in_specs=spec, out_specs=spec))(T, Y)
    for i in range(2):
        assert_same(jax.tree.map(lambda x, i=i: x[i], got), expected(call, i), atol=1e-5)


@pytest.mark.slow
def test_keys_of_another_implementation_do_not_depend_on_company():
    keys = jnp.stack([jax.random.key(seed, impl="rbg") for seed in range(3)])

    def f(key):
        return noisy_info(T[0], Y[0], noise_variance=0.1, key=key, num_draws=1)

    together = jax.vmap(f)(keys)
    for i in range(3):
        assert_same(jax.tree.map(lambda x, i=i: x[i], together), f(keys[i]), atol=1e-6)


def test_the_users_settings_come_back():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        with own_settings():
            assert jnp.arange(3).dtype == jnp.int32
        binned_mi(T[0], Y[0])
        assert jnp.arange(3).dtype == jnp.int64
        assert jax.config.jax_numpy_dtype_promotion == "strict"
