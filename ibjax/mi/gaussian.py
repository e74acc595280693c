"""Mutual information of jointly Gaussian variables, from the covariance of a sample."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.special import digamma

from ibjax.checks import check_flag
from ibjax.mi.columns import standardised
from ibjax.mi.inputs import check_num_samples, checked_variables, scaled
from ibjax.numerics import to_bits
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["gaussian_mi"]

# Of float32's 2^-23: singular values below this share of the largest one are rounding, and
# no correlation is told from 1 beyond this sine of the angle.
RESOLUTION = np.float32(2.0**-20)


@own_settings()
def gaussian_mi(x: ArrayLike, y: ArrayLike, *, correction: bool = True) -> Float[Array, ""]:
    """I(X;Y) of jointly Gaussian variables, by the determinants of their covariances.

    With S the covariance of the sample and r_i the canonical correlations of x and y::

        I(X;Y) = 1/2 log2 (|S_x| |S_y| / |S_xy|) = -1/2 sum_i log2(1 - r_i^2).

    The correction takes off the expected error of the log-determinants under the Wishart
    distribution, with psi the digamma function::

        1/2 sum_{i=1}^{dy} [psi((n - i) / 2) - psi((n - dx - i) / 2)],    about dx dy / (2 n) nats.

    Computed from orthonormal bases of the standardised columns, so that no determinant is formed, and
    neither the scale of a column nor its offset nor strong correlation costs precision.

    Args:
        x: (n,) or (n, dx) samples.
        y: (n,) or (n, dy) samples of the other variable, with n > dx + dy.
        correction: whether to subtract the expected error. Not for a likelihood-ratio test.

    Returns:
        A scalar, bits, float32. NaN where traced ``x`` or ``y`` are not finite.

    Bias:
        Of Gaussian samples: none with the correction, which lets estimates of independent variables
        fall below 0; without it upward by the term above. Of other distributions: what the linear
        part of the dependence carries. That is no more than I(X;Y) where both marginals are
        Gaussian; in general it may lie on either side.

    Singular covariances:
        Constant columns carry nothing, and columns that are linear combinations of the others in the
        same variable add nothing: directions below 1e-6 of the strongest are dropped, and the
        correction counts those that are left. Where y is a linear function of x the information is
        infinite: a canonical pair counts at most 20 bits, float32's resolution, so that the estimate
        never exceeds 20 min(dx, dy) bits.

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
    """A basis of the columns less their mean, whose surplus columns are 0; and which are none."""
    basis, scale, _ = jnp.linalg.svd(standardised(x), full_matrices=False)
    kept = scale > RESOLUTION * scale[0]
    return jnp.where(kept[None, :], basis, 0.0), kept


def _information_of_subspaces(basis_x, basis_y) -> Float[Array, ""]:
    """-sum_i ln sin(angle_i) of the principal angles between two subspaces.

    A small angle has a cosine that rounds to 1, and a large one a sine that does: each is taken from
    the one that resolves it.
    """
    product = functools.partial(jnp.matmul, precision="float32")
    cross = product(basis_x.T, basis_y)
    _, cosines, directions = jnp.linalg.svd(cross, full_matrices=False)  # decreasing cosines
    small = jnp.square(cosines) > 0.5
    beside = product(basis_y - product(basis_x, cross), directions.T)  # (n, min(dx, dy))
    # The largest singular values are those of the directions that are not set to 0.
    # Without full_matrices=False there is room for an (n, n) matrix, though it is not computed.
    sines = jnp.linalg.svd(jnp.where(small[None, :], beside, 0.0), full_matrices=False, compute_uv=False)
    from_cosines = -0.5 * jnp.log1p(-jnp.square(jnp.where(small, 0.0, cosines)))
    from_sines = -jnp.log(jnp.clip(sines, RESOLUTION, 1.0))
    return jnp.where(small, from_sines, from_cosines).sum()


def _expected_error(n: int, kept_x: Bool[Array, " dx"], kept_y: Bool[Array, " dy"]) -> Float[Array, ""]:
    """The plug-in estimate's bias for Gaussian samples, nats.

    E ln|S| = ln|Sigma| + e(d) + d c for an (n - 1)-fold Wishart S of d columns, where c cancels and
    e(d) = sum_{i<=d} [psi((n - i) / 2) - psi((n - 1) / 2)].
    """
    i = np.arange(1, len(kept_x) + len(kept_y) + 1)
    terms = digamma((n - i) / 2) - digamma((n - 1) / 2)
    error = jnp.asarray(np.concatenate([[0.0], np.cumsum(terms)]), jnp.float32)
    dx, dy = kept_x.sum(), kept_y.sum()
    return 0.5 * (error[dx] + error[dy] - error[dx + dy])
