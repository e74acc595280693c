"""From labelled arrays to matplotlib figures. No training, no files, no choice of a backend."""

from ibjax.plots.compression import plot_compression, plot_compression_table, plot_curves
from ibjax.plots.fixed_points import plot_fixed_points, plot_layer_betas
from ibjax.plots.gradients import plot_gradient_phases, plot_phase_epochs
from ibjax.plots.linear import plot_bounded_plane, plot_learning, plot_parts
from ibjax.plots.planes import plot_information_plane
from ibjax.plots.truth import plot_against_truth, plot_probabilities

__all__ = [
    "plot_against_truth",
    "plot_bounded_plane",
    "plot_compression",
    "plot_compression_table",
    "plot_curves",
    "plot_fixed_points",
    "plot_gradient_phases",
    "plot_information_plane",
    "plot_layer_betas",
    "plot_learning",
    "plot_parts",
    "plot_phase_epochs",
    "plot_probabilities",
]
