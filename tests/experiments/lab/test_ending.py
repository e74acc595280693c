"""Ctrl-C and SIGTERM."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.marks import slow

ROOT = Path(__file__).parents[3]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(
    ("number", "code", "tidies"),
    [(*SIGNALS[0], True), slow(*SIGNALS[0], False), slow(*SIGNALS[1], False)],
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


@pytest.mark.slow
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
