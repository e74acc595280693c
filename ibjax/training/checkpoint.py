"""Checkpoints of a block of seeds, written by Orbax completely or not at all, and read only if intact.

A run's folder holds ``run.json``, a description of the run, and a folder for each block of seeds. A
checkpoint holds the training state and all records so far. It is sealed by a file with its run, its
seeds, the number of recorded epochs and the digest of every file, so that checkpoints that are damaged,
or belong to another run or other seeds, are recognised before they are read.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from ibjax.training.fingerprint import fingerprint_of_sources
from ibjax.types import PyTree
from ibjax.version import __version__

__all__ = ["BlockCheckpoint", "Resume", "Saved", "as_trees", "code_versions", "describe_run"]

# Whether to continue a run, and whether to do so even if other code started it.
Resume: TypeAlias = bool | Literal["any_version"]

SEAL = "seal.json"

# Holds the numbers if several processes of ``jax.distributed`` write.
NUMPY_FILE = "tree.npz"

# A checkpoint that another process has not finished in this time is a leftover.
SECONDS_OF_A_LEFTOVER = 3600.0

# Bytes that a checkpoint's metadata takes on disk, besides its numbers.
METADATA_BYTES = 2**17

# A value of a description that is a digest, preceded by a verb such as "computes" or "holds".
DIGEST = re.compile(r"(\w+) sha256:\w+")


class Saved(NamedTuple):
    """Contents of a checkpoint: leaves of the state and of the records, in tree order."""

    num_recorded: int
    state: list[np.ndarray]
    records: list[np.ndarray]


def code_versions() -> dict[str, str]:
    """Return the versions of the code on which a run's numbers depend, for ``describe_run``."""
    return {
        "ibjax": __version__,
        "sources": f"holds sha256:{fingerprint_of_sources()}",
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "python": "{}.{}".format(*sys.version_info),
    }


def describe_run(directory: Path, description: dict[str, Any], *, resume: Resume) -> str:
    """Write the description of the run in ``directory``; or, to resume, check that it is the same.

    Args:
        directory: the run's folder.
        description: everything that defines the run, by name, as JSON values. Values such as "computes
            sha256:..." are digests; ``code_versions`` go under "versions".
        resume: True continues the same run; "any_version" also continues one started by other
            ``code_versions``, which may compute differently, and warns about the differences.

    Returns:
        A digest that identifies the run and stays the same when it is resumed.

    Raises:
        ValueError: when resuming, if the directory holds another run (the message names the differences)
            or its description is damaged; when not resuming, if it holds a run.
    """
    path = directory / "run.json"
    wanted = json.loads(json.dumps(description, default=str))
    new = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    if not path.exists():
        if not resume and any(directory.glob("seeds_*")):
            raise ValueError(f"resume: expected a folder without checkpoints, got {directory}")
        _write_json(path, {**wanted, "run": new})
        return new
    if not resume:
        raise ValueError(
            f"resume: expected True to continue the run in {directory}, or an empty folder, got False"
        )
    saved = _read_description(path)
    run = saved.pop("run", new)
    differing = dict(_differences(saved, wanted))
    if not differing:
        return run
    versions = differing.keys() & wanted.get("versions", {}).keys()
    # Other code may compile the same functions to other programs.
    by_code = bool(versions) and all(k in versions or "computes" in differing[k] for k in differing)
    changes = "; ".join(differing.values())
    if not (by_code and resume == "any_version"):
        way_out = 'resume="any_version" continues it' if by_code else "train in another folder"
        raise ValueError(
            f"resume: expected the run that {directory} was started with, got other settings "
            f"({changes}); {way_out}"
        )
    message = f"the run in {directory} goes on with other code than it began with ({changes})"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    _write_json(path, {**wanted, "run": run})
    return run


class BlockCheckpoint:
    """The two newest checkpoints of one block of seeds; the older is a spare if the newer is damaged."""

    def __init__(self, directory: Path, run: str, seeds: np.ndarray):
        """Use ``directory`` for the ``run`` that ``describe_run`` has identified."""
        self.directory = directory.absolute()
        self._identity = {"run": run, "seeds": np.asarray(seeds).tolist()}
        self._last: int | None = None  # number of the newest intact checkpoint

    def save(self, num_recorded: int, state: PyTree, records: PyTree) -> None:
        """Save after ``num_recorded`` recorded epochs, and delete the second last checkpoint.

        Raises:
            OSError: if it cannot be written, as on a full disk. Earlier checkpoints are kept.
        """
        tree = {
            part: {str(i): _numbers(leaf) for i, leaf in enumerate(jax.tree.leaves(value))}
            for part, value in (("state", state), ("records", records))
        }
        # A worker that was given up may go on writing while another trains its block again.
        partial = self.directory / f"partial-{socket.gethostname()}-{os.getpid()}"
        try:
            self._delete_leftovers(partial)
            partial.mkdir(parents=True)
            _check_room(partial, tree)
            _write(partial, tree)
            seal = self._identity | {"num_recorded": num_recorded, "files": _digests(partial)}
            _write_json(partial / SEAL, seal)
            for number in self._saved():
                if number not in (self._last, num_recorded):
                    _delete(self.directory / str(number))
            _replace(partial, self.directory / str(num_recorded))
        except Exception as error:  # Orbax and TensorStore raise many kinds of errors
            shutil.rmtree(partial, ignore_errors=True)
            reason = str(error).partition("\n")[0]
            raise OSError(f"checkpoint_dir: cannot write to {self.directory} ({reason})") from error
        self._last = num_recorded

    def _delete_leftovers(self, partial: Path) -> None:
        """Delete what processes that were killed have left: this process, or others a while ago."""
        for path in self.directory.glob("partial*"):
            with contextlib.suppress(FileNotFoundError):
                if path == partial or time.time() - path.stat().st_mtime > SECONDS_OF_A_LEFTOVER:
                    shutil.rmtree(path)

    def restore(self) -> Saved | None:
        """Return the newest intact checkpoint, warning about newer damaged ones; None if there is none.

        Raises:
            ValueError: if all checkpoints are damaged, or one belongs to another run or other seeds.
        """
        numbers = self._saved()
        for number in numbers:
            folder = self.directory / str(number)
            damage = self._damage(folder)
            if damage is None:
                self._last = number
                return _read(folder)
            if number != numbers[-1]:
                warnings.warn(
                    f"the checkpoint {folder} is damaged ({damage}); the one before it is tried",
                    RuntimeWarning,
                    stacklevel=2,
                )
        if numbers:
            raise ValueError(
                f"resume: expected a whole checkpoint in {self.directory}, got damaged ones "
                f"({damage}); delete this folder to train its seeds from the start"
            )
        return None

    def _saved(self) -> list[int]:
        """Return the numbers of recorded epochs of the existing checkpoints, largest first."""
        paths = self.directory.iterdir() if self.directory.is_dir() else ()
        numbers = (int(path.name) for path in paths if path.name.isdecimal() and path.is_dir())
        return sorted(numbers, reverse=True)

    def _damage(self, folder: Path) -> str | None:
        """Describe the damage to a checkpoint's files; None if there is none."""
        try:
            seal = json.loads((folder / SEAL).read_text())
            identity, files = {k: seal[k] for k in ("run", "seeds", "num_recorded")}, dict(seal["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"no readable {SEAL}"
        wanted = self._identity | {"num_recorded": int(folder.name)}
        if differing := [k for k in wanted if identity[k] != wanted[k]]:
            k = differing[0]
            raise ValueError(
                f"resume: expected a checkpoint with {k} {_short(wanted[k])} in {folder}, got one with "
                f"{_short(identity[k])}; put it back where it was, or delete the folder "
                f"{self.directory} to train its seeds from the start"
            )
        digests = _digests(folder)
        harmed = sorted(name for name in files if digests.get(name) != files[name])
        return f"{harmed[0]} has changed" if harmed else None


def as_trees(saved: Saved, state: PyTree, epoch_records: PyTree) -> tuple[PyTree, PyTree]:
    """Return the saved state and records with the tree structure of the run's.

    Args:
        saved: contents of a checkpoint.
        state: state of the run, leaves (lanes, ...); random keys among them were saved as their numbers.
        epoch_records: records of one epoch, leaves (lanes, ...).

    Returns:
        The state, and the records with leaves (lanes, epoch, ...).

    Raises:
        ValueError: for other shapes, which another version may have saved.
    """
    leaves, structure = jax.tree.flatten(state)
    shapes = [_numbers(leaf).shape for leaf in leaves]
    stacked = [(x.shape[0], saved.num_recorded, *x.shape[1:]) for x in jax.tree.leaves(epoch_records)]
    for name, saved_leaves, wanted in (
        ("state", saved.state, shapes),
        ("records", saved.records, stacked),
    ):
        if (saved_shapes := [x.shape for x in saved_leaves]) != wanted:
            raise ValueError(
                f"resume: expected a checkpoint with {name} of shapes {wanted}, got {saved_shapes}; "
                "train in another folder"
            )
    restored = [_with_numbers(leaf, numbers) for numbers, leaf in zip(saved.state, leaves, strict=True)]
    return structure.unflatten(restored), jax.tree.structure(epoch_records).unflatten(saved.records)


def _numbers(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _with_numbers(leaf: Any, numbers: np.ndarray) -> Any:
    if not _is_key(leaf):
        return numbers
    return jax.random.wrap_key_data(jnp.asarray(numbers), impl=jax.random.key_impl(leaf))


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _check_room(folder: Path, tree: PyTree) -> None:
    """Write as many bytes as a checkpoint takes, and delete them again.

    On a full disk, or beyond a quota, this raises just an OSError, whereas threads of Orbax and
    TensorStore would also print their tracebacks.
    """
    path = folder / "room"
    with path.open("wb") as file:
        for leaf in jax.tree.leaves(tree):
            file.write(leaf.tobytes())
        file.write(bytes(METADATA_BYTES))
    path.unlink()


def _delete(folder: Path) -> None:
    """Delete a folder that another process may be deleting, too."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _replace(partial: Path, folder: Path) -> None:
    """Give a whole checkpoint its name, in the place of one that another process has written."""
    for _ in range(3):
        _delete(folder)
        with contextlib.suppress(OSError):
            partial.rename(folder)
            return
    partial.rename(folder)


def _write(folder: Path, tree: dict[str, dict[str, np.ndarray]]) -> None:
    if jax.process_count() == 1:
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
            checkpointer.save(folder / "tree", args=ocp.args.StandardSave(tree))
        return
    # Of several processes, Orbax lets the first alone write arrays of NumPy.
    leaves: dict[str, Any] = {
        f"{part} {i} {leaf.dtype.name}": np.asarray(leaf, order="C")[..., None].view(np.uint8)
        for part, numbered in tree.items()
        for i, leaf in numbered.items()
    }
    np.savez(folder / NUMPY_FILE, **leaves)


def _read(folder: Path) -> Saved:
    tree: dict[str, Any] = {"state": {}, "records": {}}
    if (folder / NUMPY_FILE).is_file():
        with np.load(folder / NUMPY_FILE) as file:
            for name, numbers in file.items():
                part, i, dtype = name.split()
                tree[part][i] = np.asarray(numbers, order="C").view(dtype)[..., 0]
    else:
        alone = ocp.options.MultiprocessingOptions(
            primary_host=jax.process_index(), active_processes={jax.process_index()}
        )
        handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
            tree |= checkpointer.restore(folder / "tree", args=ocp.args.StandardRestore())

    def leaves(part):
        return [np.asarray(tree[part][str(i)]) for i in range(len(tree[part]))]

    return Saved(int(folder.name), leaves("state"), leaves("records"))


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a checkpoint except the seal, by its name in the folder."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SEAL:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text())
    except ValueError as error:  # not JSON, or not text
        description = error
    if not isinstance(description, dict):
        raise ValueError(
            f"resume: expected the description of a run in {path}, got a damaged file; delete the "
            f"folder {path.parent} to start anew, or train in another"
        )
    return description


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(content, indent=1, sort_keys=True))
    partial.replace(path)


def _differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each differing entry's name and a description; nested entries by their own names."""
    for name in sorted(saved.keys() | wanted.keys()):
        old, new = saved.get(name), wanted.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new)
        elif name not in saved:
            yield name, f"{name}: not recorded there"
        elif (digest := DIGEST.fullmatch(str(new))) and str(old).startswith(digest[1]):
            yield name, f"{name}: {digest[1]} something else"
        else:
            yield name, f"{name}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
