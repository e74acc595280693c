"""A layer seen through bins: the histogram of its activations, and which samples share a state.

Single activations give counts over bins, empty bins, and the fraction in the outermost bins
(saturation). A sample's state is its row of bins: it is alone in the state, or shares it with samples of
its own class only, or with samples of other classes. The first case loses nothing, the second I(X;T),
the third I(T;Y) too.
"""

import functools
from collections.abc import Hashable
from typing import cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ibjax.analysis._inputs import as_floats, as_integers, as_numbers
from ibjax.analysis._labelled import check_same_seeds
from ibjax.analysis._networks import check_model
from ibjax.analysis.intervals import rank_correlation
from ibjax.analysis.states import StateShares, state_shares
from ibjax.checks import as_whole, check_positive
from ibjax.losses import output_units
from ibjax.mi import binned_states, revisiting_edges
from ibjax.mi._binnings import BY_EDGES, BY_WIDTH
from ibjax.models import MLP
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike, Record

__all__ = [
    "bins_record",
    "correlation_over_epochs",
    "empty_bins",
    "extreme_share",
    "histogram_counts",
    "occupied_range",
]

# Number of bins of activations without an upper end; the last bin holds everything beyond.
NUM_BINS = 1024

# More bins or classes would take too much memory.
MOST = 2**24


@own_settings()
def histogram_counts(
    t: ArrayLike,
    activation: str,
    bin_width: float | int,
    *,
    num_bins: int | np.integer = NUM_BINS,
) -> Int[Array, " bins"]:
    """Count a layer's activations, over samples and units, in each bin.

    Args:
        t: (n, width) activations.
        activation: name of the activation, which gives the lower end of the bins as in
            ``revisiting_binned_mi``.
        bin_width: width of the bins.
        num_bins: number of bins, at least that of a bounded activation; activations beyond the last bin
            are counted in it, those below the first in the first.

    Returns:
        (bins,) counts; 0 in bins beyond a bounded activation's upper end, and in all bins if a traced
        activation is not finite.

    Raises:
        ValueError: for other shapes, concrete activations that are not finite, an unknown activation,
            fewer bins than a bounded activation has, a width that is not positive.
    """
    t = as_floats("t", t, "(n, width)")
    return _counts(t, activation, bin_width, as_whole("num_bins", num_bins, at_most=MOST))


def _counts(t, activation, bin_width, num_bins):
    edges = revisiting_edges(activation, bin_width)
    if edges is None:
        index = BY_WIDTH.index(t, jnp.asarray(bin_width, jnp.float32))
    else:
        if len(edges) - 1 > num_bins:
            raise ValueError(
                f"num_bins: expected at least the {len(edges) - 1} of {activation}, got {num_bins}"
            )
        index = BY_EDGES.index(t, jnp.asarray(edges))
    place = jnp.clip(index, 0, num_bins - 1).astype(jnp.int32)
    counts = jnp.zeros(num_bins, jnp.int32).at[place.ravel()].add(1)
    return jnp.where(jnp.isfinite(t).all(), counts, 0)


def bins_record(
    model: MLP,
    num_classes: int | np.integer,
    bin_width: float | int,
    *,
    num_bins: int | np.integer = NUM_BINS,
) -> Record:
    """Return a record function for binned training samples: histograms and shared states.

    Args:
        model: the network.
        num_classes: number of classes.
        bin_width: width of the bins, as in ``revisiting_binned_mi``.
        num_bins: number of bins of the histograms, as in :func:`histogram_counts`.

    Returns:
        ``record(params, data, split)``, which returns a dict of ``counts`` (layer, bins) and of the
        fields of ``StateShares``, each (layer,), the softmax last. If a layer has an activation that is
        not finite, its counts are 0 and the others NaN. The same arguments give the same function.

    Raises:
        ValueError: for anything but an ``MLP``, numbers that are not whole, a width that is not
            positive; by the record, as :func:`histogram_counts`.
    """
    check_model(model)
    num_classes, num_bins = (
        as_whole("num_classes", num_classes, at_most=MOST),
        as_whole("num_bins", num_bins, at_most=MOST),
    )
    check_positive("bin_width", bin_width)
    return _bins_record(cast(Hashable, model), num_classes, float(bin_width), num_bins)


@functools.lru_cache(maxsize=64)
def _bins_record(model, num_classes: int, bin_width: float, num_bins: int) -> Record:
    names = (*model.activations, "softmax")

    def record(params, data, split):
        logits, hidden = model.apply(params, data.x[split.train].T, method="feature_major")
        counts, shares = [], []
        for name, h in zip(names, [*hidden, output_units(logits)], strict=True):
            counts.append(_counts(h.T, name, bin_width, num_bins))
            edges = revisiting_edges(name, bin_width)
            bins = {"bin_width": bin_width} if edges is None else {"bins": jnp.asarray(edges)}
            states = binned_states(h.T, **bins)
            of_layer = state_shares(states, data.y[split.train], num_classes)
            finite = jnp.isfinite(h).all()
            shares.append(StateShares(*(jnp.where(finite, value, jnp.nan) for value in of_layer)))
        stacked = StateShares(*map(jnp.stack, zip(*shares, strict=True)))
        return {"counts": jnp.stack(counts)} | stacked._asdict()

    return record


def occupied_range(counts: ArrayLike) -> np.ndarray:
    """Count bins up to the largest activation of all epochs, the range of a ReLU layer's histogram.

    Args:
        counts: (..., epoch, layer, bins).

    Returns:
        (..., layer) number of bins in the range; 0 where nothing is counted.

    Raises:
        ValueError: for other axes, and counts that are not whole or negative.
    """
    counts = _checked_counts(counts)
    filled = counts.any(axis=-3)  # (..., layer, bins)
    last = counts.shape[-1] - np.flip(filled, axis=-1).argmax(axis=-1)
    return np.where(filled.any(axis=-1), last, 0)


def empty_bins(counts: ArrayLike, num_bins: ArrayLike) -> np.ndarray:
    """Count the bins of the range that hold no activation.

    Args:
        counts: (..., epoch, layer, bins) counts, all within the range.
        num_bins: (..., layer) or (layer,) number of bins in the range.

    Returns:
        (..., epoch, layer) numbers of empty bins; NaN where nothing is counted.

    Raises:
        ValueError: as :func:`occupied_range`; for ranges with other axes, and ranges of no bin, or more
            bins than there are, where something is counted.
    """
    counts = _checked_counts(counts)
    num_bins = _checked_range(num_bins, counts)
    empty = num_bins[..., None, :] - (counts > 0).sum(axis=-1)
    return np.where(counts.any(axis=-1), empty, np.nan)


def extreme_share(counts: ArrayLike, num_bins: ArrayLike) -> np.ndarray:
    """Return the fraction of activations in the two outermost bins of the range: binned saturation.

    For tanh these are both flat ends, for ReLU the bin of 0 and that of the largest activation.

    Args:
        counts: (..., epoch, layer, bins).
        num_bins: (..., layer) number of bins in the range.

    Returns:
        (..., epoch, layer) from 0 to 1; NaN where nothing is counted.

    Raises:
        ValueError: as :func:`empty_bins`.
    """
    counts = _checked_counts(counts)
    num_bins = _checked_range(num_bins, counts)
    last = np.broadcast_to(np.maximum(num_bins, 1)[..., None, :, None] - 1, (*counts.shape[:-1], 1))
    top = np.take_along_axis(counts, last, axis=-1)[..., 0]
    extreme = counts[..., 0] + np.where(last[..., 0] > 0, top, 0)
    total = counts.sum(axis=-1)
    return np.where(total > 0, extreme / np.maximum(total, 1), np.nan)


def correlation_over_epochs(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Compute Spearman's correlation of two curves within each seed and layer.

    Args:
        a: (seed, epoch, layer) first curves.
        b: (seed, epoch, layer) second curves.

    Returns:
        (seed, layer); NaN where a curve is constant or fewer than four epochs are known.

    Raises:
        ValueError: for other shapes, and labelled arrays of different seeds.
    """
    check_same_seeds(a=a, b=b)
    a, b = (as_numbers(name, x, "(seed, epoch, layer)") for name, x in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"a, b: expected the same shape, got {a.shape} and {b.shape}")
    seeds, _, layers = a.shape
    return np.array(
        [
            [rank_correlation(a[s, :, i], b[s, :, i]).estimate for i in range(layers)]
            for s in range(seeds)
        ]
    )


def _checked_counts(counts) -> np.ndarray:
    return as_integers("counts", counts, "(..., epoch, layer, bins)", at_least=0)


def _checked_range(num_bins, counts) -> np.ndarray:
    """Return checked numbers of bins, (..., layer), for counts (..., epoch, layer, bins)."""
    num_bins = as_integers("num_bins", num_bins, "(..., layer)", at_least=0)
    filled = counts.any(axis=(-3, -1))  # (..., layer)
    if num_bins.shape != filled.shape[filled.ndim - num_bins.ndim :]:
        raise ValueError(
            f"num_bins: expected the last axes of {filled.shape}, got shape {num_bins.shape}"
        )
    if num_bins.max() > counts.shape[-1] or (filled & (num_bins == 0)).any():
        raise ValueError(
            f"num_bins: expected 1 to the {counts.shape[-1]} bins of counts, "
            f"got {num_bins.min()} to {num_bins.max()}"
        )
    return num_bins
