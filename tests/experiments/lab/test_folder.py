"""Folders: two writers, what killed runs leave behind, full and read-only disks."""

import errno
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from experiments.lab.folder import claimed
from tests.experiments.lab import quick_run
from tests.experiments.lab.quick_run import hidden, refusal

ROOT = Path(__file__).parents[3]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def holder(tmp_path):
    """Another process, which holds the folder."""
    script = f"""
        from pathlib import Path
        from experiments.lab.folder import claimed
        with claimed(Path({str(tmp_path / "quick")!r}), {{}}, resume=False, overwrite=False):
            print("held", flush=True)
            input()
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_process_writes_to_a_folder_and_the_lock_of_a_dead_one_is_void(tmp_path, quick, holder):
    before = contents(tmp_path)
    for options in ([], ["--resume"], ["--overwrite"]):
        line = refusal(quick(*options))
        assert f"held by process {holder.pid} on {socket.gethostname()} since 20" in line
    assert contents(tmp_path) == before
    holder.kill()
    holder.wait()
    assert quick("--overwrite")[0] == 0


def test_a_file_system_without_locks_is_named(quick, monkeypatch):
    def acquire(self):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    assert "expected a file system that can lock files" in refusal(quick())


def test_what_a_killed_run_leaves_behind_goes(tmp_path, quick):
    folder = tmp_path / "quick"
    (folder / ".0a1b.deleted" / "checkpoints").mkdir(parents=True)
    (folder / ".0a1b.partial.nc").write_bytes(b"half")
    (folder / ".gitignore").write_text("*")
    assert "not empty" in refusal(quick())  # of what is not the run's own
    (folder / ".gitignore").unlink()
    assert quick()[0] == 0
    assert not hidden(folder)


def raises(error):
    def write(*args, **options):
        raise error

    return write


def wrapped(error, cause):
    error.__cause__ = cause
    return error


TENSORSTORE = ValueError(
    'RESOURCE_EXHAUSTED: Error writing "state.0/0" in OCDBT database at local file "/out": Failed to '
    "write 464503 bytes to file 14: No space left on device [os_error_code='28']"
)
HDF5 = RuntimeError(
    "Can't decrement id ref count (file write failed: errno = 122, error message = 'Disk quota "
    "exceeded')"
)
DISK_ERRORS = {
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out/file"),
    "quota": OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    "read-only": OSError(errno.EROFS, os.strerror(errno.EROFS)),
    "not allowed": PermissionError(errno.EACCES, os.strerror(errno.EACCES)),
    "TensorStore": TENSORSTORE,
    "HDF5": HDF5,
    "wrapped": wrapped(RuntimeError("a save failed"), TENSORSTORE),
}


WRITERS = {
    "training": f"{quick_run.__name__}.run",
    "results": "xarray.Dataset.to_netcdf",
    "figure": "matplotlib.figure.Figure.savefig",
    "table": "csv.writer",
}


@pytest.mark.parametrize(
    ("place", "error"),
    [*(("training", error) for error in DISK_ERRORS), *((place, "full") for place in [*WRITERS][1:])],
)
def test_a_disk_that_refuses_is_one_line_and_the_run_can_be_resumed(
    tmp_path, quick, monkeypatch, place, error
):
    with monkeypatch.context() as patch:
        patch.setattr(WRITERS[place], raises(DISK_ERRORS[error]))
        line = refusal(quick())
    folder = tmp_path / "quick"
    assert f"to write to {folder}, got " in line
    assert line.endswith("; what was finished is kept, and --resume goes on from there\n")
    assert not hidden(folder)
    assert (folder / "results.nc").exists() == (place in ("figure", "table"))
    assert quick("--resume")[0] == 0
    assert {"results.nc", "empty.png", "found.txt"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "error", [KeyError("a bug"), ConnectionError(errno.ECONNREFUSED, "no network"), ZeroDivisionError()]
)
def test_other_errors_keep_their_traceback(tmp_path, error):
    with pytest.raises(type(error)), claimed(tmp_path / "a", {}, resume=False, overwrite=False):
        raise error


def test_messages_of_our_own_are_not_taken_for_the_disks(tmp_path):
    with (
        pytest.raises(ValueError, match="data: expected a folder"),
        claimed(tmp_path / "a", {}, resume=False, overwrite=False),
    ):
        raise ValueError("data: expected a folder with images, got one (Permission denied)")
