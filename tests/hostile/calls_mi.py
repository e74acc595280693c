"""A small valid call of every public function of mi, and of what reads a user's arrays beside it."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import ibjax
from ibjax import mi

__all__ = ["CALLS"]

RNG = np.random.default_rng(0)
N = 24
# Numbers that float16 holds as well: other forms of them are the same numbers.
T = np.round(np.tanh(RNG.normal(size=(N, 2))) * 2**8).astype(np.float32) / 2**8
U = np.round(RNG.normal(size=(N, 1)) * 2**6).astype(np.float32) / 2**6
Y = (np.arange(N) % 3).astype(np.int32)
KEY = jax.random.key(0)
W = np.array([[1.0, 0.5], [0.25, -1.0]], np.float32)
BITS = np.array([2.0, 1.5, 1.0], np.float32)

LAYER = {"t": T, "y": Y}
PAIR = {"x": T, "y": U}
NETWORK = {"num_steps": 4, "batch_size": 4, "learning_rate": 0.25, "train_fraction": 0.5, "clip": 4.0}

CALLS: dict[str, tuple[Callable, dict[str, Any]]] = {
    "ibjax.mi.binned_mi": (mi.binned_mi, {**LAYER, "bin_width": 0.125}),
    "ibjax.mi.binned_mi, number": (mi.binned_mi, {**LAYER, "bins": 30}),
    "ibjax.mi.binned_mi, edges": (mi.binned_mi, {**LAYER, "bins": np.float32([-1, -0.5, 0, 0.5, 1])}),
    "ibjax.mi.binned_states": (mi.binned_states, {"t": T, "bin_width": 0.125}),
    "ibjax.mi.binned_states, edges": (
        mi.binned_states,
        {"t": T, "bins": np.float32([-1, -0.5, 0, 0.5, 1])},
    ),
    "ibjax.mi.idnns_binned_mi": (mi.idnns_binned_mi, {**LAYER, "edges": (-1.0, 0.0, 1.0, 2.0)}),
    "ibjax.mi.adaptive_binned_mi": (mi.adaptive_binned_mi, {**LAYER, "bins": 4}),
    "ibjax.mi.revisiting_binned_mi": (
        mi.revisiting_binned_mi,
        {**LAYER, "activation": "relu", "bin_width": 0.125, "limits": np.float32([-0.5, 1.75])},
    ),
    "ibjax.mi.revisiting_edges": (
        mi.revisiting_edges,
        {"activation": "elu", "bin_width": 0.125, "limits": np.float32([-0.5, 1.75])},
    ),
    "ibjax.mi.exact_mi": (mi.exact_mi, LAYER),
    "ibjax.mi.kde_mi": (mi.kde_mi, {**LAYER, "noise_variance": 0.125, "bound": "upper"}),
    "ibjax.mi.noisy_mi": (mi.noisy_mi, {**LAYER, "noise_variance": 0.125, "key": KEY, "num_draws": 2}),
    "ibjax.mi.noisy_info": (
        mi.noisy_info,
        {**LAYER, "noise_variance": 0.125, "key": KEY, "num_draws": 2},
    ),
    "ibjax.mi.quantised_mi": (mi.quantised_mi, {**LAYER, "bits": 3}),
    "ibjax.mi.adaptive_edges": (mi.adaptive_edges, {"t": T, "bins": 4}),
    "ibjax.mi.discrete_mi": (mi.discrete_mi, {"x": Y, "y": np.roll(Y, 1), "correction": "jackknife"}),
    "ibjax.mi.entropy": (
        mi.entropy,
        {"counts": np.array([3, 2, 1]), "correction": "nsb", "num_states": 5},
    ),
    "ibjax.mi.edge_mi": (
        mi.edge_mi,
        {**PAIR, "key": KEY, "cell_width": 0.5, "num_shifts": 3, "cap": 3.0},
    ),
    "ibjax.mi.edge_info": (
        mi.edge_info,
        {**PAIR, "key": KEY, "cell_width": 0.5, "num_shifts": 3, "cap": 3.0},
    ),
    "ibjax.mi.gaussian_mi": (mi.gaussian_mi, {**PAIR, "correction": True}),
    "ibjax.mi.ksg_mi": (mi.ksg_mi, {**PAIR, "k": 3, "variant": 2}),
    "ibjax.mi.ross_mi": (mi.ross_mi, {"x": T, "y": Y, "k": 2}),
    "ibjax.mi.renyi_mi": (mi.renyi_mi, {**PAIR, "alpha": 1.5, "x_width": 0.5, "y_width": 0.5}),
    "ibjax.mi.variational_mi": (mi.variational_mi, {**PAIR, **NETWORK, "key": KEY, "hidden": (3,)}),
    "ibjax.mi.variational_info": (
        mi.variational_info,
        {**PAIR, **NETWORK, "key": KEY, "hidden": (3,), "bound": "doe", "critic": "joint"},
    ),
    "ibjax.mi.linear_gaussian_mi": (
        mi.linear_gaussian_mi,
        {"weights": W, "input_covariance": np.eye(2, dtype=np.float32), "noise_variance": 0.5},
    ),
    "ibjax.mi.shuffle_test": (
        mi.shuffle_test,
        {**PAIR, "estimator": mi.gaussian_mi, "key": KEY, "num_shuffles": 4, "batch_size": 2},
    ),
    "ibjax.mi.subsample_std": (
        mi.subsample_std,
        {**PAIR, "estimator": mi.gaussian_mi, "key": KEY, "num_subsamples": 2},
    ),
    "ibjax.mi.diagnostics": (
        mi.diagnostics,
        {"ixt": BITS, "ity": BITS, "num_samples": 40, "entropy_y": 1.5, "tolerance": 0.5},
    ),
    "ibjax.mi.discrete_p_value": (
        mi.discrete_p_value,
        {"mi": BITS, "num_samples": 100, "num_states_x": 3, "num_states_y": 4},
    ),
    "ibjax.mi.gaussian_p_value": (
        mi.gaussian_p_value,
        {"mi": BITS, "num_samples": 100, "num_columns_x": 3, "num_columns_y": 4},
    ),
    "ibjax.information_plane": (
        functools.partial(ibjax.information_plane, [[T, U]]),
        {"y": Y, "estimator": mi.exact_mi, "epochs": np.array([7])},
    ),
    "ibjax.information_plane, layer": (
        lambda t: ibjax.information_plane([[t]], Y, bin_width=0.125),
        {"t": T},
    ),
}
