"""The user's settings of JAX change nothing; several processes are refused."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.analysis.records import PlaneRecord
from ibjax.datasets import random_split
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model
from ibjax.types import LabelledSamples
from tests.training.test_data import CONFIG as NUMBERS
from tests.training.test_data import draw
from tests.training.test_loop import CONFIG, DATA, drawn, keep_all, quick_fit
from tests.training.test_steps import assert_identical

SETTINGS = [
    ("jax_enable_x64", True),
    ("jax_numpy_dtype_promotion", "strict"),
    ("jax_default_prng_impl", "rbg"),
    ("jax_default_prng_impl", "unsafe_rbg"),
    ("jax_threefry_partitionable", False),
    ("jax_default_matmul_precision", "bfloat16"),
]

# Programs are traced anew for it, without need.
RANK_PROMOTION = ("jax_numpy_rank_promotion", "allow")

NOISY = dataclasses.replace(CONFIG, optimizer="adam", noise_variance=0.1, batch_size=None)


def keep_draw(params, data, split):
    """A record with a key of its own."""
    return {"params": params, "drawn": jax.random.normal(jax.random.key(1), (3,))}


# Between them they draw for every purpose.
RUNS = {
    "batches": functools.partial(
        quick_fit, CONFIG, DATA, seeds=[0, 1, 2], record=PlaneRecord(make_model(CONFIG), binned_mi)
    ),
    "labels": functools.partial(
        quick_fit, NOISY, DATA, seeds=[4, 9], record=keep_all, draw_labels=drawn,
        purpose_seeds={"split": [1, 1]},
    ),
    "data": functools.partial(fit, NUMBERS, draw, seeds=[3, 8], record=keep_draw, lanes=2, schedule=[1]),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return {name: run() for name, run in RUNS.items()}


@pytest.fixture
def set_option():
    saved = {}

    def set_one(name, value):
        saved.setdefault(name, jax.config.values[name])
        jax.config.update(name, value)

    yield set_one
    for name, value in saved.items():
        jax.config.update(name, value)


def assert_same_bits(got, expected):
    assert_identical(got, expected)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert np.asarray(g).dtype == np.asarray(e).dtype


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_settings_change_no_result(plain, set_option, name, value):
    set_option(name, value)
    for run, history in plain.items():
        assert_same_bits(RUNS[run](), history)


@pytest.mark.slow
def test_arrays_of_64_bits_are_taken(plain, set_option):
    set_option("jax_enable_x64", True)
    data = LabelledSamples(jnp.asarray(DATA.x, jnp.float64), jnp.asarray(DATA.y, jnp.int64))
    assert data.x.dtype == np.float64
    record = PlaneRecord(make_model(CONFIG), binned_mi)
    got = quick_fit(CONFIG, data, seeds=[0, 1, 2], record=record)
    assert_same_bits(got, plain["batches"])


@pytest.mark.slow
def test_a_run_resumes_under_other_settings(tmp_path, set_option):
    one = quick_fit(CONFIG, DATA, seeds=[0, 1], checkpoint_dir=tmp_path)
    for name, value in SETTINGS:
        set_option(name, value)
    again = quick_fit(CONFIG, DATA, seeds=[0, 1], checkpoint_dir=tmp_path, resume=True)
    assert_same_bits(again, one)


@pytest.mark.slow
def test_networks_and_splits_do_not_depend_on_settings(set_option):
    model = make_model(TrainConfig(widths=(5, 3), init="glorot", noise_variance=0.1))

    def made():
        key = jax.random.key(3, impl="threefry2x32")
        params = model.init({"params": key}, np.ones((1, 4)))
        noisy = model.apply(params, np.ones((2, 4)), train=True, rngs={"noise": key})
        return params, noisy, random_split(key, 40, 0.8)

    expected = made()
    set_option("jax_enable_x64", True)
    assert_same_bits(made(), expected)


@pytest.mark.slow
def test_settings_change_no_program_that_is_new(plain, set_option):
    """Traced under the user's settings for the first time, all at once."""
    jax.clear_caches()
    for name, value in (*SETTINGS, RANK_PROMOTION):
        set_option(name, value)
    assert_same_bits(RUNS["labels"](), plain["labels"])
