"""The information bottleneck of Gaussian variables, in closed form.

For jointly Gaussian X and Y the optimal T is a noisy linear map of X, whose units project on the
canonical directions one by one, the most correlated first. Everything is float64 NumPy.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from ibjax.bottleneck.joint import known_float64
from ibjax.checks import as_whole, check_finite, check_nonempty, check_rank
from ibjax.types import ArrayLike

__all__ = [
    "CurvePoints",
    "GaussianInformationCurve",
    "gaussian_ib",
    "gaussian_ib_bound",
    "gaussian_information_curve",
    "squared_correlations",
]


class CurvePoints(NamedTuple):
    """Points on the information curve of Gaussian variables, without their betas, in bits.

    Attributes:
        ixt: (point,) I(X;T).
        ity: (point,) largest I(T;Y) that any T attains with this I(X;T).
    """

    ixt: np.ndarray
    ity: np.ndarray


class GaussianInformationCurve(NamedTuple):
    """The information curve of Gaussian variables, in bits.

    Attributes:
        betas: (beta,) trade-off parameters.
        ixt: (beta,) I(X;T).
        ity: (beta,) I(T;Y).
        critical_betas: (k,) betas, increasing, above each of which one more canonical direction of X is
            used; inf for directions that are independent of Y.
    """

    betas: np.ndarray
    ixt: np.ndarray
    ity: np.ndarray
    critical_betas: np.ndarray


def gaussian_information_curve(
    cov_x: ArrayLike, cov_y: ArrayLike, cov_xy: ArrayLike, betas: ArrayLike
) -> GaussianInformationCurve:
    """Information curve of jointly Gaussian X and Y, from their covariances.

    Args:
        cov_x: (d, d) covariance of X.
        cov_y: (k, k) covariance of Y.
        cov_xy: (d, k) covariance of X with Y.
        betas: (beta,) positive trade-off parameters.

    Returns:
        ``GaussianInformationCurve``, bits, float64; ``critical_betas`` are the inverse squared canonical
        correlations.

    Raises:
        ValueError: for shapes that do not match, values that are not finite, a joint covariance that is
            not symmetric and positive definite, betas that are not positive.

    Example:
        >>> curve = gaussian_information_curve([[1.0]], [[2.0]], [[1.0]], [1.5, 4.0])
        >>> curve.ity.round(4).tolist(), curve.critical_betas.round(4).tolist()
        ([0.0, 0.2925], [2.0])

    References:
        Chechik et al. (2005), theorem 3.1, equation 14 and lemma 4.1.
    """
    sigma_x, sigma_y = known_float64("cov_x", cov_x), known_float64("cov_y", cov_y)
    sigma_xy = known_float64("cov_xy", cov_xy)
    for name, value, axes in (
        ("cov_x", sigma_x, "(d, d)"),
        ("cov_y", sigma_y, "(k, k)"),
        ("cov_xy", sigma_xy, "(d, k)"),
    ):
        check_rank(name, value, 2, axes)
        check_nonempty(name, value)
        check_finite(name, value)
    wanted = sigma_x.shape[0], sigma_y.shape[0]
    if (
        sigma_x.shape != (wanted[0],) * 2
        or sigma_y.shape != (wanted[1],) * 2
        or sigma_xy.shape != wanted
    ):
        raise ValueError(
            "cov_x, cov_y, cov_xy: expected shapes (d, d), (k, k) and (d, k), got "
            f"{sigma_x.shape}, {sigma_y.shape} and {sigma_xy.shape}"
        )
    rho2 = squared_correlations(np.block([[sigma_x, sigma_xy], [sigma_xy.T, sigma_y]]), wanted[0])
    betas = known_float64("betas", betas)
    check_rank("betas", betas, 1, "(beta,)")
    with np.errstate(divide="ignore"):
        return GaussianInformationCurve(betas, *gaussian_ib(rho2, betas), 1 / rho2)


def gaussian_ib(rho2: ArrayLike, beta: ArrayLike) -> CurvePoints:
    """Information of the optimal T for Gaussian X and Y, which minimises I(X;T) - beta I(T;Y).

    With squared canonical correlations r_i, and the sums over those with beta r_i > 1::

        I(X;T) = 1/2 sum_i log2((beta - 1) r_i / (1 - r_i)),
        I(T;Y) = I(X;T) - 1/2 sum_i log2(beta r_i).

    Args:
        rho2: (k,) squared canonical correlations of X and Y, from 0 to below 1; s / (1 + s) for one
            input and one label with signal-to-noise ratio s.
        beta: (point,) positive trade-off parameters. If beta r_i <= 1 for all i, T is constant and both
            informations are 0.

    Returns:
        ``CurvePoints``, bits, float64.

    Raises:
        ValueError: for other shapes, correlations outside [0, 1) (with a correlation of 1 the
            information is infinite), and ``beta`` that is not positive and finite.

    Example:
        >>> curve = gaussian_ib([0.5], [1.0, 2.0, 4.0])
        >>> curve.ixt.round(4).tolist(), curve.ity.round(4).tolist()
        ([0.0, 0.0, 0.7925], [0.0, 0.0, 0.2925])

    References:
        Chechik et al. (2005), theorem 3.1 and equation 14.
    """
    rho2 = _checked_correlations(rho2)
    beta = np.atleast_1d(known_float64("beta", beta))
    check_rank("beta", beta, 1, "(point,)")
    check_nonempty("beta", beta)
    check_finite("beta", beta)
    if (beta <= 0).any():
        raise ValueError(f"beta: expected positive numbers, got {beta.min()}")
    b, r = beta[:, None], rho2[None, :]
    used = b * r > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.log2((b - 1) * r / (1 - r))
        lost = np.log2(b * r)
    ixt = np.where(used, kept, 0).sum(axis=1) / 2
    return CurvePoints(ixt, ixt - np.where(used, lost, 0).sum(axis=1) / 2)


def gaussian_ib_bound(rho2: ArrayLike, ixt: ArrayLike) -> CurvePoints:
    """Largest I(T;Y) at a given I(X;T): the information-bottleneck curve.

    The curve rises from 0 with slope r_1, the largest squared correlation, to I(X;Y) = -1/2 sum_i
    log2(1 - r_i). A direction n is used if I(X;T) exceeds its value at the critical beta = 1 / r_n; with
    the n directions in use, beta - 1 = (2^(2 I(X;T)) prod_i (1 - r_i) / r_i)^(1/n).

    Args:
        rho2: (k,) squared canonical correlations, as for ``gaussian_ib``.
        ixt: (point,) I(X;T) in bits, 0 or more.

    Returns:
        ``CurvePoints`` at these ``ixt``, bits, float64.

    Raises:
        ValueError: for other shapes, correlations outside [0, 1), ``ixt`` that is negative or not
            finite.

    Example:
        >>> gaussian_ib_bound([0.5], [0.0, 0.7925, 50.0]).ity.round(4).tolist()
        [0.0, 0.2925, 0.5]

    References:
        Chechik et al. (2005), section 3.2.
    """
    rho2 = np.sort(_checked_correlations(rho2))[::-1]
    ixt = np.atleast_1d(known_float64("ixt", ixt))
    check_rank("ixt", ixt, 1, "(point,)")
    check_finite("ixt", ixt)
    if (ixt < 0).any():
        raise ValueError(f"ixt: expected 0 bits or more, got {ixt.min()}")
    rho2 = rho2[rho2 > 0]
    if not len(rho2):
        return CurvePoints(ixt, np.zeros_like(ixt))
    # Cumulative values for the first i directions.
    odds = np.cumsum(np.log2((1 - rho2) / rho2))
    correlated = np.cumsum(np.log2(rho2))
    enters = gaussian_ib(rho2, 1 / rho2).ixt  # I(X;T) from which each direction is used
    n = np.maximum(np.searchsorted(enters, ixt, side="right"), 1)
    log_beta = np.logaddexp2(0, (2 * ixt + odds[n - 1]) / n)
    return CurvePoints(ixt, np.maximum(ixt - (n * log_beta + correlated[n - 1]) / 2, 0))


def squared_correlations(covariance: ArrayLike, num_inputs: int | np.integer) -> np.ndarray:
    """Return the squared canonical correlations of X and Y from their joint covariance.

    Args:
        covariance: (d, d) joint covariance of (X, Y), X first; symmetric, positive definite.
        num_inputs: number of components of X.

    Returns:
        (min(num_inputs, d - num_inputs),) float64, decreasing, from 0 to below 1.

    Raises:
        ValueError: for other shapes, values that are not finite, no X or no Y, a matrix that is not
            symmetric or not positive definite.

    Example:
        >>> squared_correlations([[1.0, 0.6], [0.6, 1.0]], 1).round(4).tolist()
        [0.36]
    """
    covariance = known_float64("covariance", covariance)
    check_rank("covariance", covariance, 2, "(d, d)")
    check_nonempty("covariance", covariance)
    check_finite("covariance", covariance)
    if covariance.shape[0] != covariance.shape[1] or not np.allclose(covariance, covariance.T):
        raise ValueError(f"covariance: expected a symmetric matrix, got shape {covariance.shape}")
    num_inputs = as_whole("num_inputs", num_inputs)
    if num_inputs >= len(covariance):
        raise ValueError(
            f"num_inputs: expected less than the {len(covariance)} variables, got {num_inputs}"
        )
    sigma_x, sigma_y = covariance[:num_inputs, :num_inputs], covariance[num_inputs:, num_inputs:]
    try:
        root_x, root_y = np.linalg.cholesky(sigma_x), np.linalg.cholesky(sigma_y)
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"covariance: expected a positive definite matrix, got one that is not ({error})"
        ) from error
    between = scipy.linalg.solve_triangular(root_x, covariance[:num_inputs, num_inputs:], lower=True)
    between = scipy.linalg.solve_triangular(root_y, between.T, lower=True)
    return np.linalg.svd(between, compute_uv=False) ** 2


def _checked_correlations(rho2) -> np.ndarray:
    rho2 = np.atleast_1d(known_float64("rho2", rho2))
    check_rank("rho2", rho2, 1, "(k,)")
    check_nonempty("rho2", rho2)
    check_finite("rho2", rho2)
    if rho2.min() < 0 or rho2.max() >= 1:
        raise ValueError(
            f"rho2: expected squared correlations from 0 to below 1, got {rho2.min()} to {rho2.max()}"
        )
    return rho2
