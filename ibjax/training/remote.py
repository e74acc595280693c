"""Blocks trained by an executor's workers: a Dask cluster, MPI, a pool of processes."""

import functools
import hashlib
import socket
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import jax

from ibjax.training.blocks import Block, Run, Watch, run_block
from ibjax.training.checkpoint import code_versions
from ibjax.types import PyTree

__all__ = ["check_workers", "train_remotely"]

# Seconds in which the first of an executor's workers must answer.
PATIENCE = 120.0

# Programs with data of more bytes are sent to Dask's scheduler once, not with every block.
LARGE = 10**6


def check_workers(executor: Executor, folder: Path | None, platform: str) -> None:
    """Refuse workers that would compute other numbers or lose checkpoints, as far as the first tells.

    Args:
        executor: the executor.
        folder: folder of checkpoints, which exists, or None.
        platform: platform of this process's devices; a warning names workers with others.

    Raises:
        ValueError: for workers with other code, or without the folder, or if none answers in time.
    """
    try:
        asked = executor.submit(_worker, folder)
    except Exception as error:  # an executor that was shut down, a client that was closed, ...
        raise ValueError(f"executor: expected one that is running, got {_short(error)}") from error
    try:
        worker = asked.result(timeout=PATIENCE)
    except TimeoutError as error:
        asked.cancel()
        raise ValueError(
            f"executor: expected a worker that answers within {PATIENCE:g} seconds, got none"
        ) from error
    except (Exception, CancelledError) as error:
        raise ValueError(
            f"executor: expected workers that can import the same ibjax, got {_short(error)}"
        ) from error
    _check_versions(code_versions(), worker.versions, worker.host)
    if worker.lacks_folder:
        raise ValueError(
            "checkpoint_dir: expected a folder of a file system that the workers share, "
            f"got {folder}, which {worker.host} does not have"
        )
    if worker.platform != platform:
        warnings.warn(
            f"the workers train on {worker.platform}, this process has {platform}: the default of lanes "
            "and the device that results name are this process's",
            RuntimeWarning,
            stacklevel=2,
        )


def train_remotely(
    jobs: Sequence[tuple[Run, Block, str]], executor: Executor, done: Callable[[int, Any], None]
) -> None:
    """Train blocks on an executor's workers, and call ``done(i, (params, records))`` as they finish.

    Args:
        jobs: settings and data, block and name of each; workers compile the programs of a ``Run`` once.
        executor: the executor.
        done: function called for one block at a time.

    Raises:
        ValueError: for workers that are lost or cannot load what is to be computed.
    """
    programs: dict[int, Any] = {}
    futures: dict[Future, int] = {}
    try:
        for i, (run, block, name) in enumerate(jobs):
            if id(run) not in programs:
                on_host = run._replace(data=jax.device_get(run.data))
                programs[id(run)] = _sent_once(executor, cloudpickle.dumps(on_host))
            futures[executor.submit(_Remote(block, name), programs[id(run)])] = i
        for future in as_completed(list(futures)):
            i = futures.pop(future)  # or all results would stay in memory
            done(i, cloudpickle.loads(future.result()))
    except (CancelledError, BrokenExecutor) as error:
        raise ValueError(
            f"executor: expected workers until all blocks are trained, got {_short(error)}; "
            "checkpoints, if any, are kept for resume"
        ) from error
    except ImportError as error:
        raise ValueError(
            "executor: expected workers that can import what record, model and the functions that draw "
            f"need, got {_short(error)}"
        ) from error
    except Exception as error:
        if type(error).__name__ != "KilledWorker":  # Dask's, for a block that several workers died of
            raise
        raise ValueError(
            f"executor: expected workers that survive a block, got {_short(error)}"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _sent_once(executor: Executor, program: bytes) -> Any:
    """Return an argument for ``submit`` that is the program to a worker.

    Dask's scheduler would keep a copy for every block. The result of a task of its own is sent from
    worker to worker and, unlike scattered data, computed again if the only worker that has it dies.
    """
    client: Any = getattr(executor, "_client", None)
    if len(program) < LARGE or not hasattr(client, "scheduler_info"):
        return program
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.submit(bytes, program, key=f"program-{hashlib.sha256(program).hexdigest()}")


class _Worker(NamedTuple):
    """What a worker says of itself."""

    host: str
    versions: dict[str, str]
    platform: str
    lacks_folder: bool


def _worker(folder: Path | None) -> _Worker:
    lacks = folder is not None and not folder.is_dir()
    return _Worker(socket.gethostname(), code_versions(), jax.local_devices()[0].platform, lacks)


def _check_versions(ours: dict[str, str], theirs: dict[str, str], host: str) -> None:
    if differing := [k for k in ours if theirs.get(k) != ours[k]]:
        raise ValueError(
            "executor: expected workers with the same code, got "
            + ", ".join(f"{k} {theirs.get(k)} instead of {ours[k]}" for k in differing)
            + f" on {host}"
        )


class _Remote:
    """A block that a worker trains; ``__name__`` is what dashboards show."""

    def __init__(self, block: Block, name: str):
        self._block, self._versions = block, code_versions()
        self.__name__ = name

    def __call__(self, program: bytes) -> bytes:
        _check_versions(self._versions, code_versions(), socket.gethostname())
        with _loading:  # workers may have several threads
            run, watch = _loaded(hashlib.sha256(program).hexdigest(), _Program(program))
        result: tuple[PyTree, PyTree] = run_block(run, self._block, jax.local_devices()[0], watch)
        return cloudpickle.dumps(result)


class _Program:
    """A pickled run that is equal to any other, so that the cache goes by the digest alone."""

    def __init__(self, pickled: bytes):
        self.pickled = pickled

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Program)

    def __hash__(self) -> int:
        return 0


_loading = threading.Lock()


@functools.lru_cache(maxsize=4)
def _loaded(digest: str, program: _Program) -> tuple[Run, Watch]:
    """Return the same run for the same bytes, so that a worker compiles its programs once."""
    return cloudpickle.loads(program.pickled), Watch(None, 1, threading.Event())


def _short(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
