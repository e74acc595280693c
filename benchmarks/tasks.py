"""The 40 tasks of the bmi benchmark as NumPy generators: samples of (X, Y) whose information is known.

Names, dimensions, parameters and maps are those of the package ``benchmark-mi`` 0.1.3; its random
numbers are not. Three families of distributions have a closed form:

* normal, correlation 0.75, or in d + d dimensions "dense" (all correlations 0.5) or "sparse" (two
  pairs of correlation 0.8, the rest independent);
* Student t with identity dispersion, whose coordinates share one random scale: information without
  any correlation;
* a uniform variable plus uniform noise.

The other tasks apply one-to-one maps to X and to Y, which change the estimates but not I(X;Y).

References:
    P. Czyz, F. Grabowski, J. E. Vogt, N. Beerenwinkel, A. Marx. "Beyond Normal: On the Evaluation of
    Mutual Information Estimators". NeurIPS 2023.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = [
    "TASKS", "Task", "additive_noise_mi", "dense_covariance", "normal_mi", "sparse_covariance",
    "student_mi",
]  # fmt: skip

Map = Callable[[np.ndarray], np.ndarray]


class Task(NamedTuple):
    """A distribution of (X, Y).

    Attributes:
        name: its name in the benchmark.
        dim_x: columns of x.
        dim_y: columns of y.
        mi_nats: I(X;Y) in nats.
        sample: of a generator and n; gives x (n, dim_x) and y (n, dim_y), float64.
    """

    name: str
    dim_x: int
    dim_y: int
    mi_nats: float
    sample: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


# What is known in closed form, in nats.


def normal_mi(covariance: np.ndarray, dim_x: int) -> float:
    """1/2 ln(|S_x| |S_y| / |S|)."""
    blocks = covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:], covariance
    of_x, of_y, of_both = (np.linalg.slogdet(block)[1] for block in blocks)
    return float(of_x + of_y - of_both) / 2


def student_mi(df: int, dim_x: int, dim_y: int) -> float:
    """Of a Student t with identity dispersion; h_x + h_y - h_xy less what cancels (Arellano-Valle,
    Contreras-Reyes and Genton 2013, eq. 7)."""

    def entropy(dim):
        half = (df + dim) / 2
        spread = half * (digamma_of_half(df + dim) - digamma_of_half(df))
        return math.lgamma(df / 2) - math.lgamma(half) + spread

    return entropy(dim_x) + entropy(dim_y) - entropy(dim_x + dim_y)


def digamma_of_half(m: int) -> float:
    """psi(m / 2) of a whole number m > 0, by psi(z + 1) = psi(z) + 1 / z from 1/2 or from 1."""
    odd = m % 2
    start = -np.euler_gamma - 2 * math.log(2) * odd
    return start + sum(2 / j for j in range(2 - odd, m, 2))


def additive_noise_mi(epsilon: float) -> float:
    """Of X uniform on (0, 1) and Y = X + noise uniform on (-epsilon, epsilon)."""
    return epsilon - math.log(2 * epsilon) if epsilon <= 0.5 else 1 / (4 * epsilon)


# Distributions.


def dense_covariance(dim: int) -> np.ndarray:
    """Of dim + dim variables of variance 1, all correlations 0.5."""
    return (np.eye(2 * dim) + 1) / 2


def sparse_covariance(dim: int) -> np.ndarray:
    """Of dim + dim variables of variance 1: X_1, Y_1 and X_2, Y_2 correlate by 0.8, nothing else."""
    covariance = np.eye(2 * dim)
    for i in range(2):
        covariance[i, dim + i] = covariance[dim + i, i] = 0.8
    return covariance


def normal_task(name: str, covariance: np.ndarray) -> Task:
    """A normal distribution, half of its coordinates X."""
    dim = len(covariance) // 2
    root = np.linalg.cholesky(covariance)

    def sample(rng, n):
        z = rng.standard_normal((n, 2 * dim)) @ root.T
        return z[:, :dim], z[:, dim:]

    return Task(name, dim, dim, normal_mi(covariance, dim), sample)


def student_task(dim: int, df: int) -> Task:
    """A Student t: normal coordinates divided by one sqrt(chi^2 / df)."""

    def sample(rng, n):
        z = rng.standard_normal((n, 2 * dim))
        z /= np.sqrt(rng.chisquare(df, (n, 1)) / df)
        return z[:, :dim], z[:, dim:]

    return Task(f"student-identity-{dim}-{dim}-{df}", dim, dim, student_mi(df, dim, dim), sample)


def additive_noise_task(epsilon: float) -> Task:
    """A uniform variable and the same plus uniform noise."""

    def sample(rng, n):
        x = rng.random((n, 1))
        return x, x + rng.uniform(-epsilon, epsilon, (n, 1))

    return Task(f"1v1-additive-{epsilon}", 1, 1, additive_noise_mi(epsilon), sample)


# Maps; all are one to one. Those of numbers act on each coordinate.


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Phi(x), accurate in the lower tail too."""
    return np.vectorize(math.erfc, otypes=[float])(x / -math.sqrt(2)) / 2


def half_cube(x: np.ndarray) -> np.ndarray:
    """|x|^(3/2) with the sign of x: longer tails."""
    return x * np.sqrt(np.abs(x))


def wiggly_x(x: np.ndarray) -> np.ndarray:
    """Increasing: its slope is at least 0.161."""
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def wiggly_y(y: np.ndarray) -> np.ndarray:
    """Increasing: its slope is at least 0.533."""
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def bimodal(weight: float, first: float, second: float) -> Map:
    """From N(0, 1) to the mixture of N(first, 1), with the weight, and N(second, 1).

    A bisection finds the quantile on (-10, 10).
    """

    def quantile(z):
        u = normal_cdf(z)
        low, high = np.full_like(u, -10), np.full_like(u, 10)
        for _ in range(45):  # 20 / 2^45 is 6e-13
            middle = (low + high) / 2
            cdf = weight * normal_cdf(middle - first) + (1 - weight) * normal_cdf(middle - second)
            low, high = np.where(cdf < u, middle, low), np.where(cdf < u, high, middle)
        return (low + high) / 2

    return quantile


def swiss_roll(u: np.ndarray) -> np.ndarray:
    """(n, 1) in (0, 1) onto a spiral in the plane, (n, 2)."""
    angle = 1.5 * np.pi * (1 + 2 * u)
    return angle * np.concatenate([np.cos(angle), np.sin(angle)], axis=1) / 21


def spiral(i: int, j: int) -> Map:
    """Rotates the coordinates i and j by the angle |x|^2 / dim; it keeps volumes."""

    def rotate(x):
        angle = np.square(x).mean(axis=1)
        cos, sin = np.cos(angle), np.sin(angle)
        turned = x.copy()
        turned[:, i] = cos * x[:, i] - sin * x[:, j]
        turned[:, j] = sin * x[:, i] + cos * x[:, j]
        return turned

    return rotate


def unchanged(x: np.ndarray) -> np.ndarray:
    return x


def mapped(name: str, base: Task, of_x: Map, of_y: Map | None = None, dim_x: int | None = None) -> Task:
    """The task of (of_x(X), of_y(Y)), by default of the same map for both; ``dim_x`` if it changes."""
    of_y = of_x if of_y is None else of_y

    def sample(rng, n):
        x, y = base.sample(rng, n)
        return of_x(x), of_y(y)

    return base._replace(name=name, sample=sample, dim_x=dim_x or base.dim_x)


def with_map(prefix: str, base: Task, of_x: Map, of_y: Map | None = None) -> Task:
    """``mapped``, named as the benchmark does."""
    return mapped(f"{prefix}-{base.name}", base, of_x, of_y)


def all_tasks() -> list[Task]:
    """In the order of the benchmark."""
    normal = normal_task("1v1-normal-0.75", np.array([[1, 0.75], [0.75, 1]]))
    uniform = with_map("normal_cdf", normal, normal_cdf)
    roll = mapped(f"swissroll_x-{uniform.name}", uniform, swiss_roll, unchanged, dim_x=2)
    dense = [normal_task(f"multinormal-dense-{d}-{d}-0.5", dense_covariance(d))
             for d in (2, 3, 5, 25, 50)]  # fmt: skip
    sparse = [normal_task(f"multinormal-sparse-{d}-{d}-2-2.0", sparse_covariance(d))
              for d in (2, 3, 5, 25)]  # fmt: skip
    student = {(d, df): student_task(d, df)
               for d, df in [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)]}  # fmt: skip
    asinh = [with_map("asinh", student[key], np.arcsinh) for key in [(1, 1), (2, 1), (3, 2), (5, 2)]]
    cdf = [with_map("normal_cdf", task, normal_cdf) for task in sparse[1:]]
    turns = spiral(0, 1), spiral(1, 2)
    return [
        normal,
        uniform,
        additive_noise_task(0.1),
        additive_noise_task(0.75),
        mapped("1v1-bimodal-0.75", normal, bimodal(0.3, 0, 5), bimodal(0.5, -1, 3)),
        with_map("wiggly", normal, wiggly_x, wiggly_y),
        with_map("half_cube", normal, half_cube),
        student[1, 1],
        asinh[0],
        roll,
        *dense,
        *sparse,
        *list(student.values())[1:],
        *cdf,
        *(with_map("half_cube", task, half_cube) for task in sparse[1:]),
        *(with_map("spiral", task, *turns) for task in [*sparse[1:], *cdf]),
        *asinh[1:],
    ]


TASKS = {task.name: task for task in all_tasks()}
