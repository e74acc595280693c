"""Blocks of seeds: a fixed number of lanes that train and are measured together, in one thread each.

``measure`` and the step between recorded epochs add the axis of lanes by ``vmap``.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from ibjax.datasets.splits import hold_out
from ibjax.tracing import own_settings
from ibjax.training.checkpoint import BlockCheckpoint, Saved, as_trees
from ibjax.training.config import TrainConfig
from ibjax.training.data import checked_drawn, samples_of, split_of
from ibjax.training.devices import StoppedError
from ibjax.training.steps import Keys, Recipe, init_state, seed_keys, train_epochs
from ibjax.types import LabelledSamples, PyTree, RecordFunction, Split, TrainState

__all__ = [
    "Advance",
    "Block",
    "Lanes",
    "Run",
    "measure",
    "run_block",
    "training_settings",
    "untrained_lanes",
]

# A checkpoint is written at the first recorded epoch after this time since the last one.
SECONDS_BETWEEN_CHECKPOINTS = 10.0


class Advance(NamedTuple):
    """A step of progress: a block of seeds has advanced from one recorded epoch to the next.

    Attributes:
        fraction: this step's fraction of the whole ``fit``.
        epoch: epoch reached.
        records: records of the block's seeds at that epoch, leaves with leading axis ``(seed,)``.
    """

    fraction: float
    epoch: int
    records: PyTree


class Lanes(NamedTuple):
    """A block's networks, each leaf with a leading axis of lanes."""

    state: TrainState
    keys: Keys
    split: Split
    drawn: PyTree  # samples or labels drawn for the seed; None if all seeds share theirs


class Block(NamedTuple):
    """Seeds that train together, from their untrained networks or from a checkpoint.

    Attributes:
        seeds: (seed,) seeds, no more than there are lanes.
        lanes: untrained networks.
        checkpoint: where checkpoints go, if anywhere.
        saved: checkpoint to continue from, if any.
    """

    seeds: np.ndarray
    lanes: Lanes
    checkpoint: BlockCheckpoint | None
    saved: Saved | None


class Run(NamedTuple):
    """Settings and data that all blocks of one ``fit`` share."""

    recipe: Recipe
    config: TrainConfig
    data: LabelledSamples | None  # None if each seed has its own
    record: RecordFunction
    draw_own: Callable[[Array], Any] | None
    epochs: np.ndarray
    lanes: int
    num_seeds: int
    on_advance: Callable[[Advance], Any] | None
    stop: threading.Event


@contextlib.contextmanager
def training_settings() -> Iterator[None]:
    """Set ibjax's own JAX settings and full float32 products, in the thread that enters."""
    with own_settings(), jax.default_matmul_precision("float32"):
        yield


def untrained_lanes(run: Run, seeds: np.ndarray, others: Mapping[str, np.ndarray]) -> Lanes:
    """Return a block's untrained networks, one for each lane; seeds repeat if they are fewer.

    This does not run under ``jit``: the random draws of all arms and blocks then share small programs,
    whereas one large program per arm takes longer to compile than the arm's training loop.

    Args:
        run: settings and data.
        seeds: (seed,) the block's seeds.
        others: (seed,) seeds to use instead, by purpose.
    """
    filled = jax.tree.map(lambda numbers: np.resize(numbers, run.lanes), (seeds, others))

    def untrained_lane(seed, others):
        replaced = {purpose: getattr(seed_keys(s), purpose) for purpose, s in others.items()}
        keys = seed_keys(seed)._replace(**replaced)
        drawn = _drawn(run, keys)
        x = samples_of(run.data, drawn).x
        state = init_state(keys.init, run.recipe, x.shape[1])
        return Lanes(state, keys, split_of(run.config, keys.split, len(x)), drawn)

    lanes = jax.vmap(untrained_lane)(*filled)
    return lanes._replace(drawn=checked_drawn(run.config, lanes.drawn, run.data))


def _drawn(run: Run, keys: Keys) -> PyTree:
    if run.draw_own is None:
        return None
    return run.draw_own(keys.data if run.data is None else keys.labels)


def run_block(run: Run, block: Block, device: Any) -> tuple[PyTree, PyTree]:
    """Train a block; return final parameters (seed, ...) and records (seed, epoch, ...).

    Raises:
        StoppedError: if ``run.stop`` is set before the last recorded epoch.
    """
    with training_settings():
        lanes, data = jax.device_put((block.lanes, run.data), device)
        lanes, records = _resumed(run, lanes, data, block.saved, device)
    num_seeds, num_resumed, saved_at = len(block.seeds), len(records), time.monotonic()
    if num_resumed:
        _report(run, num_seeds, 0, run.epochs[num_resumed - 1], records[-1])
    for i in range(num_resumed, len(run.epochs)):
        if run.stop.is_set():
            raise StoppedError
        with training_settings():
            if i > 0:
                last, epoch = run.epochs[i - 1], run.epochs[i]
                state = _advance(lanes, data, last, epoch - last, run.recipe)
                lanes = lanes._replace(state=state)
            records.append(jax.device_get(measure(lanes, data, run.record)))
            due = time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS
            if block.checkpoint and (due or i == len(run.epochs) - 1):
                block.checkpoint.save(i + 1, jax.device_get(lanes.state), _stacked(records))
                saved_at = time.monotonic()
        _report(run, num_seeds, run.epochs[max(i - 1, 0)], run.epochs[i], records[-1])
    kept = jax.device_get(lanes.state.params), _stacked(records)
    return jax.tree.map(lambda x: x[:num_seeds], kept)


def _resumed(run: Run, lanes: Lanes, data, saved: Saved | None, device) -> tuple[Lanes, list[PyTree]]:
    """Return the lanes and records as the newest checkpoint left them."""
    if saved is None:
        return lanes, []
    epoch_records = jax.eval_shape(lambda: measure(lanes, data, run.record))
    state, stacked = as_trees(saved, lanes.state, epoch_records)
    records = [jax.tree.map(lambda x, i=i: x[:, i], stacked) for i in range(saved.num_recorded)]
    return lanes._replace(state=jax.device_put(state, device)), records


@functools.partial(jax.jit, static_argnames=("recipe",))
def _advance(lanes, data, epoch, num_epochs, recipe) -> TrainState:
    def advance_lane(lane):
        samples = samples_of(data, lane.drawn)
        rows, _ = hold_out(lane.split.train, recipe.validation_fraction)
        return train_epochs(lane.state, lane.keys, samples, rows, epoch, num_epochs, recipe)

    return jax.vmap(advance_lane)(lanes)


@functools.partial(jax.jit, static_argnames=("record",))
def measure(lanes: Lanes, data: LabelledSamples | None, record: RecordFunction) -> PyTree:
    """Return the record of every lane's network, leaves (lanes, ...)."""

    def record_lane(lane):
        return record(lane.state.params, samples_of(data, lane.drawn), lane.split)

    return jax.vmap(record_lane)(lanes)


def _report(run: Run, num_seeds, last, epoch, records):
    if run.on_advance is not None:
        fraction = (epoch - last) / run.epochs[-1] * num_seeds / run.num_seeds
        seed_records = jax.tree.map(lambda x: x[:num_seeds], records)
        run.on_advance(Advance(float(fraction), int(epoch), seed_records))


def _stacked(records):
    """Stack the records of all epochs so far, (lanes, ...) each, to (lanes, epoch, ...)."""
    return jax.tree.map(lambda *at_epochs: np.stack(at_epochs, axis=1), *records)
