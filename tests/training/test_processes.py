"""Several processes of ``jax.distributed``, on the loopback address."""

import pickle
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

from ibjax.training import processes
from tests.training.test_remote import assert_same_history, quick_fit, quick_sweep

ROOT = Path(__file__).parents[2]

START = """
    import os, pickle, signal, sys
    from pathlib import Path

    import jax

    process, address, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    jax.distributed.initialize(
        address, 2, process, heartbeat_timeout_seconds=10, shutdown_timeout_seconds=20
    )

    from ibjax.training import blocks
    from tests.training.test_remote import quick_fit, quick_sweep

    blocks.SECONDS_BETWEEN_CHECKPOINTS = -1.0
"""


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def in_two(script, folder):
    """Run a script in two processes: their exit codes and errors."""
    address, code = free_address(), textwrap.dedent(START) + textwrap.dedent(script)
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, str(process), address, str(folder)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in (0, 1)
    ]
    try:
        errors = [process.communicate(timeout=200)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    return [process.returncode for process in running], errors


def test_one_process_exchanges_with_itself():
    def fail():
        raise ValueError("x: expected y, got z")

    assert processes.gathered(3, "a test") == [3]
    assert list(processes.share(3)) == [0, 1, 2]
    assert processes.of_first(lambda: 4) == 4
    processes.check_equal("anything")
    processes.leave_together(OSError("no reason to wait"))
    processes.raise_together(None)
    with pytest.raises(ValueError, match=r"^x: expected y, got z$"):
        processes.of_first(fail)
    with pytest.raises(OSError, match="full"):
        processes.raise_together(OSError("full"))


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
def test_values_of_any_size_are_put_together(size, monkeypatch):
    monkeypatch.setattr(processes, "MOST", 2048)
    own, other = np.random.default_rng(0).bytes(size), b"a shorter one"
    theirs = [own, other]

    def both(mine):
        position = both.calls = both.calls + 1
        if mine.dtype == np.int32:
            return np.array([divmod(len(value), 2048) for value in theirs], np.int32)
        part = np.zeros_like(mine)
        values = np.frombuffer(other, np.uint8)[len(mine) * (position - 2) :][: len(mine)]
        part[: len(values)] = values
        return np.stack([mine, part])

    both.calls = 0
    monkeypatch.setattr(processes.multihost_utils, "process_allgather", both)
    assert processes._gathered_bytes(own) == theirs


def test_an_executor_is_for_one_process(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match=r"executor: .* got 2$"):
        quick_fit(executor=executor)


@pytest.mark.slow
def test_two_processes_get_what_one_gets(tmp_path):
    script = """
        history = quick_fit(checkpoint_dir=folder / "fit")
        kept = [path.name for path in (folder / "fit").iterdir()]
        again = quick_fit(checkpoint_dir=folder / "fit", resume=True)
        of_one = quick_fit(checkpoint_dir=folder / "one", resume=True)
        results = quick_sweep(checkpoint_dir=folder / "sweep")
        saved = quick_sweep(save_to=folder / "sweep.nc").load()
        values = history, again, of_one, results, saved, kept
        (folder / f"{process}.pickle").write_bytes(pickle.dumps(values))
    """
    wanted, swept = quick_fit(checkpoint_dir=tmp_path / "one"), quick_sweep().drop_attrs(deep=False)
    codes, errors = in_two(script, tmp_path)
    assert codes == [0, 0], errors
    for process in (0, 1):
        *histories, results, saved, kept = pickle.loads((tmp_path / f"{process}.pickle").read_bytes())
        for history in histories:
            assert_same_history(history, wanted)
        for sweep in (results, saved):
            xr.testing.assert_identical(sweep.drop_attrs(deep=False), swept)
        assert sorted(kept) == ["run.json", "seeds_0_to_1", "seeds_2_to_3", "seeds_4_to_5"]
    # One process continues what two have begun.
    assert_same_history(quick_fit(checkpoint_dir=tmp_path / "fit", resume=True), wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "codes", "said"),
    [
        (
            """
            def stop(advance):
                if process == 1:
                    raise OSError("no disk")
            quick_fit(on_advance=stop)
            """,
            [1, 1],
            r"ValueError: OSError: no disk (raised in process 1 of 2)",
        ),
        (
            "quick_fit(seeds=range(6 + process))",
            [1, 1],
            "expected the same settings, seeds, lanes and code in all processes, got others in [1]",
        ),
        (
            """
            def die(advance):
                if process == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            quick_fit(on_advance=die)
            """,
            [None, -9],
            "process",
        ),
        (
            """
            if process == 1:
                raise OSError("before any exchange")
            quick_fit()
            """,
            [None, None],
            "process",
        ),
    ],
    ids=["fails", "differs", "killed", "early"],
)
def test_no_process_waits_for_one_that_has_failed(script, codes, said, tmp_path):
    got, errors = in_two(script, tmp_path)
    assert said in errors[0]
    for code, wanted in zip(got, codes, strict=True):
        assert code == wanted if wanted is not None else code != 0
