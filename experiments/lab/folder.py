"""The output folder of a run: a lock for one process at a time, and readable disk errors."""

import errno
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ibjax.training.checkpoint import Resume, describe_run

__all__ = ["claimed", "discard", "has_checkpoints"]

# Errors that more space, another disk or permissions would fix.
DISK_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
)  # fmt: skip

# Errors of file systems that cannot lock files, such as some network mounts.
LOCK_ERRORS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

# Unfinished files, and entries to be deleted, left by a process that was killed.
LEFTOVER = re.compile(r"\.\w+\.(partial|deleted)")


@contextmanager
def claimed(
    folder: Path, options: Mapping[str, Any], *, resume: Resume, overwrite: bool
) -> Iterator[None]:
    """Lock an experiment's folder, empty or to be resumed, for writing.

    The lock is taken before anything in the folder changes. It is the operating system's lock on a file
    beside the folder, and ends with the process, however that ends.

    Args:
        folder: folder of the experiment; created if missing.
        options: options of the run; they must be the same to resume it.
        resume: whether to continue the run in the folder.
        overwrite: whether to delete the folder's contents.

    Raises:
        ValueError: if another process holds the folder, if it holds results or another run, or if it
            cannot be written, at first or later.
    """
    with _locked(folder):
        with _refusing(folder):
            _prepare(folder, resume=bool(resume), overwrite=overwrite)
            describe_run(folder, dict(options), resume=resume)
        try:
            yield
        except Exception as error:
            if (reason := _disk_error(error)) is None:
                raise
            raise ValueError(
                f"out: expected room and permission to write to {folder}, got {reason}; what was "
                "finished is kept, and --resume goes on from there"
            ) from error


def discard(folder: Path, paths: Iterable[Path]) -> None:
    """Delete entries of ``folder``, each completely or not at all if the process is killed."""
    trash = folder / f".{uuid.uuid4().hex}.deleted"
    trash.mkdir()
    for path in filter(Path.exists, paths):
        path.replace(trash / path.name)
    shutil.rmtree(trash, ignore_errors=True)


def has_checkpoints(checkpoints: Path) -> bool:
    """Return whether there is a complete checkpoint, which Orbax names by a number alone."""
    return any(name.isdigit() for _, names, _ in os.walk(checkpoints) for name in names)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    owner = folder.with_name(f".{folder.name}.owner")
    # Do not lock by a file's mere existence, which outlasts a process that is killed.
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0, fallback_to_soft=False)
    with _refusing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            holder = owner.read_text() if owner.is_file() else "another process"
            raise ValueError(
                f"out: expected a folder that no other run writes to, got {folder}, held by {holder}; "
                "wait for it to end, or use --out to write elsewhere"
            ) from None
    try:
        with _refusing(folder):
            owner.write_text(_this_process())
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _this_process() -> str:
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cannot_lock = error.errno in LOCK_ERRORS
        wanted = "a file system that can lock files" if cannot_lock else "a folder to write to"
        raise ValueError(f"out: expected {wanted}, got {folder} ({error})") from error


def _prepare(folder: Path, *, resume: bool, overwrite: bool) -> None:
    folder.mkdir(exist_ok=True)
    contents = list(folder.iterdir())
    leftovers = [path for path in contents if LEFTOVER.match(path.name)]
    if len(contents) > len(leftovers) and not (resume or overwrite):
        raise ValueError(
            f"out: expected no earlier results, got {folder}, which is not empty; "
            "--resume continues it, --overwrite deletes it, --out writes elsewhere"
        )
    # Raises, before any training, if the folder cannot be written.
    discard(folder, contents if overwrite else leftovers)


def _disk_error(error: BaseException | None) -> str | None:
    """Describe the first exception in a chain that is due to the disk; None if there is none."""
    if re.match(r"\w+: expected ", str(error)):
        return None  # one of our own messages
    while error is not None:
        for code in DISK_ERRORS:
            # HDF5 and TensorStore, which Orbax uses, may give only the message.
            if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
                name = getattr(error, "filename", None)
                return os.strerror(code) + (f": {name}" if name else "")
        error = error.__cause__ or error.__context__
    return None
