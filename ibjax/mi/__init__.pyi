from .adaptive import adaptive_edges
from .binned import binned_mi
from .conventions import (
    adaptive_binned_mi,
    idnns_binned_mi,
    revisiting_binned_mi,
    revisiting_edges,
)
from .discrete import discrete_mi
from .edge import EdgeInfo, edge_info, edge_mi
from .entropies import entropy
from .exact import exact_mi
from .flags import Diagnostics, diagnostics
from .gaussian import gaussian_mi
from .kde import kde_mi
from .ksg import ksg_mi
from .linear_gaussian import linear_gaussian_mi
from .noisy import NoisyInfo, noisy_info, noisy_mi
from .p_values import discrete_p_value, gaussian_p_value
from .quantised import quantised_mi
from .renyi import renyi_mi
from .ross import ross_mi
from .significance import ShuffleTest, shuffle_test, subsample_std
from .states import binned_states
from .variational import VariationalInfo, variational_info, variational_mi

__all__ = [
    "Diagnostics",
    "EdgeInfo",
    "NoisyInfo",
    "ShuffleTest",
    "VariationalInfo",
    "adaptive_binned_mi",
    "adaptive_edges",
    "binned_mi",
    "binned_states",
    "diagnostics",
    "discrete_mi",
    "discrete_p_value",
    "edge_info",
    "edge_mi",
    "entropy",
    "exact_mi",
    "gaussian_mi",
    "gaussian_p_value",
    "idnns_binned_mi",
    "kde_mi",
    "ksg_mi",
    "linear_gaussian_mi",
    "noisy_info",
    "noisy_mi",
    "quantised_mi",
    "renyi_mi",
    "revisiting_binned_mi",
    "revisiting_edges",
    "ross_mi",
    "shuffle_test",
    "subsample_std",
    "variational_info",
    "variational_mi",
]
