"""Checkpoints of a block of seeds, by Orbax: written whole or not at all.

A checkpoint holds the training state, all records so far and their number. A run's directory also
holds a description of the run; a checkpoint of another run is refused.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from ibjax.types import PyTree

__all__ = ["BlockCheckpoint", "Saved", "describe_run"]


class Saved(NamedTuple):
    """What a checkpoint brings back: leaves of the state and of the records, in tree order."""

    num_recorded: int
    state: list[np.ndarray]
    records: list[np.ndarray]


def describe_run(directory: Path, description: dict[str, Any], *, resume: bool) -> None:
    """Write what the run in ``directory`` is; or, to resume, check that it is the same.

    Raises:
        ValueError: when resuming and the directory holds another run, naming what differs; when not
            resuming and it holds a run.
    """
    path = directory / "run.json"
    text = json.dumps(description, indent=1, sort_keys=True, default=str)
    if resume and path.exists():
        saved, wanted = json.loads(path.read_text()), json.loads(text)
        differing = sorted(k for k in saved | wanted if saved.get(k) != wanted.get(k))
        if differing:
            changes = "; ".join(f"{k}: {saved.get(k)} -> {wanted.get(k)}" for k in differing)
            raise ValueError(
                f"resume: expected the run that {directory} was started with, "
                f"got other settings ({changes})"
            )
        return
    if path.exists():
        raise ValueError(
            f"resume: expected True to continue the run in {directory}, or an empty folder, got False"
        )
    directory.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(text)
    partial.replace(path)


class BlockCheckpoint:
    """The newest checkpoint of one block of seeds."""

    def __init__(self, directory: Path):
        options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def save(self, num_recorded: int, state: PyTree, records: PyTree) -> None:
        """Save after ``num_recorded`` recorded epochs; older checkpoints go once it is whole."""
        tree = {
            part: {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(value))}
            for part, value in (("state", state), ("records", records))
        }
        self._manager.save(num_recorded, args=ocp.args.StandardSave(tree))

    def restore(self) -> Saved | None:
        """The newest whole checkpoint; None where there is none."""
        step = self._manager.latest_step()
        if step is None:
            return None
        tree = self._manager.restore(step, args=ocp.args.StandardRestore())

        def leaves(part):
            return [np.asarray(tree[part][str(i)]) for i in range(len(tree[part]))]

        return Saved(step, leaves("state"), leaves("records"))

    def close(self) -> None:
        self._manager.close()
