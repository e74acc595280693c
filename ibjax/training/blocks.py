"""Blocks of networks: a fixed number of lanes that train and are measured together.

``measure`` and the step between recorded epochs add the axis of lanes by ``vmap``. A ``Run`` and a
``Block`` hold values only and can be pickled, so that a block can be trained in another process.
"""

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from ibjax.datasets.splits import hold_out
from ibjax.tracing import own_settings
from ibjax.training.checkpoint import BlockCheckpoint, Saved, as_trees
from ibjax.training.config import TrainConfig
from ibjax.training.data import checked_drawn, samples_of, split_of
from ibjax.training.devices import LANES, StoppedError
from ibjax.training.optimizers import Numbers
from ibjax.training.steps import Keys, Recipe, init_state, seed_keys, train_epochs
from ibjax.types import LabelledSamples, PyTree, RecordFunction, Split, TrainState

__all__ = [
    "Advance",
    "Block",
    "Lanes",
    "Run",
    "Watch",
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
        fraction: this step's fraction of the whole ``fit`` or ``sweep``.
        epoch: epoch reached.
        records: records of the block's networks at that epoch, leaves with leading axis ``(seed,)``.
    """

    fraction: float
    epoch: int
    records: PyTree


class Lanes(NamedTuple):
    """A block's networks, each leaf with a leading axis of lanes."""

    state: TrainState
    keys: Keys
    numbers: Numbers
    split: Split
    drawn: PyTree  # samples or labels drawn for the seed; None if all seeds share theirs


class Block(NamedTuple):
    """Networks that train together.

    Attributes:
        seeds: (network,) their seeds, no more than there are lanes.
        numbers: (network,) numeric settings of each.
        purpose_seeds: (network,) seeds to use instead of the networks' own, by purpose.
        checkpoint: where checkpoints go, or None.
        saved: checkpoint to continue from, if it has been read; otherwise the newest there, if any.
    """

    seeds: np.ndarray
    numbers: Numbers
    purpose_seeds: Mapping[str, np.ndarray]
    checkpoint: BlockCheckpoint | None = None
    saved: Saved | None = None


class Run(NamedTuple):
    """Settings and data that all blocks of one program share."""

    recipe: Recipe
    config: TrainConfig
    data: LabelledSamples | None  # None if each seed has its own
    record: RecordFunction
    draw_own: Callable[[Array], Any] | None
    epochs: np.ndarray
    lanes: int


class Watch:
    """Where blocks of one process tell how far they are, and are told to stop."""

    def __init__(
        self, on_advance: Callable[[Advance], Any] | None, num_networks: int, stop: threading.Event
    ):
        """Watch training.

        Args:
            on_advance: function called after every stretch of training, or None.
            num_networks: number of networks of the whole ``fit`` or ``sweep``.
            stop: event that is set when training is to stop.
        """
        self.on_advance, self.num_networks, self.stop = on_advance, num_networks, stop
        self._compiled: set[tuple[str, int]] = set()
        self._locks: dict[tuple[str, int], threading.Lock] = {}

    @contextlib.contextmanager
    def compiling(self, programs: str, run: Run) -> Iterator[bool]:
        """Let one thread compile programs of a run while others wait; tell whether this one does."""
        key = programs, id(run)
        lock = self._locks.setdefault(key, threading.Lock())
        with lock if key not in self._compiled else contextlib.nullcontext():
            yield key not in self._compiled
            self._compiled.add(key)


@contextlib.contextmanager
def training_settings(device: Any = None) -> Iterator[None]:
    """Set ibjax's own JAX settings, full float32 products and a device, if given, in this thread."""
    there = contextlib.nullcontext() if device is None else jax.default_device(device)
    with own_settings(), jax.default_matmul_precision("float32"), there:
        yield


def untrained_lanes(run: Run, block: Block) -> Lanes:
    """Return a block's untrained networks, one for each lane; they repeat if they are fewer.

    This does not run under ``jit``: the random draws of all arms and blocks then share small programs,
    whereas one large program per arm takes longer to compile than the arm's training loop.

    Raises:
        ValueError: for drawn samples or labels that the network cannot learn.
    """
    filled = jax.tree.map(
        lambda x: np.resize(x, run.lanes), (block.seeds, block.numbers, dict(block.purpose_seeds))
    )

    def untrained_lane(seed, numbers, others):
        replaced = {purpose: getattr(seed_keys(s), purpose) for purpose, s in others.items()}
        keys = seed_keys(seed)._replace(**replaced)
        drawn = _drawn(run, keys)
        x = samples_of(run.data, drawn).x
        state = init_state(keys.init, run.recipe, numbers, x.shape[1:])
        return Lanes(state, keys, numbers, split_of(run.config, keys.split, len(x)), drawn)

    lanes = jax.vmap(untrained_lane)(*filled)
    return lanes._replace(drawn=checked_drawn(run.config, run.recipe.model, lanes.drawn, run.data))


def _drawn(run: Run, keys: Keys) -> PyTree:
    if run.draw_own is None:
        return None
    return run.draw_own(keys.data if run.data is None else keys.labels)


def run_block(run: Run, block: Block, place: Any, watch: Watch) -> tuple[PyTree, PyTree]:
    """Train a block; return final parameters (network, ...) and records (network, epoch, ...).

    Args:
        run: settings and data.
        block: the networks.
        place: a device, or a sharding of lanes over several.
        watch: where to report, and when to stop.

    Raises:
        StoppedError: if training is to stop before the last recorded epoch.
    """
    saved_at = time.monotonic()
    mesh, devices = getattr(place, "mesh", None), list(getattr(place, "device_set", [place]))
    everywhere = place if mesh is None else NamedSharding(mesh, PartitionSpec())
    with training_settings(devices[0]):
        data = jax.device_put(run.data, everywhere)
        with watch.compiling("draws", run):
            lanes = jax.device_put(untrained_lanes(run, block), place)
        lanes, records = _resumed(run, lanes, data, block, place)
        is_new = not records
        if len(records) < len(run.epochs):
            with watch.compiling("training", run) as first:
                if first:  # no epochs: this only compiles
                    now = run.epochs[len(records)]
                    jax.block_until_ready(_advance(lanes, data, now, now - now, run.recipe, mesh))
                if first or not records:
                    at_start = jax.device_get(measure(lanes, data, run.record, mesh))
                    records = records or [at_start]
    num_networks, num_recorded = len(block.seeds), len(records)

    def report(last, epoch):
        if watch.on_advance is not None:
            fraction = (epoch - last) / run.epochs[-1] * num_networks / watch.num_networks
            at_epoch = jax.tree.map(lambda x: x[:num_networks], records[-1])
            watch.on_advance(Advance(float(fraction), int(epoch), at_epoch))

    def save_if_due():
        nonlocal saved_at
        due = time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS
        if block.checkpoint and (due or len(records) == len(run.epochs)):
            block.checkpoint.save(len(records), jax.device_get(lanes.state), _stacked(records))
            saved_at = time.monotonic()

    if is_new:
        save_if_due()
    report(0, run.epochs[num_recorded - 1])
    for last, epoch in itertools.pairwise(run.epochs[num_recorded - 1 :]):
        if watch.stop.is_set():
            raise StoppedError
        with training_settings(devices[0]):
            state = _advance(lanes, data, last, epoch - last, run.recipe, mesh)
            lanes = lanes._replace(state=state)
            records.append(jax.device_get(measure(lanes, data, run.record, mesh)))
            save_if_due()
        report(last, epoch)
    kept = jax.device_get(lanes.state.params), _stacked(records)
    return jax.tree.map(lambda x: x[:num_networks], kept)


def _resumed(run: Run, lanes: Lanes, data, block: Block, device) -> tuple[Lanes, list[PyTree]]:
    """Return the lanes and records as the newest checkpoint left them, if there is any."""
    saved = block.saved
    if saved is None and block.checkpoint is not None:
        saved = block.checkpoint.restore()
    if saved is None:
        return lanes, []
    epoch_records = jax.eval_shape(lambda: measure(lanes, data, run.record))
    state, stacked = as_trees(saved, lanes.state, epoch_records)
    records = [jax.tree.map(lambda x, i=i: x[:, i], stacked) for i in range(saved.num_recorded)]
    return lanes._replace(state=jax.device_put(state, device)), records


@functools.partial(jax.jit, static_argnames=("recipe", "mesh"))
def _advance(lanes, data, epoch, num_epochs, recipe, mesh=None) -> TrainState:
    def advance_lane(lane, data, epoch, num_epochs):
        samples = samples_of(data, lane.drawn)
        rows, _ = hold_out(lane.split.train, recipe.validation_fraction)
        numbers, keys = lane.numbers, lane.keys
        return train_epochs(lane.state, keys, numbers, samples, rows, epoch, num_epochs, recipe)

    return _of_lanes(advance_lane, mesh)(lanes, data, epoch, num_epochs)


@functools.partial(jax.jit, static_argnames=("record", "mesh"))
def measure(
    lanes: Lanes, data: LabelledSamples | None, record: RecordFunction, mesh: Mesh | None = None
) -> PyTree:
    """Return the record of every lane's network, leaves (lanes, ...)."""

    def record_lane(lane, data):
        return record(lane.state.params, samples_of(data, lane.drawn), lane.split)

    return _of_lanes(record_lane, mesh)(lanes, data)


def _of_lanes(of_lane: Callable, mesh: Mesh | None) -> Callable:
    """Map a function of one lane, and of arguments that lanes share; on each device for its lanes."""

    def of_lanes(lanes, *shared):
        return jax.vmap(lambda lane: of_lane(lane, *shared))(lanes)

    if mesh is None:
        return of_lanes

    def of_devices(lanes, *shared):
        specs = PartitionSpec(LANES), *[PartitionSpec()] * len(shared)
        divided = jax.shard_map(
            of_lanes, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(LANES), check_vma=False
        )
        return divided(lanes, *shared)

    return of_devices


def _stacked(records):
    """Stack the records of all epochs so far, (lanes, ...) each, to (lanes, epoch, ...)."""
    return jax.tree.map(lambda *at_epochs: np.stack(at_epochs, axis=1), *records)
