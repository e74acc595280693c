"""All seeds: training between recorded epochs, measurement at them.

Seeds run in blocks of a fixed number of lanes, each block by one compiled program on one device.
XLA's rounding depends on the number of lanes but not on what is in the others, so a seed's numbers
depend neither on how many seeds there are nor on how they are grouped or which device runs them.
"""

import functools
import hashlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from ibjax.batching import blocks_of_seeds, default_lanes
from ibjax.training.checkpoint import BlockCheckpoint, describe_run
from ibjax.training.config import LOSSES, TrainConfig, make_model, make_optimizer
from ibjax.training.data import (
    DrawData,
    DrawLabels,
    check_form,
    check_values,
    checked_data,
    checked_purposes,
    samples_of,
    split_of,
)
from ibjax.training.schedule import recorded_epochs
from ibjax.training.steps import Keys, Recipe, init_state, seed_keys, train_epochs
from ibjax.types import ArrayLike, Dataset, History, PyTree, Record, Split, TrainState

__all__ = ["Advance", "fit"]

# A checkpoint is written at the first recorded epoch after this time.
SECONDS_BETWEEN_CHECKPOINTS = 10.0


class Advance(NamedTuple):
    """A step of progress: a block of seeds went from one recorded epoch to the next.

    Attributes:
        fraction: of the whole ``fit`` that this step was.
        epoch: the epoch reached.
        records: of the block's seeds at that epoch, leaves with leading axis ``(seed,)``.
    """

    fraction: float
    epoch: int
    records: PyTree


class _Lanes(NamedTuple):
    """A block's networks, each leaf with a leading axis of lanes."""

    state: TrainState
    keys: Keys
    split: Split
    own: PyTree  # samples or labels that are drawn for the seed; None where all share theirs


class _Run(NamedTuple):
    """What all blocks of one ``fit`` share."""

    recipe: Recipe
    config: TrainConfig
    data: Dataset | None  # None where each seed has its own
    record: Record
    draw_own: Callable[[Array], Any] | None
    epochs: np.ndarray
    lanes: int
    num_seeds: int
    resume: bool
    on_advance: Callable[[Advance], Any] | None
    stop: threading.Event


class _StoppedError(Exception):
    """Another block has failed, or the user has interrupted."""


def fit(
    config: TrainConfig,
    data: Dataset | DrawData,
    *,
    seeds: Sequence[int],
    record: Record,
    purpose_seeds: Mapping[str, ArrayLike] | None = None,
    schedule: str | ArrayLike = "log",
    optimizer: optax.GradientTransformation | None = None,
    draw_labels: DrawLabels | None = None,
    seeds_per_batch: int | None = None,
    lanes: int | None = None,
    devices: Sequence[Any] | None = None,
    checkpoint_dir: str | Path | None = None,
    resume: bool = False,
    on_advance: Callable[[Advance], Any] | None = None,
) -> History:
    """Train one network a seed, all at once, and record them along the way.

    Each seed has its own initial weights, split, order of samples and noise, from
    ``jax.random.key(seed)`` alone. Epoch e of the records is the network after exactly e epochs.

    Args:
        config: network, optimizer, batches, epochs, split.
        data: x (n, d) finite floats and y, (n,) class labels from 0 to the number of outputs less one;
            or (n, outputs) finite floats for the loss "squared_error". Or a function that draws them
            for a seed by a key of its own; what else its tuple holds, ``record`` sees.
        seeds: whole numbers, one network each.
        record: ``record(params, data, split) -> pytree`` of one network; decides what is kept.
        purpose_seeds: for some purposes, whole numbers that stand in place of the seeds, one for each:
            "init" (initial weights), "split", "order" (of samples), "labels", "noise", "data". Networks
            with equal numbers share what is drawn for that purpose.
        schedule: recorded epochs, by name or number; 0 and the last are always recorded.
        optimizer: any Optax optimizer, in place of the config's.
        draw_labels: draws a seed's labels by a key of its own, in place of ``data.y``: soft labels,
            random labels.
        seeds_per_batch: seeds that train together, at most (and by default) ``lanes``; the result
            does not depend on it.
        lanes: networks a compiled program runs, filled up with copies where seeds are fewer; by
            default 13 on CPUs (50 seeds on 2 or 4 cores) and 64 on accelerators. Results of equal
            ``lanes`` are bit-identical, of different ones equal up to rounding.
        devices: run one program each; by default all local devices of the default platform.
        checkpoint_dir: where to save, at the first recorded epoch after every 10 seconds and at the
            end; a folder without another run, unless ``resume``.
        resume: continue from the newest checkpoints in ``checkpoint_dir``, if any.
        on_advance: called after every stretch of training, from worker threads one at a time.

    Returns:
        ``History`` with records of axes ``(seed, epoch, ...)``. A diverged seed has NaN records and
        is flagged; it does not affect the others.

    Raises:
        ValueError: for data of other shapes or kinds, NaN or infinite numbers, labels without an
            output, drawn data and drawn labels together, a batch larger than the training set, no
            seeds or the same seed twice, unknown purposes or other than one number for each seed,
            checkpoints of other settings when resuming, and of any run when not.
    """
    drawn = callable(data)
    if drawn and draw_labels is not None:
        raise ValueError("draw_labels: expected only with data that all seeds share, got both drawn")
    if drawn:
        check_form(config, jax.eval_shape(data, jax.random.key(0)))
    shared = None if drawn else checked_data(config, data)
    epochs = recorded_epochs(schedule, config.num_epochs)
    devices = list(devices or jax.local_devices())
    lanes = lanes or default_lanes(devices[0].platform)
    blocks = blocks_of_seeds(seeds, min(seeds_per_batch or lanes, lanes))
    others = {
        purpose: np.array_split(numbers, len(blocks))
        for purpose, numbers in checked_purposes(purpose_seeds or {}, len(seeds)).items()
    }
    recipe = Recipe(
        make_model(config), optimizer or make_optimizer(config), config.batch_size, config.shuffle,
        LOSSES[config.loss],
    )  # fmt: skip
    run = _Run(
        recipe, config, shared, record, data if drawn else draw_labels, epochs, lanes, len(seeds),
        resume, _one_at_a_time(on_advance), threading.Event(),
    )  # fmt: skip
    directories = [None] * len(blocks)
    if checkpoint_dir is not None:
        description = {
            **config.as_dict(),
            "lanes": lanes,
            "recorded": epochs.tolist(),
            "blocks": [block.tolist() for block in blocks],
            "purposes": {k: np.concatenate(parts).tolist() for k, parts in others.items()},
            "data": _digest((shared, _drawn(run, seed_keys(jnp.asarray(seeds[0]))))),
            "functions": [_name(f) for f in (record, run.draw_own, optimizer) if f is not None],
            "jax": jax.__version__,
        }
        describe_run(Path(checkpoint_dir), description, resume=resume)
        directories = [Path(checkpoint_dir) / f"seeds_{b[0]}_to_{b[-1]}" for b in blocks]
    with jax.default_device(devices[0]):
        starts = [
            _start(run, block, {purpose: parts[i] for purpose, parts in others.items()})
            for i, block in enumerate(blocks)
        ]
    results = _on_devices(
        lambda device, i: _run_block(run, starts[i], blocks[i], device, directories[i]),
        len(blocks), devices, run.stop,
    )  # fmt: skip
    params, records = jax.tree.map(lambda *parts: np.concatenate(parts), *results)
    finite = [np.isfinite(p).reshape(len(seeds), -1).all(axis=1) for p in jax.tree.leaves(params)]
    return History(np.asarray(seeds), epochs, records, ~np.all(finite, axis=0), params)


def _run_block(run: _Run, lanes: _Lanes, seeds, device, directory) -> tuple[PyTree, PyTree]:
    """Final parameters and records of a block: leaves (seed, ...) and (seed, epoch, ...)."""
    checkpoint = BlockCheckpoint(directory) if directory is not None else None
    lanes, data = jax.device_put((lanes, run.data), device)
    lanes, records = _resumed(run, lanes, data, checkpoint, device)
    num_resumed, saved_at = len(records), time.monotonic()
    if num_resumed:
        _report(run, len(seeds), 0, run.epochs[num_resumed - 1], records[-1])
    with jax.default_matmul_precision("float32"):
        for i in range(num_resumed, len(run.epochs)):
            if run.stop.is_set():
                raise _StoppedError
            if i > 0:
                last, epoch = run.epochs[i - 1], run.epochs[i]
                state = _advance(lanes, data, last, epoch - last, run.recipe)
                lanes = lanes._replace(state=state)
            records.append(jax.device_get(_measure(lanes, data, run.record)))
            due = time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS
            if checkpoint and (due or i == len(run.epochs) - 1):
                checkpoint.save(i + 1, jax.device_get(lanes.state), _stacked(records))
                saved_at = time.monotonic()
            _report(run, len(seeds), run.epochs[max(i - 1, 0)], run.epochs[i], records[-1])
    if checkpoint:
        checkpoint.close()
    kept = jax.device_get(lanes.state.params), _stacked(records)
    return jax.tree.map(lambda x: x[: len(seeds)], kept)


def _resumed(run: _Run, lanes: _Lanes, data, checkpoint, device) -> tuple[_Lanes, list[PyTree]]:
    """The lanes and the records where the newest checkpoint left them."""
    saved = checkpoint.restore() if checkpoint and run.resume else None
    if saved is None:
        return lanes, []
    state = jax.tree.unflatten(jax.tree.structure(lanes.state), saved.state)
    record = jax.tree.structure(jax.eval_shape(lambda: _measure(lanes, data, run.record)))
    stacked = jax.tree.unflatten(record, saved.records)
    records = [jax.tree.map(lambda x, i=i: x[:, i], stacked) for i in range(saved.num_recorded)]
    return lanes._replace(state=jax.device_put(state, device)), records


def _start(run: _Run, seeds, others) -> _Lanes:
    """A block's untrained networks.

    Not under ``jit``: the random draws of all arms and blocks then share their small programs, where
    one large program an arm takes longer to compile than the arm's training loop.
    """
    # Lanes beyond the seeds repeat them.
    filled = jax.tree.map(lambda numbers: np.resize(numbers, run.lanes), (seeds, others))

    def one(seed, others):
        replaced = {purpose: getattr(seed_keys(s), purpose) for purpose, s in others.items()}
        keys = seed_keys(seed)._replace(**replaced)
        own = _drawn(run, keys)
        x = samples_of(run.data, own).x
        state = init_state(keys.init, run.recipe, x.shape[1])
        return _Lanes(state, keys, split_of(run.config, keys.split, len(x)), own)

    lanes = jax.vmap(one)(*filled)
    if run.data is None:
        check_values(run.config, lanes.own)
    return lanes


def _drawn(run: _Run, keys: Keys) -> PyTree:
    if run.draw_own is None:
        return None
    if run.data is None:
        return run.draw_own(keys.data)
    return run.draw_own(keys.labels).astype(jnp.int32)


@functools.partial(jax.jit, static_argnames=("recipe",))
def _advance(lanes, data, epoch, num_epochs, recipe) -> TrainState:
    def one(lane):
        own, rows = samples_of(data, lane.own), lane.split.train
        return train_epochs(lane.state, lane.keys, own, rows, epoch, num_epochs, recipe)

    return jax.vmap(one)(lanes)


@functools.partial(jax.jit, static_argnames=("record",))
def _measure(lanes, data, record) -> PyTree:
    def one(lane):
        return record(lane.state.params, samples_of(data, lane.own), lane.split)

    return jax.vmap(one)(lanes)


def _on_devices(task, num_tasks, devices, stop) -> list:
    """``task(device, i)`` for all i, each device taking the next when it is free; results in order.

    One thread drives each device: a program with a host callback returns only when it is done.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(num_tasks):
        waiting.put(i)
    results = [None] * num_tasks

    def drive(device):
        try:
            while not stop.is_set():
                i = waiting.get_nowait()
                results[i] = task(device, i)
        except (queue.Empty, _StoppedError):
            return
        except BaseException:
            stop.set()
            raise

    used = devices[: min(num_tasks, len(devices))]
    with ThreadPoolExecutor(len(used)) as pool:
        driving = [pool.submit(drive, device) for device in used]
        try:
            for future in driving:
                future.result()
        except BaseException:
            stop.set()
            raise
    return results


def _report(run: _Run, num_seeds, start, epoch, records):
    if run.on_advance is not None:
        fraction = (epoch - start) / run.epochs[-1] * num_seeds / run.num_seeds
        own = jax.tree.map(lambda x: x[:num_seeds], records)
        run.on_advance(Advance(float(fraction), int(epoch), own))


def _one_at_a_time(function):
    if function is None:
        return None
    lock = threading.Lock()

    def locked(advance):
        with lock:
            return function(advance)

    return locked


def _stacked(records):
    """Records of the epochs so far, (lanes, ...) each, as (lanes, epoch, ...)."""
    return jax.tree.map(lambda *at_epochs: np.stack(at_epochs, axis=1), *records)


def _digest(samples: PyTree) -> str:
    """Of all numbers; of drawn samples, those of one seed tell what draws them."""
    numbers = (np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(samples))
    return hashlib.sha256(b"".join(numbers)).hexdigest()


def _name(function) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
