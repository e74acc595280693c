"""Binned estimators with the conventions of the papers' codes."""

import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_float32
from ibjax.checks import as_whole, check_known, check_nonempty, check_positive, check_rank
from ibjax.mi.adaptive import adaptive_edges
from ibjax.mi.binned import binned_mi
from ibjax.types import MI, ArrayLike

__all__ = [
    "IDNNS_EDGES",
    "adaptive_binned_mi",
    "idnns_binned_mi",
    "revisiting_binned_mi",
    "revisiting_edges",
]

# The 2017 code's 30 edges make 29 bins; t == 1.0 has a bin of its own. Plain numbers, so that results
# can name them.
IDNNS_EDGES = (*np.linspace(-1, 1, 30, dtype=np.float32).tolist(), 2.0)

# Lower and upper ends of activations by name; None where the bins start at 0 and have no end.
RANGES: dict[str, tuple[float, float] | None] = {
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "relu": None,
    "linear": None,
    "softplus": None,
    "leaky_relu": None,
    "elu": None,
    "gelu": None,
}

# Largest number of bins of a bounded activation.
MOST_BINS = 1_000_000


def idnns_binned_mi(t: ArrayLike, y: ArrayLike, *, edges: ArrayLike = IDNNS_EDGES) -> MI:
    """Compute ``binned_mi`` with the 2017 code's bins: ``digitize(t, linspace(-1, 1, 30)) - 1``.

    These are 29 bins on [-1, 1) and one for all t >= 1; t < -1 wraps around into the latter, and all
    ReLU activations of 1 or more are one state.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        edges: bin edges, increasing.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.

    Example:
        >>> t = np.array([[-1.5], [-0.5], [0.5], [1.0]])
        >>> mi = idnns_binned_mi(t, np.array([0, 1, 1, 0]))  # -1.5 and 1.0 share a bin
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Shwartz-Ziv & Tishby (2017), by their code.
    """
    edges = as_array("edges", edges)
    check_rank("edges", edges, 1, "(edges,)")
    check_nonempty("edges", edges)
    t, narrow = as_array("t", t), as_float32("edges", edges)
    check_nonempty("t", t)
    t = as_float32("t", t)
    wraps = (t < narrow[0]) & jnp.isfinite(t)
    return binned_mi(jnp.where(wraps, narrow[-1], t), y, bins=edges)


def adaptive_binned_mi(t: ArrayLike, y: ArrayLike, *, bins: int | np.integer) -> MI:
    """Compute ``binned_mi`` in bins that hold equally many distinct activations.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        bins: number of bins for ``adaptive_edges``.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi`` and ``adaptive_edges``.

    Example:
        >>> t = np.array([[0.0], [0.0], [0.01], [100.0]])
        >>> mi = adaptive_binned_mi(t, np.array([0, 0, 1, 1]), bins=3)
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Chelombiev, Houghton & O'Donnell (2019).
    """
    return binned_mi(t, y, bins=adaptive_edges(t, bins=as_whole("bins", bins)))


def revisiting_binned_mi(
    t: ArrayLike, y: ArrayLike, *, activation: str = "tanh", bin_width: float | int = 0.07
) -> MI:
    """Compute ``binned_mi`` with the activation's bins of "Revisiting the Information Plane" (2019).

    Bins have equal width and start at the activation's lower end, -1 for tanh and softsign, 0 for
    sigmoid and softmax; they end at 1, which lies in the last bin. The paper bins ReLU from 0 to the
    largest activation of all epochs. Here these bins start at 0 and have no upper end, which gives the
    same bins without a second pass over the epochs. All other activations are binned likewise, also
    below 0.

    Args:
        t: (n, width) activations.
        y: (n,) integer labels.
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins.

    Returns:
        ``MI(ixt, ity)``, bits. Bias and errors as in ``binned_mi``.

    Example:
        >>> t = np.array([[-1.0], [0.1], [0.2], [1.0]])
        >>> mi = revisiting_binned_mi(t, np.array([0, 1, 1, 0]), activation="tanh", bin_width=0.5)
        >>> float(mi.ixt), float(mi.ity)
        (1.5, 1.0)

    References:
        Schiemer & Ye (2019).
    """
    edges = revisiting_edges(activation, bin_width)
    return binned_mi(t, y, bin_width=bin_width) if edges is None else binned_mi(t, y, bins=edges)


def revisiting_edges(activation: str, bin_width: float | int) -> np.ndarray | None:
    """Return the float32 bin edges of ``revisiting_binned_mi``, or None if bins have no end.

    Args:
        activation: name of the layer's activation, or "softmax".
        bin_width: width of the bins; a bounded activation may have at most a million bins.

    Raises:
        ValueError: for an unknown activation, a width that is not positive or too small.

    Example:
        >>> revisiting_edges("sigmoid", 0.25).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
        >>> revisiting_edges("relu", 0.25) is None
        True
    """
    check_known("activation", activation, RANGES)
    check_positive("bin_width", bin_width)
    limits = RANGES[activation]
    if limits is None:
        return None
    low, high = limits
    # Use a whole number of bins: up to rounding, the last one ends at the upper end or beyond.
    count = int(np.ceil((high - low) / float(bin_width) - 1e-6))
    if count > MOST_BINS:
        raise ValueError(f"bin_width: expected {MOST_BINS} bins or fewer, got {bin_width}")
    return (low + float(bin_width) * np.arange(count + 1)).astype(np.float32)
