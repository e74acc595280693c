import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ibjax.analysis.records import PlaneRecord
from ibjax.datasets import first_rows_split, random_split, revisiting_split
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model, make_optimizer
from ibjax.training.config import numbers_of
from ibjax.training.optimizers import GivenOptimizer
from ibjax.training.steps import Recipe, init_state, seed_keys
from ibjax.types import LabelledSamples, Split
from tests.marks import slow
from tests.training.test_steps import (
    assert_close,
    assert_identical,
    make_data,
    plain_gradient,
    twin_epoch,
)

SEEDS = [0, 1, 2, 3, 4]
NUM_SAMPLES = 50
DATA = make_data(NUM_SAMPLES)
# 40 training samples: the last batch is short. Compiling takes most of the time here, so that
# nearly all tests, those of checkpoints too, share this config's programs of two lanes.
CONFIG = TrainConfig(widths=(4, 2), optimizer="momentum", learning_rate=0.1, batch_size=12, num_epochs=6)
FULL = dataclasses.replace(CONFIG, batch_size=None)
# Linear, so that a step out of all proportion is not saturated away.
EXPLODING = dataclasses.replace(FULL, activation="linear", learning_rate=1e30, split="first_rows")
ONE_DEVICE = jax.devices("cpu")[:1]


def keep_all(params, data, split):
    return {"params": params, "labels": data.y, "train": split.train, "test": split.test}


def keep_params(params, data, split):
    return params


quick_fit = functools.partial(fit, record=keep_params, schedule=[1, 3], lanes=2)


@pytest.fixture(scope="module")
def straight():
    return quick_fit(CONFIG, DATA, seeds=SEEDS)


def of_seeds(history, positions):
    take = functools.partial(jax.tree.map, lambda x: x[np.asarray(positions)])
    return take(history.records), take(history.params), history.diverged[np.asarray(positions)]


def all_of(history):
    return of_seeds(history, range(len(history.seeds)))


def network_of(seed, config=CONFIG, data=DATA):
    """Keys, split and untrained parameters of a seed, by hand."""
    keys = seed_keys(jnp.asarray(seed))
    optimizer = GivenOptimizer(make_optimizer(config))
    recipe = Recipe(make_model(config), optimizer, config.batch_size, True)
    split = random_split(keys.split, len(data.y), config.train_fraction)
    return keys, split, init_state(keys.init, recipe, numbers_of(config), data.x.shape[1:]).params


def momentum_step(config):
    """Gradient descent with momentum by hand."""
    velocity = None

    def step(params, x, y):
        nonlocal velocity
        grads = jax.tree.map(np.asarray, plain_gradient(params, x, y))
        if velocity is None:
            velocity = jax.tree.map(np.zeros_like, grads)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, grads)
        return jax.tree.map(lambda p, v: np.asarray(p) - config.learning_rate * v, params, velocity)

    return step


@pytest.mark.slow
@pytest.mark.parametrize("config", [pytest.param(CONFIG, id="batches"), pytest.param(FULL, id="full")])
def test_epoch_e_is_the_network_after_exactly_e_epochs(config):
    history = quick_fit(config, DATA, seeds=[11, 7], schedule=[0, 1, 2, 3])
    assert history.seeds.tolist() == [11, 7]
    assert history.epochs.tolist() == [0, 1, 2, 3, 6]
    for position, seed in enumerate(history.seeds):
        (keys, split, params), step = network_of(seed, config), momentum_step(config)
        for epoch in range(4):
            recorded = jax.tree.map(lambda x, at=(position, epoch): x[at], history.records)
            assert_close(recorded, params)
            args = keys, DATA, split.train, epoch, config.batch_size
            params = twin_epoch(params, *args, step=step)
    last = jax.tree.map(lambda x: x[:, -1], history.records)
    assert_identical(history.params, last)
    # Epochs move the weights by far more than the twins may differ.
    moved = jax.tree.map(lambda x: np.abs(np.diff(x, axis=1)).max(), history.records)
    assert min(jax.tree.leaves(moved)) > 1e-3


@pytest.mark.slow
def test_records_do_not_depend_on_which_epochs_are_recorded(straight):
    every = quick_fit(CONFIG, DATA, seeds=SEEDS, schedule=range(7))
    assert straight.epochs.tolist() == [0, 1, 3, 6]
    recorded = jax.tree.map(lambda x: x[:, straight.epochs], every.records)
    assert_identical(recorded, straight.records)
    assert_identical(every.params, straight.params)


@pytest.mark.slow
@pytest.mark.parametrize("seeds_per_batch", [1, 2, 50])
def test_results_do_not_depend_on_seeds_per_batch(straight, seeds_per_batch):
    history = quick_fit(CONFIG, DATA, seeds=SEEDS, seeds_per_batch=seeds_per_batch)
    assert_identical(all_of(history), all_of(straight))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="equal bits need equal devices")
@pytest.mark.parametrize("which", [slow([0]), slow([1]), [1, 0]])
def test_results_do_not_depend_on_devices(straight, which):
    cpus = jax.local_devices(backend="cpu")
    assert len(cpus) == 2
    history = quick_fit(CONFIG, DATA, seeds=SEEDS, devices=[cpus[i] for i in which])
    assert_identical(all_of(history), all_of(straight))


@pytest.mark.slow
@pytest.mark.parametrize("positions", [[4, 2, 0, 1, 3], [3], [1, 4]])
def test_results_do_not_depend_on_other_seeds_or_their_order(straight, positions):
    history = quick_fit(CONFIG, DATA, seeds=[SEEDS[i] for i in positions])
    assert history.seeds.tolist() == [SEEDS[i] for i in positions]
    assert_identical(all_of(history), of_seeds(straight, positions))


def test_seeds_differ(straight):
    for leaf in jax.tree.leaves(straight.params):
        assert len(np.unique(leaf.reshape(len(SEEDS), -1), axis=0)) == len(SEEDS)
    assert not straight.diverged.any()


@pytest.mark.slow
def test_other_lanes_agree_up_to_rounding(straight):
    assert_close(quick_fit(CONFIG, DATA, seeds=SEEDS, lanes=5).params, straight.params)


@pytest.mark.slow
def test_record_decides_what_is_kept_and_sees_the_seeds_own_split():
    history = quick_fit(CONFIG, DATA, seeds=[5, 6], record=keep_all)
    assert set(history.records) == {"params", "labels", "train", "test"}
    assert history.records["train"].shape == (2, 4, 40)
    for position, seed in enumerate((5, 6)):
        _, split, _ = network_of(seed)
        for epoch in range(4):
            np.testing.assert_array_equal(history.records["train"][position, epoch], split.train)
            np.testing.assert_array_equal(history.records["test"][position, epoch], split.test)
            np.testing.assert_array_equal(history.records["labels"][position, epoch], DATA.y)
            rows = np.concatenate([split.train, split.test])
            np.testing.assert_array_equal(np.sort(rows), np.arange(NUM_SAMPLES))
    assert (history.records["train"][0] != history.records["train"][1]).any()


@pytest.mark.slow
def test_first_rows_split_is_the_same_for_all_seeds():
    records = quick_fit(EXPLODING, DATA, seeds=[0, 1], record=keep_all).records
    split = Split(*(np.broadcast_to(rows, (2, 4, len(rows))) for rows in first_rows_split(50, 0.8)))
    np.testing.assert_array_equal(records["train"], split.train)
    np.testing.assert_array_equal(records["test"], split.test)


def drawn(key):
    return jax.random.bernoulli(key, 0.5, (NUM_SAMPLES,)).astype(jnp.int32)


@pytest.mark.slow
def test_draw_labels_gives_each_seed_labels_of_its_own():
    seeds = [0, 1, 2, 3]
    history = quick_fit(
        CONFIG, DATA, seeds=seeds, record=keep_all, draw_labels=drawn, devices=ONE_DEVICE
    )

    labels = history.records["labels"]
    for position, seed in enumerate(seeds):
        (keys, split, params), step = network_of(seed), momentum_step(CONFIG)
        own = drawn(keys.labels)
        np.testing.assert_array_equal(labels[position], np.broadcast_to(own, (4, NUM_SAMPLES)))
        # It is trained on them.
        for epoch in range(6):
            args = keys, LabelledSamples(DATA.x, own), split.train, epoch, 12
            params = twin_epoch(params, *args, step=step)
        assert_close(jax.tree.map(lambda x, i=position: x[i], history.params), params)
    assert len(np.unique(labels[:, 0], axis=0)) == len(seeds)


@functools.cache
def diverging_sgd():
    """Gradient descent, but a network whose first weight starts above 0 gets infinite steps."""

    def init(params):
        return jax.tree.leaves(params)[1].ravel()[0] > 0

    def update(grads, is_bad, params=None):
        return jax.tree.map(lambda g: jnp.where(is_bad, jnp.inf, -0.5 * g), grads), is_bad

    return optax.GradientTransformation(init, update)


PLANE = PlaneRecord(make_model(CONFIG), binned_mi)


def test_a_diverged_seed_is_flagged_and_leaves_the_others_alone():
    seeds = list(range(10))
    first_weight = [float(jax.tree.leaves(network_of(seed)[2])[1].ravel()[0]) for seed in seeds]
    bad = np.array(first_weight) > 0
    assert (bad[::2] != bad[1::2]).any()  # in one block of two lanes
    several = functools.partial(
        quick_fit, CONFIG, DATA, optimizer=diverging_sgd(), record=PLANE, devices=ONE_DEVICE
    )
    history = several(seeds=seeds)
    np.testing.assert_array_equal(history.diverged, bad)
    for name, values in history.records.items():
        assert np.isfinite(values[~bad]).all(), name
        assert np.isfinite(values[:, 0]).all(), name  # nothing is wrong with the untrained network
        if name != "num_varying":  # whole numbers
            assert np.isnan(values[bad, 1:]).all(), name
    # Bit for bit what they are without bad company.
    healthy = np.flatnonzero(~bad)
    alone = several(seeds=[seeds[i] for i in healthy])
    assert_identical(all_of(alone), of_seeds(history, healthy))


@pytest.mark.slow
def test_a_huge_learning_rate_diverges():
    record = PlaneRecord(make_model(EXPLODING), binned_mi)
    history = quick_fit(EXPLODING, DATA, seeds=[0, 1], record=record)
    assert history.diverged.tolist() == [True, True]
    for name in history.records.keys() - {"num_varying"}:  # whole numbers
        values = history.records[name]
        assert np.isfinite(values[:, 0]).all()
        assert np.isnan(values[:, -1]).all()


def test_programs_are_compiled_once():
    traced = []

    def record(params, data, split):
        traced.append("record")
        return params["params"]["layer_1"]["bias"]

    sgd = optax.sgd(0.1)

    def update(grads, state, params=None):
        traced.append("update")
        return sgd.update(grads, state, params)

    optimizer = optax.GradientTransformation(sgd.init, update)
    # One device: two threads may come upon a missing program at the same time.
    one_device = functools.partial(
        fit, CONFIG, DATA, optimizer=optimizer, record=record, lanes=2, devices=ONE_DEVICE
    )
    one_device(seeds=[0], schedule=[])  # two recorded epochs, one stretch
    once = list(traced)
    assert once.count("record") == 1
    assert once.count("update") >= 1
    # More blocks, stretches of other lengths, other seeds and data: nothing new.
    other = LabelledSamples(DATA.x, 1 - DATA.y)
    one_device(seeds=[1, 2, 3, 4, 5], schedule=[1, 2])
    fit(CONFIG, other, seeds=[9], optimizer=optimizer, record=record, schedule=[2], lanes=2,
        devices=ONE_DEVICE)  # fmt: skip
    assert traced == once


@pytest.mark.parametrize("seeds_per_batch", [slow(1), 2])
def test_progress_adds_up_to_one(straight, seeds_per_batch):
    advances = []
    quick_fit(CONFIG, DATA, seeds=SEEDS, seeds_per_batch=seeds_per_batch, on_advance=advances.append)
    assert sum(a.fraction for a in advances) == pytest.approx(1, abs=1e-12)
    assert all(a.fraction >= 0 for a in advances)
    num_blocks = -(-5 // seeds_per_batch)
    epochs = [a.epoch for a in advances]
    assert sorted(epochs) == sorted([0, 1, 3, 6] * num_blocks)
    for epoch, in_records in zip((0, 1, 3, 6), range(4), strict=True):
        parts = [a.records for a in advances if a.epoch == epoch]
        together = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
        expected = jax.tree.map(lambda x, i=in_records: x[:, i], straight.records)
        for got, e in zip(jax.tree.leaves(together), jax.tree.leaves(expected), strict=True):
            # Blocks may come in any order.
            assert sorted(got.reshape(5, -1).tolist()) == sorted(e.reshape(5, -1).tolist())


@pytest.mark.slow
def test_fractions_are_epochs_times_seeds():
    advances = []
    quick_fit(CONFIG, DATA, seeds=[0, 1], on_advance=advances.append)
    assert [a.fraction for a in advances] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6])


def test_an_error_in_on_advance_ends_the_fit():
    def fail(advance):
        if advance.epoch == 1:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        quick_fit(CONFIG, DATA, seeds=SEEDS, on_advance=fail)


def changed(x=None, y=None):
    return LabelledSamples(DATA.x if x is None else x, DATA.y if y is None else y)


def with_value(array, value):
    array = np.array(array)
    array[(3,) * array.ndim if array.ndim == 1 else (3, 1)] = value
    return array


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(x=with_value(DATA.x, np.nan)), "x: expected finite values, got 1 NaN or infinite"),
        (changed(x=with_value(DATA.x, np.inf)), "x: expected finite values, got 1 NaN or infinite"),
        (changed(y=with_value(DATA.y, 2)), "y: expected labels from 0 to 1, .* got 0 to 2"),
        (changed(y=with_value(DATA.y, -1)), "y: expected labels from 0 to 1, .* got -1 to 1"),
        (changed(y=DATA.y[:-1]), "x and y: expected .* got lengths 50 and 49"),
        (changed(x=DATA.x[:, 0]), r"x: expected shape .* got shape \(50,\)"),
        (changed(y=DATA.y[:, None]), r"y: expected shape .* got shape \(50, 1\)"),
        (changed(y=DATA.y.astype(jnp.float32)), "y: expected integer class labels, got .*float32"),
        (changed(x=DATA.x[:0], y=DATA.y[:0]), r"x: expected at least one .* got shape \(0, 3\)"),
    ],
)  # fmt: skip
def test_bad_data_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        quick_fit(CONFIG, data, seeds=[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": []}, r"seeds: expected one or more whole numbers, got"),
        ({"seeds": [1, 2, 1]}, r"seeds: expected each seed once, got \[1, 2, 1\]"),
        ({"seeds": [1, 2], "seeds_per_batch": -1}, "seeds_per_batch: expected .* got -1"),
        ({"schedule": "every"}, "schedule: expected one of .*; got 'every'"),
        ({"schedule": [2, 7]}, "schedule: expected epochs from 0 to 6, got 2 to 7"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        quick_fit(CONFIG, DATA, **{"seeds": [0], **arguments})


def test_a_batch_larger_than_the_training_set_is_refused():
    config = dataclasses.replace(CONFIG, batch_size=41)
    with pytest.raises(ValueError, match=r"batch_size: expected at most the 40 .* got 41"):
        quick_fit(config, DATA, seeds=[0])


@pytest.mark.parametrize("train_fraction", [0.0, 1.0, -0.5, 1.5])
def test_a_split_without_training_or_test_samples_is_refused(train_fraction):
    with pytest.raises(ValueError, match=f"train_fraction: expected .* got {train_fraction}"):
        dataclasses.replace(FULL, train_fraction=train_fraction)


@pytest.mark.parametrize("train_fraction", [0.001, 0.999])
def test_a_part_without_samples_is_refused(train_fraction):
    config = dataclasses.replace(FULL, train_fraction=train_fraction)
    with pytest.raises(ValueError, match=f"train_fraction: expected .* got {train_fraction}"):
        quick_fit(config, DATA, seeds=[0])


def test_numpy_data_and_wider_dtypes_are_taken(straight):
    data = LabelledSamples(np.asarray(DATA.x, np.float64), np.asarray(DATA.y, np.uint8))
    assert_identical(all_of(quick_fit(CONFIG, data, seeds=SEEDS)), all_of(straight))


@pytest.mark.slow
def test_updates_do_not_use_the_rows_held_out_for_validation():
    """Networks are those of the twin that trains on the first rows alone; records get all rows."""
    config = dataclasses.replace(CONFIG, validation_fraction=0.2)
    history = quick_fit(config, DATA, seeds=[11, 7], schedule=[0, 1], record=keep_all)
    (keys, split, params), step = network_of(11), momentum_step(config)
    np.testing.assert_array_equal(history.records["train"][0, 0], split.train)
    args = keys, DATA, split.train[:32], 0, config.batch_size
    expected = twin_epoch(params, *args, step=step)
    assert_close(jax.tree.map(lambda x: x[0, 1], history.records["params"]), expected)


def test_a_batch_is_at_most_the_rows_that_are_not_held_out():
    config = dataclasses.replace(CONFIG, validation_fraction=0.2, batch_size=33)
    with pytest.raises(ValueError, match="batch_size: expected at most the 32 training samples, got 33"):
        quick_fit(config, DATA, seeds=SEEDS)


def test_revisitings_split_needs_the_words_of_its_task():
    config = dataclasses.replace(CONFIG, split="revisiting", train_fraction=5.0)
    with pytest.raises(ValueError, match='split: expected data of 4096 rows for "revisiting", got 50'):
        quick_fit(config, DATA, seeds=SEEDS)


@pytest.mark.slow
def test_revisitings_split_is_that_of_all_seeds():
    config = dataclasses.replace(CONFIG, split="revisiting", num_epochs=1, batch_size=None)
    data = LabelledSamples(np.eye(4096, 2, dtype=np.float32), np.zeros(4096, int))

    def keep_rows(params, data, split):
        return split

    history = quick_fit(config, data, seeds=[1, 2], schedule=[0], record=keep_rows)
    for part, expected in zip(history.records, revisiting_split(), strict=True):
        for seed in range(2):
            np.testing.assert_array_equal(part[seed, 0], expected)
