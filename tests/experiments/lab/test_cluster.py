"""Experiments on a Dask cluster, and in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr
from distributed import Client, LocalCluster

from experiments import minimal_model
from experiments.lab import LabConfig, cluster
from tests.experiments.lab.quick_run import refusal
from tests.experiments.lab.test_runs import SMALL, finish, results_of, start
from tests.training.test_processes import free_address
from tests.training.test_remote import ANY_PORT

ROOT = Path(__file__).parents[3]


def test_without_a_cluster_there_is_no_executor():
    with cluster.workers_of(None) as executor:
        assert executor is None


def test_a_cluster_is_connected_once_and_left():
    scheduler = LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=ANY_PORT,
    )
    with scheduler, cluster.workers_of(scheduler.scheduler_address) as outer:
        with cluster.workers_of(scheduler.scheduler_address) as inner:
            assert inner is outer
        assert outer.submit(int, "3").result(timeout=60) == 3
    assert not cluster._connected


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("not json", "which names no address"),
        ("[]", "which names no address"),
        ('{"address": "tcp://127.0.0.1:1"}', "answers within 0.3 seconds, got tcp://127.0.0.1:1 "),
    ],
)
def test_files_of_no_scheduler_are_refused(text, refused, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    file = tmp_path / "scheduler.json"
    file.write_text(text)
    assert refused in refusal(quick("--cluster", str(file)))
    assert not (tmp_path / "quick").exists()


def test_clusters_that_cannot_be_found_are_refused(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    said = refusal(quick("--cluster", "tcp://127.0.0.1:1"))
    assert "answers within 0.3 seconds, got tcp://127.0.0.1:1" in said
    said = refusal(quick("--cluster", str(tmp_path / "nothing.json")))
    assert "or the file that a Dask scheduler has written, got" in said
    assert "(No such file or directory)" in said
    assert "or the file that a Dask scheduler has written, got" in refusal(
        quick("--cluster", str(tmp_path))
    )


def test_the_extra_is_named_if_it_is_missing(quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = refusal(quick("--cluster", "tcp://127.0.0.1:1"))
    assert 'cluster: expected the extra "cluster", got import of distributed halted' in said


def test_processes_without_a_cluster_are_refused(quick, tmp_path, monkeypatch):
    def initialize(**options):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(cluster.jax.distributed, "initialize", initialize)
    said = refusal(quick("--distributed"))
    assert (
        "distributed: expected processes started by Slurm, Open MPI, Kubernetes or on a TPU pod" in said
    )
    assert "coordinator_address should be defined." in said
    assert not (tmp_path / "quick").exists()
    monkeypatch.setenv(cluster.PROCESS_ID, "one")
    assert "expected a whole number in JAX_PROCESS_ID, got 'one'" in refusal(quick("--distributed"))


@pytest.mark.parametrize(
    ("make", "refused"),
    [
        (lambda: LabConfig(cluster="a:1", distributed=True), "without distributed, got both"),
        (lambda: minimal_model.Config(cluster="a:1"), "cluster: expected for training, got it for"),
        (lambda: minimal_model.Config(distributed=True), "distributed: expected for training"),
    ],
)
def test_options_that_do_nothing_are_refused(make, refused):
    with pytest.raises(ValueError, match=refused):
        make()


@pytest.mark.slow
def test_a_cluster_gives_the_results_of_one_process(tmp_path):
    assert finish(tmp_path / "one", *SMALL)[0] == 0
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=ANY_PORT
    ) as scheduler:
        address = scheduler.scheduler_address
        code, _, errors = finish(tmp_path / "two", *SMALL, "--cluster", address)
        assert (code, errors) == (0, "")
        with Client(scheduler, set_as_default=False) as client:
            log = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.transition_log))
            # Where it trains is no option that defines a run.
            code, *_ = finish(tmp_path / "one", *SMALL, "--cluster", address, "--resume")
            assert code == 0
    assert {"seeds_0_to_0", "seeds_1_to_1"} <= {str(entry[0]).partition("-")[0] for entry in log}
    xr.testing.assert_identical(results_of(tmp_path / "two"), results_of(tmp_path / "one"))


def started_twice(out, *options):
    """Two processes of one run."""
    shared = {"JAX_COORDINATOR_ADDRESS": free_address(), "JAX_NUM_PROCESSES": "2"}
    return [
        start(out, *options, "--distributed", env=os.environ | shared | {"JAX_PROCESS_ID": str(process)})
        for process in (0, 1)
    ]


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(tmp_path):
    assert finish(tmp_path / "one", *SMALL)[0] == 0
    running = started_twice(tmp_path / "two", *SMALL)
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    xr.testing.assert_identical(results_of(tmp_path / "two"), results_of(tmp_path / "one"))
    assert "written:" in said[0][0]
    assert "written:" not in said[1][0]
    assert {path.name for path in (tmp_path / "two").iterdir() if path.name[0] != "."} == {"small_run"}
    # Both say why they end if the folder is in use.
    again = started_twice(tmp_path / "two", *SMALL)
    refused = [process.communicate(timeout=300)[1] for process in again]
    assert [process.returncode for process in again] == [2, 2], refused
    assert all("out: expected no earlier results" in text for text in refused)


@pytest.mark.slow
def test_an_environment_without_processes_is_refused_in_one_line(tmp_path):
    command = [sys.executable, "-m", "experiments.depth", "--distributed", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "JAX_NUM_PROCESSES and JAX_PROCESS_ID, got none" in done.stderr
