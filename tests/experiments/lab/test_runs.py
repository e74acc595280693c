"""Real runs that are stopped or killed, or run out of room."""

import contextlib
import datetime
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.lab.folder import has_checkpoints
from ibjax.results import load_results
from tests.experiments.lab.quick_run import hidden
from tests.experiments.lab.small_run import NAME
from tests.experiments.lab.test_ending import SIGNALS

ROOT = Path(__file__).parents[3]
SMALL = ["--seeds", "2", "--seeds-per-batch", "1"]


def start(out, *options, module=f"tests.experiments.lab.{NAME}", **settings):
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
