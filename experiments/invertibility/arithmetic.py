"""What of a loss is the arithmetic's: the same networks in float32 and in float64.

In real numbers tanh and leaky ReLU lose nothing. Computers round: from some pre-activation on, tanh is
exactly 1, and inputs beyond it share a state. Where that is depends on the arithmetic: XLA's float32
tanh on CPUs is 1 from 7.999 on, a correctly rounded one from 9.011, and NumPy's float64 tanh from 18.99.
Only what is lost in all of them can be the layer's.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from experiments.lab import Arm
from experiments.lab.parameters import HOST_ACTIVATIONS, HostLayer, host_layers, splits_of
from ibjax.analysis._inputs import as_numbers
from ibjax.models import MLP
from ibjax.training import TrainConfig, make_model
from ibjax.training.blocks import training_settings
from ibjax.types import ArrayLike, PyTree

__all__ = ["ARITHMETICS", "host_activations", "sharing", "with_arithmetics"]

ARITHMETICS = XLA, ROUNDED, DOUBLE = ("XLA float32", "rounded float32", "float64")


def host_activations(
    layers: Sequence[HostLayer], activations: Sequence[str], x: ArrayLike, *, rounded: bool
) -> list[np.ndarray]:
    """Return a network's hidden activations in float64, or in correctly rounded float32.

    Every sample's sums run over its own numbers in the same order, so that samples that share a state
    share all later ones, which products of whole matrices do not promise.

    Args:
        layers: the network's layers, the output last.
        activations: names of the hidden layers' activations.
        x: (n, d) inputs.
        rounded: whether pre-activations and activations, computed in float64, are then rounded to
            float32, as a network does that runs in float32 with exact sums and an exact tanh.

    Returns:
        (n, width) activations of each hidden layer.
    """
    dtype = np.float32 if rounded else np.float64
    h, hidden = np.asarray(x, np.float64).T, []
    for (kernel, bias), name in zip(layers, activations, strict=False):
        z = np.repeat(bias[:, None], h.shape[1], axis=1)  # (units, n)
        for weights, inputs in zip(kernel, h, strict=True):
            z += weights[:, None] * inputs
        z = z.astype(dtype).astype(np.float64)
        h = HOST_ACTIVATIONS[name](z).astype(dtype).astype(np.float64)
        hidden.append(h.T)
    return hidden


def sharing(t: ArrayLike) -> tuple[float, float]:
    """Count the samples that share their state, and the bits of H(X) that this loses.

    Args:
        t: (n, width) activations on n distinct inputs. Two share a state if all activations are equal.

    Returns:
        The number of samples whose state another has too, and H(X|T), the mean of log2 n_t over samples,
        n_t of which share a sample's state; NaN for activations that are not finite.

    Example:
        >>> sharing([[0.0], [1.0], [0.0], [2.0]])
        (2.0, 0.5)
    """
    t = as_numbers("t", t, "(n, width)")
    if not np.isfinite(t).all():
        return np.nan, np.nan
    t = t[np.lexsort(t.T)]
    starts = np.flatnonzero(np.r_[True, (t[1:] != t[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(t)])
    return float(counts[counts > 1].sum()), float((counts * np.log2(counts)).sum() / len(t))


def with_arithmetics(arm: xr.Dataset, trained: Arm) -> xr.Dataset:
    """Return an arm with what its final networks lose on the training samples, by arithmetic.

    Args:
        arm: the arm's networks, with the ``parameters`` of every recorded epoch, which are left out of
            what is returned.
        trained: their training and task.

    Returns:
        The arm with ``shared_samples`` and ``lost_finally``, bits, (arithmetic, seed, layer); NaN for
        the output.
    """
    training, task, *_ = trained
    x = np.asarray(task.data.x, np.float32)
    model, final = make_model(training), arm.parameters.isel(epoch=-1).transpose("seed", "parameter")
    measured = [
        _network(model, training, parameters, x[split.train])
        for parameters, split in zip(
            final.values, splits_of(training, arm.seed.values, len(x)), strict=True
        )
    ]
    shared, lost = np.moveaxis(np.array(measured), 0, 2)  # (arithmetic, seed, layer) each
    dims = ("arithmetic", "seed", "layer")
    text = "after training, by exact activations"
    variables = {
        "shared_samples": (dims, shared, {"units": "1", "long_name": f"samples sharing a state {text}"}),
        "lost_finally": (dims, lost, {"units": "bits", "long_name": f"H(X|T) {text}"}),
    }
    return arm.drop_vars("parameters").assign(variables).assign_coords(arithmetic=[*ARITHMETICS])


def _network(model: MLP, training: TrainConfig, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Measure one network, (2, arithmetic, layer): samples that share a state, and bits lost."""
    layers = host_layers(model, x.shape[1], parameters)
    named = {f"layer_{i}": layer._asdict() for i, layer in enumerate(layers, 1)}
    with training_settings():
        params = {"params": jax.tree.map(lambda part: np.asarray(part, np.float32), named)}
        of_xla = [np.asarray(h).T for h in _xla_activations(model, params, x)]
    ways = [
        of_xla,
        *(
            host_activations(layers, training.activations, x, rounded=rounded)
            for rounded in (True, False)
        ),
    ]
    measured = [[*map(sharing, hidden), (np.nan, np.nan)] for hidden in ways]
    return np.moveaxis(np.array(measured), -1, 0)


@functools.partial(jax.jit, static_argnames=("model",))
def _xla_activations(model: MLP, params: PyTree, x: np.ndarray) -> list[jax.Array]:
    _, hidden = model.apply(params, x.T, method="feature_major")
    return [jnp.asarray(h) for h in hidden]
