"""Measurement in two passes: each network is measured on its own split, with its own limits."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.lab import Arm, LabConfig, symmetric, train
from experiments.lab.two_passes import TwoPassRecord
from ibjax.analysis.records import PlaneRecord, PlanesRecord
from ibjax.mi import binned_mi, revisiting_edges
from ibjax.presets import revisiting_estimators
from ibjax.training import TrainConfig, fit, make_model
from ibjax.training.data import split_of
from ibjax.training.steps import seed_keys

WORDS = symmetric(every=32)  # 128 of them
TRAINING = TrainConfig(
    widths=(4, 3, 2),
    activation=("leaky_relu", "relu"),
    batch_size=32,
    num_epochs=4,
    learning_rate=0.5,
    validation_fraction=0.25,
)
MODEL = make_model(TRAINING)
SEEDS = 3
OPTIONS = {"factors": ("arm",), "source": "Nobody (2026)", "schedule": [0, 1, 4], "binning": "own"}


def results_of(record, **options):
    return train(LabConfig(seeds=SEEDS), {("a",): Arm(TRAINING, WORDS, record)}, **OPTIONS, **options)


def binned(limits):
    return PlaneRecord(MODEL, revisiting_estimators(TRAINING.activations, 0.07, limits), rows="train")


@pytest.fixture(scope="module")
def two_passes():
    return results_of(TwoPassRecord(MODEL, binned))


@pytest.mark.slow
def test_records_without_limits_are_those_of_one_pass():
    estimators = {"wide": functools.partial(binned_mi, bin_width=0.5), "usual": binned_mi}
    record = PlanesRecord(MODEL, estimators, rows="train", validation_fraction=0.25)
    once, twice = results_of(record), results_of(TwoPassRecord(MODEL, lambda _: record))
    assert once.keys() == twice.keys()
    assert once.ixt.dims == twice.ixt.dims == ("arm", "estimator", "seed", "epoch", "layer")
    for name in once:
        np.testing.assert_allclose(once[name], twice[name], rtol=1e-5, atol=1e-6)
    assert (once.measured_on, once.num_samples) == (twice.measured_on, twice.num_samples)


@pytest.mark.slow
def test_bins_are_those_of_each_networks_own_limits(two_passes):
    """Against NumPy's edges from the parameters that training gives."""
    history = fit(
        TRAINING, WORDS.data, seeds=range(SEEDS), record=lambda p, *_: p, schedule=OPTIONS["schedule"]
    )
    for seed in range(SEEDS):
        rows = split_of(TRAINING, seed_keys(jnp.int32(seed)).split, 128).train
        x, y = WORDS.data.x[rows], WORDS.data.y[rows]
        at_epochs = []
        for e in range(3):
            layers = [history.records["params"][f"layer_{i}"] for i in (1, 2)]
            (k1, b1), (k2, b2) = ((p["kernel"][seed, e], p["bias"][seed, e]) for p in layers)
            z = np.asarray(x) @ k1 + b1[None, :]
            first = np.where(z > 0, z, np.float32(0.1) * z)
            at_epochs.append((first, np.maximum(first @ k2 + b2[None, :], 0)))
        for layer, activation in enumerate(TRAINING.activations):
            values = np.stack([epoch[layer] for epoch in at_epochs])
            edges = revisiting_edges(activation, 0.07, (values.min(), values.max()))
            for e in range(3):
                expected = binned_mi(values[e], y, bins=edges)
                got = two_passes.isel(arm=0, seed=seed, epoch=e, layer=layer)
                # A sample that is within rounding of an edge moves the result by 0.03 bits.
                assert float(got.ixt) == pytest.approx(float(expected.ixt), abs=0.04)
                assert float(got.ity) == pytest.approx(float(expected.ity), abs=0.04)


@pytest.mark.slow
def test_another_seeds_split_is_measured_where_it_is_trained_on():
    options = {"purpose_seeds": {"split": np.array([7, 7, 8])}}
    record = PlaneRecord(MODEL, binned_mi, rows="train")
    once, twice = (results_of(r, **options) for r in (record, TwoPassRecord(MODEL, lambda _: record)))
    np.testing.assert_allclose(once.train_loss, twice.train_loss, rtol=1e-5)
    np.testing.assert_allclose(once.ixt, twice.ixt, atol=1e-5)


def test_the_estimator_of_all_arms_is_named(two_passes):
    assert "revisiting_binned_mi(activation='relu', bin_width=0.07)" in two_passes.estimator
    assert two_passes.estimator.endswith("limits over all recorded epochs")
    assert two_passes.measured_on == "the training samples"
