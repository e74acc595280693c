"""Training loop over all seeds: train between recorded epochs, measure at them.

Seeds run in blocks of a fixed number of lanes, each block by one compiled program on one device. XLA's
rounding depends on the number of lanes but not on the contents of other lanes, so a seed's numbers
depend neither on the number of seeds, nor on their grouping, nor on the device.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from ibjax.batching import blocks_of_seeds, default_lanes
from ibjax.checks import as_whole
from ibjax.training.arguments import (
    check_config,
    check_functions,
    check_one_process,
    checked_devices,
    checked_folder,
    checked_purposes,
)
from ibjax.training.blocks import (
    Advance,
    Block,
    Run,
    run_block,
    training_settings,
    untrained_lanes,
)
from ibjax.training.checkpoint import BlockCheckpoint, Resume, describe_run
from ibjax.training.config import LOSSES, TrainConfig, make_model, make_optimizer
from ibjax.training.data import DrawData, DrawLabels, check_drawn_form, checked_data
from ibjax.training.devices import on_devices, one_at_a_time
from ibjax.training.identity import run_description
from ibjax.training.schedule import recorded_epochs
from ibjax.training.steps import Recipe
from ibjax.types import ArrayLike, History, LabelledSamples, RecordFunction

__all__ = ["fit"]


def fit(
    config: TrainConfig,
    data: LabelledSamples | DrawData,
    *,
    seeds: Sequence[int],
    record: RecordFunction,
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
    seeds_of = blocks_of_seeds(seeds, min(size, lanes))  # each block's
    all_seeds = np.concatenate(seeds_of)
    purposes = checked_purposes(purpose_seeds, len(all_seeds))
    draw_data = data if callable(data) and not isinstance(data, type) else None
    if draw_data is not None and draw_labels is not None:
        raise ValueError("draw_labels: expected only with data that all seeds share, got both drawn")
    draw_own = draw_labels if draw_data is None else draw_data
    with training_settings():
        shared = checked_data(config, data) if draw_data is None else None
        if draw_own is not None:
            check_drawn_form(config, draw_own, shared)
        recipe = Recipe(
            model=make_model(config),
            optimizer=make_optimizer(config) if optimizer is None else optimizer,
            batch_size=config.batch_size,
            shuffle=config.shuffle,
            loss=LOSSES[config.loss],
            validation_fraction=config.validation_fraction,
        )
        run = Run(
            recipe=recipe,
            config=config,
            data=shared,
            record=record,
            draw_own=draw_own,
            epochs=epochs,
            lanes=lanes,
            num_seeds=len(all_seeds),
            on_advance=one_at_a_time(on_advance),
            stop=threading.Event(),
        )
        others = {k: np.array_split(numbers, len(seeds_of)) for k, numbers in purposes.items()}
        with jax.default_device(devices[0]):
            starts = [
                untrained_lanes(
                    run, block_seeds, {purpose: parts[i] for purpose, parts in others.items()}
                )
                for i, block_seeds in enumerate(seeds_of)
            ]
        checkpoints: list[BlockCheckpoint | None] = [None] * len(seeds_of)
        if folder is not None:
            description = run_description(
                run, starts[0], seeds_of=seeds_of, purposes=purposes, platform=devices[0].platform
            )
            identity = describe_run(folder, description, resume=resume)
            checkpoints = [
                BlockCheckpoint(
                    folder / f"seeds_{block_seeds[0]}_to_{block_seeds[-1]}", identity, block_seeds
                )
                for block_seeds in seeds_of
            ]
    blocks = [
        Block(
            seeds=block_seeds,
            lanes=block_lanes,
            checkpoint=checkpoint,
            saved=checkpoint.restore() if checkpoint and resume else None,
        )
        for block_seeds, block_lanes, checkpoint in zip(seeds_of, starts, checkpoints, strict=True)
    ]
    results = on_devices(
        lambda device, i: run_block(run, blocks[i], device),
        num_tasks=len(blocks),
        devices=devices,
        stop=run.stop,
    )
    params, records = jax.tree.map(lambda *parts: np.concatenate(parts), *results)
    finite = [np.isfinite(p).reshape(len(all_seeds), -1).all(axis=1) for p in jax.tree.leaves(params)]
    return History(
        seeds=all_seeds.astype(np.int64),
        epochs=epochs,
        records=records,
        diverged=~np.all(finite, axis=0),
        params=params,
    )
