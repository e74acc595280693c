"""Sweeps of experiments: dims, provenance, checkpoints."""

import functools

import numpy as np
import pytest

from experiments.lab import LabConfig, symmetric, train_grid
from experiments.lab.folder import has_checkpoints
from ibjax.analysis.records import PlaneRecord
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, fit, make_model

COARSE = functools.partial(binned_mi, bin_width=0.5)
TRAINING = TrainConfig(widths=(3, 2), num_epochs=2, batch_size=32)


@pytest.mark.slow
def test_a_grid_has_its_dims_its_provenance_and_the_numbers_of_fit(tmp_path):
    task = symmetric(every=64)
    results = train_grid(
        LabConfig(seeds=2, seed=5),
        TRAINING,
        task,
        over={"init_scale": [0.5, 2.0], "batch_size": [32, None]},
        record=lambda training: PlaneRecord(make_model(training), COARSE),
        source="Nobody (2026)",
        folder=tmp_path,
        binning="bins of 0.5",
    )
    assert results.ixt.dims == ("init_scale", "batch_size", "seed", "epoch", "layer")
    assert results.batch_size.values.tolist() == ["32", "full"]
    known = {"source": "Nobody (2026)", "binning": "bins of 0.5", "seed": 5, "num_samples": 64}
    assert known.items() <= results.attrs.items()
    assert results.attrs["measured_on"] == "all 64 inputs"
    assert "versions" in results.attrs
    assert has_checkpoints(tmp_path)
    record = PlaneRecord(make_model(TRAINING), COARSE)
    alone = fit(
        TrainConfig(**TRAINING.as_dict() | {"init_scale": 2.0}), task.data, seeds=[5, 6], record=record
    )
    cell = results.sel(init_scale=2.0, batch_size="32")
    np.testing.assert_array_equal(cell.train_loss, alone.records["train_loss"])
