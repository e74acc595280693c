"""Gaps between layers and the information curve, and each layer's own bottleneck.

Layers are states of equally likely words with soft labels, p(y = 1 | x). Everything is float64 NumPy.
"""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import xarray as xr

from experiments.ib_gaps.curves import (
    BOUND_SAMPLES,
    information_curves,
    noisy_score_joint,
    sure_information,
)
from ibjax.analysis._inputs import as_integers, as_probabilities
from ibjax.analysis.encoders import class_joint, fixed_points
from ibjax.analysis.records import PlaneRecord
from ibjax.bottleneck import interpolate_curve, layer_information
from ibjax.checks import check_same_length
from ibjax.datasets import soft_label_probability
from ibjax.datasets.symmetric import symmetric_score
from ibjax.types import ArrayLike, PyTree, Record, Samples, Split, Variable

__all__ = [
    "RULE",
    "LabelsRecord",
    "LayerwiseTerms",
    "against_the_curve",
    "layerwise_terms",
]

# The soft rule of the labels, named by its I(X;Y) in bits.
RULE = "0.90"

# Points of the curves, of the networks' labels and of the noisy score.
BETAS, SCORE_BETAS = np.geomspace(1, 3000, 160), np.geomspace(1, 100, 60)

LONG_NAMES = {
    "ixt": "I(X;T)",
    "ity": "I(T;Y)",
    "ict": "I(C;T), C the class of words of equal p(y|x)",
    "ity_train": "I(T;Y) of the training words and labels",
    "excess_complexity": "I(C;T) less the smallest that suffices for I(T;Y)",
    "overestimate": "I(T;Y) of the training words less the true one",
    "complexity_gap": "I(X;T) less R(n), n the number of training words",
    "generalisation_gap": "I(X;Y|T) less D_IB(n), n the number of training words",
    "kept": "I(T_{i-1};T_i)",
    "lost": "I(Y;T_{i-1}|T_i)",
    "objective": "I(T_{i-1};T_i) + beta I(Y;T_{i-1}|T_i)",
}


@dataclasses.dataclass(frozen=True)
class LabelsRecord(Record):
    """Record of the decisions, and of what layers know of the labels of the training words.

    Args:
        plane: record of the information plane on the training words.
    """

    plane: PlaneRecord

    def __call__(self, params: PyTree, data: Samples, split: Split) -> dict[str, Any]:
        logits, _ = self.plane.model.apply(params, data.x.T, method="feature_major")
        decision = jnp.argmax(logits, axis=0).astype(jnp.int8)
        return {"decision": decision, "ity_train": self.plane(params, data, split)["ity"]}

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return {
            "decision": Variable(("input",), "1", "class that the network decides for"),
            "ity_train": Variable(("layer",), "bits", LONG_NAMES["ity_train"]),
        }

    def __str__(self) -> str:
        return f"decisions; ity_train: {self.plane}"


class LayerwiseTerms(NamedTuple):
    """The two terms of each layer's own bottleneck, in bits, (layer,)."""

    kept: np.ndarray
    lost: np.ndarray


def layerwise_terms(states: ArrayLike, probability: ArrayLike) -> LayerwiseTerms:
    """Return I(T_{i-1};T_i) and I(Y;T_{i-1}|T_i) of every layer i, where T_0 is X.

    A layer's own bottleneck is the first plus beta times the second: what it keeps of the layer below,
    and what it loses of that layer's information about the label. The second is computed as
    I(Y;T_{i-1},T_i) - I(Y;T_i), so that it cannot be negative when T_i is binned and hence not a
    function of T_{i-1}.

    Args:
        states: (layer, n) state numbers from 0 of equally likely, distinct words.
        probability: (n,) p(y = 1 | x).

    Returns:
        ``LayerwiseTerms`` of (layer,), bits.

    Raises:
        ValueError: for other shapes or lengths, states that are not whole numbers from 0, probabilities
            outside [0, 1].

    References:
        Tishby & Zaslavsky (2015), section III.A.
    """
    states = as_integers("states", states, "(layer, n)", at_least=0)
    probability = as_probabilities("probability", probability)
    check_same_length("states.T", states.T, "probability", probability)
    p_xy = np.stack([1 - probability, probability], axis=1) / len(probability)
    below = np.arange(len(probability))
    kept, lost = [], []
    for layer in states:
        layer = np.unique(layer, return_inverse=True)[1]  # without gaps
        both = np.unique(below * (layer.max() + 1) + layer, return_inverse=True)[1].reshape(-1)
        (h_below, _), (h, ity), (h_both, ity_both) = (
            layer_information(s, p_xy) for s in (below, layer, both)
        )
        kept.append(max(h_below + h - h_both, 0.0))
        lost.append(max(ity_both - ity, 0.0))
        below = layer
    return LayerwiseTerms(np.array(kept), np.array(lost))


def against_the_curve(_levels: tuple[str, ...], arm: xr.Dataset, *, beta: float) -> xr.Dataset:
    """Compare every layer with the information curve of the true p(x, y), and add the curves.

    Args:
        arm: Dataset of networks trained on labels of ``RULE``, measured with ``StatesRecord`` and
            ``LabelsRecord``.
        beta: beta of the layers' own bottleneck.

    Returns:
        ``arm`` without ``states`` and ``decision``, and with the variables of ``LONG_NAMES`` (seed,
        epoch, layer), NaN for networks that diverged; ``captured`` (seed, epoch); the variables of
        ``information_curves`` and ``sure_information`` for the networks' labels, and those of
        ``information_curves`` for the noisy score, their names and dims preceded by ``score_``.
    """
    probability = soft_label_probability(RULE)
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, probability)
    curves = information_curves(p_cy, BETAS)
    curves = curves.merge(sure_information(curves))
    score = information_curves(noisy_score_joint(), SCORE_BETAS)
    curves = curves.merge(score.rename({k: f"score_{k}" for k in (*score, "point", "split")}))
    information = float(curves.curve_ity[-1])
    optimum = curves.sel(num_samples=BOUND_SAMPLES[0])
    points = fixed_points(arm.states.values, classes, p_cy)
    terms = [[layerwise_terms(s, probability) for s in seed] for seed in arm.states.values]
    kept, lost = np.moveaxis(np.array(terms), 2, 0)  # each (seed, epoch, layer)
    layers = {
        "ixt": points.ixt,
        "ity": points.ity,
        "ict": points.ict,
        "ity_train": arm.ity_train.values,
        "excess_complexity": points.ict
        - interpolate_curve(curves.curve_ixt.values, curves.curve_ity.values, ity=points.ity),
        "overestimate": arm.ity_train.values - points.ity,
        "complexity_gap": points.ixt - float(optimum.best_ixt),
        "generalisation_gap": float(optimum.best_guaranteed) - points.ity,  # I(X;Y) cancels
        "kept": kept,
        "lost": lost,
        "objective": kept + beta * lost,
    }
    finite = np.isfinite(arm.ixt.values)  # a diverged network has no states
    results = arm.drop_vars(["states", "decision"])
    for name, values in layers.items():
        attrs = {"units": "bits", "long_name": LONG_NAMES[name]}
        results[name] = (("seed", "epoch", "layer"), np.where(finite, values, np.nan), attrs)
    p_xy = np.stack([1 - probability, probability], axis=1) / len(probability)
    captured = [[layer_information(d, p_xy).ity for d in seed] for seed in arm.decision.values]
    attrs = {"units": "1", "long_name": "I(Y;Y^) / I(X;Y) of the decision Y^"}
    results["captured"] = (("seed", "epoch"), np.array(captured) / information, attrs)
    return results.assign(curves.data_vars).assign_coords(curves.coords)
