"""A small valid call of every public function of analysis, bottleneck, datasets, plots and presets.

``CALLS`` maps a function's full name to the function and to arguments that it takes, by name; the kinds
of arguments are told from their values. Sizes are the smallest at which a result says something.
"""

import functools
import gzip
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ibjax import datasets
from ibjax.analysis import encoders, gradient_phases, phases
from ibjax.analysis.records import PlaneRecord
from ibjax.bottleneck import information_curve
from ibjax.mi import binned_mi
from ibjax.models import MLP
from ibjax.types import LabelledSamples

__all__ = ["CALLS"]

SEEDS, NUM_EPOCHS, LAYERS = 7, 9, 3
EPOCHS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128])
RNG = np.random.default_rng(0)

ESTIMATOR = functools.partial(binned_mi, bin_width=0.1)
MODEL = MLP(widths=(3, 3, 2), activations=("tanh", "relu"))
STRAIGHT = MLP(widths=(3, 1), activations=("linear",))
DATA = LabelledSamples(
    jnp.asarray(RNG.normal(size=(16, 4)), jnp.float32), jnp.arange(16, dtype=jnp.int32) % 2
)
PARAMS = MODEL.init({"params": jax.random.key(0)}, DATA.x)
TEACHER = datasets.linear_teacher(jax.random.key(0), num_samples=8, snr=2.0, num_inputs=4)
STRAIGHT_PARAMS = STRAIGHT.init({"params": jax.random.key(0)}, TEACHER.x)

JOINT = np.array([[0.3, 0.1], [0.1, 0.2], [0.05, 0.25]])
ENCODER = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
STATES = np.array([0, 1, 1, 2, 2, 3])
CLASSES = np.array([0, 0, 1, 1, 2, 2])
SOFT = np.array([0.1, 0.1, 0.5, 0.5, 0.9, 0.9])

FALLING = 6 - np.linspace(0, 3, NUM_EPOCHS) + 0.1 * RNG.normal(size=(SEEDS, NUM_EPOCHS))
LOSS = np.linspace(1, 0.1, NUM_EPOCHS) + 0.01 * RNG.random((SEEDS, NUM_EPOCHS))
STOPS = np.array([3, 4, 5, 6, 7, 8, -1])
KERNELS = [RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))]
NETWORKS = [RNG.normal(size=(SEEDS, 4, 3)), RNG.normal(size=(SEEDS, 3, 2))]

SIZES = {
    "seed": SEEDS,
    "epoch": NUM_EPOCHS,
    "layer": LAYERS,
    "activation": 2,
    "optimizer": 2,
    "estimator": 2,
    "setting": 2,
    "shown": 2,
    "bin": 4,
    "width": 3,
    "encoder": 2,
    "num_samples": 3,
    "repeat": 4,
    "label": 2,
    "point": 5,
    "clusters": 2,
    "dataset": 2,
    "bins": 3,
    "effect": 3,
    "arm": 2,
    "source": 3,
    "objective": 2,
    "z": 6,
    "step": 4,
    "stopping": 2,
    "weight": 4,
    "depth": 4,
    "pair": 2,
    "variable": 2,
}
COORDS = {
    "seed": np.arange(SEEDS),
    "epoch": EPOCHS,
    "layer": np.arange(1, LAYERS + 1),
    "activation": ["tanh", "relu"],
    "optimizer": ["sgd", "bgd"],
    "estimator": ["binned", "KDE"],
    "setting": ["fine", "coarse"],
    "shown": [0, 128],
    "width": [0.1, 0.2, 0.4],
    "encoder": ["a", "b"],
    "num_samples": [10, 100, 1000],
    "label": [0.9, 0.99],
    "clusters": [2, 3],
    "dataset": ["one", "other"],
    "bins": [0.5, 0.1, 0.05],
    "effect": ["first", "second", "both"],
    "arm": ["sgd", "bgd"],
    "source": ["weights", "data", "rest"],
    "objective": ["ELBO", "InfoVAE"],
    "z": np.linspace(-3, 3, 6),
    "step": [0, 1, 10, 100],
    "stopping": ["early stopping", "perfect stopping"],
    "weight": [0.1, 1.0, 10.0, 100.0],
    "depth": [1, 2, 3, 4],
    "pair": ["1-2", "2-3"],
    "variable": ["ixt", "ity"],
}


def made(**variables: str) -> xr.Dataset:
    """Random numbers from 0.1 to 1 of these dims, with coordinates."""
    data = {}
    for name, dims in variables.items():
        axes = dims.split()
        data[name] = (axes, RNG.uniform(0.1, 1.0, [SIZES[d] for d in axes]))
    used = {d for dims in variables.values() for d in dims.split()}
    return xr.Dataset(data, {d: c for d, c in COORDS.items() if d in used})


PLANE = made(ixt="seed epoch layer", ity="seed epoch layer", train_loss="seed epoch")
VARYING = made(num_varying="seed epoch layer")
PLANES = made(ixt="activation optimizer seed epoch layer", ity="activation optimizer seed epoch layer")
GRADIENTS = PLANE.merge(
    made(
        gradient_mean="seed epoch layer",
        gradient_std="seed epoch layer",
        gradient_snr="seed epoch layer",
        weight_norm="seed epoch layer",
        saturated="seed epoch layer",
    )
)
PHASES = gradient_phases.phase_epochs(GRADIENTS)
OPTIONS = {"option": (("estimator", "setting"), [["a", "b"], ["c", "d"]])}
CURVES = made(ixt="activation estimator setting seed epoch").assign_coords(OPTIONS)
TABLE = made(
    compression="activation estimator setting layer",
    compresses="activation estimator setting layer",
).assign_coords(OPTIONS)
ESTIMATES = made(
    ixt="activation estimator seed epoch layer", ity="activation estimator seed epoch layer"
)


def mnist_folder() -> Path:
    """Files of the format of MNIST with four images."""
    folder = Path(tempfile.mkdtemp())
    header = bytes([0, 0, 8])
    images = header + bytes([3]) + b"".join(n.to_bytes(4, "big") for n in (4, 28, 28)) + bytes(4 * 784)
    labels = header + bytes([1]) + (4).to_bytes(4, "big") + bytes([1, 0, 9, 3])
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(labels)
    return folder


FOLDER = mnist_folder()


CASES: dict[str, dict[str, dict[str, Any]]] = {
    "analysis.compression": {
        "compression": {"ixt": FALLING},
        "compression_after_fitting": {"ixt": FALLING, "ity": 1 - LOSS, "epochs": np.arange(NUM_EPOCHS)},
        "compression_at": {"ixt": FALLING, "position": STOPS},
        "compression_summary": {"arm": PLANES, "variable": "ity", "level": 0.9},
        "dead_seeds": {"arm": VARYING},
        "epochs_of_equal_loss": {"loss_a": LOSS, "loss_b": LOSS[:, :5]},
        "optimizer_difference": {"first": PLANE, "second": PLANE, "level": 0.9},
        "peak_epochs": {"ixt": FALLING},
        "seed_compression": {"results": PLANES},
    },
    "analysis.controls": {
        "ControlsRecord": {"model": MODEL, "estimators": {"binned": ESTIMATOR}},
        "draw_controls": {"model": MODEL, "data": DATA},
        "permuted": {"directions": PARAMS, "params": PARAMS},
        "rescaled": {"directions": PARAMS, "params": PARAMS},
        "rotated": {"directions": PARAMS, "params": PARAMS},
    },
    "analysis.data_processing": {
        "dpi_violations": {"information": FALLING},
        "share_interval": {"count": np.array([0, 3]), "total": np.array([50, 50]), "level": 0.9},
        "violation_summary": {"plane": PLANES, "level": 0.9},
    },
    "analysis.encoders": {
        "class_encoder": {"states": STATES, "classes": CLASSES},
        "class_joint": {"classes": CLASSES, "probability": SOFT},
        "fixed_points": {
            "states": STATES[None],
            "classes": CLASSES,
            "p_cy": encoders.class_joint(CLASSES, SOFT),
        },
        "StatesRecord": {"model": MODEL, "bin_width": 0.1},
    },
    "analysis.factorial": {
        "two_by_two": {"values": RNG.normal(size=(2, 2, SEEDS))},
        "variance_components": {"values": RNG.normal(size=(3, 4, 2))},
        "variance_shares": {"values": RNG.normal(size=(3, 4, 2)), "level": 0.9},
    },
    "analysis.gradient_phases": {
        "network_snr": {"arm": GRADIENTS},
        "phase_agreement": {"phases": PHASES},
        "phase_epochs": {"arm": GRADIENTS, "level": 0.5, "part": 0.2},
    },
    "analysis.gradients": {
        "gradient_curves": {"results": GRADIENTS, "definition": "normalised"},
        "GradientRecord": {"model": MODEL, "batch_size": 4, "loss": "cross_entropy"},
        "minibatch_gradients": {
            "model": MODEL,
            "params": PARAMS,
            "data": DATA,
            "rows": jnp.arange(12),
            "batch_size": 4,
            "loss": "cross_entropy",
        },
        "saturated_share": {"model": MODEL, "params": PARAMS, "x": DATA.x},
    },
    "analysis.intervals": {
        "halving_interval": {"values": FALLING[None], "level": 0.9},
        "halvings": {"num_seeds": 7},
        "jackknife_interval": {"pairs": np.ones((4, 4, 2)), "level": 0.9},
        "jackknife_variance": {"without": FALLING},
        "mean_interval": {"values": FALLING, "axis": 0, "level": 0.9},
        "median_interval": {"values": FALLING[:, 0]},
        "rank_correlation": {"a": FALLING[:, 0], "b": FALLING[:, 1]},
        "simultaneous_level": {"num_intervals": 10, "level": 0.9},
    },
    "analysis.linear": {
        "generalisation_error": {"params": STRAIGHT_PARAMS, "data": TEACHER},
        "layer_maps": {"params": STRAIGHT_PARAMS},
        "LinearRecord": {"model": STRAIGHT, "noise_variance": 0.1, "num_relevant": 2},
        "optimal_test_error": {"data": TEACHER, "weight_variance": 1.0},
        "parts_mi": {
            "w": jnp.asarray(KERNELS[0], jnp.float32),
            "num_relevant": 2,
            "noise_variance": 0.1,
        },
        "teacher_mi": {"w": jnp.ones((4, 2)), "data": TEACHER, "noise_variance": 0.1},
    },
    "analysis.phases": {
        "by_layer": {"rule": phases.running_median, "arm": PLANE, "variable": "ity"},
        "compression_end": {"ixt": FALLING, "epochs": EPOCHS},
        "compression_start": {"ixt": FALLING, "epochs": EPOCHS, "part": 0.2},
        "diffusion_start": {"snr": FALLING - 4, "epochs": EPOCHS, "level": 0.5},
        "fitting_end": {"ity": 6 - FALLING, "epochs": EPOCHS},
        "plane_phases": {"arm": PLANE},
        "reaching_epoch": {"values": 6 - FALLING, "epochs": EPOCHS, "level": 1.0},
        "running_median": {"values": FALLING, "epochs": EPOCHS},
    },
    "analysis.records": {
        "PlaneRecord": {"model": MODEL, "estimator": ESTIMATOR, "rows": "all"},
        "PlanesRecord": {
            "model": MODEL,
            "estimators": {"binned": ESTIMATOR},
            "rows": "train",
            "settings": (),
            "factor": "estimator",
        },
        "JointRecord": {"records": (PlaneRecord(MODEL, ESTIMATOR),)},
    },
    "analysis.states": {
        "state_shares": {
            "states": jnp.array([0, 1, 1, 2, 2]),
            "y": jnp.array([0, 1, 1, 0, 1]),
            "num_classes": 2,
        },
    },
    "analysis.single_unit": {
        "binned_unit_mi": {"activation": "tanh", "weight": 1.0, "bin_width": 0.1},
        "noisy_unit_mi": {"activation": "tanh", "weight": 1.0, "noise_variance": 0.01},
        "unit_bins": {"activation": "relu", "weight": 1.0, "bin_width": 0.1},
    },
    "analysis.stopping": {
        "at_position": {"values": PLANE.ixt, "position": STOPS},
        "early_stopping": {"loss": LOSS, "epochs": EPOCHS, "patience": 10, "min_decrease": 0.01},
        "perfect_stopping": {"loss": LOSS},
        "stopped_at": {"values": PLANE.ixt, "position": STOPS},
    },
    "analysis.weights": {
        "expected_cosine": {"dimension": 3},
        "match_units": {"kernels": KERNELS, "others": KERNELS, "signs": True},
        "matched_correlations": {"networks": NETWORKS, "signs": True},
        "rotated_kernels": {"networks": NETWORKS, "seed": 1},
        "weight_correlation": {"kernels": KERNELS, "others": KERNELS},
        "within_cosines": {"kernels": KERNELS[0]},
    },
    "bottleneck": {
        "bifurcations": {"p_xy": JOINT, "curve": information_curve(JOINT, [1.0, 5.0, 20.0])},
        "encoder_beta": {"p_t_given_x": ENCODER, "p_xy": JOINT, "beta_range": (0.01, 100.0)},
        "finite_sample_bounds": {
            "ixt": np.array([0.5, 1.0]),
            "ity": np.array([0.2, 0.5]),
            "cardinality_t": 2,
            "cardinality_y": 2,
            "num_samples": 100_000,
            "delta": 0.05,
            "method": "distance",
        },
        "gaussian_ib": {"rho2": np.array([0.5, 0.2]), "beta": np.array([1.0, 4.0])},
        "gaussian_ib_bound": {"rho2": np.array([0.5, 0.2]), "ixt": np.array([0.0, 1.0])},
        "gaussian_information_curve": {
            "cov_x": np.array([[1.0, 0.1], [0.1, 1.0]]),
            "cov_y": np.array([[2.0]]),
            "cov_xy": np.array([[0.5], [0.3]]),
            "betas": np.array([1.5, 4.0]),
        },
        "information_curve": {
            "p_xy": JOINT,
            "betas": np.array([1.0, 5.0]),
            "alpha": 1.0,
            "num_clusters": 2,
            "num_restarts": 1,
            "key": jax.random.key(0),
        },
        "interpolate_curve, ixt": {
            "curve_ixt": np.array([0.5, 1.0]),
            "curve_ity": np.array([0.3, 0.4]),
            "ixt": np.array([0.2, 0.7]),
        },
        "interpolate_curve, ity": {
            "curve_ixt": np.array([1.0, 3.0]),
            "curve_ity": np.array([0.5, 0.7]),
            "ity": np.array([0.25, 0.6]),
        },
        "layer_information": {"p_t_given_x": ENCODER, "p_xy": JOINT},
        "layer_information, states": {"p_t_given_x": np.array([0, 1, 1]), "p_xy": JOINT},
        "squared_correlations": {"covariance": np.array([[1.0, 0.6], [0.6, 1.0]]), "num_inputs": 1},
        "sufficient_statistic": {"p_xy": JOINT, "tolerance": 0.01},
    },
    "datasets": {
        "draw_labels": {"key": jax.random.key(0), "probability": SOFT},
        "linear_teacher": {
            "key": jax.random.key(0),
            "num_samples": 5,
            "snr": 2.0,
            "weight_variance": 1.0,
            "num_inputs": 4,
            "num_relevant": 2,
        },
        "mnist": {"split": "test", "folder": FOLDER},
        "permute_labels": {"key": jax.random.key(0), "y": np.array([0, 1, 2])},
        "select_classes": {"data": DATA, "classes": (1, 0), "per_class": 3},
        "soft_label_probability": {"rule": "0.99"},
        "symmetric_task": {"inputs": "signed"},
    },
    "datasets.idx": {"read_idx": {"path": FOLDER / "t10k-labels-idx1-ubyte"}},
    "datasets.linear_teacher": {
        "label_noise_variance": {
            "snr": 2.0,
            "weight_variance": 1.0,
            "num_inputs": 4,
            "num_relevant": 2,
        }
    },
    "datasets.symmetric": {"symmetric_score": {}},
    "presets": {
        "preset": {"name": "saxe"},
        "revisiting_estimators": {
            "activations": ("tanh", "relu"),
            "bin_width": 0.1,
            "limits": np.float32([[-1, 1], [0, 2]]),
        },
    },
    "plots": {
        "animate_snapshots": {"plane": PLANE[["ixt", "ity"]], "title": "made up"},
        "plot_against_truth": {
            "results": made(ixt="estimator weight seed", exact="weight"),
            "over": "weight",
            "column": "estimator",
            "estimate": "ixt",
            "truths": {"exact": "exact"},
            "title": "made up",
        },
        "plot_along_layers": {
            "plane": ESTIMATES.isel(epoch=[0, 8]),
            "variable": "ixt",
            "row": "activation",
            "title": "made up",
        },
        "plot_bounded_plane": {
            "plane": PLANES.isel(optimizer=0),
            "rho2": made(rho2="activation").rho2 * 0.9,
            "row": None,
            "column": "activation",
            "title": "made up",
        },
        "plot_by_level": {
            "values": made(start="depth seed", end="depth seed"),
            "over": "depth",
            "labels": {"start": "starts", "end": "ends"},
            "ylabel": "epoch",
            "title": "made up",
        },
        "plot_compression": {
            "plane": PLANES[["ixt"]],
            "row": "activation",
            "compare": "optimizer",
            "title": "made up",
        },
        "plot_compression_table": {
            "summary": TABLE,
            "rows": ("estimator", "setting"),
            "column": "activation",
            "title": "made up",
        },
        "plot_curves": {
            "plane": CURVES,
            "row": "activation",
            "column": "estimator",
            "compare": "setting",
            "title": "made up",
        },
        "plot_effects": {
            "effects": made(ixt="effect layer seed", ity="effect layer seed"),
            "labels": {"ixt": "I(X;T)", "ity": "I(T;Y)"},
            "title": "made up",
        },
        "plot_information_plane": {
            "plane": PLANES,
            "row": "activation",
            "column": "optimizer",
            "title": "made up",
            "corner": (12.0, 1.0),
        },
        "plot_layer_against_next": {
            "plane": ESTIMATES,
            "layer": 1,
            "following": 2,
            "row": "activation",
            "column": "estimator",
            "title": "made up",
        },
        "plot_phase_diagram": {
            "results": made(ixt="activation optimizer layer", ity="activation optimizer layer"),
            "x": "activation",
            "y": "optimizer",
            "value": "ixt",
            "contour": "ity",
            "contour_level": 0.5,
            "column": "layer",
            "title": "made up",
        },
        "plot_learning": {
            "results": made(
                train_loss="label seed epoch",
                test_loss="label seed epoch",
                ixt="label seed epoch layer",
                ity="label seed epoch layer",
                best="label",
            ),
            "column": "label",
            "layers": [1, 3],
            "loss": "squared error",
            "references": {"best possible": "best"},
            "title": "made up",
        },
        "plot_parts": {
            "results": made(
                ixt="seed epoch layer",
                ixt_relevant="seed epoch layer",
                ixt_irrelevant="seed epoch layer",
            ),
            "names": {1: "first", 3: "output"},
            "title": "made up",
        },
        "plot_probabilities": {
            "panels": {"narrow": (np.arange(4) / 4, np.full(4, 0.25))},
            "bin_width": 0.25,
            "num_columns": 1,
        },
        "plot_snapshots": {"plane": PLANE[["ixt", "ity"]], "epochs": [0, 128], "title": "made up"},
        "plot_variance_shares": {
            "shares": made(
                std="activation arm layer",
                weights="activation arm layer",
                weights_low="activation arm layer",
                weights_high="activation arm layer",
                data="activation arm layer",
                data_low="activation arm layer",
                data_high="activation arm layer",
            ),
            "row": "activation",
            "labels": {"weights": "weights", "data": "data", "interaction": "both"},
            "title": "made up",
        },
        "plot_violations": {
            "summary": made(
                share="variable activation estimator epoch pair",
                excess="variable activation estimator epoch pair",
            ),
            "row": "activation",
            "title": "made up",
        },
    },
}

CALLS: dict[str, tuple[Callable, dict[str, Any]]] = {
    f"ibjax.{module}.{name}": (
        getattr(importlib.import_module(f"ibjax.{module}"), name.partition(",")[0]),
        arguments,
    )
    for module, calls in CASES.items()
    for name, arguments in calls.items()
}
