"""Runs that share a folder, are stopped or killed, find damaged files or run out of room."""

import contextlib
import datetime
import errno
import json
import os
import pty
import random
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from experiments.lab import LabConfig, Table, command, main
from experiments.lab.folder import claimed, has_checkpoints
from ibjax.results import load_results
from tests.experiments.small_run import NAME

ROOT = Path(__file__).parents[2]


def quick_run(config, *, folder):
    """Results, and a checkpoint, without any training."""
    (folder / "arm" / "seeds_0_to_1" / "5").mkdir(parents=True, exist_ok=True)
    dims = ("seed", "epoch", "layer")
    values = np.random.default_rng(0).normal(size=(len(config.seed_range), 3, 2))
    return xr.Dataset({"ixt": (dims, values)}, {"epoch": [0, 1, 2]})


def quick_report(results):
    found = Table("found", ["layer", "low"], [[1, 0.5]], ["low: bits", "It compresses."])
    return {"empty.png": Figure()}, [found]


@pytest.fixture
def quick(tmp_path, monkeypatch, capsys):
    """Run it from the command line, in this process: exit code, output, errors."""
    monkeypatch.setattr(command, "_use_all_cores", lambda *_: None)  # JAX has started

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["quick", "--out", str(tmp_path), *options])
        code = 0
        try:
            main("quick", LabConfig, quick_run, quick_report)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def refusal(ended):
    """The one line of a run that ended with code 2."""
    code, _, errors = ended
    assert code == 2, errors
    assert re.fullmatch(r"error: .*\n", errors), errors
    return errors


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(folder):
    return [path.name for path in folder.rglob(".*")]


# ---- two writers


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


def test_what_a_killed_run_leaves_behind_goes(tmp_path, quick):
    folder = tmp_path / "quick"
    (folder / ".0a1b.deleted" / "checkpoints").mkdir(parents=True)
    (folder / ".0a1b.partial.nc").write_bytes(b"half")
    (folder / ".gitignore").write_text("*")
    assert "not empty" in refusal(quick())  # of what is not the run's own
    (folder / ".gitignore").unlink()
    assert quick()[0] == 0
    assert not hidden(folder)


# ---- damaged files


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


# ---- full and read-only disks


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
    "training": f"{__name__}.quick_run",
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


# ---- what may be said


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


# ---- Ctrl-C and SIGTERM

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(
    ("number", "code", "tidies"), [(*SIGNALS[0], True), (*SIGNALS[0], False), (*SIGNALS[1], False)]
)
def test_signals_end_the_process_with_one_line(number, code, tidies):
    script = f"""
        import time
        from experiments.lab.ending import ends_on_signals
        with ends_on_signals(lambda: "the last words"):
            try:
                print("started", flush=True)
                time.sleep(60)
            finally:
                print("tidied")
                time.sleep(0 if {tidies} else 60)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == "started\n"
        start = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        assert time.monotonic() - start < 10
    assert (process.returncode, output) == (code, "tidied\n")
    assert errors == f"interrupted by {number.name}: the last words\n"


def test_a_signal_in_a_callback_of_the_collector_ends_with_one_line():
    """Where no exception can be raised, nothing is said of it, and the run ends all the same."""
    script = """
        import gc, os, signal, time
        from experiments.lab.ending import ends_on_signals
        def callback(phase, info):
            gc.callbacks.clear()
            os.kill(os.getpid(), signal.SIGTERM)
        with ends_on_signals(lambda: "the last words"):
            gc.callbacks.append(callback)
            gc.collect()
            time.sleep(60)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (143, "interrupted by SIGTERM: the last words\n")


def test_signals_are_as_before_when_a_run_has_ended(quick):
    handlers = [signal.getsignal(number) for number, _ in SIGNALS]
    quick()
    assert [signal.getsignal(number) for number, _ in SIGNALS] == handlers
    assert signal.set_wakeup_fd(-1) == -1


# ---- real runs

SMALL = ["--seeds", "2", "--seeds-per-batch", "1"]


def start(out, *options, module=f"tests.experiments.{NAME}", **settings):
    arguments = [sys.executable, "-m", module, "--out", str(out), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | settings
    return subprocess.Popen(arguments, cwd=ROOT, **pipes)


def finish(out, *options, **settings):
    process = start(out, *options, **settings)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, beside_progress(errors)


def beside_progress(errors):
    """What is said beside how far the run is, and beside half a program that a killed run has left."""
    progress = r"[\w ]+: (?:compiling|epoch .*)"
    half_a_program = r"warning: Error reading persistent compilation cache entry .*"
    return re.sub(rf"^(?:{progress}|{half_a_program})\n", "", errors, flags=re.MULTILINE)


def wait_until(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def results_of(out, name=NAME):
    """All but when they were made."""
    results = load_results(out / name / "results.nc")
    results.attrs.pop("created", None)
    return results


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def mount(*arguments):
    """Its exit code."""
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Results of a run that nothing disturbs, and the seconds it takes from the lock on.

    Its programs have been compiled by another run: those to be killed find them, too.
    """
    assert finish(tmp_path_factory.mktemp("first"), *SMALL)[0] == 0
    out = tmp_path_factory.mktemp("straight")
    process = start(out, *SMALL)
    wait_until((out / f".{NAME}.owner").exists, process)
    began = time.monotonic()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return results_of(out), time.monotonic() - began


# Between two recorded epochs, of which the first is saved.
ENDLESS = [*SMALL, "--epochs", "2", "--last-stretch", "100000000"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads CPU time from /proc")
@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_run_is_stopped_within_two_seconds_of_cpu_time(tmp_path, number, code, saved):
    with start(tmp_path, *ENDLESS) as process:
        checkpoints = tmp_path / NAME / "checkpoints"
        ready = (tmp_path / f".{NAME}.owner").exists
        wait_until((lambda: has_checkpoints(checkpoints)) if saved else ready, process)
        time.sleep(1)
        before = cpu_seconds(process)
        process.send_signal(number)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its times can still be read
        assert cpu_seconds(process) - before < 2
        output, errors = process.communicate()
        errors = beside_progress(errors)
    assert (process.returncode, output) == (code, "")
    saved = has_checkpoints(checkpoints)
    words = "--resume goes on from there" if saved else "--overwrite starts anew"
    assert re.fullmatch(rf"interrupted by {number.name}: .*{words}\n", errors), errors


@pytest.mark.slow
def test_the_terminal_is_left_as_it_was(tmp_path):
    ours, theirs = pty.openpty()
    with start(tmp_path, *ENDLESS, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        wait_until(lambda: has_checkpoints(tmp_path / NAME / "checkpoints"), process)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        shown = b""
        with contextlib.suppress(OSError):  # its end
            while some := os.read(ours, 1000):
                shown += some
    os.close(ours)
    assert process.returncode == 130
    hides, shows = b"\x1b[?25l", b"\x1b[?25h"
    assert hides in shown
    assert hides not in shown[shown.rindex(shows) :]  # the cursor
    assert re.search(rb"\r\x1b\[Kinterrupted by SIGINT: [^\n]*--resume[^\n]*\r\n$", shown), shown


@pytest.mark.slow
def test_runs_without_room_go_on_where_there_is(tmp_path, straight):
    """On a small disk, at which the run fails wherever that is full."""
    if mount("-t", "tmpfs", "-o", "size=2M", "tmpfs", tmp_path):
        pytest.skip("may not mount a small disk")
    try:
        filler, failed = tmp_path / "filler", 0
        for room in (8, 60, 200):  # kB
            filler.write_bytes(bytes(2**21 - 1024 * room))
            code, _, errors = finish(tmp_path, *SMALL, "--overwrite")
            if code:
                failed += 1
                assert (code, errors.count("\n")) == (2, 1), errors
                assert "No space left on device" in errors
            filler.unlink()
            code, _, errors = finish(tmp_path, *SMALL, "--resume")
            assert code == 0, errors
            assert results_of(tmp_path).identical(straight[0])
            assert not hidden(tmp_path / NAME)
        assert failed > 1
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.slow
def test_a_disk_that_turns_read_only_stops_a_run_with_one_line(tmp_path, straight):
    folder = tmp_path / NAME  # the lock beside it stays open
    folder.mkdir()
    if mount("-t", "tmpfs", "tmpfs", folder):
        pytest.skip("may not mount a disk")
    try:
        with start(tmp_path, *SMALL) as process:
            wait_until(lambda: has_checkpoints(folder / "checkpoints"), process)
            wait_until(lambda: mount("-o", "remount,ro", folder) == 0, process)  # is busy at times
            _, errors = process.communicate()
        assert process.returncode == 2
        line = beside_progress(errors)
        assert re.fullmatch(r"error: .*Read-only file system.*--resume.*\n", line), errors
        assert mount("-o", "remount,rw", folder) == 0
        code, _, errors = finish(tmp_path, *SMALL, "--resume")
        assert code == 0, errors
        assert results_of(tmp_path).identical(straight[0])
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_killed_at_any_time_a_run_resumes_bit_for_bit(tmp_path, straight):
    """20 SIGKILLs: one in the midst of writing the results, the others whenever."""
    seed = int(os.environ.get("KILL_SEED") or datetime.date.today().toordinal())
    print(f"KILL_SEED={seed}")
    expected, seconds = straight
    rng, kills, runs = random.Random(seed), 0, 0
    while kills < 20:
        runs += 1
        out = tmp_path / str(runs)
        code = None
        while code != 0:
            writing = {"env": os.environ | {"KILL_IN_WRITE": "1"}} if kills == 10 else {}
            with start(out, *SMALL, "--resume", **writing) as process:
                wait_until((out / f".{NAME}.owner").exists, process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(None if kills == 10 or kills >= 20 else rng.uniform(0, seconds))
                process.kill()
                _, errors = process.communicate()
            code = process.returncode
            assert code in (0, -signal.SIGKILL), errors
            kills += code != 0
        assert results_of(out).identical(expected)
        assert not hidden(out / NAME)


@pytest.mark.slow
def test_the_main_experiment_killed_thrice_resumes_bit_for_bit(tmp_path):
    options = {"module": "experiments.sgd_vs_bgd"}
    small = ["--smoke", "--seeds", "2", "--epochs", "4"]
    code, _, errors = finish(tmp_path / "straight", *small, **options)
    assert code == 0, errors
    out = tmp_path / "killed"
    checkpoints = out / "sgd_vs_bgd" / "checkpoints"
    for arms in (1, 3, 5):
        with start(out, *small, "--resume", **options) as process:
            wait_until(lambda arms=arms: len(list(checkpoints.glob("*"))) >= arms, process)
            process.kill()
    code, output, errors = finish(out, *small, "--resume", **options)
    assert code == 0, errors
    assert "nothing follows" in output
    found, expected = (results_of(tmp_path / name, "sgd_vs_bgd") for name in ("killed", "straight"))
    assert found.identical(expected)
