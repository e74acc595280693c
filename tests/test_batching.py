"""Blocks of seeds."""

import numpy as np
import pytest

from ibjax.batching import blocks_of_seeds, default_lanes


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
