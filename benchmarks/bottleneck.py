"""The information curve against a plain NumPy Blahut-Arimoto iteration.

Random p(x, y) of 64 x 2 and 512 x 16, uniform p(x), p(y|x) from a Dirichlet distribution with
concentrations of 1/2; 200 betas from 1000 down to 0.5, evenly on a log scale. The plain version anneals
in the same way, each beta from the solution of the one above and the first from every x as a cluster of
its own, and iterates the self-consistent equations in float64 until a step changes the joint
distribution of T and Y by less than 1e-6 (total variation), at most 1000 times; it merges nothing.
ibjax's criterion is the same and one on all steps to come besides.

The process stays on one core, where the system can keep it there, unless ``--all-cores``. Each round
runs both; ratios are medians over rounds. ibjax's first call, which compiles, is told apart. Printed,
too: how many betas converge, and how much lower ibjax's objective I(X;T) - beta I(T;Y) is, over beta.
Run::

    python -m benchmarks.bottleneck [--rounds 3] [--problems 64x2 512x16] [--all-cores]
"""

import argparse

import numpy as np

from benchmarks import timing
from ibjax.bottleneck import information_curve

BETAS = np.geomspace(1000, 0.5, 200)
TOLERANCE, MAX_STEPS = 1e-6, 1000
PROBLEMS = ("64x2", "512x16")


def problem(name: str) -> np.ndarray:
    """(x, y) joint distribution."""
    num_x, num_y = map(int, name.split("x"))
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(num_y, 0.5), size=num_x) / num_x


def plain_curve(p_xy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """I(X;T), I(T;Y) in bits and whether it converged, for every beta."""
    p_x = p_xy.sum(axis=1)
    p_y_given_x = p_xy / p_x[:, None]
    encoder = np.eye(len(p_xy))
    rows = []
    for beta in BETAS:
        p_ty = encoder.T @ p_xy
        converged = False
        for _ in range(MAX_STEPS):
            p_t = np.maximum(p_ty.sum(axis=1), 1e-300)
            log_y = np.log(np.maximum(p_ty / p_t[:, None], 1e-300))
            logits = np.log(p_t) + beta * (p_y_given_x @ log_y.T)
            encoder = np.exp(logits - logits.max(axis=1, keepdims=True))
            encoder /= encoder.sum(axis=1, keepdims=True)
            before, p_ty = p_ty, encoder.T @ p_xy
            if np.abs(p_ty - before).sum() / 2 < TOLERANCE:
                converged = True
                break
        rows.append((*informations(encoder, p_xy), converged))
    ixt, ity, converged = (np.array(column) for column in zip(*rows, strict=True))
    return ixt, ity, converged


def informations(encoder: np.ndarray, p_xy: np.ndarray) -> tuple[float, float]:
    """I(X;T) and I(T;Y), bits."""

    def entropy(p):
        return -np.sum(p * np.log2(np.where(p > 0, p, 1)))

    p_xt, p_ty = p_xy.sum(axis=1)[:, None] * encoder, encoder.T @ p_xy
    h_t = entropy(p_ty.sum(axis=1))
    ixt = h_t + entropy(p_xy.sum(axis=1)) - entropy(p_xt)
    return ixt, h_t + entropy(p_xy.sum(axis=0)) - entropy(p_ty)


def main() -> None:
    parser = argparse.ArgumentParser(description="Information curves against plain NumPy.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", nargs="+", default=PROBLEMS, help="of x and y, as 64x2")
    parser.add_argument("--all-cores", action="store_true")
    args = parser.parse_args()
    if not args.all_cores:
        timing.use_one_core()
    print(f"{timing.machine()}\n")
    rows = []
    for name in args.problems:
        p_xy = problem(name)
        first = timing.seconds(lambda p_xy=p_xy: information_curve(p_xy, BETAS).ixt)
        times = {"ibjax": [], "NumPy": []}
        for _ in range(args.rounds):
            for version, curve in (("ibjax", information_curve), ("NumPy", lambda p, _: plain_curve(p))):
                times[version].append(timing.seconds(lambda c=curve, p=p_xy: c(p, BETAS)[1]))
        ours, (ixt, ity, converged) = information_curve(p_xy, BETAS), plain_curve(p_xy)
        lower = (ixt - BETAS * ity - (ours.ixt - BETAS * ours.ity)) / BETAS
        medians = {version: float(np.median(t)) for version, t in times.items()}
        ratios = np.array(times["NumPy"]) / np.array(times["ibjax"])
        rows.append(
            [name, first, *medians.values(), float(np.median(ratios)), int(ours.converged.sum()),
             int(converged.sum()), float(lower.mean()), float(lower.max())]
        )  # fmt: skip
    header = "problem first ibjax NumPy times converged converged lower most".split()
    print("seconds of 200 betas; converged: ibjax, NumPy; lower: of ibjax's objective, bits over beta\n")
    print(timing.table(header, rows))


if __name__ == "__main__":
    main()
