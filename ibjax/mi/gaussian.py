"""Mutual information of jointly Gaussian variables, from the covariance of a sample."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.special import digamma

from ibjax.checks import check_flag
from ibjax.mi._columns import standardised
from ibjax.mi._inputs import check_num_samples, checked_variables, scaled
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["gaussian_mi"]

# A few times float32's 2^-23: singular values below this fraction of the largest are rounding errors,
# and a canonical angle with a smaller sine cannot be told from 0.
RESOLUTION = np.float32(2.0**-20)


@own_settings()
def gaussian_mi(x: ArrayLike, y: ArrayLike, *, correction: bool = True) -> Float[Array, ""]:
    """Estimate I(X;Y) of jointly Gaussian variables from the determinants of their covariances.

    With S the covariance of the sample and r_i the canonical correlations of x and y::

        I(X;Y) = 1/2 log2 (|S_x| |S_y| / |S_xy|) = -1/2 sum_i log2(1 - r_i^2).

    The bias correction subtracts the expected error of the log-determinants under the Wishart
    distribution, with psi the digamma function::

        1/2 sum_{i=1}^{dy} [psi((n - i) / 2) - psi((n - dx - i) / 2)],    about dx dy / (2 n) nats.

    The result is computed from orthonormal bases of the standardised columns. No determinant is formed,
    so neither the scale of a column nor its offset nor strong correlation costs precision.

    Args:
        x: (n,) or (n, dx) samples.
        y: (n,) or (n, dy) samples of the other variable, with n > dx + dy.
        correction: whether to subtract the expected error. Use False for a likelihood-ratio test.

    Returns:
        A scalar, bits, float32. NaN if traced ``x`` or ``y`` are not finite.

    Bias:
        For Gaussian samples: none with the correction, so estimates for independent variables may fall
        below 0; without it, upward by the term above. For other distributions: the estimate is of the
        information in the linear part of the dependence, which is at most I(X;Y) if both marginals are
        Gaussian and may lie on either side in general.

    Singular covariances:
        Constant columns carry nothing, and columns that are linear combinations of others of the same
        variable add nothing: directions below 1e-6 of the strongest are dropped, and the correction
        counts the remaining ones. If y is a linear function of x, the information is infinite; a
        canonical pair counts at most 20 bits, float32's resolution, so the estimate never exceeds 20
        min(dx, dy) bits.

    Raises:
        ValueError: for other shapes, values that are not real and finite, and n <= dx + dy.

    Example:
        >>> import numpy as np
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 1000))
        >>> round(float(gaussian_mi(x, 0.75 * x + (1 - 0.75**2) ** 0.5 * noise)), 1)  # truth: 0.596
        0.6

    References:
        Cover & Thomas (2006), example 8.5.1; Goodman (1963) on the determinant's expectation; Misra,
        Singh & Demchuk (2005), section 2; Bjorck & Golub (1973) on the angles of subspaces.
    """
    check_flag("correction", correction)
    x, y = checked_variables(x, y)
    because = f"for {x.shape[1]} columns of x and {y.shape[1]} of y"
    check_num_samples(x.shape[0], x.shape[1] + y.shape[1] + 1, because)
    return _gaussian_mi(scaled("x", x)[0], scaled("y", y)[0], bool(correction))


@functools.partial(jax.jit, static_argnames="correction")
def _gaussian_mi(x, y, correction):
    usable = jnp.isfinite(x).all() & jnp.isfinite(y).all()
    basis_x, kept_x = _orthonormal_basis(jnp.where(usable, x, 0.0))
    basis_y, kept_y = _orthonormal_basis(jnp.where(usable, y, 0.0))
    nats = _information_of_subspaces(basis_x, basis_y)
    if correction:
        nats = nats - _expected_error(len(x), kept_x, kept_y)
    return jnp.where(usable, to_bits(nats), jnp.nan)


def _orthonormal_basis(x: Float[Array, "n d"]) -> tuple[Float[Array, "n d"], Bool[Array, " d"]]:
    """Return an orthonormal basis of the centred columns, surplus ones set to 0, and which are kept."""
    basis, scale, _ = jnp.linalg.svd(standardised(x), full_matrices=False)
    kept = scale > RESOLUTION * scale[0]
    return jnp.where(kept[None, :], basis, 0.0), kept


def _information_of_subspaces(basis_x, basis_y) -> Float[Array, ""]:
    """Return -sum_i ln sin(angle_i) over the principal angles between two subspaces.

    The cosine of a small angle rounds to 1, as does the sine of a large one, so each angle is computed
    from the function that resolves it.
    """
    product = functools.partial(jnp.matmul, precision="float32")
    cross = product(basis_x.T, basis_y)
    _, cosines, directions = jnp.linalg.svd(cross, full_matrices=False)  # cosines in decreasing order
    small = jnp.square(cosines) > 0.5
    beside = product(basis_y - product(basis_x, cross), directions.T)  # (n, min(dx, dy))
    # The largest singular values belong to the directions that are not set to 0. Without
    # full_matrices=False, XLA allocates an (n, n) matrix although it is not computed.
    sines = jnp.linalg.svd(jnp.where(small[None, :], beside, 0.0), full_matrices=False, compute_uv=False)
    from_cosines = -0.5 * jnp.log1p(-jnp.square(jnp.where(small, 0.0, cosines)))
    from_sines = -jnp.log(jnp.clip(sines, RESOLUTION, 1.0))
    return jnp.where(small, from_sines, from_cosines).sum()


def _expected_error(n: int, kept_x: Bool[Array, " dx"], kept_y: Bool[Array, " dy"]) -> Float[Array, ""]:
    """Return the plug-in estimate's bias for Gaussian samples, in nats.

    E ln|S| = ln|Sigma| + e(d) + d c for an (n - 1)-fold Wishart S of d columns, where c cancels and
    e(d) = sum_{i<=d} [psi((n - i) / 2) - psi((n - 1) / 2)].
    """
    i = np.arange(1, len(kept_x) + len(kept_y) + 1)
    terms = digamma((n - i) / 2) - digamma((n - 1) / 2)
    error = jnp.asarray(np.concatenate([[0.0], np.cumsum(terms)]), jnp.float32)
    dx, dy = kept_x.sum(), kept_y.sum()
    return 0.5 * (error[dx] + error[dy] - error[dx + dy])
