"""The information bottleneck itself: the best trade-off that any representation can achieve."""

from ibjax.bottleneck.bifurcations import Bifurcations, bifurcations
from ibjax.bottleneck.bounds import FiniteSampleBounds, finite_sample_bounds
from ibjax.bottleneck.curve import InformationCurve, information_curve
from ibjax.bottleneck.encoder import EncoderBeta, encoder_beta
from ibjax.bottleneck.gaussian import (
    CurvePoints,
    GaussianInformationCurve,
    gaussian_ib,
    gaussian_ib_bound,
    gaussian_information_curve,
    squared_correlations,
)
from ibjax.bottleneck.interpolation import interpolate_curve
from ibjax.bottleneck.joint import layer_information, sufficient_statistic

__all__ = [
    "Bifurcations",
    "CurvePoints",
    "EncoderBeta",
    "FiniteSampleBounds",
    "GaussianInformationCurve",
    "InformationCurve",
    "bifurcations",
    "encoder_beta",
    "finite_sample_bounds",
    "gaussian_ib",
    "gaussian_ib_bound",
    "gaussian_information_curve",
    "information_curve",
    "interpolate_curve",
    "layer_information",
    "squared_correlations",
    "sufficient_statistic",
]
