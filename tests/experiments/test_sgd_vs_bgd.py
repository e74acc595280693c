"""The main experiment from its command line: files, contract, resume, refusals, and its claim."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from experiments import sgd_vs_bgd
from experiments.lab import LabConfig, main, table_of_rows
from ibjax.results import load_results
from tests.made import results_of

ROOT = Path(__file__).parents[2]
FILES = {
    "results.nc", "run.json", "information_plane.png", "compression.png", "compression.csv",
    "compression.txt", "sgd_minus_bgd.csv", "sgd_minus_bgd.txt", "seeds.csv", "seeds.txt",
}  # fmt: skip
TINY = ["--seeds", "2", "--epochs", "4"]


def command(out, *options):
    return [sys.executable, "-m", "experiments.sgd_vs_bgd", "--out", str(out), *options]


def refusal(monkeypatch, capsys, out, *options):
    """What the command prints before it ends with code 2, in this process."""
    monkeypatch.setattr(sys, "argv", command(out, *options)[2:])
    with pytest.raises(SystemExit) as ended:
        main("sgd_vs_bgd", sgd_vs_bgd.Config, sgd_vs_bgd.run, sgd_vs_bgd.report)
    assert ended.value.code == 2
    return capsys.readouterr().err


def run(out, *options):
    return subprocess.run(command(out, *options), cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny but complete run: 3 activations, 2 optimizers."""
    out = tmp_path_factory.mktemp("tiny")
    done = run(out, *TINY)
    assert done.returncode == 0, done.stderr
    return out / "sgd_vs_bgd", done


@pytest.mark.slow
def test_every_file_is_written(tiny):
    folder, done = tiny
    assert {p.name for p in folder.iterdir()} == FILES
    assert all(str(folder / name) in done.stdout for name in FILES - {"run.json"})
    # Where there is no terminal, a line at the start of each arm and no bar.
    arms = [f"{a} {o}: compiling" for a in ("tanh", "relu", "linear") for o in ("sgd", "bgd")]
    assert done.stderr.splitlines() == arms


@pytest.mark.slow
def test_results_keep_the_contract(tiny):
    results = load_results(tiny[0] / "results.nc")
    assert results.ixt.dims == ("activation", "optimizer", "seed", "epoch", "layer")
    assert results.ity.dims == results.ixt.dims
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        assert results[name].dims == ("activation", "optimizer", "seed", "epoch")
    assert results.activation.values.tolist() == ["tanh", "relu", "linear"]
    assert results.optimizer.values.tolist() == ["sgd", "bgd"]
    assert results.seed.values.tolist() == [0, 1]
    assert results.epoch.values.tolist() == [0, 1, 2, 3, 4]
    assert results.layer.values.tolist() == [1, 2, 3, 4, 5, 6]
    units = {name: variable.attrs.get("units") for name, variable in results.data_vars.items()}
    assert units["ixt"] == units["ity"] == "bits"
    assert units["train_loss"] == units["test_loss"] == "nats"
    assert all(units.values())
    assert results.attrs["estimator"] == "binned_mi(bin_width=0.07)"
    assert results.attrs["binning"] == "bins of 0.07"
    assert results.attrs["num_samples"] == 4096
    arms = json.loads(results.attrs["arms"])
    assert arms["linear/bgd"]["learning_rate"] == 0.1
    assert arms["tanh/bgd"]["learning_rate"] == 0.5


@pytest.mark.slow
def test_arms_start_from_the_same_networks(tiny):
    untrained = load_results(tiny[0] / "results.nc").isel(epoch=0)
    xr.testing.assert_equal(
        untrained.ixt.sel(optimizer="sgd", drop=True), untrained.ixt.sel(optimizer="bgd", drop=True)
    )


@pytest.mark.slow
def test_earlier_results_are_not_touched(tiny, monkeypatch, capsys):
    folder, _ = tiny
    before = (folder / "results.nc").read_bytes()
    printed = refusal(monkeypatch, capsys, folder.parent, *TINY)
    assert "--resume continues it, --overwrite deletes it" in printed
    assert (folder / "results.nc").read_bytes() == before


@pytest.mark.slow
def test_another_config_is_not_resumed(tiny, monkeypatch, capsys):
    options = ("--seeds", "2", "--epochs", "5", "--resume")
    assert "epochs: 4 -> 5" in refusal(monkeypatch, capsys, tiny[0].parent, *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "seeds: expected a whole number of 1 or more, got 0"),
        (["--epochs", "-1"], "epochs: expected a whole number of 1 or more, got -1"),
        (["--seeds-per-batch", "0"], "seeds_per_batch: expected a whole number"),
        (["--resume", "--overwrite"], "resume: expected without overwrite"),
        (["--seed", "-1"], "seed: expected a whole number of 0 or more, got -1"),
    ],
)
def test_bad_options_end_at_once(tmp_path, monkeypatch, capsys, options, message):
    assert message in refusal(monkeypatch, capsys, tmp_path, *options)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_an_unwritable_folder_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file")  # full scale: were it to train first, this would take minutes
    assert done.returncode == 2
    assert "out: expected a folder to write to" in done.stderr


@pytest.mark.slow
def test_killed_and_resumed_equals_straight(tmp_path):
    options = ["--seeds", "14", "--epochs", "60"]
    straight = run(tmp_path / "straight", *options)
    assert straight.returncode == 0, straight.stderr
    killed = subprocess.Popen(command(tmp_path / "killed", *options), cwd=ROOT)
    folder = tmp_path / "killed" / "sgd_vs_bgd" / "checkpoints"
    while len(list(folder.glob("*"))) < 4 and killed.poll() is None:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    resumed = run(tmp_path / "killed", *options, "--resume", "--seeds-per-batch", "14")
    assert resumed.returncode == 2  # other options: refused
    resumed = run(tmp_path / "killed", *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    first = load_results(tmp_path / "straight" / "sgd_vs_bgd" / "results.nc")
    second = load_results(tmp_path / "killed" / "sgd_vs_bgd" / "results.nc")
    xr.testing.assert_equal(first, second)


@pytest.mark.slow
def test_the_claim_at_reduced_size(tmp_path):
    # Full batches compress after fitting by intervals for 36 layers and arms: 8 seeds would be too few.
    config = sgd_vs_bgd.Config(seeds=12, epochs=3000, out=tmp_path)
    results = sgd_vs_bgd.run(config)
    _, tables = sgd_vs_bgd.report(results)
    difference = next(table for table in tables if table.name == "sgd_minus_bgd")
    tanh, _, _ = difference.sentences
    assert "Noise is not needed" in tanh
    last_hidden = results.ixt.sel(activation="tanh", layer=5).mean("seed")
    for optimizer in ("sgd", "bgd"):
        curve = last_hidden.sel(optimizer=optimizer)
        assert float(curve.max() - curve[-1]) > 0.5  # bits
    assert np.isfinite(results.ixt).all()


RISES = np.array([1.0, 2.0, 3.0, 4.0])
FALLS = np.array([1.0, 4.0, 3.0, 2.0])


def made_up(sgd, bgd, fitted=1):
    """Results of 6 seeds and 3 layers with these curves, nearly, in all arms, fitted at that epoch."""
    epochs, layers = len(sgd), 3
    noise = 0.01 * np.random.default_rng(0).normal(size=(3, 2, 6, epochs, layers))
    curves = np.stack([sgd, bgd])[None, :, None, :, None] + noise
    loss = np.broadcast_to(np.array([0.7, 0.5, 0.3, 0.1]), (3, 2, 6, epochs))
    factors = {"activation": ["tanh", "relu", "linear"], "optimizer": ["sgd", "bgd"]}
    varying = np.ones(curves.shape, int)
    ity = np.broadcast_to(np.where(np.arange(epochs) < fitted, 0.1, 0.9)[:, None], curves.shape)
    variables = {"ixt": curves, "ity": ity, "num_varying": varying}
    variables |= {"train_loss": loss, "train_accuracy": 1 - loss}
    return results_of(variables, factors, epochs=range(epochs))


def test_verdict_says_what_the_intervals_say():
    both = sgd_vs_bgd.verdict(made_up(FALLS, FALLS), "tanh")
    assert "layers 1, 2 compress under SGD (by up to 2.0" in both
    assert "layers 1, 2 compress under BGD" in both
    assert "Noise is not needed" in both
    only = sgd_vs_bgd.verdict(made_up(FALLS, RISES), "tanh")
    assert "no hidden layer compresses under BGD" in only
    assert "Only SGD compresses, at equal training loss too" in only
    neither = sgd_vs_bgd.verdict(made_up(RISES, RISES), "tanh")
    assert "training does not compress" in neither


def test_a_fall_before_the_labels_are_fitted_is_told_apart():
    untrained = np.array([4.0, 4.0, 2.0, 2.0])
    sentence = sgd_vs_bgd.verdict(made_up(FALLS, untrained, fitted=2), "tanh")
    assert "layers 1, 2 compress under SGD (by up to 2.0" in sentence
    assert "layers 1, 2 compress under BGD (by up to 2.0" in sentence
    assert "bits), after fitting none." in sentence
    assert "Only SGD compresses" in sentence


def test_of_arms_that_have_not_learnt_nothing_follows():
    results = made_up(RISES, RISES)
    results.train_accuracy.loc[{"activation": "tanh", "optimizer": "bgd"}] = 0.6
    sentence = sgd_vs_bgd.verdict(results, "tanh")
    assert "it has not learnt: its training accuracy is 60%, SGD's 90%." in sentence
    assert "with noise or without" not in sentence


def test_arms_with_dead_seeds_are_shown_with_and_without_them():
    results = made_up(FALLS, FALLS)
    dead = {"activation": "relu", "optimizer": "bgd", "layer": 2}
    ixt = results.ixt.sel(dead).values.copy()
    ixt[:2, -1] = 0.0
    results.ixt.loc[dead] = ixt
    results.num_varying.loc[dead][:2, -1] = 0
    rows = sgd_vs_bgd.compression_table(results).frame.set_index(["activation", "optimizer", "layer"])
    assert len(rows) == (6 + 1) * 3
    both = rows.loc[[("relu", "bgd", 2), ("relu", "bgd alive", 2)]]
    assert both.num_seeds.tolist() == [6, 4]
    np.testing.assert_allclose(both.final.astype(float), [4 * 2 / 6, 2.0], atol=0.03)
    np.testing.assert_allclose(both.compression.astype(float), [2 + 2 * 2 / 6, 2.0], atol=0.03)


def test_presets_set_both_arms():
    config = sgd_vs_bgd.Config(preset="idnns")
    for optimizer, batch in (("sgd", 512), ("bgd", None)):
        arm = sgd_vs_bgd.arm_config(config, "tanh", optimizer)
        assert (arm.batch_size, arm.optimizer, arm.learning_rate) == (batch, "adam", 4e-4)
        assert (arm.split, arm.shuffle, arm.num_epochs) == ("first_rows", False, 8000)
    saxe = sgd_vs_bgd.arm_config(sgd_vs_bgd.Config(preset="saxe"), "tanh", "sgd")
    assert (saxe.batch_size, saxe.shuffle, saxe.num_epochs) == (256, True, 10_000)
    smoke = sgd_vs_bgd.arm_config(sgd_vs_bgd.Config(preset="saxe", smoke=True), "tanh", "sgd")
    assert smoke.num_epochs == 30


def test_full_scale_is_the_default():
    config = sgd_vs_bgd.Config()
    assert list(config.seed_range) == list(range(50))
    sgd = sgd_vs_bgd.arm_config(config, "relu", "sgd")
    bgd = sgd_vs_bgd.arm_config(config, "relu", "bgd")
    assert (sgd.batch_size, sgd.learning_rate, sgd.num_epochs) == (256, 0.1, 8000)
    assert (bgd.batch_size, bgd.learning_rate, bgd.num_epochs) == (None, 0.5, 8000)
    assert sgd.widths == bgd.widths == (10, 7, 5, 4, 3, 2)


def test_smoke_reduces_seeds_and_keeps_an_explicit_number_of_epochs():
    config = sgd_vs_bgd.Config(smoke=True, epochs=7, seed=3)
    assert list(config.seed_range) == [3, 4, 5, 6]
    assert sgd_vs_bgd.arm_config(config, "tanh", "sgd").num_epochs == 7
    assert LabConfig(seeds=2, smoke=True).seed_range == range(2)


def test_tables_align_and_are_saved(tmp_path):
    rows = [{"layer": 1, "bits": 0.5}, {"layer": 10, "bits": 12.25}]
    table = table_of_rows("found", rows, ["It follows."])
    assert str(table) == "found\nlayer    bits\n    1   0.500\n   10  12.250\n\nIt follows."
    numbers, text = table.save(tmp_path)
    assert numbers.read_text().split() == ["layer,bits", "1,0.5", "10,12.25"]
    assert text.read_text() == f"{table}\n"
