"""Records of a layer seen through bins: histograms of its activations, and who shares a state.

A sample's state is its row of bins: it is alone in the state, or shares it with samples of its own class
only, or with samples of other classes. The first case loses nothing, the second I(X;T), the third I(T;Y)
too.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ibjax.analysis._inputs import as_floats
from ibjax.analysis._networks import check_model
from ibjax.analysis.states import state_shares
from ibjax.checks import as_whole, check_positive
from ibjax.losses import output_units
from ibjax.mi import binned_states, revisiting_edges
from ibjax.mi._binnings import BY_EDGES, BY_WIDTH
from ibjax.models import MLP
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = ["BinsRecord", "histogram_counts"]

# Number of bins of activations without an upper end; the last bin holds everything beyond.
NUM_BINS = 1024

# More bins or classes would take too much memory.
MOST = 2**24

STATES = {
    "alone": Variable(("bins", "layer"), "1", "share of samples alone in their state"),
    "pure": Variable(("bins", "layer"), "1", "share of samples in states of one class"),
    "mixed": Variable(("bins", "layer"), "1", "share of samples in states of several classes"),
    "lost_pure": Variable(("bins", "layer"), "bits", "H(X|T) of states of one class"),
    "lost_mixed": Variable(("bins", "layer"), "bits", "H(X|T) of states of several classes"),
    "lost_label": Variable(("bins", "layer"), "bits", "H(Y|T)"),
}


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


@dataclasses.dataclass(frozen=True)
class BinsRecord(Record):
    """Record of binned training samples: histograms and shared states, in bins of several widths.

    ``record(params, data, split)`` returns a dict of ``counts`` (bins, layer, bin) and of the fields of
    ``StateShares``, each (bins, layer), the softmax last. If a layer has an activation that is not
    finite, its counts are 0 and the others NaN.

    Args:
        model: the network.
        num_classes: number of classes.
        widths: widths of the bins, as in ``revisiting_binned_mi``.
        num_bins: number of bins of the histograms, as in :func:`histogram_counts`.

    Raises:
        ValueError: for anything but an ``MLP``, numbers that are not whole, a width that is not
            positive; by the record, as :func:`histogram_counts`.
    """

    model: MLP
    num_classes: int | np.integer
    widths: Sequence[float | int]
    num_bins: int | np.integer = NUM_BINS

    def __post_init__(self):
        check_model(self.model)
        for name in ("num_classes", "num_bins"):
            object.__setattr__(self, name, as_whole(name, getattr(self, name), at_most=MOST))
        for width in self.widths:
            check_positive("widths", width)
        object.__setattr__(self, "widths", tuple(map(float, self.widths)))

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        logits, hidden = self.model.apply(params, data.x[split.train].T, method="feature_major")
        layers, names = [*hidden, output_units(logits)], (*self.model.activations, "softmax")
        y = data.y[split.train]
        measured = [
            [self._layer(h.T, name, width, y) for name, h in zip(names, layers, strict=True)]
            for width in self.widths
        ]
        return {
            name: jnp.stack([jnp.stack([layer[name] for layer in layers]) for layers in measured])
            for name in self.variables
        }

    def _layer(self, t, activation: str, width: float, y) -> dict[str, Any]:
        """Measure a layer (n, units) in bins of one width."""
        edges = revisiting_edges(activation, width)
        bins = {"bin_width": width} if edges is None else {"bins": jnp.asarray(edges)}
        shares = state_shares(binned_states(t, **bins), y, self.num_classes)
        finite = jnp.isfinite(t).all()
        return {"counts": _counts(t, activation, width, self.num_bins)} | {
            name: jnp.where(finite, value, jnp.nan) for name, value in shares._asdict().items()
        }

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return {"counts": Variable(("bins", "layer", "bin"), "1", "activations in the bin")} | STATES

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names of the widths."""
        return {"bins": tuple(map(str, self.widths))}

    def __str__(self) -> str:
        return f"histograms and shared states in bins of {', '.join(map(str, self.widths))}"
