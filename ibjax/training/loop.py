"""Training loop over all seeds: train between recorded epochs, measure at them.

Seeds run in blocks of a fixed number of lanes, each block by one compiled program on one device. XLA's
rounding depends on the number of lanes but not on the contents of other lanes, so a seed's numbers
depend neither on the number of seeds, nor on their grouping, nor on the device.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array

from ibjax.batching import blocks_of_seeds, default_lanes
from ibjax.checks import as_whole
from ibjax.tracing import own_settings
from ibjax.training.arguments import (
    check_config,
    check_functions,
    check_one_process,
    checked_devices,
    checked_folder,
    checked_purposes,
)
from ibjax.training.checkpoint import (
    BlockCheckpoint,
    Resume,
    Saved,
    as_trees,
    code_versions,
    describe_run,
)
from ibjax.training.config import LOSSES, TrainConfig, make_model, make_optimizer
from ibjax.training.data import (
    DrawData,
    DrawLabels,
    check_drawn_form,
    checked_data,
    checked_drawn,
    samples_of,
    split_of,
)
from ibjax.training.devices import StoppedError, on_devices, one_at_a_time
from ibjax.training.fingerprint import fingerprint, fingerprint_of_arrays, fingerprint_of_jaxpr
from ibjax.training.schedule import recorded_epochs
from ibjax.training.steps import Keys, Recipe, init_state, seed_keys, train_epochs
from ibjax.types import ArrayLike, Dataset, History, PyTree, Record, Split, TrainState

__all__ = ["Advance", "fit"]

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


class _Lanes(NamedTuple):
    """A block's networks, each leaf with a leading axis of lanes."""

    state: TrainState
    keys: Keys
    split: Split
    own: PyTree  # samples or labels drawn for the seed; None if all seeds share theirs


class _Run(NamedTuple):
    """Settings and data that all blocks of one ``fit`` share."""

    recipe: Recipe
    config: TrainConfig
    data: Dataset | None  # None if each seed has its own
    record: Record
    draw_own: Callable[[Array], Any] | None
    epochs: np.ndarray
    lanes: int
    num_seeds: int
    on_advance: Callable[[Advance], Any] | None
    stop: threading.Event


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
    resume: Resume = False,
    on_advance: Callable[[Advance], Any] | None = None,
) -> History:
    """Train one network per seed, all at once, and record them along the way.

    Each seed has its own initial weights, split, order of samples and noise, all derived from the
    threefry key ``jax.random.key(seed)``. Epoch e of the records is the network after exactly e epochs.
    Everything, including ``record`` and the functions that draw, runs in one process, in 32 bits and
    under ibjax's own JAX settings, so that the user's settings (x64, dtype promotion, key
    implementation) do not change results.

    Args:
        config: network, optimizer, batch size, epochs and split.
        data: x, (n, d) finite floats, and y, (n,) class labels from 0 to the number of outputs less one,
            or (n, outputs) finite floats for the loss "squared_error". Or a function that draws them for
            a seed from a key of its own; further fields of its tuple are passed on to ``record``.
        seeds: whole numbers, one per network.
        record: function ``record(params, data, split) -> pytree`` of one network; decides what is kept.
        purpose_seeds: seeds to use instead of the networks' own, by purpose, one whole number for each
            network: "init" (initial weights), "split", "order" (of samples), "labels", "noise", "data".
            Networks with equal numbers share what is drawn for that purpose.
        schedule: recorded epochs, by name or number; 0 and the last are always recorded.
        optimizer: any Optax optimizer, instead of the config's.
        draw_labels: function that draws a seed's labels from a key of its own, instead of ``data.y``,
            for soft or random labels.
        seeds_per_batch: largest number of seeds that train together, by default and at most ``lanes``;
            results do not depend on it.
        lanes: number of networks per compiled program, filled up with copies if there are fewer seeds.
            Default: 13 on CPUs (50 seeds on 2 or 4 cores) and 64 on accelerators. Results with equal
            ``lanes`` are bit-identical; with different ``lanes`` they are equal up to rounding.
        devices: devices that run one program each; by default all local devices of the default platform.
        checkpoint_dir: folder for checkpoints, saved at the first recorded epoch after every 10 seconds
            and at the end. It must not hold another run, unless ``resume``.
        resume: whether to continue from the newest checkpoints in ``checkpoint_dir``, if any. Everything
            that defines the run must be the same: settings, data, and what ``record``, ``optimizer`` and
            the functions that draw compute. With "any_version", the code may be of another version of
            ibjax, JAX or Python and compute differently; a warning then names the differences.
        on_advance: function called after every stretch of training, from worker threads, one at a time.

    Returns:
        ``History`` with records of axes ``(seed, epoch, ...)``. A diverged seed has NaN records and is
        flagged; it does not affect other seeds.

    Raises:
        ValueError: for data of other shapes or kinds, NaN or infinite numbers, labels without an output,
            drawn data and drawn labels together, a batch larger than the training set, no seeds or the
            same seed twice, unknown purposes or not one number for each seed, drawn labels of other
            shapes or kinds or without an output, arguments of other types, several processes of
            ``jax.distributed``; when resuming, for checkpoints of other settings or other functions,
            damaged ones or those of other seeds; when not, for those of any run.
        OSError: if checkpoints cannot be written, as on a full disk. Earlier ones are kept.
    """
    check_one_process()
    check_config(config)
    check_functions(record, optimizer, draw_labels, on_advance)
    folder = checked_folder(checkpoint_dir, resume)
    devices = checked_devices(devices)
    epochs = recorded_epochs(schedule, config.num_epochs)
    lanes = default_lanes(devices[0].platform) if lanes is None else as_whole("lanes", lanes)
    size = lanes if seeds_per_batch is None else as_whole("seeds_per_batch", seeds_per_batch)
    blocks = blocks_of_seeds(seeds, min(size, lanes))
    all_seeds = np.concatenate(blocks)
    purposes = checked_purposes(purpose_seeds, len(all_seeds))
    draw_data = data if callable(data) and not isinstance(data, type) else None
    if draw_data is not None and draw_labels is not None:
        raise ValueError("draw_labels: expected only with data that all seeds share, got both drawn")
    draw_own = draw_labels if draw_data is None else draw_data
    with _settings():
        shared = checked_data(config, data) if draw_data is None else None
        if draw_own is not None:
            check_drawn_form(config, draw_own, shared)
        optimizer = make_optimizer(config) if optimizer is None else optimizer
        recipe = Recipe(
            make_model(config), optimizer, config.batch_size, config.shuffle, LOSSES[config.loss]
        )
        run = _Run(
            recipe, config, shared, record, draw_own, epochs, lanes, len(all_seeds),
            one_at_a_time(on_advance), threading.Event(),
        )  # fmt: skip
        others = {k: np.array_split(numbers, len(blocks)) for k, numbers in purposes.items()}
        with jax.default_device(devices[0]):
            starts = [
                _start(run, block, {purpose: parts[i] for purpose, parts in others.items()})
                for i, block in enumerate(blocks)
            ]
        checkpoints: list[BlockCheckpoint | None] = [None] * len(blocks)
        if folder is not None:
            description = _description(run, starts[0]) | {
                "blocks": [block.tolist() for block in blocks],
                "purpose_seeds": [(k, numbers.tolist()) for k, numbers in sorted(purposes.items())],
                "platform": devices[0].platform,
            }
            identity = describe_run(folder, description, resume=resume)
            checkpoints = [
                BlockCheckpoint(folder / f"seeds_{b[0]}_to_{b[-1]}", identity, b) for b in blocks
            ]
    saved = [checkpoint.restore() if checkpoint and resume else None for checkpoint in checkpoints]
    results = on_devices(
        lambda device, i: _run_block(run, starts[i], blocks[i], device, checkpoints[i], saved[i]),
        len(blocks), devices, run.stop,
    )  # fmt: skip
    params, records = jax.tree.map(lambda *parts: np.concatenate(parts), *results)
    finite = [np.isfinite(p).reshape(len(all_seeds), -1).all(axis=1) for p in jax.tree.leaves(params)]
    return History(all_seeds.astype(np.int64), epochs, records, ~np.all(finite, axis=0), params)


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Set ibjax's own JAX settings and full float32 products, in the thread that enters."""
    with (
        own_settings(),
        jax.default_matmul_precision("float32"),
    ):
        yield


def _description(run: _Run, lanes: _Lanes) -> dict[str, Any]:
    """Return everything that defines a run apart from its seeds, for ``describe_run``."""
    params, opt_state = jax.tree.map(lambda x: x[0], lanes.state)
    optimizer = run.recipe.optimizer
    steps = fingerprint(optimizer.init, params), fingerprint(optimizer.update, params, opt_state, params)
    record = fingerprint_of_jaxpr(_measure.trace(lanes, run.data, run.record).jaxpr)
    drawn = run.draw_own and f"computes sha256:{fingerprint(run.draw_own, lanes.keys.data[0])}"
    shared = run.data and f"holds sha256:{fingerprint_of_arrays(run.data)}"
    return {
        **run.config.as_dict(),
        "record": f"computes sha256:{record}",
        "optimizer_steps": f"computes sha256:{''.join(steps)}",
        "data": shared or drawn,
        "draw_labels": shared and drawn,
        "lanes": run.lanes,
        "recorded": run.epochs.tolist(),
        "keys": f"draws sha256:{fingerprint_of_arrays(jax.random.bits(lanes.keys.init[0], (8,)))}",
        "versions": code_versions(),
    }


def _run_block(
    run: _Run, lanes: _Lanes, seeds, device, checkpoint: BlockCheckpoint | None, saved: Saved | None
) -> tuple[PyTree, PyTree]:
    """Train a block; return final parameters (seed, ...) and records (seed, epoch, ...)."""
    with _settings():
        lanes, data = jax.device_put((lanes, run.data), device)
        lanes, records = _resumed(run, lanes, data, saved, device)
    num_resumed, saved_at = len(records), time.monotonic()
    if num_resumed:
        _report(run, len(seeds), 0, run.epochs[num_resumed - 1], records[-1])
    for i in range(num_resumed, len(run.epochs)):
        if run.stop.is_set():
            raise StoppedError
        with _settings():
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
    kept = jax.device_get(lanes.state.params), _stacked(records)
    return jax.tree.map(lambda x: x[: len(seeds)], kept)


def _resumed(run: _Run, lanes: _Lanes, data, saved: Saved | None, device) -> tuple[_Lanes, list[PyTree]]:
    """Return the lanes and records as the newest checkpoint left them."""
    if saved is None:
        return lanes, []
    of_epoch = jax.eval_shape(lambda: _measure(lanes, data, run.record))
    state, stacked = as_trees(saved, lanes.state, of_epoch)
    records = [jax.tree.map(lambda x, i=i: x[:, i], stacked) for i in range(saved.num_recorded)]
    return lanes._replace(state=jax.device_put(state, device)), records


def _start(run: _Run, seeds, others) -> _Lanes:
    """Return a block's untrained networks.

    This does not run under ``jit``: the random draws of all arms and blocks then share small programs,
    whereas one large program per arm takes longer to compile than the arm's training loop.
    """
    # Lanes beyond the number of seeds repeat the seeds.
    filled = jax.tree.map(lambda numbers: np.resize(numbers, run.lanes), (seeds, others))

    def one(seed, others):
        replaced = {purpose: getattr(seed_keys(s), purpose) for purpose, s in others.items()}
        keys = seed_keys(seed)._replace(**replaced)
        own = _drawn(run, keys)
        x = samples_of(run.data, own).x
        state = init_state(keys.init, run.recipe, x.shape[1])
        return _Lanes(state, keys, split_of(run.config, keys.split, len(x)), own)

    lanes = jax.vmap(one)(*filled)
    return lanes._replace(own=checked_drawn(run.config, lanes.own, run.data))


def _drawn(run: _Run, keys: Keys) -> PyTree:
    if run.draw_own is None:
        return None
    return run.draw_own(keys.data if run.data is None else keys.labels)


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


def _report(run: _Run, num_seeds, start, epoch, records):
    if run.on_advance is not None:
        fraction = (epoch - start) / run.epochs[-1] * num_seeds / run.num_seeds
        own = jax.tree.map(lambda x: x[:num_seeds], records)
        run.on_advance(Advance(float(fraction), int(epoch), own))


def _stacked(records):
    """Stack the records of all epochs so far, (lanes, ...) each, to (lanes, epoch, ...)."""
    return jax.tree.map(lambda *at_epochs: np.stack(at_epochs, axis=1), *records)
