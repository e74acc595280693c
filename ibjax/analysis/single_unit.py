"""Exact information of one unit h = f(w X) with normal input, in bins and with noise.

This is the smallest network on which compression can be studied, without training and samples.
Everything is float64 NumPy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import entr, logit, ndtr

from ibjax.checks import check_known, check_positive

__all__ = ["UNITS", "Unit", "binned_unit_mi", "noisy_unit_mi", "unit_bins"]

# Standard deviations of X, and of the noise, beyond which everything is ignored: 2e-19 of the draws.
FARTHEST = 9.0

# Grid of a noisy unit's density: masses per standard deviation of the noise, or of w X if that is
# smaller.
MASSES = 46


# More bins or masses than this would take too much memory.
MOST_CELLS = 10**8


class Unit(NamedTuple):
    """An increasing activation, defined by its inverse.

    Attributes:
        inverse: function h -> f^{-1}(h), within the range.
        lowest: lower end of the range, a whole number, or None if there is none.
        highest: upper end of the range, likewise.
    """

    inverse: Callable[[np.ndarray], np.ndarray]
    lowest: float | None
    highest: float | None

    @property
    def span(self) -> tuple[float, float] | None:
        """Both ends of the range, if there are two: the unit saturates on both sides."""
        return None if self.lowest is None or self.highest is None else (self.lowest, self.highest)

    def multiples(self, weight: float, width: float) -> np.ndarray:
        """Return the multiples of ``width`` that cover all of h."""
        low = -FARTHEST * weight if self.lowest is None else self.lowest
        high = FARTHEST * weight if self.highest is None else self.highest
        if (high - low) / width > MOST_CELLS:
            raise ValueError(
                f"weight: expected up to {MOST_CELLS} bins or masses, got a range of {high - low:g}"
            )
        return width * np.arange(np.floor(low / width + 1e-9), np.ceil(high / width - 1e-9) + 1)


UNITS = {
    "tanh": Unit(np.arctanh, -1.0, 1.0),
    "sigmoid": Unit(logit, 0.0, 1.0),
    "softsign": Unit(lambda h: h / (1 - np.abs(h)), -1.0, 1.0),
    "relu": Unit(lambda h: h, 0.0, None),
    "linear": Unit(lambda h: h, None, None),
}


def unit_bins(
    activation: str, weight: float | int, *, bin_width: float | int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bins of h = f(w X), X ~ N(0, 1), and their probabilities.

    Args:
        activation: a name from ``UNITS``.
        weight: weight w, positive.
        bin_width: width of the bins, which lie between its multiples and cover all of h.

    Returns:
        Lower edges (bin,) and probabilities (bin,).

    Raises:
        ValueError: for an unknown activation, a weight or a width that is not positive.
    """
    weight, bin_width = _checked(activation, weight, "bin_width", bin_width)
    edges = UNITS[activation].multiples(weight, bin_width)
    return edges[:-1], _probabilities(activation, weight, edges[1:-1])


def binned_unit_mi(activation: str, weight: float | int, *, bin_width: float | int) -> float:
    """Return I(h;X) of the binned unit in bits: the bins' entropy, as h is a function of X.

    No sampling and no bias; arguments and errors as in :func:`unit_bins`.

    Source:
        Saxe et al. (2018), section 2.
    """
    _, p = unit_bins(activation, weight, bin_width=bin_width)
    return float(entr(p).sum() / np.log(2))


def noisy_unit_mi(activation: str, weight: float | int, *, noise_variance: float | int) -> float:
    """Return I(h + Z; X) = h(h + Z) - h(Z) in bits, with Z ~ N(0, noise_variance) independent of X.

    The density of h + Z is summed from masses of h, about 1/46 of a standard deviation of Z, or of w X,
    apart; the error is below 1e-4 bits.

    Args:
        activation: a name from ``UNITS``.
        weight: weight w, positive.
        noise_variance: variance of Z, positive.

    Raises:
        ValueError: for an unknown activation, a weight or a variance that is not positive.

    Source:
        Goldfeld et al. (2019), section 2.
    """
    weight, noise_variance = _checked(activation, weight, "noise_variance", noise_variance)
    deviation = np.sqrt(noise_variance)
    step = 1 / np.ceil(MASSES / min(deviation, weight))  # divides the ranges
    masses = UNITS[activation].multiples(weight, step)
    p = _probabilities(activation, weight, masses[:-1] + step / 2)
    reach = np.ceil(FARTHEST * deviation / step)
    if reach > MOST_CELLS:
        most = (MOST_CELLS * step / FARTHEST) ** 2
        raise ValueError(
            f"noise_variance: expected at most {most:.3g} beside a weight of {weight}, "
            f"got {noise_variance}"
        )
    z = step * np.arange(-reach, reach + 1)
    noise = np.exp(-(z**2) / (2 * noise_variance)) / np.sqrt(2 * np.pi * noise_variance)
    density = np.maximum(fftconvolve(p, noise), 0)
    nats = entr(density).sum() * step - np.log(2 * np.pi * np.e * noise_variance) / 2
    return float(nats / np.log(2))


def _probabilities(activation: str, weight: float, inner_edges: np.ndarray) -> np.ndarray:
    """Return the probabilities of the cells between these edges, and beyond the first and the last."""
    x = np.concatenate([[-np.inf], UNITS[activation].inverse(inner_edges) / weight, [np.inf]])
    # Use the nearer tail, so that small probabilities keep their digits.
    above, below = -np.diff(ndtr(-x)), np.diff(ndtr(x))
    return np.where(x[:-1] > 0, above, below)


def _checked(activation, weight, name, value) -> tuple[float, float]:
    check_known("activation", activation, UNITS)
    check_positive("weight", weight)
    check_positive(name, value)
    return float(weight), float(value)
