import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.models import MLP
from ibjax.training import TrainConfig, make_model, make_optimizer
from ibjax.training.config import SPLITS
from ibjax.training.optimizers import OPTIMIZERS

LEARNING_RATE = 0.01

BAD_VALUES = [
    ("widths", {"widths": (3, 0, 2)}, "0"),
    ("widths", {"widths": (-1, 2)}, "-1"),
    ("optimizer", {"optimizer": "sdg"}, "'sdg'"),
    ("split", {"split": "last_rows"}, "'last_rows'"),
    ("init", {"init": "zeros"}, "'zeros'"),
    ("activation", {"activation": "tahn"}, "'tahn'"),
    ("activation", {"widths": (3, 4, 2), "activation": ("tanh", "rleu")}, "'rleu'"),
    ("activations", {"widths": (3, 4, 2), "activation": ("tanh",)}, "1"),
    ("widths", {"widths": ()}, r"\(\)"),
    ("learning_rate", {"learning_rate": 0.0}, "0.0"),
    ("learning_rate", {"learning_rate": -0.1}, "-0.1"),
    ("learning_rate", {"learning_rate": float("nan")}, "nan"),
    ("learning_rate", {"learning_rate": float("inf")}, "inf"),
    ("num_epochs", {"num_epochs": 0}, "0"),
    ("num_epochs", {"num_epochs": -3}, "-3"),
    ("batch_size", {"batch_size": 0}, "0"),
    ("batch_size", {"batch_size": -256}, "-256"),
    ("weight_decay", {"weight_decay": -1e-3}, "-0.001"),
    ("weight_decay", {"weight_decay": float("nan")}, "nan"),
    ("noise_variance", {"noise_variance": -0.1}, "-0.1"),
    ("noise_variance", {"noise_variance": float("nan")}, "nan"),
    ("validation_fraction", {"validation_fraction": 1.0}, "1.0"),
    ("validation_fraction", {"validation_fraction": -0.1}, "-0.1"),
]


@pytest.mark.parametrize(("name", "arguments", "got"), BAD_VALUES)
def test_a_bad_value_is_an_error_with_expected_and_got(name, arguments, got):
    with pytest.raises(ValueError, match=rf"^{name}: expected .*got {got}"):
        TrainConfig(**arguments)


@pytest.mark.parametrize(
    ("argument", "known"), [("optimizer", OPTIMIZERS), ("split", SPLITS)], ids=["optimizer", "split"]
)
def test_unknown_names_list_the_known_ones(argument, known):
    with pytest.raises(ValueError, match="expected one of") as error:
        TrainConfig(**{argument: "nonsense"})
    assert all(name in str(error.value) for name in known)


def test_one_activation_name_stands_for_all_hidden_layers():
    assert TrainConfig(widths=(5, 4, 3, 2)).activations == ("tanh", "tanh", "tanh")
    mix = ("tanh", "relu", "linear")
    assert TrainConfig(widths=(5, 4, 3, 2), activation=mix).activations == mix
    assert TrainConfig(widths=(2,)).activations == ()


def test_the_model_is_the_configs():
    config = TrainConfig(
        widths=(5, 3), activation="relu", init="fan_out", noise_variance=0.2, num_epochs=3
    )
    assert make_model(config) == MLP((5, 3), ("relu",), "fan_out", 0.2)


def test_a_config_is_a_value():
    config = TrainConfig(widths=(5, 3), batch_size=None)
    assert config == TrainConfig(**config.as_dict())
    assert hash(config) == hash(TrainConfig(widths=(5, 3), batch_size=None))
    assert config != TrainConfig(widths=(5, 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.num_epochs = 5


def optimizer_of(name="sgd", weight_decay=0.0):
    return make_optimizer(
        TrainConfig(optimizer=name, learning_rate=LEARNING_RATE, weight_decay=weight_decay)
    )


def updates_of(optimizer, params, grads):
    """Update of every step along ``grads``, at fixed parameters."""
    state, updates = optimizer.init(params), []
    for g in grads:
        update, state = optimizer.update(g, state, params)
        updates.append(np.asarray(update))
    return updates


# Second steps after gradients g1, g2, from the algorithms' papers with their usual constants.
def sgd(g1, g2):
    return -LEARNING_RATE * g2


def momentum(g1, g2):
    return -LEARNING_RATE * (0.9 * g1 + g2)


def adam(g1, g2):
    mean = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.9**2)
    square = (0.999 * 0.001 * g1**2 + 0.001 * g2**2) / (1 - 0.999**2)
    return -LEARNING_RATE * mean / (np.sqrt(square) + 1e-8)


def rmsprop(g1, g2):
    square = 0.9 * 0.1 * g1**2 + 0.1 * g2**2
    return -LEARNING_RATE * g2 / np.sqrt(square + 1e-8)


# float32 holds Adam's 1 - 0.999^2 to 3e-5 only, of which the root makes half.
ADAM_ROUNDING = 2e-5

TWINS = {"sgd": sgd, "momentum": momentum, "adam": adam, "adamw": adam, "rmsprop": rmsprop}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_named_algorithm(name):
    g1, g2 = np.array([0.5, -2.0, 0.1]), np.array([1.0, 1.0, -0.3])
    params = jnp.array([1.0, -1.0, 3.0])
    grads = jnp.asarray(g1, jnp.float32), jnp.asarray(g2, jnp.float32)
    _, second = updates_of(optimizer_of(name), params, grads)
    np.testing.assert_allclose(second, TWINS[name](g1, g2), rtol=ADAM_ROUNDING)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_decays(name):
    params, zero = jnp.array([1.0, -2.0, 0.5]), jnp.zeros(3)
    still = updates_of(optimizer_of(name), params, [zero])[0]
    np.testing.assert_array_equal(still, 0)
    decayed = updates_of(optimizer_of(name, 0.1), params, [zero])[0]
    assert (np.sign(decayed) == -np.sign(params)).all()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_shrinks_by_rate_times_decay(name):
    params, zero = jnp.array([1.0, -2.0, 0.5]), jnp.zeros(3)
    decayed = updates_of(optimizer_of(name, 0.1), params, [zero])[0]
    np.testing.assert_allclose(decayed, -LEARNING_RATE * 0.1 * params, rtol=1e-6)


def test_weight_decay_is_added_to_the_gradient_of_adam():
    # Unlike adamw's: the second step is Adam's of gradients g + decay * params.
    g1, g2, params = np.array([0.5, -2.0]), np.array([1.0, 1.0]), np.array([3.0, -4.0])
    steps = updates_of(
        optimizer_of("adam", 0.1),
        jnp.asarray(params, jnp.float32),
        (jnp.asarray(g1, jnp.float32), jnp.asarray(g2, jnp.float32)),
    )
    np.testing.assert_allclose(steps[1], adam(g1 + 0.1 * params, g2 + 0.1 * params), rtol=ADAM_ROUNDING)


def test_equal_settings_give_the_same_optimizer_object():
    one = make_optimizer(TrainConfig(optimizer="adam", learning_rate=3e-4))
    # Other fields do not matter.
    assert make_optimizer(TrainConfig(optimizer="adam", learning_rate=3e-4, num_epochs=3)) is one
    assert make_optimizer(TrainConfig(optimizer="adam", learning_rate=4e-4)) is not one
    decayed = make_optimizer(TrainConfig(optimizer="adam", learning_rate=3e-4, weight_decay=0.1))
    assert decayed is not one
    assert make_optimizer(TrainConfig(optimizer="adamw", learning_rate=3e-4)) is not one
