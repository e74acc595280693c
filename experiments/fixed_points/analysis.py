"""Layers of networks that learn a soft rule, against the information bottleneck of its true p(x, y)."""

import numpy as np
import xarray as xr

from ibjax.analysis.encoders import class_joint, fixed_points
from ibjax.bottleneck import information_curve, interpolate_curve, layer_information
from ibjax.datasets import soft_label_probability
from ibjax.datasets.symmetric import symmetric_score

__all__ = ["against_the_bottleneck", "beta_falls"]

# Betas of the curve's points.
BETAS = np.geomspace(1, 3000, 160)

LAYER_UNITS = {
    "ixt": ("bits", "I(X;T)"),
    "ity": ("bits", "I(T;Y)"),
    "ict": ("bits", "I(C;T), C the class of words of equal p(y|x)"),
    "beta": ("1", "beta of the bottleneck's encoder that is closest to the layer's"),
    "distance": ("bits", "KL(layer || the bottleneck's encoder), averaged over words"),
    "at_bound": ("1", "beta is an end of the range searched"),
    "below": ("bits", "I(T;Y) below the largest that is possible at the layer's I(C;T)"),
    "irrelevant": ("bits", "I(X;T) - I(C;T): what tells words of a class apart"),
}


def against_the_bottleneck(levels: tuple[str, ...], arm: xr.Dataset) -> xr.Dataset:
    """Compare every layer, as an encoder of the 44 classes of words, with the bottleneck.

    Args:
        levels: the soft rule, a name from ``ibjax.datasets.symmetric.SOFT_RULES``.
        arm: Dataset of networks trained on labels of this rule, measured with ``StatesRecord``.

    Returns:
        ``arm`` without ``states`` and with the variables of ``LAYER_UNITS`` (seed, epoch, layer), by
        ``fixed_points`` and for the true p(y|x); NaN for networks that diverged. ``curve_ixt``,
        ``curve_ity`` and ``curve_beta`` (point,) are the rule's information curve.
    """
    (rule,) = levels
    # By the score: in floating point some of the nearly hard rule's p(y|x) are equal.
    classes = np.unique(symmetric_score(), return_inverse=True)[1]
    p_cy = class_joint(classes, soft_label_probability(rule))
    curve = information_curve(p_cy, BETAS)
    end = layer_information(np.eye(len(p_cy)), p_cy)  # T is C, as beta grows beyond all bounds
    curve_ixt, curve_ity = np.append(curve.ixt, end.ixt), np.append(curve.ity, end.ity)
    layers = fixed_points(arm.states.values, classes, p_cy)._asdict()
    layers["below"] = interpolate_curve(curve_ixt, curve_ity, ixt=layers["ict"]) - layers["ity"]
    layers["irrelevant"] = layers["ixt"] - layers["ict"]
    finite = np.isfinite(arm.ixt.values)  # a diverged network has no states
    results = arm.drop_vars("states")
    for name, (units, long_name) in LAYER_UNITS.items():
        attrs = {"units": units, "long_name": long_name}
        results[name] = (("seed", "epoch", "layer"), np.where(finite, layers[name], np.nan), attrs)
    points = {"curve_ixt": curve_ixt, "curve_ity": curve_ity, "curve_beta": np.append(BETAS, np.inf)}
    for name, values in points.items():
        units = "1" if name == "curve_beta" else "bits"
        results[name] = ("point", values, {"units": units, "long_name": f"information curve: {name}"})
    return results


def beta_falls(at_epoch: xr.Dataset) -> dict[str, np.ndarray]:
    """Return by how much log10 beta falls between adjacent layers, (seed,), by pair such as "1-2".

    Args:
        at_epoch: Dataset with ``beta`` and ``at_bound`` (seed, layer).

    Returns:
        The falls, NaN where both layers' betas are at a bound of the range searched.
    """
    at_epoch = at_epoch.transpose("seed", "layer", ...)
    bound = at_epoch.at_bound.values == 1
    falls = -np.diff(np.log10(at_epoch.beta.values), axis=1)
    falls = np.where(bound[:, :-1] & bound[:, 1:], np.nan, falls)
    layers = at_epoch.layer.values
    return {f"{a}-{b}": fall for a, b, fall in zip(layers, layers[1:], falls.T, strict=False)}
