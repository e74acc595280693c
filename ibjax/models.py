"""The multilayer perceptron of the debate, as a Flax Linen module.

Public functions take and give ``(n, width)`` arrays. Inside, activations are feature-major,
``(width, n)``: with layers of 2 to 12 units the batch must be the contiguous axis, or products and
nonlinearities run on vectors of 2 to 12 numbers.
"""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import initializers
from jaxtyping import Array, Float

from ibjax.checks import check_known

__all__ = ["ACTIVATIONS", "INITS", "MLP"]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "linear": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "softsign": jax.nn.soft_sign,
    "softplus": jax.nn.softplus,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
}


DRAWN_BLOCK = 128


def _cut_normal(fan: Callable[[int, int], int]) -> Callable:
    """Normal with sigma = 1 / sqrt(fan), cut at 2 sigma, without correcting the variance.

    The kernels' standard deviation is therefore 0.88 sigma, as in TensorFlow's truncated_normal.
    """

    def init(key, shape, dtype=jnp.float32):
        size = math.prod(shape)
        # In whole blocks, so that small layers share the program that draws them.
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


class MLP(nn.Module):
    """A multilayer perceptron that also returns what its hidden layers do.

    Attributes:
        widths: units of the hidden layers and, last, of the output.
        activations: a name from ``ACTIVATIONS`` for each hidden layer.
        kernel_init: a name from ``INITS``: "fan_in" is the 2017 code's, "fan_out" the 2018 code's.
        noise_variance: of the Gaussian noise added to every hidden layer while training (needs an
            rng named "noise").

    Raises:
        ValueError: for unknown names, or a number of activations other than that of hidden layers.
    """

    widths: tuple[int, ...]
    activations: tuple[str, ...]
    kernel_init: str = "fan_in"
    noise_variance: float = 0.0

    def __post_init__(self):
        check_known("init", self.kernel_init, INITS)
        for name in self.activations:
            check_known("activation", name, ACTIVATIONS)
        if len(self.activations) != len(self.widths) - 1:
            raise ValueError(
                f"activations: expected one for each of the {len(self.widths) - 1} hidden layers, "
                f"got {len(self.activations)}"
            )
        super().__post_init__()

    def __call__(
        self, x: Float[Array, "n d"], *, train: bool = False
    ) -> tuple[Float[Array, "n k"], list[Float[Array, "n width"]]]:
        """Logits and hidden activations, (n, d) -> (n, k), [(n, width), ...]; noise only in training."""
        logits, hidden = self.feature_major(x.T, train=train)
        return logits.T, [h.T for h in hidden]

    @nn.compact
    def feature_major(
        self, h: Float[Array, "d n"], *, train: bool = False
    ) -> tuple[Float[Array, "k n"], list[Float[Array, "width n"]]]:
        """``__call__`` on transposed arrays."""
        hidden_init, output_init = INITS[self.kernel_init]
        hidden = []
        for i, (width, name) in enumerate(zip(self.widths, self.activations, strict=False), 1):
            h = ACTIVATIONS[name](Affine(width, hidden_init, name=f"layer_{i}")(h))
            if train and self.noise_variance > 0:
                noise = jax.random.normal(self.make_rng("noise"), h.shape)
                h = h + self.noise_variance**0.5 * noise
            hidden.append(h)
        output = Affine(self.widths[-1], output_init, name=f"layer_{len(self.widths)}")
        return output(h), hidden


class Affine(nn.Module):
    """``kernel.T @ h + bias`` on feature-major h; kernel (fan_in, fan_out) as in ``nn.Dense``."""

    width: int
    kernel_init: Callable

    @nn.compact
    def __call__(self, h: Float[Array, "d n"]) -> Float[Array, "width n"]:
        kernel = self.param("kernel", self.kernel_init, (h.shape[0], self.width))
        bias = self.param("bias", initializers.zeros, (self.width,))
        return _affine(kernel, bias, h)


@jax.custom_vjp
def _affine(kernel, bias, h):
    # XLA's CPU products are three to four times slower where it folds the small kernel's transpose
    # into them. Behind the barrier the transpose is done first; hence the derivative by hand, which
    # then needs no transpose.
    return lax.optimization_barrier(kernel.T) @ h + bias[:, None]


def _affine_forward(kernel, bias, h):
    return _affine(kernel, bias, h), (kernel, h)


def _affine_backward(residuals, dz):
    kernel, h = residuals
    dz = lax.optimization_barrier(dz)  # without it XLA's CPU compiler aborts on some programs
    return lax.optimization_barrier(dz @ h.T).T, dz.sum(axis=1), kernel @ dz


_affine.defvjp(_affine_forward, _affine_backward)
