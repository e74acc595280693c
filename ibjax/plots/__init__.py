"""Matplotlib figures of labelled arrays. No training, no files, no choice of a backend."""

from ibjax.plots.bins import (
    plot_bin_course,
    plot_bin_errors,
    plot_bin_histograms,
    plot_state_shares,
)
from ibjax.plots.compression import plot_compression, plot_compression_table, plot_curves
from ibjax.plots.data_processing import (
    plot_along_layers,
    plot_layer_against_next,
    plot_violations,
)
from ibjax.plots.drift import plot_drift
from ibjax.plots.factorial import plot_effects, plot_variance_parts
from ibjax.plots.finite_samples import plot_sample_estimates
from ibjax.plots.fixed_points import plot_fixed_points, plot_layer_betas
from ibjax.plots.gaps import plot_gaps, plot_layer_terms
from ibjax.plots.generalisation import plot_generalisation
from ibjax.plots.gradients import plot_gradient_phases, plot_phase_epochs
from ibjax.plots.info_vae import plot_encodings, plot_vae_course
from ibjax.plots.invertibility import plot_invertibility
from ibjax.plots.levels import plot_by_level
from ibjax.plots.linear import plot_bounded_plane, plot_learning, plot_parts
from ibjax.plots.planes import plot_information_plane
from ibjax.plots.pruning import plot_pruning
from ibjax.plots.snapshots import animate_snapshots, plot_snapshots
from ibjax.plots.stops import plot_stops
from ibjax.plots.truth import plot_against_truth, plot_probabilities
from ibjax.plots.weights import plot_weight_correlations

__all__ = [
    "animate_snapshots",
    "plot_against_truth",
    "plot_along_layers",
    "plot_bin_course",
    "plot_bin_errors",
    "plot_bin_histograms",
    "plot_bounded_plane",
    "plot_by_level",
    "plot_compression",
    "plot_compression_table",
    "plot_curves",
    "plot_drift",
    "plot_effects",
    "plot_encodings",
    "plot_fixed_points",
    "plot_gaps",
    "plot_generalisation",
    "plot_gradient_phases",
    "plot_information_plane",
    "plot_invertibility",
    "plot_layer_against_next",
    "plot_layer_betas",
    "plot_layer_terms",
    "plot_learning",
    "plot_parts",
    "plot_phase_epochs",
    "plot_probabilities",
    "plot_pruning",
    "plot_sample_estimates",
    "plot_snapshots",
    "plot_state_shares",
    "plot_stops",
    "plot_vae_course",
    "plot_variance_parts",
    "plot_violations",
    "plot_weight_correlations",
]
