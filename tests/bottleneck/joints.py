"""Joint distributions whose information bottleneck is known, or that are as good as any."""

import itertools

import numpy as np
import scipy.stats

__all__ = ["binned_gaussian", "hard_clusterings", "random_joint", "symmetric_channel"]


def symmetric_channel(p):
    """A uniform bit through a binary symmetric channel."""
    return np.array([[1 - p, p], [p, 1 - p]]) / 2


def random_joint(seed, num_x, num_y, concentration=1.0):
    """Random p(x) and p(y|x)."""
    rng = np.random.default_rng(seed)
    p_x = rng.dirichlet(np.full(num_x, 2.0))
    return p_x[:, None] * rng.dirichlet(np.full(num_y, concentration), size=num_x)


def binned_gaussian(rho, num_x, num_y):
    """Standard normal X and Y of correlation rho in equally probable bins, by quadrature within bins."""
    of_x, of_y = (scipy.stats.norm.ppf(np.linspace(0, 1, k + 1)) for k in (num_x, num_y))
    of_x = np.clip(of_x, -9, 9)
    node, weight = np.polynomial.legendre.leggauss(20)
    middle, half = (of_x[1:] + of_x[:-1]) / 2, (of_x[1:] - of_x[:-1]) / 2
    x = middle[:, None] + half[:, None] * node  # (bin, node)
    density = half[:, None] * weight * scipy.stats.norm.pdf(x)
    below = scipy.stats.norm.cdf((of_y - rho * x[..., None]) / np.sqrt(1 - rho**2))
    joint = np.einsum("bn,bny->by", density, np.diff(below, axis=-1))
    return joint / joint.sum()


def hard_clusterings(num_x):
    """All partitions of the x, as arrays of cluster numbers."""
    for label in itertools.product(*(range(i + 1) for i in range(num_x))):
        seen = np.maximum.accumulate((-1, *label))
        if all(new <= most + 1 for new, most in zip(label, seen, strict=False)):
            yield np.array(label)
