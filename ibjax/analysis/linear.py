"""Exact error and information of deep linear networks that learn from a linear teacher.

Everything is jointly Gaussian, so the error on new samples and the information of every layer follow
from the weights; no samples are drawn. T is a layer's activations plus noise N(0, noise_variance I),
which belongs to the measurement and not to the network.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ibjax.analysis._inputs import as_floats
from ibjax.analysis._networks import check_model, known_layers
from ibjax.arrays import as_float32
from ibjax.checks import as_whole, check_positive, check_rank, kind_of
from ibjax.datasets.linear_teacher import TeacherSamples
from ibjax.losses import squared_error
from ibjax.models import MLP
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import MI, ArrayLike, PyTree, Record, Split, Variable

__all__ = [
    "LinearRecord",
    "generalisation_error",
    "layer_maps",
    "optimal_test_error",
    "parts_mi",
    "teacher_mi",
]

# Number of variables eliminated together; compared on a CPU with 10 and 20.
BLOCK = 34

_product = functools.partial(jnp.matmul, precision="float32")

VARIABLES = {
    "ixt": Variable(("layer",), "bits", "I(X;T)"),
    "ity": Variable(("layer",), "bits", "I(T;Y)"),
    "train_loss": Variable((), "1", "mean squared error, training samples"),
    "test_loss": Variable((), "1", "mean squared error, new samples, exact"),
}
PARTS = {
    "ixt_relevant": Variable(("layer",), "bits", "I(X_rel;T), of the inputs that the teacher looks at"),
    "ixt_irrelevant": Variable(("layer",), "bits", "I(X_irr;T), of the inputs that it does not"),
}


@dataclasses.dataclass(frozen=True)
class LinearRecord(Record):
    """Record of deep linear networks that learn from ``linear_teacher``.

    ``record(params, data, split)`` returns a dict of ``ixt`` and ``ity`` (layer,), bits, for the hidden
    layers and last the output, and of the scalars ``train_loss`` and ``test_loss``, the mean squared
    errors on the training samples and on new ones; with ``num_relevant`` also ``ixt_relevant`` and
    ``ixt_irrelevant`` (layer,), bits.

    Args:
        model: network with one output whose hidden layers are all linear.
        noise_variance: variance of the Gaussian noise that makes the information finite.
        num_relevant: if given, information about the first ``num_relevant`` inputs and about the others
            is recorded as well.

    Raises:
        ValueError: for anything but an ``MLP``, a nonlinear layer, more than one output, a variance that
            is not positive, a number that is not whole; by the record, for a number that leaves a part
            empty.

    References:
        Saxe et al. (2018), sections 3 and 5.
    """

    model: MLP
    noise_variance: float | int
    num_relevant: int | np.integer | None = None

    def __post_init__(self):
        model = self.model
        check_model(model)
        check_positive("noise_variance", self.noise_variance)
        if set(model.activations) - {"linear"} or model.widths[-1] != 1:
            raise ValueError(
                "model: expected linear hidden layers and one output, "
                f"got {', '.join(model.activations)} and {model.widths[-1]}"
            )
        object.__setattr__(self, "noise_variance", float(self.noise_variance))
        if self.num_relevant is not None:
            object.__setattr__(self, "num_relevant", as_whole("num_relevant", self.num_relevant))

    def __call__(self, params: PyTree, data: TeacherSamples, split: Split) -> dict[str, Any]:
        maps = layer_maps(params)
        layers = [teacher_mi(w, data, noise_variance=self.noise_variance) for w in maps]
        outputs, _ = self.model.apply(params, data.x.T, method="feature_major")
        recorded = {
            "ixt": jnp.stack([mi.ixt for mi in layers]),
            "ity": jnp.stack([mi.ity for mi in layers]),
            "train_loss": squared_error(outputs, data.y.T)[split.train].mean(),
            "test_loss": generalisation_error(params, data),
        }
        if self.num_relevant is not None:
            options = {"noise_variance": self.noise_variance}
            parts = [parts_mi(w, self.num_relevant, **options) for w in maps]
            for name, layer_values in zip(PARTS, zip(*parts, strict=True), strict=True):
                recorded[name] = jnp.stack(layer_values)
        return recorded

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return VARIABLES if self.num_relevant is None else VARIABLES | PARTS

    @property
    def rows(self) -> str:
        """None: information follows from the parameters."""
        return "none"

    def __str__(self) -> str:
        return f"exact, from covariances, with noise of variance {self.noise_variance:g}"


@own_settings()
def layer_maps(params: PyTree) -> list[Float[Array, "d width"]]:
    """Return the linear map from the inputs to each layer: the product of kernels up to it.

    Args:
        params: parameters of an ``MLP``, whose activations are assumed to be linear.

    Raises:
        ValueError: for anything but parameters of an ``MLP``.
    """
    maps, product = [], None
    for layer in known_layers(params):
        kernel = layer["kernel"]
        product = kernel if product is None else _product(product, kernel)
        maps.append(product)
    return maps


@own_settings()
def generalisation_error(params: PyTree, data: TeacherSamples) -> Float[Array, ""]:
    """Return E (f(x) - y)^2 over new samples of the teacher, for a linear network f(x) = w . x + b.

    ::

        E (f(x) - y)^2 = |w - teacher|^2 / d + b^2 + noise variance of the labels.

    Args:
        params: parameters of a deep linear network with one output.
        data: the teacher with its labels' noise; the samples do not matter.

    Raises:
        ValueError: for other parameters, samples without a teacher, another number of inputs.

    References:
        Saxe et al. (2018), equation 5, there without biases and for inputs of variance 1.
    """
    _check_teacher(data)
    layers = known_layers(params, num_inputs=len(data.teacher))
    if layers[-1]["kernel"].shape[1] != 1:
        raise ValueError(f"params: expected one output, got {layers[-1]['kernel'].shape[1]}")
    offset = jnp.zeros(len(data.teacher))
    for layer in layers:
        offset = _product(offset, layer["kernel"]) + layer["bias"]
    missed = layer_maps(params)[-1][:, 0] - data.teacher
    return jnp.square(missed).sum() / len(missed) + jnp.square(offset[0]) + data.noise_variance


def optimal_test_error(data: TeacherSamples, *, weight_variance: float | int) -> float:
    """Return E (f(x) - y)^2 of the best f that can be learnt from these samples.

    If the teacher's weights are N(0, weight_variance) and all inputs are relevant, nothing does better
    on average than their posterior mean: ridge regression whose penalty is the noise variance over the
    weight variance. Computed in float64 NumPy.

    Args:
        data: training samples of one network.
        weight_variance: variance of the teacher's weights.

    Returns:
        The error in squared units of the labels; at least the noise variance.

    Raises:
        ValueError: for samples without a teacher, a variance that is not positive.
    """
    _check_teacher(data)
    check_positive("weight_variance", weight_variance)
    x, y, teacher, noise_variance = (np.asarray(part, np.float64) for part in data)
    curvature = x.T @ x + noise_variance / weight_variance * np.eye(x.shape[1])
    weights = np.linalg.solve(curvature, x.T @ y[:, 0])
    return float(((weights - teacher) ** 2).sum() / len(teacher) + noise_variance)


@own_settings()
def teacher_mi(w: ArrayLike, data: TeacherSamples, *, noise_variance: float | int) -> MI:
    """Return I(X;T) and I(T;Y) of T = X w + N(0, noise_variance I) with the teacher's noisy labels.

    ::

        I(X;T) = 1/2 log2 |I + w^T w / (d noise_variance)|,
        I(T;Y) = 1/2 log2 (var Y / var(Y | T)),    var(Y | T) = var Y - c^T C^-1 c,

    with C the covariance of T and c that of T and Y. Both are computed by eliminating T from their joint
    covariance. The network's biases carry no information.

    Args:
        w: (d, width) linear map from the inputs to the layer.
        data: the teacher with its labels' noise; the samples do not matter.
        noise_variance: variance of the noise at the layer.

    Returns:
        ``MI``, bits. No samples are involved, so there is no bias; within 1e-4 bits of float64 for 100
        units.

    Raises:
        ValueError: for other shapes, samples without a teacher of as many inputs, a variance that is not
            positive.

    References:
        Saxe et al. (2018), section 3, equation 6.
    """
    w = as_floats("w", w, "(d, width)")
    _check_teacher(data)
    variance = _checked_variance(noise_variance)
    d = len(w)
    if d != len(data.teacher):
        raise ValueError(f"w: expected a row for each of the {len(data.teacher)} inputs, got {d}")
    cov_t = _product(w.T, w) / d + variance * jnp.eye(w.shape[1])
    cov_t_label = _product(w.T, data.teacher[:, None]) / d
    var_label = jnp.square(data.teacher).sum() / d + data.noise_variance
    joint = jnp.block([[cov_t, cov_t_label], [cov_t_label.T, var_label]])
    pivots = _pivots(joint)
    ixt = 0.5 * jnp.log(pivots[:-1] / variance).sum()
    ity = 0.5 * jnp.log(var_label / pivots[-1])
    return MI(to_bits(ixt), to_bits(ity))


@own_settings()
def parts_mi(
    w: ArrayLike, num_relevant: int | np.integer, *, noise_variance: float | int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return I(X_rel;T) and I(X_irr;T) of T = X w + N(0, noise_variance I), in bits.

    The other part of the input acts as noise: I(X_rel;T) = I(X;T) - I(X_irr;T | X_rel), and given X_rel
    only the weights from X_irr matter. The two add up to I(X;T) or less.

    Args:
        w: (d, width) linear map from the inputs to the layer.
        num_relevant: number of inputs in X_rel, the first ones; from 1 to d - 1.
        noise_variance: variance of the noise at the layer.

    Raises:
        ValueError: for another shape, a ``num_relevant`` that leaves a part empty, a variance that is
            not positive.

    References:
        Saxe et al. (2018), section 5.
    """
    w = as_floats("w", w, "(d, width)")
    num_relevant = as_whole("num_relevant", num_relevant)
    variance = _checked_variance(noise_variance)
    d = len(w)
    if num_relevant >= d:
        raise ValueError(f"num_relevant: expected 1 to {d - 1} of {d} inputs, got {num_relevant}")
    total = _input_mi(w, d, variance)
    given_relevant = _input_mi(w[num_relevant:], d, variance)
    given_irrelevant = _input_mi(w[:num_relevant], d, variance)
    return total - given_relevant, total - given_irrelevant


def _check_teacher(data) -> None:
    if not isinstance(data, TeacherSamples):
        raise ValueError(f"data: expected TeacherSamples, as of linear_teacher, got {kind_of(data)}")
    for field, rank, axes in (("x", 2, "(n, d)"), ("y", 2, "(n, 1)"), ("teacher", 1, "(d,)")):
        check_rank(f"data.{field}", getattr(data, field), rank, axes)


def _checked_variance(noise_variance) -> Array:
    check_positive("noise_variance", noise_variance)
    return as_float32("noise_variance", noise_variance)


def _input_mi(w, d: int, noise_variance: Array) -> Float[Array, ""]:
    """Return 1/2 log2 |I + w^T w / (d noise_variance)| for w on all inputs or some of them."""
    narrow = w if w.shape[1] <= w.shape[0] else w.T  # both give the same determinant
    ratio = jnp.eye(narrow.shape[1]) + _product(narrow.T, narrow) / (d * noise_variance)
    return to_bits(0.5 * jnp.log(_pivots(ratio)).sum())


def _pivots(covariance: Float[Array, "n n"]) -> Float[Array, " n"]:
    """Return each variable's variance given those before it: the squared Cholesky diagonal.

    Variables are eliminated one block at a time. LAPACK factorisations of many networks at once, several
    per program, deadlock on machines with few cores (jaxlib 0.10), and singular values, as in
    ``ibjax.mi.linear_gaussian_mi``, take tenths of a second per network.
    """
    pivots = []
    while len(covariance):
        rows = _eliminated(covariance[:BLOCK])
        size = len(rows)
        pivots.append(jnp.diagonal(rows))
        between = rows[:, size:]
        explained = _product((between / pivots[-1][:, None]).T, between)
        covariance = covariance[size:, size:] - explained
    return jnp.concatenate(pivots)


def _eliminated(rows: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Return the first m rows of a covariance, each given the ones before it."""
    numbers = jnp.arange(len(rows))

    def eliminate(rows, k):
        factor = jnp.where(numbers > k, rows[:, k] / rows[k, k], 0.0)
        return rows - factor[:, None] * rows[k][None, :], None

    return jax.lax.scan(eliminate, rows, numbers)[0]
