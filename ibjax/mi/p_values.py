"""p-values of estimates from the null distribution of the likelihood ratio."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaincc, ndtr
from jaxtyping import Array, Float

from ibjax.arrays import as_array
from ibjax.checks import as_whole, check_count
from ibjax.mi._inputs import check_num_samples
from ibjax.numerics import to_nats
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["discrete_p_value", "gaussian_p_value"]

TINY = np.finfo(np.float32).tiny

# Above this, float32's incomplete gamma function loses digits, and chi-squared is close to its limit.
MANY_DEGREES = 5000.0


@own_settings()
def discrete_p_value(
    mi: ArrayLike, *, num_samples: int, num_states_x: ArrayLike, num_states_y: ArrayLike
) -> Float[Array, "..."]:
    """p-value of a plug-in estimate under the hypothesis that the discrete variables are independent.

    2 n ln(2) I is the likelihood-ratio statistic G, which for large n is chi-squared with
    (Kx - 1)(Ky - 1) degrees of freedom.

    Args:
        mi: (...) plug-in estimates in bits, without bias correction.
        num_samples: number of samples n.
        num_states_x: number of states Kx of x that occur; others add no degrees of freedom. May be
            traced.
        num_states_y: number of states Ky of y that occur; may be traced.

    Returns:
        (...) float32, never below 1e-38. 1 where a variable has one state; NaN where ``mi`` is.

    Bias:
        Asymptotic: valid for n much above 5 Kx Ky. With 10 states each, 9% of independent pairs have p
        <= .05 at n = 5 Kx Ky, 25% at n = Kx Ky, and none for n far below; use ``shuffle_test`` there.

    Raises:
        ValueError: for numbers that are not positive, or not whole.

    Example:
        >>> p = discrete_p_value(0.01, num_samples=1000, num_states_x=2, num_states_y=2)
        >>> round(float(p), 4)
        0.0002

    References:
        Wilks (1938); Cover & Thomas (2006), section 11; Goebel et al. (2005) on the law of I.
    """
    num_samples = as_whole("num_samples", num_samples)
    check_count("num_states_x", num_states_x)
    check_count("num_states_y", num_states_y)
    degrees = (jnp.asarray(num_states_x, jnp.float32) - 1) * (jnp.asarray(num_states_y, jnp.float32) - 1)
    return _chi_squared_tail(_nats(mi) * np.float32(2 * num_samples), degrees)


@own_settings()
def gaussian_p_value(
    mi: ArrayLike, *, num_samples: int, num_columns_x: int, num_columns_y: int
) -> Float[Array, "..."]:
    """p-value of ``gaussian_mi(..., correction=False)`` if the Gaussian variables are independent.

    2 n I, in nats, is the likelihood-ratio statistic -2 ln Lambda. With Bartlett's factor it is
    chi-squared with dx dy degrees of freedom up to terms of order 1 / n^2::

        (n - 1 - (dx + dy + 1) / 2) 2 ln(2) I  ~  chi^2(dx dy).

    Args:
        mi: (...) estimates in bits, without bias correction.
        num_samples: number of samples n > dx + dy.
        num_columns_x: number of columns dx of x, without constant ones and linear combinations of
            others.
        num_columns_y: number of columns dy of y, counted likewise.

    Returns:
        (...) float32, never below 1e-38. NaN where ``mi`` is.

    Bias:
        At p = .01, too large by .5% of p for n = 20 and single columns, too small by 5% for n = 50 and
        10 columns against 1. Samples that are not Gaussian have another null distribution: use
        ``shuffle_test``.

    Raises:
        ValueError: for numbers that are not whole and positive, and n <= dx + dy.

    Example:
        >>> p = gaussian_p_value(0.01, num_samples=1000, num_columns_x=1, num_columns_y=1)
        >>> round(float(p), 4)
        0.0002

    References:
        Bartlett (1938); Anderson (2003), section 9.5 (independence of sets of variates); Muirhead
        (1982), section 11.2.
    """
    num_columns_x = as_whole("num_columns_x", num_columns_x)
    num_columns_y = as_whole("num_columns_y", num_columns_y)
    num_samples = as_whole("num_samples", num_samples)
    columns = num_columns_x + num_columns_y
    check_num_samples(num_samples, columns + 1, f"for {num_columns_x} and {num_columns_y} columns")
    factor = 2 * (num_samples - 1) - (columns + 1)
    return _chi_squared_tail(_nats(mi) * np.float32(factor), jnp.float32(num_columns_x * num_columns_y))


def _nats(bits):
    return to_nats(jnp.asarray(as_array("mi", bits), jnp.float32))


@jax.jit
def _chi_squared_tail(statistic, degrees):
    """Return P(chi^2 >= statistic), or 1 for 0 degrees of freedom."""
    statistic = jnp.maximum(statistic, 0.0)
    some = degrees > 0
    positive = jnp.where(some, degrees, 1.0)
    # Wilson & Hilferty (1931): the cube root is nearly normal.
    cube_root = jnp.cbrt(statistic / positive) - (1 - 2 / (9 * positive))
    p_value = jnp.where(
        positive > MANY_DEGREES,
        ndtr(-cube_root * jnp.sqrt(4.5 * positive)),
        gammaincc(positive / 2, statistic / 2),
    )
    p_value = jnp.where(some, jnp.maximum(p_value, TINY), 1.0)
    return jnp.where(jnp.isnan(statistic + degrees), jnp.nan, p_value)
