"""Splits of rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.datasets import first_rows_split, random_split, revisiting_split, symmetric_task
from ibjax.datasets.splits import hold_out, num_fitted_samples, num_training_samples


def test_papers_training_size():
    assert num_training_samples(4096, 0.8) == 3277


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, 1e-6, 1 - 1e-6])
def test_refuses_an_empty_part(fraction):
    for split in (
        lambda: num_training_samples(4096, fraction),
        lambda: first_rows_split(4096, fraction),
        lambda: random_split(jax.random.key(0), 4096, fraction),
    ):
        with pytest.raises(ValueError, match=r"train_fraction: expected.*of 4096, got"):
            split()


@pytest.mark.parametrize(("n", "fraction", "num_train"), [(4096, 0.8, 3277), (5, 0.5, 2), (2, 0.5, 1)])
def test_parts_are_disjoint_and_complete(n, fraction, num_train):
    for split in (random_split(jax.random.key(3), n, fraction), first_rows_split(n, fraction)):
        assert split.train.shape == (num_train,)
        assert split.test.shape == (n - num_train,)
        assert split.train.dtype == split.test.dtype == np.int32
        assert sorted(np.concatenate(split).tolist()) == list(range(n))


def test_keys_decide():
    first, again, other = (random_split(jax.random.key(k), 4096, 0.8) for k in (0, 0, 1))
    np.testing.assert_array_equal(first.train, again.train)
    assert set(first.test.tolist()) != set(other.test.tolist())


def test_random_training_samples_come_from_everywhere():
    keys = jax.random.split(jax.random.key(5), 400)
    train = jax.vmap(lambda key: random_split(key, 40, 0.8).train)(keys)
    times = np.bincount(np.asarray(train).ravel(), minlength=40)  # of 400, each with p = 0.8
    assert np.abs(times - 320).max() < 5 * np.sqrt(400 * 0.8 * 0.2)


def test_first_rows_leave_the_words_that_begin_with_11():
    split = first_rows_split(4096, 0.8)
    np.testing.assert_array_equal(split.train, np.arange(3277))
    test_words = np.asarray(symmetric_task().x)[np.asarray(split.test)]
    assert (test_words[:, :2] == 1).all()
    assert not (np.asarray(symmetric_task().x)[np.asarray(split.train), :2] == 1).all()


def test_works_under_jit_and_vmap():
    keys = jax.random.split(jax.random.key(1), 3)
    lanes = jax.jit(jax.vmap(lambda key: random_split(key, 100, 0.8)))(keys)
    for i, key in enumerate(keys):
        np.testing.assert_array_equal(lanes.train[i], random_split(key, 100, 0.8).train)


def test_revisitings_split_has_the_labels_of_table_1():
    split = revisiting_split()
    assert split.train.dtype == split.test.dtype == np.int32
    order = np.random.RandomState(42).permutation(4096)
    np.testing.assert_array_equal(split.test, order[:820])
    np.testing.assert_array_equal(split.train, order[820:])
    labels = np.asarray(symmetric_task().y)[np.asarray(split.train)]
    assert (labels.sum(), len(labels)) == (1731, 3276)
    p = labels.mean()
    h_y = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert h_y == pytest.approx(0.9976734295143714, abs=1e-12)
    assert np.log2(len(labels)) == pytest.approx(11.677719641641012, abs=1e-12)


@pytest.mark.parametrize(
    ("num_training", "fraction", "expected"), [(3276, 0.2, 2620), (3276, 0.0, 3276), (10, 0.25, 7)]
)
def test_the_last_rows_are_held_out_as_by_keras(num_training, fraction, expected):
    assert num_fitted_samples(num_training, fraction) == expected
    rows = jax.random.permutation(jax.random.key(0), num_training)
    fitted, held_out = hold_out(rows, fraction)
    assert len(fitted) == expected
    np.testing.assert_array_equal(np.concatenate([fitted, held_out]), rows)


def test_nothing_held_out_leaves_the_traced_program_as_it_is():
    program = jax.make_jaxpr(lambda rows: hold_out(rows, 0.0)[0])(jnp.arange(9))
    assert not program.eqns


@pytest.mark.parametrize("fraction", [0.99, 1e-17])
def test_a_validation_part_that_leaves_another_empty_is_refused(fraction):
    with pytest.raises(ValueError, match="validation_fraction: expected at least one sample"):
        num_fitted_samples(3, fraction)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, np.nan])
def test_a_validation_fraction_is_a_number_from_0_to_below_1(fraction):
    with pytest.raises(ValueError, match="validation_fraction: expected a finite number"):
        num_fitted_samples(100, fraction)
