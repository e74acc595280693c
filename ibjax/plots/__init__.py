"""Matplotlib figures of labelled arrays. No training, no files, no choice of a backend."""

from ibjax.plots.compression import plot_compression, plot_compression_table, plot_curves
from ibjax.plots.data_processing import (
    plot_along_layers,
    plot_layer_against_next,
    plot_violations,
)
from ibjax.plots.factorial import plot_effects, plot_variance_shares
from ibjax.plots.levels import plot_by_level
from ibjax.plots.linear import plot_bounded_plane, plot_learning, plot_parts
from ibjax.plots.phase_diagram import plot_phase_diagram
from ibjax.plots.planes import plot_information_plane
from ibjax.plots.snapshots import animate_snapshots, plot_snapshots
from ibjax.plots.truth import plot_against_truth, plot_probabilities

__all__ = [
    "animate_snapshots",
    "plot_against_truth",
    "plot_along_layers",
    "plot_bounded_plane",
    "plot_by_level",
    "plot_compression",
    "plot_compression_table",
    "plot_curves",
    "plot_effects",
    "plot_information_plane",
    "plot_layer_against_next",
    "plot_learning",
    "plot_parts",
    "plot_phase_diagram",
    "plot_probabilities",
    "plot_snapshots",
    "plot_variance_shares",
    "plot_violations",
]
