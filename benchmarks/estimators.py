"""The kernel and nearest-neighbour estimators against others' code.

What is timed:

* ``kde_mi`` of a layer: 4096 samples x {10, 7, 5, 4, 3, 2} units, noise variance 1e-3, upper bound,
  against the 2018 code's method in NumPy: three Gram matrices, of all samples and of each label's,
  each n x n as |a|^2 + |b|^2 - 2ab, with ``logsumexp`` of its rows. The layers are an untrained tanh
  network's on the symmetric task; the values do not change the work.
* ``ksg_mi`` (k = 3) of normal samples, each pair of coordinates with correlation 0.6, in 1 + 1 and
  10 + 10 dimensions: against SciPy's ``cKDTree`` (neighbours in the joint space, then neighbours
  within that distance in each marginal) and, in 1 + 1, scikit-learn's ``mutual_info_regression``.
  At n = 1000 also ``jit(vmap(ksg_mi))`` of 50 problems at once, a problem's time.

The process stays on one core, where the system can keep it there, so that each version has the same;
with ``--all-cores`` JAX, NumPy's products and the tree's queries use what there are. On an accelerator
ibjax's versions run there, the others stay on the CPU. Each round runs every version once; ratios are
medians over rounds, above 1 where ibjax is faster. How far the results differ is printed too. Run::

    python -m benchmarks.estimators [--rounds 5] [--sizes 1000 10000] [--all-cores]
"""

import argparse
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]
from scipy.special import digamma, logsumexp

from benchmarks import timing
from ibjax.datasets import symmetric_task
from ibjax.mi import kde_mi, ksg_mi

try:
    from sklearn.feature_selection import mutual_info_regression
except ImportError:
    mutual_info_regression = None

UNITS = (10, 7, 5, 4, 3, 2)
NOISE_VARIANCE = 1e-3
K = 3
SIZES = (1000, 10_000)
DIMENSIONS = (1, 10)
BATCH = 50  # problems at once, of so many samples:
BATCH_SIZE = 1000

# By version: a function without arguments that returns bits.
Versions = dict[str, Callable[[], np.ndarray]]


def layers() -> list[np.ndarray]:
    """Activations (4096, units) of an untrained tanh network."""
    rng = np.random.default_rng(0)
    t = np.asarray(symmetric_task().x)
    result = []
    for fan_in, fan_out in itertools.pairwise((t.shape[1], *UNITS)):
        t = np.tanh(t @ rng.normal(0, fan_in**-0.5, (fan_in, fan_out))).astype(np.float32)
        result.append(t)
    return result


def entropy_2018(t: np.ndarray) -> float:
    """The 2018 code's bound on h(T) in nats, in float32 as there."""
    n, units = t.shape
    squares = np.sum(np.square(t), axis=1)[:, None]
    exponents = (squares + squares.T - 2 * t @ t.T) / np.float32(2 * NOISE_VARIANCE)
    log_norm = units / 2 * np.log(2 * np.pi * NOISE_VARIANCE)
    return units / 2 - np.mean(logsumexp(-exponents, axis=1) - np.log(n) - log_norm)


def kde_2018(t: np.ndarray, y: np.ndarray) -> np.ndarray:
    """I(X;T) and I(T;Y) in bits by the 2018 code's method."""
    h = entropy_2018(t)
    h_given_x = t.shape[1] / 2 * (np.log(2 * np.pi * NOISE_VARIANCE) + 1)
    h_given_y = sum((y == label).mean() * entropy_2018(t[y == label]) for label in (0, 1))
    return np.array([h - h_given_x, h - h_given_y]) / np.log(2)


@jax.jit
def kde_ibjax(t, y):
    return kde_mi(t, y, noise_variance=NOISE_VARIANCE, bound="upper")


def ksg_tree(x: np.ndarray, y: np.ndarray, workers: int) -> np.ndarray:
    """KSG's first estimator by trees; distances are the largest difference of coordinates."""
    n = len(x)
    joint = cKDTree(np.hstack([x, y]))
    distance = joint.query(joint.data, k=K + 1, p=np.inf, workers=workers)[0][:, -1]
    within = np.nextafter(distance, 0)  # closer than the k-th neighbour; the point itself counts
    counts = [
        cKDTree(z).query_ball_point(z, within, p=np.inf, return_length=True, workers=workers)
        for z in (x, y)
    ]
    nats = digamma(K) + digamma(n) - sum(np.mean(digamma(c)) for c in counts)
    return np.array(nats / np.log(2))


def ksg_sklearn(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """scikit-learn's, which takes one column at a time."""
    nats = mutual_info_regression(x, y[:, 0], n_neighbors=K)  # pyright: ignore[reportOptionalCall]
    return nats[0] / np.log(2)


@jax.jit
def ksg_ibjax(x, y):
    return ksg_mi(x, y, k=K)


ksg_ibjax_batch = jax.jit(jax.vmap(lambda x, y: ksg_mi(x, y, k=K)))


def correlated(n: int, dim: int, problems: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal samples (problem, n, dim) of x and of y.

    Columns have variance 1 in the sample too: ibjax and scikit-learn see to it, the tree does not.
    """
    x, noise = np.random.default_rng(0).standard_normal((2, problems, n, dim), np.float32)
    y = np.float32(0.6) * x + np.float32(0.8) * noise
    return x / x.std(axis=1, keepdims=True), y / y.std(axis=1, keepdims=True)


def kde_versions(t: np.ndarray, y: np.ndarray) -> Versions:
    on_device = jnp.asarray(t), jnp.asarray(y)
    return {
        "ibjax": lambda: np.array(kde_ibjax(*on_device)),
        "2018 code": lambda: kde_2018(t, y),
    }


def ksg_versions(n: int, dim: int, workers: int) -> Versions:
    x, y = correlated(n, dim, 1)
    (x,), (y,) = x, y
    on_device = jnp.asarray(x), jnp.asarray(y)
    versions: Versions = {
        "ibjax": lambda: np.array(ksg_ibjax(*on_device)),
        "cKDTree": lambda: ksg_tree(x, y, workers),
    }
    if dim == 1 and mutual_info_regression is not None:
        versions["scikit-learn"] = lambda: ksg_sklearn(x, y)
    return versions


def ksg_batch_versions(dim: int, workers: int) -> Versions:
    x, y = correlated(BATCH_SIZE, dim, BATCH)
    on_device = jnp.asarray(x), jnp.asarray(y)
    versions: Versions = {
        "ibjax": lambda: np.array(ksg_ibjax_batch(*on_device)),
        "cKDTree": lambda: np.array([ksg_tree(*xy, workers) for xy in zip(x, y, strict=True)]),
    }
    if dim == 1 and mutual_info_regression is not None:
        versions["scikit-learn"] = lambda: np.array([ksg_sklearn(*xy) for xy in zip(x, y, strict=True)])
    return versions


def compare(label: str, versions: Versions, rounds: int, problems: int = 1) -> list[object]:
    """A row: milliseconds of each, ratios to ibjax, and the largest difference of results."""
    ours, *others = (version() for version in versions.values())
    difference = max(float(np.abs(ours - other).max()) for other in others)
    timed = {name: lambda f=f: timing.seconds(f) / problems for name, f in versions.items()}
    times = timing.interleaved(timed, rounds)
    names = [name for name in COLUMNS if name != "ibjax"]
    cells = [float(np.median(times[name])) * 1e3 if name in times else "-" for name in COLUMNS]
    ratios = [timing.ratio(times, name, "ibjax") if name in times else "-" for name in names]
    return [label, *cells, *ratios, f"{difference:.1g}"]


COLUMNS = ("ibjax", "2018 code", "cKDTree", "scikit-learn")


def main() -> None:
    parser = argparse.ArgumentParser(description="kde_mi and ksg_mi against others' code.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="samples, for ksg_mi")
    parser.add_argument("--all-cores", action="store_true", help="default: one core")
    args = parser.parse_args()
    if not args.all_cores:
        timing.use_one_core()
    workers = -1 if args.all_cores else 1
    print(timing.machine(), end="\n\n")
    if mutual_info_regression is None:
        print("scikit-learn is not installed (pip install 'ibjax[bench]'): left out\n")
    y = np.asarray(symmetric_task().y)
    rows = [compare(f"kde_mi, 4096 x {t.shape[1]}", kde_versions(t, y), args.rounds) for t in layers()]
    for dim, n in itertools.product(DIMENSIONS, args.sizes):
        label = f"ksg_mi, {n}, {dim} + {dim}"
        rows.append(compare(label, ksg_versions(n, dim, workers), args.rounds))
        if n == BATCH_SIZE:
            versions = ksg_batch_versions(dim, workers)
            rows.append(compare(f"{label}, of {BATCH}", versions, args.rounds, BATCH))
    print("milliseconds of one problem; times of the others over ibjax's; largest difference, bits\n")
    others = [name for name in COLUMNS if name != "ibjax"]
    header = ["problem", *COLUMNS, *(f"{name} x" for name in others), "differ by"]
    print(timing.table(header, rows), end="\n\n")
    for label, *cells in rows:
        tree = cells[len(COLUMNS) + others.index("cKDTree")]
        if isinstance(tree, float):
            winner, times = ("ibjax", tree) if tree >= 1 else ("the tree", 1 / tree)
            print(f"{label}: {winner} is {times:.1f} times faster")


if __name__ == "__main__":
    main()
