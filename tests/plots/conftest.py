"""Planes of two factors."""

import numpy as np
import pytest

from tests.made import results_of


@pytest.fixture
def planes():
    rng = np.random.default_rng(0)
    sizes = (2, 2, 5, 4, 3)
    return results_of(
        {"ixt": 12 * rng.random(sizes), "ity": rng.random(sizes)},
        {"activation": ["tanh", "relu"], "optimizer": ["sgd", "bgd"]},
    )
