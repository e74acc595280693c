"""Training beyond this process: on a Dask cluster, or in several processes of ``jax.distributed``."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

__all__ = ["join_processes", "workers_of"]

# Seconds in which a scheduler must answer.
PATIENCE = 10.0

# Seconds without a sign of life after which a process counts as lost, and seconds for which a process
# that ends waits for the others.
SECONDS_OF_SILENCE, SECONDS_TO_LEAVE = 60, 60

# What a process of a cluster that JAX does not know is told, besides JAX_COORDINATOR_ADDRESS.
NUM_PROCESSES, PROCESS_ID = "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"

# A host and its port, maybe with the protocol: not the path of a file.
ADDRESS = re.compile(r"(\w+://)?[^/]+:\d+")

# Executors of the clusters in use, by the address that was given.
_connected: dict[str, Executor] = {}


@contextmanager
def workers_of(cluster: str | None) -> Iterator[Executor | None]:
    """Connect to a Dask cluster, unless an outer call has done so; None without one.

    Args:
        cluster: the scheduler's address, such as "tcp://10.0.0.1:8786", or the path of its file.

    Raises:
        ValueError: for a missing extra, an unreadable file, a scheduler that does not answer.
    """
    if cluster is None or cluster in _connected:
        yield None if cluster is None else _connected[cluster]
        return
    client = _client(cluster)
    try:
        # The same computation is a new task: results of an earlier run are not looked up.
        _connected[cluster] = client.get_executor(pure=False)
        yield _connected[cluster]
    finally:
        _connected.pop(cluster, None)
        client.close()


def join_processes() -> None:
    """Initialise ``jax.distributed`` from what Slurm, Open MPI, a TPU pod, Kubernetes or variables say.

    Raises:
        ValueError: if the environment names no cluster, or its processes do not come together.
    """
    given = {
        name: os.environ.get(variable)
        for name, variable in (("num_processes", NUM_PROCESSES), ("process_id", PROCESS_ID))
    }
    for variable in (NUM_PROCESSES, PROCESS_ID):
        value = os.environ.get(variable)
        if value is not None and not value.isdecimal():
            raise ValueError(f"distributed: expected a whole number in {variable}, got {value!r}")
    numbers: dict[str, Any] = {name: int(value) for name, value in given.items() if value is not None}
    try:
        jax.distributed.initialize(
            **numbers,
            heartbeat_timeout_seconds=SECONDS_OF_SILENCE,
            shutdown_timeout_seconds=SECONDS_TO_LEAVE,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            "distributed: expected processes started by Slurm, Open MPI, Kubernetes or on a TPU pod, or "
            f"JAX_COORDINATOR_ADDRESS, {NUM_PROCESSES} and {PROCESS_ID}, got none ({reason})"
        ) from error


def _client(cluster: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(
            f'cluster: expected the extra "cluster", got {error}; python -m pip install ".[cluster]"'
        ) from error
    is_file = Path(cluster).exists() or not ADDRESS.fullmatch(cluster)
    address = _address_in(Path(cluster)) if is_file else cluster
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"cluster: expected a Dask scheduler that answers within {PATIENCE:g} seconds, got "
            f"{address} ({reason}); `dask scheduler` starts one"
        ) from error


def _address_in(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "which names no address"
        raise ValueError(
            "cluster: expected an address such as tcp://10.0.0.1:8786 or the file that a Dask scheduler "
            f"has written, got {file} ({reason})"
        ) from error
