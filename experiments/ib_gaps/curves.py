"""Information curves: the optimum, the best with few clusters, and what a sample makes sure of."""

import numpy as np
import scipy.stats
import xarray as xr

from ibjax.bottleneck import (
    bifurcations,
    finite_sample_bounds,
    information_curve,
    interpolate_curve,
    layer_information,
)
from ibjax.datasets.symmetric import symmetric_score

__all__ = ["BOUND_SAMPLES", "DELTA", "information_curves", "noisy_score_joint", "sure_information"]

# The largest numbers of clusters of the suboptimal curves.
FORCED_CLUSTERS = (2, 3, 4)

# Numbers of samples of the bounds, the training words' first, and the probability that they may fail.
BOUND_SAMPLES = (3277, 10**5, 10**6, 10**7)
DELTA = 0.05

# Levels of the noisy score, and the noise in standard deviations of the score.
NUM_LEVELS, SCORE_NOISE = 8, 0.3


def noisy_score_joint() -> np.ndarray:
    """Return p(c, y) of a task with many labels: Y is the words' score with noise, in eight levels.

    The noise is Gaussian, with 0.3 of the score's standard deviation; the levels' limits are the score's
    quantiles, so that the eight levels are about equally likely.

    Returns:
        (class, level): the 44 classes of words of equal score, in increasing order.
    """
    words = symmetric_score()
    score, count = np.unique(words, return_counts=True)
    limits = np.quantile(words, np.linspace(0, 1, NUM_LEVELS + 1)[1:-1])
    below = scipy.stats.norm.cdf((limits - score[:, None]) / (SCORE_NOISE * words.std()))
    return np.diff(below, axis=1, prepend=0, append=1) * count[:, None] / len(words)


def information_curves(p_cy: np.ndarray, betas: np.ndarray) -> xr.Dataset:
    """Compute the information curve, the curves with few clusters and the bifurcations of p(c, y).

    Args:
        p_cy: (class, y) joint distribution of classes and labels.
        betas: (beta,) increasing betas of the curves' points.

    Returns:
        Dataset with ``curve_ixt``, ``curve_ity`` (bits) and ``curve_clusters`` (point,), the last point
        being T = C; ``forced_ixt``, ``forced_ity`` and ``forced_loss``, the bits of I(T;Y) below the
        optimum at that I(X;T), (clusters, point), NaN at the last point; ``split_beta``,
        ``split_clusters``, ``split_ixt`` and ``split_ity`` (split,).
    """
    curve = information_curve(p_cy, betas)
    end = layer_information(np.eye(len(p_cy)), p_cy)  # T is C, as beta grows beyond all bounds
    ixt, ity = np.append(curve.ixt, end.ixt), np.append(curve.ity, end.ity)
    forced = [information_curve(p_cy, betas, num_clusters=k) for k in FORCED_CLUSTERS]
    forced_ixt, forced_ity = (
        np.stack([np.append(getattr(c, name), np.nan) for c in forced]) for name in ("ixt", "ity")
    )
    loss = interpolate_curve(ixt, ity, ixt=forced_ixt) - forced_ity
    splits = bifurcations(p_cy, curve)
    at_split = [np.interp(np.log(splits.betas), np.log(betas), x) for x in (curve.ixt, curve.ity)]
    columns = {
        "curve_ixt": ("point", ixt, "bits", "I(X;T) of the optimum"),
        "curve_ity": ("point", ity, "bits", "I(T;Y) of the optimum"),
        "curve_clusters": ("point", np.append(curve.num_clusters, len(p_cy)), "1", "states of T"),
        "forced_ixt": (("clusters", "point"), forced_ixt, "bits", "I(X;T) with few clusters"),
        "forced_ity": (("clusters", "point"), forced_ity, "bits", "I(T;Y) with few clusters"),
        "forced_loss": (("clusters", "point"), loss, "bits", "I(T;Y) below the optimum"),
        "split_beta": ("split", splits.betas, "1", "beta of a bifurcation"),
        "split_clusters": ("split", splits.after, "1", "clusters above it"),
        "split_ixt": ("split", at_split[0], "bits", "I(X;T) of a bifurcation"),
        "split_ity": ("split", at_split[1], "bits", "I(T;Y) of a bifurcation"),
    }
    return xr.Dataset(
        {k: (d, v, {"units": units, "long_name": text}) for k, (d, v, units, text) in columns.items()},
        {"clusters": list(FORCED_CLUSTERS)},
    )


def sure_information(curves: xr.Dataset) -> xr.Dataset:
    """Compute what samples make sure of at the optimum, and the point (R(n), D_IB(n)).

    An encoder of I(T;Y) bits and k states is sure to have that many bits less the margin of
    ``finite_sample_bounds`` for k states, were it estimated without error, and were it chosen without
    looking at the sample. R(n) is the I(X;T) of the encoder that is sure to have most, of the optimal
    ones and the best ones with few clusters; D_IB(n) = I(X;Y) less what it is sure to have.

    Args:
        curves: Dataset of ``information_curves``, of a binary Y.

    Returns:
        Dataset with ``guaranteed`` (num_samples, point): sure bits of I(T;Y) at the curve's points; and
        (num_samples,) ``best_ixt``, R(n), ``best_guaranteed``, sure bits there, and ``best_clusters``.
        R(n) is NaN where nothing is sure.
    """
    forced = (
        curves[["forced_ixt", "forced_ity"]].stack(candidate=("clusters", "point")).dropna("candidate")
    )
    candidates = [
        np.append(curves.curve_ixt, forced.forced_ixt),
        np.append(curves.curve_ity, forced.forced_ity),
        np.append(curves.curve_clusters, forced.clusters),
    ]

    def sure(ixt, ity, states, n):
        of = {"cardinality_t": int(states), "cardinality_y": 2, "num_samples": n, "delta": DELTA}
        return float(finite_sample_bounds(ixt, ity, **of).ity_low)

    points = np.array(
        [[sure(x, y, k, n) for x, y, k in zip(*candidates, strict=True)] for n in BOUND_SAMPLES]
    )  # (num_samples, candidate)
    best = points.argmax(axis=1)
    most = points.max(axis=1)
    best_ixt, _, best_clusters = (np.where(most > 0, column[best], np.nan) for column in candidates)
    columns = {
        "guaranteed": (
            ("num_samples", "point"),
            points[:, : curves.sizes["point"]],
            "bits",
            "I(T;Y) that is sure at the optimum",
        ),
        "best_ixt": ("num_samples", best_ixt, "bits", "R(n)"),
        "best_guaranteed": ("num_samples", most, "bits", "I(X;Y) less D_IB(n)"),
        "best_clusters": ("num_samples", best_clusters, "1", "states of T at R(n)"),
    }
    return xr.Dataset(
        {k: (d, v, {"units": units, "long_name": text}) for k, (d, v, units, text) in columns.items()},
        {"num_samples": list(BOUND_SAMPLES)},
    )
