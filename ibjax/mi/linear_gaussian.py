"""Exact mutual information of linear layers with Gaussian inputs and Gaussian noise at the output."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ibjax.arrays import as_array, is_wide
from ibjax.checks import check_positive, check_rank, is_concrete
from ibjax.mi._inputs import checked_variable
from ibjax.numerics import scaled_to_one, to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["linear_gaussian_mi"]

EPSILON = np.float32(2.0**-23)

# A larger asymmetry of the correlations, or eigenvalues further below 0 per row, cannot be rounding.
ROUNDING = 1e-5


@own_settings()
def linear_gaussian_mi(
    weights: ArrayLike | Sequence[ArrayLike],
    *,
    input_covariance: ArrayLike,
    noise_variance: ArrayLike,
) -> Float[Array, ""]:
    """Exact I(X;T) of linear layers T = X W + Z with X ~ N(m, S) and Z ~ N(0, noise_variance I).

    Samples are rows, W is (n_in, n_out), and s_i are the singular values of S^(1/2) W::

        I(X;T) = 1/2 log2 |I + W^T S W / noise_variance| = 1/2 sum_i log2(1 + s_i^2 / noise_variance).

    Biases and the inputs' mean carry no information. Noise is added once, to the output of the last
    layer, and not between layers.

    Args:
        weights: one kernel (n_in, n_out), as stored by Flax; or a list or tuple of kernels starting at
            the input, (n_in, a), (a, b), ..., (z, n_out), whose product is W.
        input_covariance: (n_in, n_in) covariance S of the inputs, symmetric and positive semidefinite.
        noise_variance: variance of the noise on each output, positive.

    Returns:
        A scalar, bits, float32. NaN if traced arguments are not valid.

    Bias:
        None: no samples are involved. The relative error is about 1e-6, also for information near 0 and
        for products of kernels beyond float32's range. Directions whose signal is below max(n_in, n_out)
        2^-23 of the strongest one's amplitude, float32's resolution, are dropped; they could matter only
        if the strongest direction alone carries about 20 bits.

    Raises:
        ValueError: for other shapes, kernels that do not follow one another, values that are not
            finite, a covariance that is not symmetric or has a negative eigenvalue, and a
            ``noise_variance`` that is not positive: without noise the information is infinite.

    Example:
        >>> import numpy as np
        >>> w = np.array([[1.0, 0.0], [0.0, 0.5]])
        >>> bits = linear_gaussian_mi(w, input_covariance=3 * np.eye(2), noise_variance=1.0)
        >>> round(float(bits), 4)  # (log2 4 + log2 1.75) / 2
        1.4037

    References:
        Cover & Thomas (2006), section 9.4 (parallel Gaussian channels); Saxe et al. (2018), section 3
        (the same expression for deep linear networks).
    """
    kernels = _checked_kernels(weights)
    covariance = _checked_covariance(input_covariance, kernels[0].shape[0])
    check_positive("noise_variance", noise_variance)
    # I depends on W^T S W / noise_variance, so the kernels' exponents count twice.
    kernels, exponents = zip(*(_over_power_of_4(kernel) for kernel in kernels), strict=True)
    covariance, covariance_exponent = _over_power_of_4(covariance)
    noise_exponent = 0
    if is_concrete(noise_variance):
        noise_variance, noise_exponent = np.frexp(float(noise_variance))
    exponent = 2 * sum(exponents) + covariance_exponent - int(noise_exponent)
    return _linear_gaussian_mi(
        kernels, covariance, jnp.asarray(noise_variance, jnp.float32), jnp.int32(exponent)
    )


@jax.jit
def _linear_gaussian_mi(kernels, covariance, noise_variance, known_exponent):
    root, semidefinite = _square_root(covariance)
    product, exponent = _product([root, *kernels])
    usable = jnp.isfinite(product).all() & semidefinite
    usable = usable & jnp.isfinite(noise_variance) & (noise_variance > 0)
    values = jnp.linalg.svd(jnp.where(usable, product, 0.0), full_matrices=False, compute_uv=False)
    rank = min(min(kernel.shape) for kernel in kernels)  # further singular values are rounding
    values = values[:rank]
    resolved = values > max(product.shape) * EPSILON * values[0]
    signal = jnp.square(jnp.where(resolved, values, 0.0))
    noise, noise_exponent = jnp.frexp(jnp.where(usable, noise_variance, 1.0))
    nats = 0.5 * _log1p_scaled(signal / noise, 2 * exponent - noise_exponent + known_exponent).sum()
    return jnp.where(usable, to_bits(nats), jnp.nan)


def _log1p_scaled(x: Float[Array, " k"], exponent: Int[Array, ""]) -> Float[Array, " k"]:
    """Return log(1 + x 2^exponent) for x >= 0, where the product may exceed float32's range."""
    scaled = jnp.ldexp(x, exponent)
    large = scaled > 1
    log = jnp.log(jnp.where(large, x, 1.0)) + exponent * np.float32(np.log(2.0))
    return jnp.where(large, log + jnp.log1p(1 / scaled), jnp.log1p(jnp.where(large, 0.0, scaled)))


def _product(matrices) -> tuple[Float[Array, "n_in n_out"], Int[Array, ""]]:
    """Return the product of matrices as a matrix with entries up to 1, and an exponent of 2."""
    product, exponent = scaled_to_one(matrices[0])
    for matrix in matrices[1:]:
        factor, factor_exponent = scaled_to_one(matrix)
        product, shift = scaled_to_one(jnp.matmul(product, factor, precision="float32"))
        exponent = exponent + factor_exponent + shift
    return product, exponent


def _square_root(covariance) -> tuple[Float[Array, "n n"], Bool[Array, ""]]:
    """Return R with R^T R = S, computed from the correlations so that small variances keep their digits.

    Also return whether S is a covariance: finite, symmetric, without negative eigenvalues.
    """
    deviation, correlation = _deviations_and_correlations(covariance, jnp)
    finite = jnp.isfinite(correlation).all()
    symmetric = jnp.abs(correlation - correlation.T).max() <= ROUNDING
    eigenvalues, vectors = jnp.linalg.eigh(jnp.where(finite, correlation, 0.0))  # in increasing order
    semidefinite = eigenvalues[0] >= -ROUNDING * len(covariance)
    kept = eigenvalues > len(covariance) * EPSILON * eigenvalues[-1]
    root = jnp.sqrt(jnp.where(kept, eigenvalues, 0.0))[:, None] * vectors.T * deviation[None, :]
    return root, finite & symmetric & semidefinite


def _deviations_and_correlations(covariance, xp):
    """Split S into deviations and correlations by module ``xp``; constant inputs keep their rows."""
    variance = xp.diagonal(covariance)
    deviation = xp.sqrt(xp.maximum(variance, 0.0))
    divisor = xp.where(variance > 0, deviation, 1.0)
    return deviation, covariance / divisor[:, None] / divisor[None, :]


def _over_power_of_4(matrix):
    """Cast to float32, 64-bit matrices after division by a power of 4; and return its exponent of 2."""
    if not is_wide(matrix):
        return jnp.asarray(matrix, jnp.float32), 0
    matrix = np.asarray(matrix, np.float64)
    exponent = 2 * (int(np.frexp(np.abs(matrix).max())[1]) // 2)
    return jnp.asarray(np.ldexp(matrix, -exponent), jnp.float32), exponent


def _checked_kernels(weights):
    given: list[Any] = list(weights) if isinstance(weights, list | tuple) else []
    many = given and as_array("weights", given[0]).ndim == 2
    kernels = [_checked_matrix("weights", w) for w in (given if many else [weights])]
    for before, after in itertools.pairwise(kernels):
        if before.shape[1] != after.shape[0]:
            raise ValueError(
                "weights: expected kernels (n_in, a), (a, b), ..., "
                f"got shapes {[kernel.shape for kernel in kernels]}"
            )
    return kernels


def _checked_covariance(covariance, n_in):
    covariance = _checked_matrix("input_covariance", covariance)
    if covariance.shape != (n_in, n_in):
        raise ValueError(
            f"input_covariance: expected shape {(n_in, n_in)} for kernels of {n_in} inputs, "
            f"got shape {covariance.shape}"
        )
    if is_concrete(covariance):
        _, correlation = _deviations_and_correlations(np.asarray(covariance, np.float64), np)
        if np.abs(correlation - correlation.T).max() > ROUNDING:
            raise ValueError("input_covariance: expected a symmetric matrix, got another one")
        if (smallest := np.linalg.eigvalsh(correlation)[0]) < -ROUNDING * n_in:
            raise ValueError(
                "input_covariance: expected no negative eigenvalue, got correlations "
                f"with eigenvalue {smallest:.3g}"
            )
    return covariance


def _checked_matrix(name, matrix):
    matrix = as_array(name, matrix)
    check_rank(name, matrix, 2, "(rows, columns)")
    return checked_variable(name, matrix)
