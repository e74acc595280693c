import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from ibjax.models import ACTIVATIONS, INITS, MLP
from tests.marks import slow

# In float64, from the definitions.
NUMPY_ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.1 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "gelu": lambda z: z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
}

MIXES = [
    ("tanh", "relu", "linear"),
    ("softsign", "elu", "gelu"),
    ("sigmoid", "leaky_relu", "softplus"),
]

# The standard deviation of a standard normal cut at 2.
CUT_STD = scipy.stats.truncnorm(-2, 2).std()


def random_params(widths, num_inputs, seed=0):
    """Kernels and biases of order 1, float64, in Flax's tree."""
    rng = np.random.default_rng(seed)
    fans = [num_inputs, *widths]
    return {
        "params": {
            f"layer_{i}": {
                "kernel": rng.normal(size=(fans[i - 1], fans[i])) / np.sqrt(fans[i - 1]),
                "bias": rng.normal(size=fans[i]),
            }
            for i in range(1, len(fans))
        }
    }


def float32(tree):
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), tree)


def numpy_forward(params, x, activations):
    hidden, h = [], x
    for i, name in enumerate((*activations, "linear"), 1):
        layer = params["params"][f"layer_{i}"]
        h = NUMPY_ACTIVATIONS[name](h @ layer["kernel"] + layer["bias"])
        hidden.append(h)
    return hidden[-1], hidden[:-1]


def numpy_loss(params, x, y, activations):
    """Mean cross-entropy in nats."""
    logits, _ = numpy_forward(params, x, activations)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(y)), y].mean()


def plain_loss(params, x, y, activations):
    """The same in JAX, row-major, with JAX's own derivatives."""
    h = x
    for i, name in enumerate((*activations, "linear"), 1):
        layer = params["params"][f"layer_{i}"]
        h = ACTIVATIONS[name](h @ layer["kernel"] + layer["bias"][None, :])
    return -jax.nn.log_softmax(h)[jnp.arange(len(y)), y].mean()


def model_loss(model):
    def loss(params, x, y):
        logits, _ = model.apply(params, x)
        return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

    return loss


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(50, 5))


@pytest.fixture
def y():
    return np.random.default_rng(2).integers(0, 2, size=50)


def test_every_activation_has_a_twin():
    assert set(NUMPY_ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize("activations", [*((name,) * 3 for name in ACTIVATIONS), *MIXES], ids=str)
def test_forward_equals_numpy(activations, x):
    widths = (6, 4, 3, 2)
    params = random_params(widths, 5)
    logits, hidden = MLP(widths, activations).apply(float32(params), jnp.asarray(x, jnp.float32))
    expected_logits, expected_hidden = numpy_forward(params, x, activations)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-5)
    assert [h.shape for h in hidden] == [(50, 6), (50, 4), (50, 3)]
    for h, expected in zip(hidden, expected_hidden, strict=True):
        np.testing.assert_allclose(h, expected, atol=1e-5)


def test_row_major_and_feature_major_agree(x):
    model = MLP((6, 4, 2), ("tanh", "relu"))
    params, x = float32(random_params((6, 4, 2), 5)), jnp.asarray(x, jnp.float32)
    logits, hidden = model.apply(params, x)
    logits_f, hidden_f = model.apply(params, x.T, method="feature_major")
    assert logits_f.shape == (2, 50)
    np.testing.assert_array_equal(logits, logits_f.T)
    for h, h_f in zip(hidden, hidden_f, strict=True):
        np.testing.assert_array_equal(h, h_f.T)


def test_a_network_without_hidden_layers_is_affine(x):
    params = random_params((3,), 5)
    logits, hidden = MLP((3,), ()).apply(float32(params), jnp.asarray(x, jnp.float32))
    layer = params["params"]["layer_1"]
    assert hidden == []
    np.testing.assert_allclose(logits, x @ layer["kernel"] + layer["bias"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("full_products")
@pytest.mark.parametrize(
    "activations", [("tanh", "relu"), slow(("softplus", "elu")), slow(("linear", "tanh"))]
)
def test_gradient_equals_that_of_a_plain_network(activations, x, y):
    widths = (6, 4, 2)
    params = float32(random_params(widths, 5))
    x = jnp.asarray(x, jnp.float32)
    # With respect to the parameters and to the inputs.
    got = jax.grad(model_loss(MLP(widths, activations)), argnums=(0, 1))(params, x, y)
    expected = jax.grad(plain_loss, argnums=(0, 1))(params, x, y, activations)
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, atol=1e-6)


@pytest.mark.slow
def test_gradient_equals_finite_differences(x, y):
    widths, activations = (4, 3, 2), ("tanh", "softplus")
    params = random_params(widths, 5)
    grads = jax.grad(model_loss(MLP(widths, activations)))(
        float32(params), jnp.asarray(x, jnp.float32), y
    )
    step = 1e-5
    for layer, arrays in params["params"].items():
        for name, array in arrays.items():
            for at in np.ndindex(array.shape):
                value = array[at]
                array[at] = value + step
                above = numpy_loss(params, x, y, activations)
                array[at] = value - step
                below = numpy_loss(params, x, y, activations)
                array[at] = value
                difference = (above - below) / (2 * step)
                got = grads["params"][layer][name][at]
                assert got == pytest.approx(difference, abs=1e-6), (layer, name, at)


@pytest.mark.slow
@pytest.mark.usefixtures("full_products")
def test_gradients_of_stacked_networks_are_those_of_each(x, y):
    widths, activations = (4, 3, 2), ("tanh", "relu")
    x = jnp.asarray(x, jnp.float32)
    each = [float32(random_params(widths, 5, seed)) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    gradient = jax.grad(model_loss(MLP(widths, activations)))
    together = jax.jit(jax.vmap(gradient, in_axes=(0, None, None)))(stacked, x, y)
    for i, params in enumerate(each):
        expected = jax.grad(plain_loss)(params, x, y, activations)
        for g, e in zip(jax.tree.leaves(together), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(g[i], e, atol=1e-6)


def initial_kernels(kernel_init):
    """Kernels (300, 500) and (500, 200) of a hidden and an output layer; biases checked."""
    model = MLP((500, 200), ("tanh",), kernel_init)
    params = model.init(jax.random.key(3), jnp.zeros((1, 300)))["params"]
    for layer in params.values():
        np.testing.assert_array_equal(layer["bias"], 0)
    assert params["layer_1"]["kernel"].shape == (300, 500)
    return np.asarray(params["layer_1"]["kernel"]), np.asarray(params["layer_2"]["kernel"])


def assert_drawn_from(kernel, distribution):
    """Kolmogorov-Smirnov, and the standard deviation within five of its standard errors."""
    values = kernel.ravel().astype(np.float64)
    assert scipy.stats.kstest(values, distribution.cdf).pvalue > 1e-3
    fourth = distribution.moment(4)
    variance = distribution.var()
    error = np.sqrt((fourth - variance**2) / len(values)) / (2 * np.sqrt(variance))
    assert abs(np.sqrt((values**2).mean()) - np.sqrt(variance)) < 5 * error
    low, high = distribution.support()
    assert values.min() >= low * (1 + 1e-6)
    assert values.max() <= high * (1 + 1e-6)


def cut_normal(fan):
    return scipy.stats.truncnorm(-2, 2, scale=fan**-0.5)


def glorot_uniform(fan_in, fan_out):
    limit = np.sqrt(6 / (fan_in + fan_out))
    return scipy.stats.uniform(-limit, 2 * limit)


@pytest.mark.slow
def test_fan_in_is_cut_at_two_sigma_without_correcting_the_variance():
    hidden, output = initial_kernels("fan_in")
    assert_drawn_from(hidden, cut_normal(300))
    assert_drawn_from(output, cut_normal(500))
    assert hidden.std() * np.sqrt(300) == pytest.approx(CUT_STD, abs=0.005)
    np.testing.assert_allclose(CUT_STD, 0.8796, atol=1e-4)
    assert 1.99 < np.abs(hidden).max() * np.sqrt(300) <= 2.0 + 1e-6


def test_fan_out_has_a_glorot_output():
    hidden, output = initial_kernels("fan_out")
    assert_drawn_from(hidden, cut_normal(500))
    assert_drawn_from(output, glorot_uniform(500, 200))


def test_glorot_is_uniform_everywhere():
    hidden, output = initial_kernels("glorot")
    assert_drawn_from(hidden, glorot_uniform(300, 500))
    assert_drawn_from(output, glorot_uniform(500, 200))


def test_he_has_the_variance_of_its_fan_in_after_the_cut():
    hidden, output = initial_kernels("he")
    for kernel, fan_in in ((hidden, 300), (output, 500)):
        sigma = np.sqrt(2 / fan_in) / CUT_STD
        assert_drawn_from(kernel, scipy.stats.truncnorm(-2, 2, scale=sigma))


def test_initial_weights_depend_on_the_key_and_layer():
    model = MLP((6, 6, 6), ("tanh", "tanh"))
    one, same, other = (
        model.init(jax.random.key(key), jnp.zeros((1, 6)))["params"] for key in (0, 0, 1)
    )
    kernels = [one[f"layer_{i}"]["kernel"] for i in (1, 2, 3)]
    np.testing.assert_array_equal(kernels[0], same["layer_1"]["kernel"])
    assert (kernels[0] != other["layer_1"]["kernel"]).all()
    assert (kernels[0] != kernels[1]).all()
    assert (kernels[1] != kernels[2]).all()


@pytest.fixture(scope="module")
def noisy():
    """A noisy linear network on 20000 inputs, and what a run in training gives."""
    model = MLP((3, 4, 2), ("linear", "linear"), noise_variance=0.3)
    params = float32(random_params((3, 4, 2), 5))
    x = jnp.asarray(np.random.default_rng(4).normal(size=(20_000, 5)), jnp.float32)
    logits, hidden = model.apply(params, x, train=True, rngs={"noise": jax.random.key(5)})
    return model, params, x, logits, [np.asarray(h) for h in hidden]


def affine(params, layer, h):
    arrays = params["params"][f"layer_{layer}"]
    return h @ np.asarray(arrays["kernel"]) + np.asarray(arrays["bias"])


def test_noise_enters_every_hidden_layer_with_its_variance(noisy):
    _, params, x, logits, hidden = noisy
    noise = [
        hidden[0] - affine(params, 1, np.asarray(x)),
        hidden[1] - affine(params, 2, hidden[0]),  # what comes from below carries noise already
    ]
    for part in noise:
        normal = scipy.stats.norm(scale=np.sqrt(0.3))
        assert scipy.stats.kstest(part.ravel(), normal.cdf).pvalue > 1e-3
        # Standard error of the variance: 0.3 sqrt(2 / n), with n of 60000 and more.
        assert part.var() == pytest.approx(0.3, abs=5 * 0.3 * np.sqrt(2 / part.size))
    # Every unit, layer and sample has its own: no correlation beyond 5 / sqrt(n).
    correlations = np.corrcoef(np.concatenate(noise, axis=1).T)
    assert np.abs(correlations - np.eye(7)).max() < 5 / np.sqrt(20_000)
    np.testing.assert_allclose(logits, affine(params, 3, hidden[1]), atol=1e-5)


def test_noise_only_in_training(noisy):
    model, params, x, _, _ = noisy
    quiet = MLP((3, 4, 2), ("linear", "linear"))
    expected, expected_hidden = quiet.apply(params, x)
    logits, hidden = model.apply(params, x, rngs={"noise": jax.random.key(5)})
    np.testing.assert_array_equal(logits, expected)
    for h, e in zip(hidden, expected_hidden, strict=True):
        np.testing.assert_array_equal(h, e)
    # Without variance training needs no key and is the same.
    in_training, _ = quiet.apply(params, x, train=True)
    np.testing.assert_array_equal(in_training, expected)


def test_noise_depends_on_its_key_alone(noisy):
    model, params, x, logits, _ = noisy
    again, other = (
        model.apply(params, x, train=True, rngs={"noise": jax.random.key(key)})[0] for key in (5, 6)
    )
    np.testing.assert_array_equal(again, logits)
    assert (other != logits).all()


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="activation: expected one of") as error:
        MLP((3, 2), ("tahn",))
    assert all(name in str(error.value) for name in ACTIVATIONS)
    assert "got 'tahn'" in str(error.value)
    with pytest.raises(ValueError, match="init: expected one of") as error:
        MLP((3, 2), ("tanh",), "lecun")
    assert all(name in str(error.value) for name in INITS)
    assert "got 'lecun'" in str(error.value)


@pytest.mark.parametrize("activations", [(), ("tanh",), ("tanh",) * 3])
def test_one_activation_for_each_hidden_layer(activations):
    with pytest.raises(ValueError, match=f"each of the 2 hidden layers, got {len(activations)}"):
        MLP((4, 3, 2), activations)
