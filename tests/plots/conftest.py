"""Planes of two factors."""

import numpy as np
import pytest
import xarray as xr


@pytest.fixture
def planes():
    rng = np.random.default_rng(0)
    dims = ("activation", "optimizer", "seed", "epoch", "layer")
    sizes = (2, 2, 5, 4, 3)
    return xr.Dataset(
        {"ixt": (dims, 12 * rng.random(sizes)), "ity": (dims, rng.random(sizes))},
        {
            "activation": ["tanh", "relu"],
            "optimizer": ["sgd", "bgd"],
            "epoch": [0, 1, 10, 100],
            "layer": [1, 2, 3],
        },
    )
