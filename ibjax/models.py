"""The multilayer perceptron of the information-bottleneck debate, as a Flax Linen module.

Public functions take and return ``(n, width)`` arrays. Internally, activations are feature-major,
``(width, n)``: with layers of 2 to 12 units the batch must be the contiguous axis, otherwise products
and nonlinearities run on vectors of 2 to 12 numbers.
"""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import initializers
from jaxtyping import Array, Float

from ibjax.arrays import as_float32
from ibjax.checks import as_whole, check_known, check_number, check_rank, kind_of
from ibjax.numerics import product
from ibjax.types import ArrayLike, PyTree

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "MLP",
    "as_names",
    "as_widths",
    "merge_linear",
    "num_outputs",
    "takes_train",
]

# Slope of leaky ReLU below 0, that of the code of "Revisiting the Information Plane" (2019).
LEAKY_SLOPE = 0.1

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "linear": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "softsign": jax.nn.soft_sign,
    "softplus": jax.nn.softplus,
    "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=LEAKY_SLOPE),
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
}


DRAWN_BLOCK = 128


def _cut_normal(fan: Callable[[int, int], int]) -> Callable:
    """Return a normal initialiser with sigma = 1 / sqrt(fan), truncated at 2 sigma.

    The variance is not corrected, so the kernels' standard deviation is 0.88 sigma, as in TensorFlow's
    truncated_normal.
    """

    def init(key, shape, dtype=jnp.float32):
        size = math.prod(shape)
        # Draw whole blocks, so that small layers share one compiled program.
        drawn = -(-size // DRAWN_BLOCK) * DRAWN_BLOCK
        normal = jax.random.truncated_normal(key, -2.0, 2.0, (drawn,), dtype)
        return fan(*shape) ** -0.5 * normal[:size].reshape(shape)

    return init


# name -> (hidden kernels, output kernel); kernels are (fan_in, fan_out), biases start at 0.
INITS: dict[str, tuple[Callable, Callable]] = {
    "fan_in": (_cut_normal(lambda fan_in, _: fan_in), _cut_normal(lambda fan_in, _: fan_in)),
    "fan_out": (_cut_normal(lambda _, fan_out: fan_out), initializers.glorot_uniform()),
    "glorot": (initializers.glorot_uniform(), initializers.glorot_uniform()),
    "he": (initializers.he_normal(), initializers.he_normal()),
}


def as_widths(widths: Any) -> tuple[int, ...]:
    """Return the numbers of units of one or more layers as Python ints.

    Raises:
        ValueError: for anything but a non-empty sequence of whole numbers of 1 or more.
    """
    if not _is_sequence(widths) or len(widths) == 0:
        raise ValueError(f"widths: expected one or more whole numbers, got {kind_of(widths)}")
    return tuple(as_whole("widths", width) for width in widths)


def as_names(name: str, names: Any) -> tuple[str, ...]:
    """Return the names of activations, one for each hidden layer.

    Raises:
        ValueError: for anything but a sequence of known names.
    """
    if not _is_sequence(names):
        raise ValueError(f"{name}: expected names of activations, got {kind_of(names)}")
    for known in names:
        check_known("activation", known, ACTIVATIONS)
    return tuple(map(str, names))


def _is_sequence(x: Any) -> bool:
    if isinstance(x, np.ndarray):
        return x.ndim == 1
    return isinstance(x, Sequence) and not isinstance(x, str | bytes)


class MLP(nn.Module):
    """A multilayer perceptron that also returns its hidden activations.

    Attributes:
        widths: numbers of units in the hidden layers and, last, the output.
        activations: a name from ``ACTIVATIONS`` for each hidden layer; "leaky_relu" has a slope of 0.1
            below 0.
        kernel_init: a name from ``INITS``; "fan_in" is that of the 2017 code, "fan_out" that of the 2018
            code.
        noise_variance: variance of the Gaussian noise added to every hidden layer in training (needs an
            rng named "noise").
        dropout_rate: probability with which each hidden unit is set to 0 in training (needs an rng named
            "dropout").

    Raises:
        ValueError: for unknown names, or a number of activations that is not the number of hidden
            layers.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    kernel_init: str = "fan_in"
    noise_variance: float = 0.0
    dropout_rate: float = 0.0

    def __post_init__(self):
        self.widths = as_widths(self.widths)
        self.activations = as_names("activations", self.activations)
        check_known("init", self.kernel_init, INITS)
        check_number("noise_variance", self.noise_variance, at_least=0)
        check_number("dropout_rate", self.dropout_rate, at_least=0, below=1)
        if len(self.activations) != len(self.widths) - 1:
            raise ValueError(
                f"activations: expected one for each of the {len(self.widths) - 1} hidden layers, "
                f"got {len(self.activations)}"
            )
        super().__post_init__()

    def __call__(
        self, x: ArrayLike, *, train: bool = False
    ) -> tuple[Float[Array, "n k"], list[Float[Array, "n width"]]]:
        """Return logits (n, k) and hidden activations [(n, width), ...].

        There is noise and dropout only in training.
        """
        x = as_float32("x", x)
        check_rank("x", x, 2, "(n_samples, n_inputs)")
        logits, hidden = self.feature_major(x.T, train=train)
        return logits.T, [h.T for h in hidden]

    @nn.compact
    def feature_major(
        self,
        h: Float[Array, "d n"],
        *,
        train: bool = False,
        noise_variance: Float[Array, ""] | None = None,
    ) -> tuple[Float[Array, "k n"], list[Float[Array, "width n"]]]:
        """Apply the network to feature-major arrays: ``__call__`` on transposed arrays.

        ``noise_variance`` takes the place of the network's own, if that is not 0, and may be traced.
        """
        variance = self.noise_variance if noise_variance is None else noise_variance
        hidden_init, output_init = INITS[self.kernel_init]
        hidden = []
        for i, (width, name) in enumerate(zip(self.widths, self.activations, strict=False), 1):
            h = ACTIVATIONS[name](Affine(width, hidden_init, name=f"layer_{i}")(h))
            if train and self.noise_variance > 0:
                noise = jax.random.normal(self.make_rng("noise"), h.shape, h.dtype)
                h = h + variance**0.5 * noise
            if train and self.dropout_rate > 0:
                h = nn.Dropout(self.dropout_rate, deterministic=False)(h)
            hidden.append(h)
        output = Affine(self.widths[-1], output_init, name=f"layer_{len(self.widths)}")
        return output(h), hidden


class Affine(nn.Module):
    """Affine layer ``kernel.T @ h + bias`` on feature-major h; kernel (fan_in, fan_out) as in Flax."""

    width: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, h: Float[Array, "d n"]) -> Float[Array, "width n"]:
        kernel = self.param("kernel", self.kernel_init, (h.shape[0], self.width), jnp.float32)
        bias = self.param("bias", initializers.zeros, (self.width,), jnp.float32)
        return _affine(kernel, bias, h)


@jax.custom_vjp
def _affine(kernel, bias, h):
    # XLA's CPU products are three to four times slower if XLA folds the small kernel's transpose into
    # them. The barrier makes it transpose first; the derivative is written by hand so that it needs no
    # transpose.
    return product(lax.optimization_barrier(kernel.T), h) + bias[:, None]


def _affine_forward(kernel, bias, h):
    return _affine(kernel, bias, h), (kernel, h)


def _affine_backward(residuals, dz):
    kernel, h = residuals
    dz = lax.optimization_barrier(dz)  # without it XLA's CPU compiler aborts on some programs
    dkernel = lax.optimization_barrier(product(dz, h.T)).T
    return dkernel, dz.sum(axis=1), product(kernel, dz)


_affine.defvjp(_affine_forward, _affine_backward)


def num_outputs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Return the number of a network's outputs for inputs of this shape, without computing any.

    Args:
        model: an ``MLP``, or another module that returns logits (n, k) and a list of hidden activations.
        input_shape: shape of one input.

    Raises:
        ValueError: for modules that return anything else, and for those with more than parameters, such
            as batch statistics.
    """
    if isinstance(model, MLP):
        return model.widths[-1]
    inputs = jax.ShapeDtypeStruct((2, *input_shape), jnp.float32)
    outputs, variables = jax.eval_shape(model.init_with_output, jax.random.key(0), inputs)
    pair = isinstance(outputs, tuple) and len(outputs) == 2 and isinstance(outputs[1], list | tuple)
    if not pair or np.shape(outputs[0])[:1] != (2,) or np.ndim(outputs[0]) != 2:
        raise ValueError(
            "model: expected a module that returns logits (n, k) and a list of hidden activations, got "
            f"one that returns {kind_of(outputs)}"
        )
    if others := sorted(set(variables) - {"params"}):
        raise ValueError(
            f"model: expected a module with parameters only, got the collections {', '.join(others)}"
        )
    return outputs[0].shape[1]


def takes_train(model: nn.Module) -> bool:
    """Return whether a module is told by an argument ``train`` that it is in training."""
    return "train" in inspect.signature(type(model).__call__).parameters


def merge_linear(model: MLP, num_inputs: int) -> tuple[MLP, Callable[[PyTree], PyTree]]:
    """Merge linear layers: return a shallower network with the same outputs, and a map of parameters.

    A linear layer and the next one form a single affine map, whose kernel is the product of theirs. They
    are merged if that takes fewer multiplications per sample (not around a bottleneck) and there is no
    noise or dropout in between. In training, the gradient of ``model`` is that of the shallower network,
    pulled back through the map of parameters: the same steps up to rounding, without a linear layer's
    work on samples.

    Args:
        model: network with or without linear layers.
        num_inputs: width of its inputs.

    Returns:
        The shallower network and a function ``merged(params)`` that gives its parameters; ``model`` and
        the identity if nothing can be merged.
    """
    fans = [as_whole("num_inputs", num_inputs)]  # fan-ins of the remaining layers
    quiet = model.noise_variance == 0 and model.dropout_rate == 0
    merges = []  # for each hidden layer, whether it is merged into the next
    for width, name, after in zip(model.widths, model.activations, model.widths[1:], strict=False):
        fewer = fans[-1] * after <= (fans[-1] + after) * width
        merges.append(name == "linear" and quiet and fewer)
        if not merges[-1]:
            fans.append(width)
    activations = [name for name, merge in zip(model.activations, merges, strict=True) if not merge]

    def merged(params: PyTree) -> PyTree:
        first, *others = (params["params"][f"layer_{i + 1}"] for i in range(len(model.widths)))
        layers = [first]
        for layer, merge in zip(others, merges, strict=True):
            if merge:
                layer = _after(layers.pop(), layer)
            layers.append(layer)
        return {"params": {f"layer_{i}": layer for i, layer in enumerate(layers, 1)}}

    widths = (*fans[1:], model.widths[-1])
    return model.clone(widths=widths, activations=tuple(activations)), merged


def _after(first, second):
    """Compose two consecutive affine layers into one."""
    columns = jnp.concatenate([first["kernel"].T, first["bias"][:, None]], axis=1)
    columns = _affine(second["kernel"], jnp.zeros_like(second["bias"]), columns)
    return {"kernel": columns[:, :-1].T, "bias": columns[:, -1] + second["bias"]}
