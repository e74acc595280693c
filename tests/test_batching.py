"""Blocks of seeds and blocks of rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.batching import blocks_of_seeds, default_lanes, map_rows


@pytest.mark.parametrize(
    ("num_seeds", "size", "lengths"),
    [(1, 13, [1]), (13, 13, [13]), (14, 13, [7, 7]), (50, 13, [13, 13, 12, 12]), (5, 1, [1] * 5)],
)
def test_blocks_are_few_and_of_nearly_equal_length(num_seeds, size, lengths):
    seeds = [7 * i + 3 for i in range(num_seeds)]
    blocks = blocks_of_seeds(seeds, size)
    assert [len(block) for block in blocks] == lengths
    assert np.concatenate(blocks).tolist() == seeds
    assert all(block.dtype == np.int32 for block in blocks)


@pytest.mark.parametrize(
    ("seeds", "size", "message"),
    [
        ([], 13, "seeds: expected one or more"),
        ([0.5], 13, "seeds: expected.*whole"),
        ([[0, 1]], 13, "seeds: expected"),
        ([1, 2, 1], 13, r"seeds: expected each seed once, got \[1, 2, 1\]"),
        ([1], 0, "seeds_per_batch: expected.*got 0"),
    ],
)
def test_refuses_other_seeds_and_sizes(monkeypatch, seeds, size, message):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        blocks_of_seeds(seeds, size)


def test_fifty_seeds_fill_the_default_lanes_of_a_cpu():
    blocks = blocks_of_seeds(range(50), default_lanes("cpu"))
    assert len(blocks) == 4
    assert default_lanes("gpu") == default_lanes("tpu") >= default_lanes("cpu")


@pytest.mark.parametrize("num_rows", [1, 5, 8, 11])
def test_rows_in_blocks_are_rows_at_once(monkeypatch, num_rows):
    monkeypatch.setattr("ibjax.batching.CPU_BLOCK", 40)
    monkeypatch.setattr("ibjax.batching.ACCELERATOR_BLOCK", 40)
    rows = {"x": jnp.arange(3.0 * num_rows).reshape(num_rows, 3), "y": jnp.arange(num_rows)}

    def f(row):
        return row["x"].sum(), {"doubled": 2 * row["y"]}

    for entries_per_row in (10, 40, 1000):  # blocks of 4 rows, of 1, of 1
        total, rest = map_rows(f, rows, entries_per_row=entries_per_row)
        np.testing.assert_array_equal(total, rows["x"].sum(axis=1))
        np.testing.assert_array_equal(rest["doubled"], 2 * rows["y"])


def test_blocks_of_rows_bound_the_memory():
    def nearest(x):
        def of_row(row):
            return jnp.sort(jnp.abs(x - row))[1]

        return map_rows(of_row, x, entries_per_row=x.shape[0])

    compiled = jax.jit(nearest).lower(jax.ShapeDtypeStruct((20_000,), jnp.float32)).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 100e6  # all pairs take 1600e6
    x = jnp.array([0.0, 1.0, 3.0, 7.0])
    np.testing.assert_array_equal(nearest(x), [1.0, 1.0, 2.0, 4.0])
    lanes = jnp.stack([x, 2 * x])
    np.testing.assert_array_equal(jax.vmap(nearest)(lanes), np.outer([1, 2], nearest(x)))
