"""Mutual-information estimators: pure functions, in bits, under ``jit`` and ``vmap``.

Of a layer, ``f(t, y, *, ...) -> MI(ixt, ity)``: ``binned_mi`` (with ``adaptive_edges``), ``exact_mi``,
``kde_mi``, ``noisy_mi``, ``quantised_mi``. Of two variables, ``f(x, y, *, ...) -> bits``:
``discrete_mi``, ``edge_mi``, ``gaussian_mi``, ``ksg_mi``, ``renyi_mi``, ``ross_mi``,
``variational_mi``. What more an estimator knows comes from its twin ``NAME_info``.
"""

from ibjax.mi.adaptive import adaptive_edges
from ibjax.mi.binned import binned_mi
from ibjax.mi.discrete import discrete_mi
from ibjax.mi.edge import EdgeInfo, edge_info, edge_mi
from ibjax.mi.entropy import entropy
from ibjax.mi.exact import exact_mi
from ibjax.mi.flags import Diagnostics, diagnostics
from ibjax.mi.gaussian import gaussian_mi
from ibjax.mi.kde import kde_mi
from ibjax.mi.ksg import ksg_mi
from ibjax.mi.linear_gaussian import linear_gaussian_mi
from ibjax.mi.noisy import NoisyInfo, noisy_info, noisy_mi
from ibjax.mi.p_values import discrete_p_value, gaussian_p_value
from ibjax.mi.quantised import quantised_mi
from ibjax.mi.renyi import renyi_mi
from ibjax.mi.ross import ross_mi
from ibjax.mi.significance import ShuffleTest, shuffle_test, subsample_std
from ibjax.mi.variational import VariationalInfo, variational_info, variational_mi

__all__ = [
    "Diagnostics",
    "EdgeInfo",
    "NoisyInfo",
    "ShuffleTest",
    "VariationalInfo",
    "adaptive_edges",
    "binned_mi",
    "diagnostics",
    "discrete_mi",
    "discrete_p_value",
    "edge_info",
    "edge_mi",
    "entropy",
    "exact_mi",
    "gaussian_mi",
    "gaussian_p_value",
    "kde_mi",
    "ksg_mi",
    "linear_gaussian_mi",
    "noisy_info",
    "noisy_mi",
    "quantised_mi",
    "renyi_mi",
    "ross_mi",
    "shuffle_test",
    "subsample_std",
    "variational_info",
    "variational_mi",
]
