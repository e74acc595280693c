"""A run goes on only as itself: other functions, other code, and harmed files are found and named."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ibjax
from ibjax.analysis.records import PlaneRecord
from ibjax.mi import binned_mi, exact_mi
from ibjax.training import blocks, checkpoint, fit, identity, make_model
from tests.marks import slow
from tests.training.test_checkpoint import (
    SEEDS,
    StopHereError,
    assert_same_history,
    interrupt_after,
    interrupted_fit,
    saved_epochs,
    small_fit,
)
from tests.training.test_loop import CONFIG, DATA, drawn, keep_params


@pytest.fixture(scope="module")
def straight():
    return small_fit()


@pytest.fixture
def save_always(monkeypatch):
    monkeypatch.setattr(blocks, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


def plane(**options):
    return PlaneRecord(make_model(CONFIG), functools.partial(binned_mi, **options))


def first_layer(scale):
    def record(params, data, split):
        return scale * params["params"]["layer_1"]["kernel"]

    return record


def labels(threshold):
    def draw(key):
        return (jax.random.uniform(key, (50,)) < threshold).astype(jnp.int32)

    return draw


# A run's options, others whose functions have the same names, and what is said of them.
OTHERS = [
    slow({"record": plane(bin_width=0.07)}, {"record": plane(bin_width=0.08)}, "record"),
    slow({"record": plane(bins=30)}, {"record": PlaneRecord(make_model(CONFIG), exact_mi)}, "record"),
    slow({"record": first_layer(1.0)}, {"record": first_layer(1.5)}, "record"),
    ({"optimizer": optax.sgd(0.1)}, {"optimizer": optax.sgd(0.2)}, "optimizer_steps"),
    slow(
        {"optimizer": optax.sgd(optax.exponential_decay(0.1, 10, 0.9))},
        {"optimizer": optax.sgd(optax.exponential_decay(0.1, 10, 0.8))},
        "optimizer_steps",
    ),
    slow({"draw_labels": labels(0.5)}, {"draw_labels": labels(0.6)}, "draw_labels"),
    slow({}, {"purpose_seeds": {"init": [0, 0, 0]}}, "purpose_seeds"),
    slow({"draw_labels": drawn}, {}, "draw_labels"),
]


@pytest.mark.parametrize(("options", "others", "name"), OTHERS)
def test_other_functions_of_the_same_name_are_refused_by_name(tmp_path, options, others, name):
    small_fit(checkpoint_dir=tmp_path, **options)
    files = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=rf"got other settings \([^;]*{name}: .*; train in another"):
        small_fit(checkpoint_dir=tmp_path, resume=True, **others)
    assert sorted(tmp_path.rglob("*")) == files
    small_fit(checkpoint_dir=tmp_path, resume=True, **options)


@pytest.mark.slow
def test_the_message_tells_functions_from_values(tmp_path):
    small_fit(checkpoint_dir=tmp_path, record=plane(bins=30))
    changed = dataclasses.replace(CONFIG, learning_rate=0.2)
    with pytest.raises(ValueError, match="resume: expected the run") as error:
        fit(changed, DATA, seeds=SEEDS, record=plane(bins=31), schedule=range(7), lanes=2,
            checkpoint_dir=tmp_path, resume=True)  # fmt: skip
    text = str(error.value)
    assert "learning_rate: 0.1 -> 0.2" in text
    assert "record: computes something else" in text
    assert "optimizer_steps" not in text  # the same steps, with other numbers
    assert "versions" not in text
    assert len(text) < 400


@pytest.mark.slow
def test_the_random_numbers_that_keys_draw_are_part_of_a_run(tmp_path, monkeypatch):
    small_fit(checkpoint_dir=tmp_path)
    bits = jax.random.bits
    monkeypatch.setattr(jax.random, "bits", lambda key, *a: bits(jax.random.fold_in(key, 1), *a))
    with pytest.raises(ValueError, match="keys: draws something else"):
        small_fit(checkpoint_dir=tmp_path, resume=True)


CHILD = """
import sys
import tests.conftest
from tests.training.test_resume import plane, small_fit
small_fit(checkpoint_dir=sys.argv[1], record=plane(bin_width=0.07))
"""


@pytest.mark.slow
def test_another_process_continues_the_same_run_and_no_other(tmp_path):
    root = Path(ibjax.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu", "PYTHONHASHSEED": "3"}
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    subprocess.run(command, cwd=root, env=environment, check=True)
    with pytest.raises(ValueError, match="record: computes something else"):
        small_fit(checkpoint_dir=tmp_path, resume=True, record=plane(bin_width=0.08))
    record = plane(bin_width=0.07)
    resumed = small_fit(checkpoint_dir=tmp_path, resume=True, record=record)
    assert_same_history(resumed, small_fit(record=record))


def with_versions(monkeypatch, **versions):
    known = checkpoint.code_versions()
    monkeypatch.setattr(identity, "code_versions", lambda: known | versions)


VERSIONS = [
    ({"ibjax": "9.9"}, r"ibjax: \S+ -> 9.9"),
    slow({"jax": "9.9"}, r"jax: \S+ -> 9.9"),
    slow({"python": "9.9"}, r"python: \S+ -> 9.9"),
    ({"sources": "holds sha256:00"}, "sources: holds something else"),
]


@pytest.mark.parametrize(("versions", "message"), VERSIONS)
def test_other_code_is_refused_unless_it_may_be_any(
    tmp_path, straight, save_always, monkeypatch, versions, message
):
    interrupted_fit(tmp_path, 5)
    with_versions(monkeypatch, **versions)
    with pytest.raises(ValueError, match=rf'{message}\); resume="any_version" continues it'):
        small_fit(checkpoint_dir=tmp_path, resume=True)
    with pytest.warns(RuntimeWarning, match=f"goes on with other code .*{message}"):
        resumed = small_fit(checkpoint_dir=tmp_path, resume="any_version")
    assert_same_history(resumed, straight)
    # It is now a run of this code.
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)


@pytest.mark.slow
def test_any_version_takes_no_other_settings(tmp_path, monkeypatch):
    small_fit(checkpoint_dir=tmp_path, record=plane(bins=30))
    changed = functools.partial(small_fit, checkpoint_dir=tmp_path, resume="any_version")
    with pytest.raises(ValueError, match="record: computes something else"):
        changed(record=plane(bins=31))
    with_versions(monkeypatch, jax="9.9")
    with pytest.raises(ValueError, match="lanes: 2 -> 3"):
        changed(record=plane(bins=30), lanes=3)
    # Other code may make another program of the same function, which cannot be told from another's.
    with pytest.warns(RuntimeWarning, match="record: computes something else"):
        changed(record=plane(bins=31))


def test_any_version_refuses_records_of_other_shapes(tmp_path, monkeypatch):
    small_fit(checkpoint_dir=tmp_path, record=first_layer(1.0))
    with_versions(monkeypatch, jax="9.9")
    with (
        pytest.raises(ValueError, match="resume: expected a checkpoint with records of shapes"),
        pytest.warns(RuntimeWarning),
    ):
        small_fit(checkpoint_dir=tmp_path, resume="any_version", record=keep_params)


def test_a_run_of_before_there_were_digests_is_refused(tmp_path):
    small_fit(checkpoint_dir=tmp_path)
    path = tmp_path / "run.json"
    old = json.loads(path.read_text())
    for key in ("record", "optimizer_steps", "keys", "versions", "run"):
        del old[key]
    path.write_text(json.dumps(old | {"functions": ["keep_params"], "jax": jax.__version__}))
    with pytest.raises(ValueError, match=r"record: not recorded there.*versions: not recorded there"):
        small_fit(checkpoint_dir=tmp_path, resume=True)


def harm_run_file(content):
    def harm(directory):
        path = directory / "run.json"
        path.write_bytes(path.read_bytes()[:40] if content is None else content)

    return harm


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00\xff", b"[1, 2]", b"null", b"3"])
def test_a_harmed_description_is_refused_with_the_way_out(tmp_path, content):
    small_fit(checkpoint_dir=tmp_path)
    harm_run_file(content)(tmp_path)
    with pytest.raises(ValueError, match=r"got a damaged file; delete .* or train in another") as error:
        small_fit(checkpoint_dir=tmp_path, resume=True)
    assert str(tmp_path / "run.json") in str(error.value)
    assert "\n" not in str(error.value)


def first_block(directory):
    return directory / "seeds_0_to_1"


def newest(block):
    return max((p for p in block.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x20
    path.write_bytes(content)


HARMS = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": flip,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with two checkpoints in each block."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        small_fit(checkpoint_dir=directory)
    return directory


@pytest.fixture
def copy(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def is_plain(error):
    text = str(error.value)
    return "\n" not in text and not any(
        word in text for word in ("OCDBT", "NOT_FOUND", "DATA_LOSS", "zarr")
    )


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("part", ["seal.json", "tree/manifest.ocdbt", "tree/_METADATA", "largest"])
def test_a_harmed_newest_checkpoint_is_told_and_the_one_before_goes_on(
    copy, straight, part, harm, capfd
):
    folder = newest(first_block(copy))
    files = [p for p in folder.rglob("*") if p.is_file()]
    path = max(files, key=lambda p: p.stat().st_size) if part == "largest" else folder / part
    HARMS[harm](path)
    with pytest.warns(RuntimeWarning, match=f"the checkpoint {folder} is damaged .*; the one before"):
        resumed = small_fit(checkpoint_dir=copy, resume=True)
    assert_same_history(resumed, straight)
    assert capfd.readouterr().err == ""
    # It was written again.
    assert_same_history(small_fit(checkpoint_dir=copy, resume=True), straight)


def test_a_block_without_a_whole_checkpoint_is_refused(copy):
    block = first_block(copy)
    for folder in block.iterdir():
        flip(folder / "tree" / "manifest.ocdbt")
    with (
        pytest.raises(ValueError, match=r"resume: expected a whole checkpoint in .*delete") as error,
        pytest.warns(RuntimeWarning),
    ):
        small_fit(checkpoint_dir=copy, resume=True)
    assert is_plain(error)
    assert str(block) in str(error.value)


def test_the_way_out_is_one(copy, straight):
    shutil.rmtree(first_block(copy))
    assert_same_history(small_fit(checkpoint_dir=copy, resume=True), straight)


@pytest.mark.parametrize("harm", ["emptied", "no tree"])
def test_folders_that_are_no_checkpoints_are_told(copy, straight, harm):
    folder = newest(first_block(copy))
    shutil.rmtree(folder if harm != "no tree" else folder / "tree")
    if harm == "emptied":
        folder.mkdir()
    with pytest.warns(RuntimeWarning, match=f"the checkpoint {folder} is damaged"):
        resumed = small_fit(checkpoint_dir=copy, resume=True)
    assert_same_history(resumed, straight)


def swap_blocks(directory):
    one, other = sorted(directory.glob("seeds_*"))
    one.rename(directory / "aside")
    other.rename(one)
    (directory / "aside").rename(other)


def swap_checkpoints(directory):
    one, other = sorted(directory.glob("seeds_*"))
    for folder in list(one.iterdir()):
        shutil.rmtree(folder)
        shutil.copytree(other / folder.name, folder)


def rename_a_checkpoint(directory):
    folder = newest(first_block(directory))
    folder.rename(folder.with_name("3"))


def of_another_run(directory):
    other = directory.with_name("other")
    small_fit(checkpoint_dir=other, record=first_layer(1.0))
    shutil.rmtree(first_block(directory))
    shutil.copytree(first_block(other), first_block(directory))


@pytest.mark.parametrize(
    ("exchange", "message"),
    [
        (swap_blocks, r"seeds \[0, 1\] in .*, got one with \[2\]"),
        (swap_checkpoints, r"seeds \[0, 1\] in .*, got one with \[2\]"),
        (rename_a_checkpoint, r"num_recorded 3 in .*, got one with 7"),
        (of_another_run, "run .* in .*, got one with"),
    ],
)
def test_checkpoints_of_others_are_refused(copy, exchange, message):
    exchange(copy)
    if exchange is rename_a_checkpoint:
        shutil.rmtree(first_block(copy) / "6")
    with pytest.raises(ValueError, match=f"resume: expected a checkpoint with {message}") as error:
        small_fit(checkpoint_dir=copy, resume=True)
    assert is_plain(error)
    assert "delete the folder" in str(error.value)


def test_a_lost_description_is_made_anew_by_the_same_run_alone(copy, straight):
    (copy / "run.json").unlink()
    with pytest.raises(ValueError, match="resume: expected a folder without checkpoints"):
        small_fit(checkpoint_dir=copy)
    with pytest.raises(ValueError, match="resume: expected a checkpoint with run"):
        small_fit(checkpoint_dir=copy, resume=True, record=first_layer(1.0))
    (copy / "run.json").unlink()
    assert_same_history(small_fit(checkpoint_dir=copy, resume=True), straight)


def test_a_full_disk_is_an_error_of_the_system_and_loses_nothing(
    tmp_path, straight, save_always, monkeypatch
):
    save = checkpoint.ocp.Checkpointer.save
    count = []

    def full(self, *args, **kwargs):
        count.append(args)
        if len(count) > 4:
            raise ValueError("RESOURCE_EXHAUSTED: Error writing\n No space left on device")
        return save(self, *args, **kwargs)

    monkeypatch.setattr(checkpoint.ocp.Checkpointer, "save", full)
    with pytest.raises(OSError, match=r"^checkpoint_dir: cannot write to \S+ \(RESOURCE_EX") as error:
        small_fit(checkpoint_dir=tmp_path)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert saved_epochs(tmp_path)
    assert not list(tmp_path.rglob("partial*"))
    assert_same_history(small_fit(checkpoint_dir=tmp_path, resume=True), straight)


FULL_DISK = """
import resource, signal, sys
import tests.conftest
from tests.training.test_resume import small_fit
from ibjax.training import blocks
blocks.SECONDS_BETWEEN_CHECKPOINTS = -1.0
small_fit()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    small_fit(checkpoint_dir=sys.argv[1])
except OSError as error:
    sys.exit(f"one line: {error}")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_files_that_cannot_be_written_are_an_error_of_the_system(tmp_path):
    root = Path(ibjax.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "run")], cwd=root, text=True,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "one line: " in done.stderr
    assert "File too large" in done.stderr


def test_an_interrupted_save_after_a_fallback_keeps_a_whole_checkpoint(copy, straight, save_always):
    flip(newest(first_block(copy)) / "seal.json")
    with pytest.warns(RuntimeWarning), pytest.raises(StopHereError):
        small_fit(checkpoint_dir=copy, resume=True, on_advance=interrupt_after(1))
    with pytest.warns(RuntimeWarning):
        assert_same_history(small_fit(checkpoint_dir=copy, resume=True), straight)


@pytest.mark.slow
def test_optimizers_with_random_keys_resume(tmp_path, save_always):
    optimizer = optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(3)), optax.sgd(0.1))
    with pytest.raises(StopHereError):
        small_fit(checkpoint_dir=tmp_path, optimizer=optimizer, on_advance=interrupt_after(5))
    resumed = small_fit(checkpoint_dir=tmp_path, resume=True, optimizer=optimizer)
    assert_same_history(resumed, small_fit(optimizer=optimizer))


def test_seeds_of_blocks_are_told_by_all_of_them(tmp_path):
    block = checkpoint.BlockCheckpoint(tmp_path, "run", np.array([1, 2, 4]))
    block.save(1, [np.zeros(2)], [np.zeros(2)])
    with pytest.raises(ValueError, match=r"seeds \[1, 3, 4\] in .* got one with \[1, 2, 4\]"):
        checkpoint.BlockCheckpoint(tmp_path, "run", np.array([1, 3, 4])).restore()
