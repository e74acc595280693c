"""The command line: options, files that are kept, damaged ones, and what may be said."""

import json

import numpy as np
import pytest
import xarray as xr

from experiments.lab import LabConfig, command
from experiments.lab.folder import has_checkpoints
from ibjax.results import load_results
from tests.experiments.lab.quick_run import hidden, refusal


def test_options_are_pythons_integers():
    config = LabConfig(seeds=np.int8(100), epochs=np.uint8(200), seed=np.int8(100))
    assert config == LabConfig(seeds=100, epochs=200, seed=100)
    assert {type(x) for x in (config.seeds, config.epochs, config.seed)} == {int}
    assert config.seed_range == range(100, 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds: expected a whole number of 1 or more, got 0"),
        ({"seeds": 2.0}, "seeds: expected a whole number"),
        ({"epochs": 0}, "epochs: expected a whole number of 1 or more, got 0"),
        ({"seeds_per_batch": 0}, "seeds_per_batch: expected a whole number of 1 or more"),
        ({"seed": -1}, "seed: expected a whole number of 0 or more, got -1"),
        ({"seed": "x"}, "seed: expected a whole number of 0 or more, got 'x'"),
        ({"seed": 2**31 - 50}, r"seed: expected less than 2\^31 - seeds"),
        ({"resume": True, "overwrite": True}, "resume: expected without overwrite"),
        ({"any_version": True}, "any_version: expected with resume"),
    ],
)
def test_options_that_make_no_run_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LabConfig(**options)


def test_other_versions_are_resumed_on_demand():
    assert LabConfig(resume=True).fit_options(None, "arm")["resume"] is True
    config = LabConfig(resume=True, any_version=True)
    assert config.fit_options(None, "arm")["resume"] == "any_version"


def test_checkpoints_go_once_the_results_are_in_place(tmp_path, quick, monkeypatch):
    folder = tmp_path / "quick"
    save = command.save_results

    def watched(results, path):
        save(results, path)
        assert has_checkpoints(folder / "checkpoints")

    monkeypatch.setattr(command, "save_results", watched)
    assert quick()[0] == 0
    assert not (folder / "checkpoints").exists()
    assert not hidden(folder)


def test_results_that_read_back_otherwise_are_not_kept(tmp_path, quick, monkeypatch):
    write = xr.Dataset.to_netcdf
    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "to_netcdf", lambda own, *a, **k: write(own + 1, *a, **k))
        assert "--resume goes on from there" in refusal(quick())
    folder = tmp_path / "quick"
    assert {path.name for path in folder.iterdir()} == {"run.json", "checkpoints"}
    assert quick("--resume")[0] == 0
    assert load_results(folder / "results.nc").sizes["seed"] == 50


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_truncated_results_are_refused_with_the_way_out(tmp_path, quick, kept):
    quick()
    path = tmp_path / "quick" / "results.nc"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    line = refusal(quick("--resume"))
    assert str(path) in line
    assert "delete it to continue" in line
    assert "--overwrite to start anew" in line
    path.unlink()
    assert quick("--resume")[0] == 0
    assert load_results(path).equals(xr.load_dataset(path))


def test_results_of_another_run_are_refused(tmp_path, quick):
    quick()
    path = tmp_path / "quick" / "results.nc"
    results = load_results(path)
    results.assign_attrs(options=json.dumps({"seeds": 3})).to_netcdf(path, engine="h5netcdf")
    line = refusal(quick("--resume"))
    assert str(path) in line
    assert '{"seeds": 3}' in line
    results.drop_attrs().to_netcdf(path, engine="h5netcdf")
    assert "got none" in refusal(quick("--resume"))


@pytest.mark.parametrize("text", ["", '{"epochs"', "[1, 2]", "\x00\x01"])
def test_a_damaged_description_is_refused_with_the_way_out(tmp_path, quick, text):
    quick()
    path = tmp_path / "quick" / "run.json"
    path.write_text(text)
    line = refusal(quick("--resume"))
    assert str(path) in line
    assert "overwrite" in line or "delete" in line


def test_smoke_and_few_seeds_are_said_and_recorded(tmp_path, quick):
    _, printed, _ = quick("--smoke")
    nothing = "A smoke run, of 4 networks and few epochs, shows that everything works; nothing follows"
    text = (tmp_path / "quick" / "found.txt").read_text()
    for said in (printed, text):
        assert "compresses" not in said
        assert "low: bits" in said  # explains a column
        assert nothing in said
    assert load_results(tmp_path / "quick" / "results.nc").smoke == "true"
    assert quick("--smoke", "--resume")[1] == printed
    _, printed, _ = quick("--overwrite", "--seeds", "9")
    assert "It compresses.\nWith 9 networks per arm, fewer than 10, these intervals say" in printed
    assert load_results(tmp_path / "quick" / "results.nc").smoke == "false"
    _, printed, _ = quick("--overwrite", "--seeds", "10")
    assert "It compresses.\n\n" in printed
