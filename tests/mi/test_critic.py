"""The critics, the density, and the bounds of scores against slow float64 twins."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ibjax.mi._critic import (
    BOUNDS,
    CRITICS,
    MAX_LOG_DENSITY,
    SCORE_BOUNDS,
    MixtureDensity,
    density_method,
    score_method,
)

HIDDEN = (8, 8)


def slow_bound(name, batches, clip):
    """The bound of a list of (K, K) scores, in nats, term by term."""
    joint, rows, product = [], [], []
    for scores in np.asarray(batches, np.float64):
        k = len(scores)
        for i in range(k):
            joint.append(scores[i, i])
            rows.append(math.log(sum(math.exp(scores[i, j]) for j in range(k)) / k))
            product += [scores[i, j] for j in range(k) if j != i]
    product = np.asarray(product)
    if name == "infonce":
        return np.mean(joint) - np.mean(rows)
    if name == "nwj":
        return 1 + np.mean(joint) - np.mean(np.exp(product))
    if name == "dv":
        return np.mean(joint) - math.log(np.mean(np.exp(product)))
    ratios = np.clip(np.exp(product), math.exp(-clip), math.exp(clip))
    return np.mean(joint) - math.log(np.mean(ratios))


@jax.jit
def all_bounds(batches, clip):
    joints = jax.vmap(lambda scores: jnp.diag(scores).mean())(batches)

    def value(bound):
        return bound.value(joints, jax.vmap(lambda scores: bound.product(scores, clip))(batches))

    return {name: value(bound) for name, bound in SCORE_BOUNDS.items()}


def log_normal(z, scale=1.0):
    return -(z**2) / scale**2 / 2 - np.log(scale) - np.log(2 * np.pi) / 2


def random_params(network, seed, *inputs):
    """Parameters far from their start, where little is constant."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(network.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda leaf: jnp.asarray(0.7 * rng.normal(size=leaf.shape), leaf.dtype), shapes)


def normals(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def slow_tower(params, h):
    layers = [params[f"Dense_{i}"] for i in range(len(params))]
    for i, layer in enumerate(layers):
        h = h @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)
        h = np.maximum(h, 0) if i < len(layers) - 1 else h
    return h


@pytest.fixture
def batch():
    return normals(0, 5, 2), normals(1, 6, 3)


def test_separable_critic_is_a_squared_distance_and_two_functions(batch):
    x, y = batch
    network = CRITICS["separable"](HIDDEN)
    params = random_params(network, 1, x, y)
    with jax.default_matmul_precision("float32"):  # as variational_mi has it
        got = jax.jit(network.apply)(params, x, y)
    u = slow_tower(params["params"]["u"], np.float64(x))
    v = slow_tower(params["params"]["v"], np.float64(y))
    for i in range(5):
        for j in range(6):
            expected = u[i, 0] + v[j, 0] - np.sum((u[i, 1:] - v[j, 1:]) ** 2) / 2
            assert got[i, j] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_joint_critic_is_a_network_of_the_concatenation(batch):
    x, y = batch
    network = CRITICS["joint"](HIDDEN)
    params = random_params(network, 2, x, y)
    with jax.default_matmul_precision("float32"):
        got = jax.jit(network.apply)(params, x, y)
    p = params["params"]
    kernel = np.concatenate([p["x"]["kernel"], p["y"]["kernel"]]).astype(np.float64)
    bias = np.float64(p["x"]["bias"]) + np.float64(p["y"]["bias"])
    for i in range(5):
        for j in range(6):
            h = np.maximum(np.concatenate([x[i], y[j]]) @ kernel + bias, 0)
            assert got[i, j] == pytest.approx(slow_tower(p["pairs"], h)[0], rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_networks_start_near_a_constant():
    x, y = normals(3, 2, 64, 2)

    @jax.jit
    def start(key):
        scores = {name: critic((16,)).init_with_output(key, x, y)[0] for name, critic in CRITICS.items()}
        return scores, MixtureDensity((16,)).init_with_output(key, x, jnp.ones_like(y))[0]

    all_scores, log_density = start(jax.random.key(0))
    for scores in all_scores.values():
        assert scores.shape == (64, 64)
        assert np.abs(scores).mean() < 0.5
        for nats in all_bounds(scores[None], 5.0).values():
            assert nats == pytest.approx(0.0, abs=0.1)
    assert np.std(log_density) < 0.1  # whatever x is


@pytest.mark.parametrize("seed", [0, 1])
def test_density_integrates_to_one(seed):
    grid = np.linspace(-12, 12, 241, dtype=np.float32)
    y = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    x, y = jnp.full((len(y), 1), 0.3), jnp.asarray(y)
    network = MixtureDensity((4,))
    params = random_params(network, seed, x[:2], y[:2])
    log_density = np.float64(jax.jit(network.apply)(params, x, y))
    assert np.exp(log_density).sum() * 0.1**2 == pytest.approx(1.0, abs=1e-3)


def test_density_looks_at_x():
    x, y = jnp.array([[-1.0], [1.0]]), jnp.array([[0.5, 0.0], [0.5, 0.0]])
    network = MixtureDensity(HIDDEN)
    log_density = jax.jit(network.apply)(random_params(network, 0, x, y), x, y)
    assert abs(log_density[0] - log_density[1]) > 0.3


def test_density_never_exceeds_its_ceiling():
    x, y = jnp.zeros((3, 1)), jnp.zeros((3, 2))
    network = MixtureDensity(())
    params = jax.tree.map(jnp.zeros_like, random_params(network, 0, x, y))
    bias = np.zeros(8 * 5, np.float32).reshape(8, 5)
    bias[:, 3:] = -1e4  # all scales as small as they can be
    params["params"]["Tower_0"]["Dense_0"]["bias"] = jnp.asarray(bias.reshape(-1))
    log_density = jax.jit(network.apply)(params, x, y)
    np.testing.assert_allclose(log_density, 2 * MAX_LOG_DENSITY, rtol=1e-5)


@given(scores=arrays(np.float32, (2, 5, 5), elements=st.floats(-8, 8, width=32)), clip=st.floats(0.5, 6))
@settings(max_examples=25, deadline=None)
def test_bounds_of_scores_agree_with_the_slow_twin(scores, clip):
    got = all_bounds(scores, clip)
    for name, nats in got.items():
        assert nats == pytest.approx(slow_bound(name, scores, clip), rel=2e-5, abs=2e-5)
    assert got["infonce"] <= math.log(5) + 1e-5
    assert got["nwj"] <= got["dv"] + 1e-4  # 1 - z <= -ln z
    assert got["nwj"].dtype == jnp.float32


def test_constant_scores_carry_nothing():
    for name, nats in all_bounds(np.zeros((2, 5, 5), np.float32), 5.0).items():
        assert nats == pytest.approx(0.0, abs=1e-6), name


def test_nothing_is_infinite():
    scores = np.full((1, 5, 5), 3e4, np.float32)
    for name, nats in all_bounds(scores - 6e4 * np.eye(5, dtype=np.float32), 5.0).items():
        assert np.isfinite(nats), name


def test_infonce_of_copied_symbols():
    # M equally likely symbols, copied; the best critic tells whether they agree. Of K - 1 others
    # Binomial(K - 1, 1/M) agree as well: ln K - E ln(1 + Binomial).
    m, k = 4, 8
    counts = np.arange(k)
    chance = scipy.special.comb(k - 1, counts) * (1 / m) ** counts * (1 - 1 / m) ** (k - 1 - counts)
    expected = math.log(k) - np.sum(chance * np.log1p(counts))
    symbols = np.random.default_rng(0).integers(0, m, (20_000, k))
    scores = np.where(symbols[:, :, None] == symbols[:, None, :], 0.0, -30.0).astype(np.float32)
    assert all_bounds(scores, 5.0)["infonce"] == pytest.approx(expected, abs=0.01)


def test_bounds_at_the_true_ratio_give_the_information():
    rho, k = 0.75, 64
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 400, k))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    residual = y[:, None, :] - rho * x[:, :, None]
    ratio = log_normal(residual, math.sqrt(1 - rho**2)) - log_normal(y)[:, None, :]
    got = all_bounds(ratio.astype(np.float32), 5.0)
    for name in ("nwj", "dv", "smile"):
        assert got[name] == pytest.approx(0.413339, abs=0.02), name
    # A finite batch costs infonce about (E_q ratio^2 - 1) / 2K.
    assert got["infonce"] == pytest.approx(0.413339, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("bound", BOUNDS)
def test_a_method_sums_what_it_climbs(bound):
    method = density_method(HIDDEN) if bound == "doe" else score_method(bound, "separable", HIDDEN, 5.0)
    x, y = normals(2, 2, 16, 1)
    terms, objectives = jax.jit(method.terms)(random_params(method, 0, x, y), x, y)
    values = method.values(jax.tree.map(lambda term: term[None], terms))
    assert values.shape == objectives.shape == ((2,) if bound == "doe" else (1,))
    if bound == "doe":
        np.testing.assert_allclose(values, objectives * np.float32([1, -1]), rtol=1e-6)
    elif bound != "smile":
        np.testing.assert_allclose(values, objectives, rtol=1e-6)


def test_smile_climbs_the_jensen_shannon_objective():
    scores = np.random.default_rng(3).normal(size=(6, 6))
    apart = ~np.eye(6, dtype=bool)
    expected = -np.log1p(np.exp(-np.diag(scores))).mean() - np.log1p(np.exp(scores[apart])).mean()
    objective = SCORE_BOUNDS["smile"].objective
    assert objective is not None
    assert objective(jnp.asarray(scores, jnp.float32)) == pytest.approx(expected, rel=1e-5)
