import dataclasses
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import ibjax
from ibjax.training import blocks, checkpoint, fit
from ibjax.training.checkpoint import BlockCheckpoint, describe_run
from ibjax.types import LabelledSamples
from tests.marks import slow
from tests.training.test_loop import CONFIG, DATA, keep_params
from tests.training.test_steps import assert_identical

SEEDS = [0, 1, 2]
NUM_RECORDED = 7

# Two blocks: of seeds 0 and 1, and of seed 2.
small_fit = functools.partial(
    fit, CONFIG, DATA, seeds=SEEDS, record=keep_params, schedule=range(NUM_RECORDED), lanes=2
)


class StopHereError(Exception):
    pass


@pytest.fixture(scope="module")
def straight():
    return small_fit()


@pytest.fixture
def save_always(monkeypatch):
    monkeypatch.setattr(blocks, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


def interrupt_after(num_calls):
    calls = []

    def on_advance(advance):
        calls.append(advance)
        if len(calls) == num_calls:
            raise StopHereError

    return on_advance


def interrupted_fit(directory, num_calls, **arguments):
    with pytest.raises(StopHereError):
        small_fit(checkpoint_dir=directory, on_advance=interrupt_after(num_calls), **arguments)


def assert_same_history(got, expected):
    for name, g, e in zip(got._fields, got, expected, strict=True):
        try:
            assert_identical(g, e)
        except AssertionError as error:
            raise AssertionError(name) from error


def saved_epochs(directory):
    """Numbers of the whole checkpoints."""
    return {int(p.name) for p in Path(directory).glob("seeds_*/*") if p.name.isdigit()}


@pytest.mark.slow
def test_saving_does_not_change_the_results(tmp_path, straight, save_always):
    assert_same_history(small_fit(checkpoint_dir=tmp_path), straight)
    # The newest and the one before; older ones are gone.
    assert saved_epochs(tmp_path) == {NUM_RECORDED - 1, NUM_RECORDED}


@pytest.mark.parametrize("num_calls", [slow(1), 2, slow(5), slow(8), slow(13)])
def test_a_resumed_run_is_the_straight_run_bit_for_bit(tmp_path, straight, save_always, num_calls):
    interrupted_fit(tmp_path, num_calls)
    assert saved_epochs(tmp_path)
    advances = []
    resumed = small_fit(checkpoint_dir=tmp_path, resume=True, on_advance=advances.append)
    assert_same_history(resumed, straight)
    if num_calls > 1:  # what is resumed is one report
        assert len(advances) < 2 * NUM_RECORDED  # it went on, and not from the start


@pytest.mark.slow
def test_a_run_may_be_interrupted_again_and_again(tmp_path, straight, save_always):
    interrupted_fit(tmp_path, 3)
    for _ in range(3):
        interrupted_fit(tmp_path, 2, resume=True)
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="equal bits need equal devices")
def test_a_resumed_run_may_use_other_devices(tmp_path, straight, save_always):
    first, second = jax.local_devices(backend="cpu")
    interrupted_fit(tmp_path, 4, devices=[first])
    resumed = small_fit(checkpoint_dir=tmp_path, resume=True, devices=[second])
    assert_same_history(resumed, straight)


def test_progress_of_a_resumed_run_adds_up_to_one(tmp_path, save_always):
    interrupted_fit(tmp_path, 4, devices=jax.local_devices()[:1])  # in the first block
    advances = []
    small_fit(checkpoint_dir=tmp_path, resume=True, on_advance=advances.append)
    assert sum(a.fraction for a in advances) == pytest.approx(1, abs=1e-12)


def test_checkpoints_are_rare_and_at_the_end(tmp_path, monkeypatch):
    saved = []
    save = BlockCheckpoint.save

    def spy(self, num_recorded, *args):
        saved.append(num_recorded)
        return save(self, num_recorded, *args)

    monkeypatch.setattr(BlockCheckpoint, "save", spy)
    monkeypatch.setattr(blocks, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    small_fit(checkpoint_dir=tmp_path)
    assert saved == [NUM_RECORDED] * 2


def no_training(*args):
    raise AssertionError("trained")


def test_resuming_a_finished_run_trains_nothing(tmp_path, straight, monkeypatch):
    small_fit(checkpoint_dir=tmp_path)
    monkeypatch.setattr(blocks, "_advance", no_training)
    resumed = small_fit(checkpoint_dir=tmp_path, resume=True)
    assert_same_history(resumed, straight)


def test_resuming_where_there_is_nothing_starts_from_the_beginning(tmp_path, straight):
    assert_same_history(small_fit(checkpoint_dir=tmp_path / "new", resume=True), straight)


def test_without_resume_a_used_folder_is_refused(tmp_path, straight, save_always):
    interrupted_fit(tmp_path, 6)
    with pytest.raises(ValueError, match="expected True to continue the run"):
        small_fit(checkpoint_dir=tmp_path)
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)


OTHER_SETTINGS = [
    ({"config": dataclasses.replace(CONFIG, learning_rate=0.5)}, "0.1.*0.5"),
    slow({"config": dataclasses.replace(CONFIG, split="first_rows")}, "first_rows"),
    slow({"seeds": [0, 1, 3]}, "blocks"),
    slow({"seeds": [0, 1]}, "blocks"),
    slow({"seeds_per_batch": 1}, "blocks"),
    slow({"schedule": [1]}, "recorded"),
    slow({"lanes": 3}, "lanes"),
    ({"data": LabelledSamples(DATA.x, 1 - DATA.y)}, "data"),
]


@pytest.mark.parametrize(("changed", "message"), OTHER_SETTINGS)
def test_a_checkpoint_of_other_settings_is_refused_by_name(tmp_path, save_always, changed, message):
    interrupted_fit(tmp_path, 3)
    files = sorted(tmp_path.rglob("*"))
    settings = {
        "config": CONFIG, "data": DATA, "seeds": SEEDS, "schedule": range(NUM_RECORDED), "lanes": 2,
    } | changed  # fmt: skip
    with pytest.raises(ValueError, match=rf"(?s)resume: expected the run .* got other.*{message}"):
        fit(**settings, record=keep_params, checkpoint_dir=tmp_path, resume=True)
    assert sorted(tmp_path.rglob("*")) == files  # and nothing is touched


def test_a_half_written_checkpoint_is_ignored(tmp_path, straight, save_always):
    interrupted_fit(tmp_path, 4)
    for block in tmp_path.glob("seeds_*"):
        newest = max(int(p.name) for p in block.iterdir() if p.name.isdigit())
        # What a killed process leaves: Orbax writes aside and renames when all is there.
        partial = block / f"{newest + 1}.orbax-checkpoint-tmp-0"
        partial.mkdir()
        (partial / "manifest.ocdbt").write_bytes(b"half")
    (tmp_path / "run.tmp").write_text('{"config": {"wid')
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)


@pytest.mark.parametrize("step", ["rename", "seal"])
def test_a_run_killed_while_writing_keeps_the_checkpoint_before(
    tmp_path, straight, save_always, monkeypatch, step
):
    """At the last step of a save, and where the files are written but the seal is not."""
    original = {"rename": Path.rename, "seal": Path.replace}[step]
    count = []

    def killed(self, target):
        if self.name.startswith(("partial", "seal.tmp")):
            count.append(target)
            if len(count) > 5:
                raise StopHereError from KeyboardInterrupt()
        return original(self, target)

    monkeypatch.setattr(Path, original.__name__, killed)
    monkeypatch.setattr(checkpoint.shutil, "rmtree", keep_partial)
    with pytest.raises(OSError, match="checkpoint_dir: cannot write"):
        small_fit(checkpoint_dir=tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.glob("seeds_*/partial*"))
    assert max(saved_epochs(tmp_path)) < NUM_RECORDED
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)
    assert not list(tmp_path.glob("seeds_*/partial*"))


def keep_partial(folder, ignore_errors=False, rmtree=shutil.rmtree):
    """As of a process that is killed, which takes nothing away."""
    if not folder.name.startswith("partial"):
        rmtree(folder)


LONG = dataclasses.replace(CONFIG, num_epochs=400)

# The process that is killed: it saves at every epoch and says so.
CHILD = """
import sys
import jax
from ibjax.training import blocks, fit
from tests.training.test_checkpoint import LONG, DATA, keep_params

blocks.SECONDS_BETWEEN_CHECKPOINTS = -1.0
fit(LONG, DATA, seeds=[0, 1], record=keep_params, schedule=range(401), lanes=2, resume=True,
    checkpoint_dir=sys.argv[1], on_advance=lambda a: print(a.epoch, flush=True))
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_resumes_bit_for_bit(tmp_path):
    directory = tmp_path / "killed"
    root = Path(ibjax.__file__).parents[1]
    reached = []
    for seconds in (0.0, 0.131):
        environment = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, str(directory)], stdout=subprocess.PIPE,
            cwd=root, env=environment, text=True,
        ) as child:  # fmt: skip
            epochs = [child.stdout.readline() for _ in range(4)]
            time.sleep(seconds)  # to somewhere within a save or an epoch
            child.kill()
            child.communicate()
        assert child.returncode == -signal.SIGKILL
        reached.append(int(epochs[-1]))
    assert reached[0] == 3
    assert reached[0] < reached[1] < 400  # the second went on from the first
    recorded = functools.partial(
        fit, LONG, DATA, seeds=[0, 1], record=keep_params, schedule=range(401), lanes=2
    )
    advances = []
    resumed = recorded(checkpoint_dir=directory, resume=True, on_advance=advances.append)
    assert min(a.epoch for a in advances) > reached[0]
    assert_same_history(resumed, recorded())


def test_a_description_is_written_and_compared_by_value(tmp_path):
    one = {"config": {"widths": (3, 2), "rate": 0.1}, "epochs": [0, 1]}
    run = describe_run(tmp_path, one, resume=False)
    assert json.loads((tmp_path / "run.json").read_text())["config"]["widths"] == [3, 2]
    # Tuples are lists there.
    assert describe_run(tmp_path, json.loads(json.dumps(one)), resume=True) == run
    with pytest.raises(ValueError, match="epochs") as error:
        describe_run(tmp_path, one | {"epochs": [0, 2]}, resume=True)
    assert "[0, 1] -> [0, 2]" in str(error.value)
    assert "config" not in str(error.value).replace("expected", "")
    with pytest.raises(ValueError, match="extra: not recorded there"):
        describe_run(tmp_path, one | {"extra": 1}, resume=True)
    with pytest.raises(ValueError, match=r"\(rate: 0.1 -> 0.2\)"):
        describe_run(tmp_path, one | {"config": {"widths": (3, 2), "rate": 0.2}}, resume=True)
    assert describe_run(tmp_path / "other", one | {"epochs": [0, 2]}, resume=True) != run


STATE = {"a": np.arange(12, dtype=np.float32).reshape(2, 6), "b": [np.array([1, 2], np.int32)]}
# More leaves than ten: "10" sorts before "2".
RECORDS = {f"{i:02d}": np.full((2, 3), i, np.float32) for i in range(12)}
RECORDS["03"][0, 0] = np.nan


def test_a_block_brings_back_what_it_saved(tmp_path):
    block = BlockCheckpoint(tmp_path / "block", "this run", np.array([4, 5]))
    assert block.restore() is None
    block.save(3, STATE, RECORDS)
    saved = BlockCheckpoint(tmp_path / "block", "this run", np.array([4, 5])).restore()
    assert saved.num_recorded == 3
    assert_identical(saved.state, jax.tree.leaves(STATE))
    assert_identical(saved.records, jax.tree.leaves(RECORDS))
    for got, expected in zip(saved.state, jax.tree.leaves(STATE), strict=True):
        assert got.dtype == expected.dtype
