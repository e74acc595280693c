"""Records of a layer seen through bins: histograms of its activations, and who shares a state.

A sample's state is its row of bins: it is alone in the state, or shares it with samples of its own class
only, or with samples of other classes. The first case loses nothing, the second I(X;T), the third I(T;Y)
too.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ibjax.analysis._networks import check_model
from ibjax.analysis.states import state_shares
from ibjax.checks import as_whole, check_positive
from ibjax.losses import output_units
from ibjax.mi import binned_states, revisiting_edges
from ibjax.mi._binnings import BY_EDGES, BY_WIDTH
from ibjax.mi.conventions import is_bounded, stretched_bins
from ibjax.models import MLP
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = ["COUNTED", "BinsRecord", "SeenBins", "seen_bins"]

# Number of bins of a histogram; the last bin holds everything beyond.
NUM_BINS = 1024

# More bins or classes would take too much memory.
MOST = 2**24

COUNTED = {
    "counts": Variable(("bins", "layer", "bin"), "1", "activations in the bin"),
    "num_bins": Variable(("bins", "layer"), "1", "bins of the range"),
    "lowest": Variable(("bins", "layer"), "1", "lower end of the range"),
    "bin_width": Variable(("bins", "layer"), "1", "width of the stretched bins"),
}
STATES = {
    "alone": Variable(("bins", "layer"), "1", "share of samples alone in their state"),
    "pure": Variable(("bins", "layer"), "1", "share of samples in states of one class"),
    "mixed": Variable(("bins", "layer"), "1", "share of samples in states of several classes"),
    "lost_pure": Variable(("bins", "layer"), "bits", "H(X|T) of states of one class"),
    "lost_mixed": Variable(("bins", "layer"), "bits", "H(X|T) of states of several classes"),
    "lost_label": Variable(("bins", "layer"), "bits", "H(Y|T)"),
}


class SeenBins(NamedTuple):
    """A layer in its bins.

    Attributes:
        index: (n, width) bin of every activation, from 0.
        states: (n,) state of every sample.
        num_bins: number of bins of the range.
        lowest: lower end of the range.
        bin_width: width of the bins.
    """

    index: Any
    states: Any
    num_bins: Any
    lowest: Any
    bin_width: Any


def seen_bins(t: Any, activation: str, bin_width: float, limits: Any) -> SeenBins:
    """Return a layer (n, width) in the bins of ``revisiting_binned_mi`` with these limits."""
    if is_bounded(activation):
        edges = revisiting_edges(activation, bin_width)
        count, low = len(edges) - 1, edges[0]
        index = jnp.clip(BY_EDGES.index(t, jnp.asarray(edges)), 0, count - 1)
        return SeenBins(index, binned_states(t, bins=edges), count, low, edges[1] - low)
    bins = stretched_bins(t, activation, bin_width, limits)
    index = BY_WIDTH.index(bins.t, bins.bin_width)
    states = binned_states(bins.t, bins.bin_width)
    return SeenBins(index, states, bins.num_bins, bins.lowest, bins.bin_width)


@dataclasses.dataclass(frozen=True)
class BinsRecord(Record):
    """Record of binned training samples: histograms and shared states, in bins of several widths.

    ``record(params, data, split)`` returns a dict of ``counts`` (bins, layer, bin), of ``num_bins``,
    ``lowest`` and ``bin_width`` of the layer's range, and of the fields of ``StateShares``, each (bins,
    layer), the softmax last. If a layer has an activation that is not finite, its counts and its number
    of bins are 0 and the others NaN.

    Args:
        model: the network.
        num_classes: number of classes.
        widths: widths of the bins, as in ``revisiting_binned_mi``.
        num_bins: number of bins of the histograms; activations beyond the last are counted in it.
        limits: (hidden layers, 2) smallest and largest activations, as in ``revisiting_estimators``.

    Raises:
        ValueError: for anything but an ``MLP``, numbers that are not whole, a width that is not
            positive.
    """

    model: MLP
    num_classes: int | np.integer
    widths: Sequence[float | int]
    num_bins: int | np.integer = NUM_BINS
    limits: ArrayLike | None = None

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
        limits = [None] * len(layers) if self.limits is None else [*self.limits, None]
        y = data.y[split.train]
        measured = [
            [
                self._layer(h.T, name, width, ends, y)
                for name, h, ends in zip(names, layers, limits, strict=True)
            ]
            for width in self.widths
        ]
        return {
            name: jnp.stack([jnp.stack([layer[name] for layer in layers]) for layers in measured])
            for name in self.variables
        }

    def _layer(self, t, activation: str, width: float, limits, y) -> dict[str, Any]:
        """Measure a layer (n, units) in bins of one width."""
        bins = seen_bins(t, activation, width, limits)
        finite = jnp.isfinite(t).all() & jnp.isfinite(bins.bin_width)
        place = jnp.clip(bins.index, 0, self.num_bins - 1).astype(jnp.int32)
        counts = jnp.zeros(self.num_bins, jnp.int32).at[place.ravel()].add(1)
        shares = state_shares(bins.states, y, self.num_classes)._asdict()
        real = shares | {"lowest": bins.lowest, "bin_width": bins.bin_width}
        return {
            "counts": jnp.where(finite, counts, 0),
            "num_bins": jnp.where(finite, bins.num_bins, 0).astype(jnp.int32),
            **{name: jnp.where(finite, value, jnp.nan) for name, value in real.items()},
        }

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return COUNTED | STATES

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names of the widths."""
        return {"bins": tuple(map(str, self.widths))}

    def __str__(self) -> str:
        return f"histograms and shared states in bins of {', '.join(map(str, self.widths))}"
