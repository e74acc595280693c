"""Layers as encoders of classes of inputs, against the information bottleneck of the true p(x, y).

The words of a class share their p(y|x), so only the class C matters for Y. A state T of a binned layer
then has p(t|c), the fraction of the class's words in it. I(C;T) is the part of I(X;T) that the
bottleneck would keep; the rest tells apart words of the same class. Everything is float64 NumPy.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ibjax.analysis._inputs import as_integers, as_probabilities
from ibjax.analysis._networks import check_model
from ibjax.analysis.records import PlaneRecord
from ibjax.bottleneck import encoder_beta, layer_information
from ibjax.bottleneck.joint import checked_joint, entropy_bits
from ibjax.checks import as_whole, check_positive, check_same_length
from ibjax.losses import output_units
from ibjax.mi import binned_mi, binned_states
from ibjax.models import MLP
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = [
    "FixedPoints",
    "StatesRecord",
    "class_encoder",
    "class_joint",
    "fixed_points",
]

# More classes would take too much memory.
MOST_CLASSES = 2**24


class FixedPoints(NamedTuple):
    """Layers compared with the bottleneck; arrays of the shape of the layers.

    Attributes:
        ixt: I(X;T) = H(T) on the equally likely words, bits.
        ict: I(C;T), bits.
        ity: I(T;Y) with the true p(y|x), bits.
        beta: beta at which the bottleneck's encoder is closest to the layer's.
        distance: KL(layer || that encoder), averaged over words, bits.
        at_bound: whether ``beta`` is an end of the search range.
    """

    ixt: np.ndarray
    ict: np.ndarray
    ity: np.ndarray
    beta: np.ndarray
    distance: np.ndarray
    at_bound: np.ndarray


@dataclasses.dataclass(frozen=True)
class StatesRecord(Record):
    """Record as ``PlaneRecord`` with ``binned_mi``, and of the layers' ``states`` (layer, n).

    ``states`` are whole numbers in the smallest type that holds n - 1, for the hidden layers and last
    the output; meaningless where ``ixt`` is NaN.

    Args:
        model: the network.
        bin_width: width of the bins, for information and states.

    Raises:
        ValueError: for anything but an ``MLP``, and a width that is not positive.
    """

    model: MLP
    bin_width: float | int

    def __post_init__(self):
        check_model(self.model)
        check_positive("bin_width", self.bin_width)
        object.__setattr__(self, "bin_width", float(self.bin_width))

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        logits, hidden = self.model.apply(params, data.x.T, method="feature_major")
        layers = [t.T for t in [*hidden, output_units(logits)]]
        states = jnp.stack([binned_states(t, self.bin_width) for t in layers])
        states = states.astype(np.min_scalar_type(len(data.x) - 1))
        return {**self._plane(params, data, split), "states": states}

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        states = Variable(("layer", "input"), "1", "number of the input's state")
        return self._plane.variables | {"states": states}

    @property
    def _plane(self) -> PlaneRecord:
        return PlaneRecord(self.model, functools.partial(binned_mi, bin_width=self.bin_width))

    def __str__(self) -> str:
        return str(self._plane)


def class_joint(classes: ArrayLike, probability: ArrayLike) -> np.ndarray:
    """Return p(c, y) for equally likely words.

    Args:
        classes: (n,) class numbers from 0.
        probability: (n,) p(y = 1 | x).

    Returns:
        (class, 2) joint distribution.

    Raises:
        ValueError: for other shapes or lengths, classes that are not whole numbers from 0, probabilities
            outside [0, 1].
    """
    classes = as_integers("classes", classes, "(n,)", at_least=0)
    probability = as_probabilities("probability", probability)
    check_same_length("classes", classes, "probability", probability)
    num_classes = as_whole("classes.max() + 1", classes.max() + 1, at_most=MOST_CLASSES)
    joint = np.zeros((num_classes, 2))
    np.add.at(joint, classes, np.stack([1 - probability, probability], axis=1) / len(classes))
    return joint


def class_encoder(states: ArrayLike, classes: ArrayLike) -> np.ndarray:
    """Return p(t|c): the fraction of each class's words in each state.

    States with the same p(c|t) are merged, which changes neither I(C;T), I(T;Y) nor the distance to the
    bottleneck's encoder: there are thousands of states if a layer tells most words apart.

    Args:
        states: (n,) state numbers from 0 of equally likely words.
        classes: (n,) class numbers from 0, none empty.

    Returns:
        (class, t) encoder; rows sum to 1.

    Raises:
        ValueError: for other shapes or lengths, numbers that are not whole or negative, an empty class.

    Example:
        >>> class_encoder(np.array([0, 1, 2, 2]), np.array([0, 0, 0, 1]))
        array([[0.66666667, 0.33333333],
               [0.        , 1.        ]])
    """
    states = as_integers("states", states, "(n,)", at_least=0)
    classes = as_integers("classes", classes, "(n,)", at_least=0)
    check_same_length("states", states, "classes", classes)
    states = np.unique(states, return_inverse=True)[1]  # without gaps, for numbers of any size
    num_classes, num_states = int(classes.max()) + 1, int(states.max()) + 1
    if num_classes > len(classes) or (np.bincount(classes) == 0).any():
        raise ValueError(
            f"classes: expected numbers from 0 without gaps, got {len(np.unique(classes))} numbers "
            f"up to {classes.max()}"
        )
    cells = np.bincount(states * num_classes + classes, minlength=num_classes * num_states)
    counts = cells.reshape(num_states, num_classes)
    counts = counts[counts.any(axis=1)]
    rows = counts // np.gcd.reduce(counts, axis=1)[:, None]
    # View each row as one item: comparing bytes is several times faster than comparing numbers.
    _, kind = np.unique(rows.view(f"V{rows.strides[0]}"), return_inverse=True)
    merged = np.zeros((kind.max() + 1, num_classes))
    np.add.at(merged, kind.reshape(-1), counts)
    return merged.T / counts.sum(axis=0)[:, None]


def fixed_points(states: ArrayLike, classes: ArrayLike, p_cy: ArrayLike) -> FixedPoints:
    """Compute every layer's information, and the beta of the bottleneck that it is closest to.

    Args:
        states: (..., n) state numbers of layers on equally likely words.
        classes: (n,) class numbers.
        p_cy: (class, y) joint distribution of class and label.

    Returns:
        ``FixedPoints`` of arrays (...).

    Raises:
        ValueError: as ``class_encoder``, and for a joint distribution with other classes.

    References:
        Shwartz-Ziv & Tishby (2017), section 3.5 and figure 6.
    """
    states = as_integers("states", states, "(..., n)", at_least=0)
    classes = as_integers("classes", classes, "(n,)", at_least=0)
    check_same_length("states.T", states.T, "classes", classes)
    p_cy = checked_joint(p_cy)

    def measure_layer(states):
        encoder = class_encoder(states, classes)
        h_t = entropy_bits(np.unique(states, return_counts=True)[1] / len(states))
        return (h_t, *layer_information(encoder, p_cy), *encoder_beta(encoder, p_cy))

    rows = [measure_layer(layer) for layer in states.reshape(-1, len(classes))]
    columns = (np.array(column).reshape(states.shape[:-1]) for column in zip(*rows, strict=True))
    return FixedPoints(*columns)
