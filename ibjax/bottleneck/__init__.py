"""The information bottleneck itself: the best that any representation can do."""

from ibjax.bottleneck.gaussian import (
    BottleneckCurve,
    gaussian_ib,
    gaussian_ib_bound,
    squared_correlations,
)

__all__ = ["BottleneckCurve", "gaussian_ib", "gaussian_ib_bound", "squared_correlations"]
