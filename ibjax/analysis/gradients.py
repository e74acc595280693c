"""Minibatch gradients at fixed parameters: their mean, their spread, and saturation that reduces them.

Two definitions of the curves, over the minibatches b of one epoch and the kernel W of a layer:

- "saxe": ``|mean_b g|`` and ``|std_b g|``, elementwise with ddof 0, then the Euclidean norm;
- "normalised": both divided by ``|W|``, as in Shwartz-Ziv & Tishby (2017), figure 4.

Their ratio, the signal-to-noise ratio, is the same. Biases are left out.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from jaxtyping import Array, Float

from ibjax.analysis._inputs import as_floats, as_rows
from ibjax.analysis._labelled import check_results
from ibjax.analysis._networks import as_targets, check_model, known_layers
from ibjax.checks import as_whole, check_known
from ibjax.models import ACTIVATIONS, MLP
from ibjax.numerics import product
from ibjax.tracing import own_settings
from ibjax.training.config import LOSSES
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = [
    "DEFINITIONS",
    "SATURATED_SLOPE",
    "GradientRecord",
    "gradient_curves",
    "minibatch_gradients",
    "saturated_share",
]

DEFINITIONS = ("saxe", "normalised")

# A unit is saturated if its activation's slope is below this fraction of the steepest: |t| > 0.949 for
# tanh, non-positive inputs for relu.
SATURATED_SLOPE = 0.1


VARIABLES = {
    "gradient_mean": Variable(("layer",), "nats", "norm of the mean of minibatch gradients"),
    "gradient_std": Variable(
        ("layer",), "nats", "norm of the standard deviation of minibatch gradients"
    ),
    "gradient_snr": Variable(("layer",), "1", "signal-to-noise ratio of minibatch gradients"),
    "weight_norm": Variable(("layer",), "1", "norm of the kernel"),
    "saturated": Variable(("layer",), "1", "share of units and inputs at a flat part of the activation"),
}


@dataclasses.dataclass(frozen=True)
class GradientRecord(Record):
    """Record of the gradients' signal and noise, for use beside ``PlaneRecord``.

    ``record(params, data, split)`` returns a dict of (layer,) arrays, the output last:
    ``gradient_mean`` and ``gradient_std`` by :func:`minibatch_gradients` on the training rows;
    ``gradient_snr``, their ratio, NaN if all gradients are 0 (a dead layer); ``weight_norm``, that of
    the kernel; ``saturated``, by :func:`saturated_share` on all inputs. All are NaN if an output of the
    network is not finite.

    Args:
        model: the network, measured without the noise that its training may add.
        batch_size: size of the minibatches measured, whatever the network is trained with.
        loss: a name from ``ibjax.training.config.LOSSES``.

    Raises:
        ValueError: for anything but an ``MLP``, a batch size that is not a whole number or an unknown
            loss; by the record, for a batch of more than half the training rows.
    """

    model: MLP
    batch_size: int | np.integer = 256
    loss: str = "cross_entropy"

    def __post_init__(self):
        check_model(self.model)
        object.__setattr__(self, "batch_size", as_whole("batch_size", self.batch_size))
        check_known("loss", self.loss, LOSSES)

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        options = {"batch_size": self.batch_size, "loss": self.loss}
        mean, std = minibatch_gradients(self.model, params, data, split.train, **options)
        outputs, _ = self.model.apply(params, data.x.T, method="feature_major")
        # With NaN among the weights of relu units, gradients can still be finite (0).
        finite = jnp.isfinite(outputs).all()
        measured = {
            "gradient_mean": mean,
            "gradient_std": std,
            "gradient_snr": mean / std,
            "weight_norm": _norms(_kernels(params)),
            "saturated": saturated_share(self.model, params, data.x),
        }
        return {name: jnp.where(finite, values, jnp.nan) for name, values in measured.items()}

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return VARIABLES

    def __str__(self) -> str:
        return f"gradients of {self.loss} in batches of {self.batch_size} at fixed parameters"


@own_settings()
def minibatch_gradients(
    model: MLP,
    params: PyTree,
    data: Samples,
    rows: ArrayLike,
    *,
    batch_size: int | np.integer,
    loss: str = "cross_entropy",
) -> tuple[Float[Array, " layer"], Float[Array, " layer"]]:
    """Compute |mean_b g| and |std_b g| of every layer's kernel over the minibatches b of one epoch.

    All gradients are at the same parameters, each of the mean loss of ``batch_size`` samples. Batches
    are taken from ``rows`` in order, the same at every epoch: a random order if the split is random.
    Samples left over at the end are not used, so that all batches have the same size: 205 of the
    symmetric task's 3277 at 256. The mean is hence the gradient of almost the full batch; with few
    batches the standard deviation (ddof 0) is too low by a factor of about sqrt(1 - 1 / batches).

    Args:
        model: the network.
        params: its parameters.
        data: samples with x (n, d) and y (n,) or, for losses of numbers, (n, k).
        rows: row numbers of the training samples.
        batch_size: samples per batch, at most half of the rows, since a single batch has no spread.
        loss: a name from ``ibjax.training.config.LOSSES``.

    Returns:
        Two (layer,) arrays, "saxe" in the module's terms, nats of cross-entropy.

    Raises:
        ValueError: for a batch size with fewer than two batches or that is not a whole number, an
            unknown loss, parameters of another network, samples of other shapes, rows that do not exist.

    Source:
        Saxe et al. (2018), appendix on the phase transition of the gradient's SNR.
    """
    check_model(model)
    batch_size = as_whole("batch_size", batch_size)
    check_known("loss", loss, LOSSES)
    x, y = as_targets(data, loss, model.widths[-1])
    known_layers(params, model, x.shape[1])
    rows = as_rows("rows", rows, len(x))
    num_batches = len(rows) // batch_size
    if num_batches < 2:
        raise ValueError(
            f"batch_size: expected at most half of the {len(rows)} training samples, since a single "
            f"batch has no spread, got {batch_size}"
        )

    def batch_loss(params, batch):
        outputs, _ = model.apply(params, x[batch].T, method="feature_major")
        return LOSSES[loss](outputs, y[batch].T).mean()

    def add(totals, numbered):
        count, batch = numbered
        mean, squares = totals
        # Welford's algorithm: stable if the spread is small beside the mean, with memory for one batch.
        apart = jax.tree.map(jnp.subtract, _kernels(jax.grad(batch_loss)(params, batch)), mean)
        mean = jax.tree.map(lambda m, a: m + a / count, mean, apart)
        squares = jax.tree.map(lambda s, a: s + a**2 * (count - 1) / count, squares, apart)
        return (mean, squares), None

    zeros = jax.tree.map(jnp.zeros_like, _kernels(params))
    batches = rows[: num_batches * batch_size].reshape(num_batches, batch_size)
    counts = jnp.arange(1.0, num_batches + 1)
    (mean, squares), _ = lax.scan(add, (zeros, zeros), (counts, batches))
    return _norms(mean), _norms([jnp.sqrt(s / num_batches) for s in squares])


@own_settings()
def saturated_share(model: MLP, params: PyTree, x: ArrayLike) -> Float[Array, " layer"]:
    """Return the fraction of inputs and units at which a layer's activation is too flat to learn.

    An activation is flat where its slope is below a tenth of its steepest. For tanh that is |t| > 0.949,
    at both ends, and for softsign |t| > 0.684; for relu it is every input on which the unit is 0; elu
    and softplus have one flat end, linear has none. A gradient passing through is multiplied by the
    slope.

    Returns:
        (layer,) from 0 to 1; NaN for the output, which has no units, and where activations are NaN.

    Raises:
        ValueError: for parameters of another network, inputs of other shapes or not finite.
    """
    check_model(model)
    x = as_floats("x", x, "(n, d)")
    layers = known_layers(params, model, x.shape[1])
    _, hidden = model.apply(params, x.T, method="feature_major")
    shares = []
    for layer, name, h in zip(layers, model.activations, [x.T, *hidden], strict=False):
        z = product(layer["kernel"].T, h) + layer["bias"][:, None]
        slope = jnp.abs(_slope(name, z))
        flat = slope < SATURATED_SLOPE * _slope(name, jnp.linspace(-10.0, 10.0, 2001)).max()
        shares.append(jnp.where(jnp.isfinite(z), flat, jnp.nan).mean())
    return jnp.stack([*shares, jnp.nan])


def gradient_curves(results: xr.Dataset, definition: str = "saxe") -> tuple[xr.DataArray, xr.DataArray]:
    """Return the gradients' mean and standard deviation by one of the two definitions.

    Args:
        results: Dataset with ``gradient_mean``, ``gradient_std`` and ``weight_norm`` of the same dims.
        definition: "saxe" or "normalised", as defined in the module docstring.

    Raises:
        ValueError: for other variables or dims, and an unknown definition.
    """
    check_known("definition", definition, DEFINITIONS)
    measured = ("gradient_mean", "gradient_std", "weight_norm")
    check_results("results", results, dict.fromkeys(measured, ()), factors=True)
    scale = results.weight_norm if definition == "normalised" else 1.0
    return results.gradient_mean / scale, results.gradient_std / scale


def _slope(name: str, z: Array) -> Array:
    return jax.jvp(ACTIVATIONS[name], (z,), (jnp.ones_like(z),))[1]


def _kernels(params: PyTree) -> list[Array]:
    return [layer["kernel"] for layer in known_layers(params)]


def _norms(kernels: list[Array]) -> Float[Array, " layer"]:
    return jnp.stack([jnp.linalg.norm(kernel) for kernel in kernels])
