"""Training on an executor's workers; a real Dask cluster of two processes in the slow tests."""

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from ibjax.analysis.records import PlaneRecord
from ibjax.presets import preset
from ibjax.training import TrainConfig, fit, make_model, remote, sweep
from ibjax.training.checkpoint import code_versions
from ibjax.types import LabelledSamples
from tests.training.test_steps import assert_identical, make_data

ROOT = Path(__file__).parents[2]

# Any port that is free, for tests that run at the same time.
ANY_PORT = "127.0.0.1:0"
DATA = LabelledSamples(*make_data(50)[:2])
CONFIG = TrainConfig(widths=(4, 2), learning_rate=0.1, batch_size=12, num_epochs=6)
SEEDS = range(6)


def keep_params(params, data, split):
    return params


quick_fit = functools.partial(
    fit, CONFIG, DATA, seeds=SEEDS, record=keep_params, schedule=[1, 3], lanes=2
)


def quick_sweep(**options):
    record = PlaneRecord(make_model(CONFIG), preset("paper").estimator)
    over = {"learning_rate": [0.1, 0.2, 0.4], "optimizer": ["sgd", "momentum"]}
    return sweep(CONFIG, DATA, over=over, seeds=[0, 1, 2], record=record, lanes=2, **options)


@pytest.fixture(scope="module")
def straight():
    return quick_fit()


@pytest.fixture
def dask_here():
    """A scheduler, and a worker that is a thread of this process."""
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=ANY_PORT,
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextlib.contextmanager
def two_processes():
    """A scheduler, and two workers with a process of their own each."""
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=ANY_PORT
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


def assert_same_history(got, wanted):
    assert_identical(
        (got.params, got.records, got.diverged), (wanted.params, wanted.records, wanted.diverged)
    )


@pytest.mark.slow
def test_dask_trains_the_same_networks_as_blocks_by_name(dask_here, straight):
    shares = []
    trained = quick_fit(executor=dask_here.get_executor(pure=False), on_advance=shares.append)
    assert_same_history(trained, straight)
    np.testing.assert_allclose(sum(advance.fraction for advance in shares), 1)
    assert [advance.epoch for advance in shares] == [6, 6, 6]
    log = dask_here.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.transition_log))
    names = {str(entry[0]).partition("-")[0] for entry in log}
    assert {"seeds_0_to_1", "seeds_2_to_3", "seeds_4_to_5"} <= names


def test_large_data_is_sent_to_dask_once(dask_here, straight, monkeypatch):
    monkeypatch.setattr(remote, "LARGE", 0)
    assert_same_history(quick_fit(executor=dask_here.get_executor(pure=False)), straight)
    log = dask_here.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.transition_log))
    assert len({entry[0] for entry in log if str(entry[0]).startswith("program-")}) == 1


class Answering(ThreadPoolExecutor):
    """Whose first worker says something else of itself, and which then trains in a thread."""

    def __init__(self, answer):
        super().__init__(1)
        self.answer = answer

    def submit(self, fn, /, *args, **kwargs):
        if fn is not remote._worker:
            return super().submit(fn, *args, **kwargs)
        future = Future()
        if isinstance(self.answer, BaseException):
            future.set_exception(self.answer)
        elif self.answer is not None:
            future.set_result(fn(*args)._replace(host="far", **self.answer))
        return future


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (
            {"versions": code_versions() | {"jax": "0.1"}},
            rf"same code, got jax 0\.1 instead of {jax.__version__} on far$",
        ),
        ({"lacks_folder": True}, r"^checkpoint_dir: .* share, got \S+, which far does not have$"),
        (ModuleNotFoundError("No module named 'ibjax'"), "import the same ibjax, got ModuleNotFound"),
        (BrokenProcessPool("died"), "got BrokenProcessPool: died"),
        (None, r"answers within 0\.1 seconds, got none$"),
    ],
)
def test_workers_that_cannot_train_are_refused(answer, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PATIENCE", 0.1)
    with Answering(answer) as executor, pytest.raises(ValueError, match=refused):
        quick_fit(executor=executor, checkpoint_dir=tmp_path)


def test_an_executor_that_was_shut_down_is_refused():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ValueError, match="executor: expected one that is running, got RuntimeError"):
        quick_fit(executor=executor)


def test_workers_on_another_platform_are_named(straight):
    with Answering({"platform": "gpu"}) as executor, pytest.warns(RuntimeWarning, match="train on gpu"):
        assert_same_history(quick_fit(executor=executor), straight)


class Lost(ThreadPoolExecutor):
    """Loses what is to be trained."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        if fn is remote._worker:
            future.set_result(fn(*args))
        elif self._max_workers == 1:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(ModuleNotFoundError("No module named 'mine'"))
        return future


@pytest.mark.parametrize(
    ("workers", "refused"),
    [(1, "until all blocks are trained, got CancelledError"), (2, "that record, model|No module named")],
)
def test_lost_blocks_are_an_error(workers, refused):
    with Lost(workers) as executor, pytest.raises(ValueError, match=refused):
        quick_fit(executor=executor)


@pytest.mark.slow
def test_a_pool_of_processes_trains_the_same_networks(straight):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert_same_history(quick_fit(executor=pool), straight)
        swept = quick_sweep(executor=pool).drop_attrs(deep=False)
        xr.testing.assert_identical(swept, quick_sweep().drop_attrs(deep=False))


@pytest.mark.slow
def test_a_dask_cluster_trains_the_same_networks_even_if_a_worker_is_killed(straight):
    wanted = quick_sweep().drop_attrs(deep=False)
    with two_processes() as client:
        executor = client.get_executor(pure=False)
        assert_same_history(quick_fit(executor=executor), straight)
        xr.testing.assert_identical(quick_sweep(executor=executor).drop_attrs(deep=False), wanted)

        killed = []

        def kill_a_busy_worker(advance):
            if not killed:
                pids = client.run(os.getpid)
                busy = [address for address, tasks in client.processing().items() if tasks]
                killed.append(pids[busy[0]])
                os.kill(killed[0], signal.SIGKILL)

        lived = quick_sweep(executor=executor, on_advance=kill_a_busy_worker).drop_attrs(deep=False)
        xr.testing.assert_identical(lived, wanted)
        assert killed


CLIENT = """
    import sys, time
    from distributed import Client
    from tests.training.test_remote import quick_fit

    if __name__ == "__main__":
        client = Client(sys.argv[1])
        quick_fit(
            executor=client.get_executor(pure=False),
            checkpoint_dir=sys.argv[2],
            on_advance=lambda advance: (print("block", flush=True), time.sleep(1)),
        )
"""


@pytest.mark.slow
def test_a_killed_client_is_resumed_from_the_checkpoints_of_its_workers(straight, tmp_path):
    def finished():
        seals = tmp_path.glob("seeds_*/4/seal.json")
        return {seal.parent.parent.name: seal.stat().st_mtime_ns for seal in seals}

    with two_processes() as client:
        arguments = [sys.executable, "-c", textwrap.dedent(CLIENT), client.scheduler.address, tmp_path]
        dying = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        with dying:
            assert dying.stdout.readline() == "block\n"
            before = finished()
            dying.kill()
        assert before
        resumed = quick_fit(
            executor=client.get_executor(pure=False), checkpoint_dir=tmp_path, resume=True
        )
        assert_same_history(resumed, straight)
        after = finished()
        assert after.keys() == {"seeds_0_to_1", "seeds_2_to_3", "seeds_4_to_5"}
        assert {name: after[name] for name in before} == before  # not trained again


@pytest.mark.slow
def test_a_scheduler_that_dies_is_an_error_in_time(tmp_path):
    file = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    scheduler = subprocess.Popen(
        [*start, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], **quiet
    )
    options = ["--scheduler-file", str(file), "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    worker = subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", *options], **quiet)
    try:
        while not file.exists():
            time.sleep(0.1)
        with Client(scheduler_file=str(file), set_as_default=False, timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
            executor = client.get_executor(pure=False)
            started = time.monotonic()
            with pytest.raises(ValueError, match="executor: expected workers until all"):
                quick_fit(executor=executor, on_advance=lambda advance: scheduler.kill())
            assert time.monotonic() - started < 120
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
