"""Splits of rows."""

import jax
import numpy as np
import pytest

from ibjax.datasets import first_rows_split, random_split, symmetric_task
from ibjax.datasets.splits import num_training_samples


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
