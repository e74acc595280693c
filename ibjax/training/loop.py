"""Training loop over all seeds: train between recorded epochs, measure at them.

Seeds run in blocks of a fixed number of lanes, each block by one compiled program on one device. XLA's
rounding depends on the number of lanes but not on the contents of other lanes, so a seed's numbers
depend neither on the number of seeds, nor on their grouping, nor on the device.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from ibjax.batching import blocks_of_seeds
from ibjax.checks import as_whole
from ibjax.training.arguments import (
    check_config,
    check_executor,
    check_functions,
    check_model,
    check_numbers_used,
    checked_devices,
    checked_folder,
    checked_numbers,
    checked_purposes,
)
from ibjax.training.blocks import Advance, Block, training_settings, untrained_lanes
from ibjax.training.checkpoint import BlockCheckpoint, Resume, describe_run
from ibjax.training.config import TrainConfig
from ibjax.training.data import DrawData, DrawLabels
from ibjax.training.devices import places_of
from ibjax.training.engine import Job, lanes_of, not_finite, prepared_run, train_jobs
from ibjax.training.identity import run_description
from ibjax.training.processes import of_first, share
from ibjax.training.schedule import recorded_epochs
from ibjax.types import ArrayLike, History, LabelledSamples, RecordFunction

__all__ = ["fit"]


def fit(
    config: TrainConfig,
    data: LabelledSamples | DrawData,
    *,
    seeds: Sequence[int],
    record: RecordFunction,
    purpose_seeds: Mapping[str, ArrayLike] | None = None,
    numbers: Mapping[str, ArrayLike] | None = None,
    schedule: str | ArrayLike = "log",
    model: nn.Module | None = None,
    optimizer: optax.GradientTransformation | None = None,
    draw_labels: DrawLabels | None = None,
    seeds_per_batch: int | None = None,
    lanes: int | None = None,
    devices: Sequence[Any] | None = None,
    executor: Executor | None = None,
    checkpoint_dir: str | Path | None = None,
    resume: Resume = False,
    on_advance: Callable[[Advance], Any] | None = None,
) -> History:
    """Train one network per seed, all at once, and record them along the way.

    Each seed has its own initial weights, split, order of samples and noise, all derived from the
    threefry key ``jax.random.key(seed)``. Epoch e of the records is the network after exactly e epochs.
    Everything, including ``record`` and the functions that draw, runs in 32 bits and under ibjax's own
    JAX settings, so that the user's settings (x64, dtype promotion, key implementation) do not change
    results. If ``jax.distributed`` has several processes, all must call this with the same arguments:
    each trains its share of the blocks on its own devices, and all get the results of all.

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
        numbers: numeric settings of single networks, by name, one number for each instead of the
            config's: "learning_rate", "init_scale", "weight_decay", "noise_variance", "momentum",
            "decay_factor", "decay_epochs". They are data of one compiled program, which configs that
            differ in them alone share.
        schedule: recorded epochs, by name or number; 0 and the last are always recorded.
        model: any Flax module that returns logits (n, k) and a list of hidden activations, (n, ...)
            each, instead of the config's ``MLP``; its ``__call__`` may have an argument ``train``, and
            rngs named "noise" and "dropout" in training. x may then have more axes.
        optimizer: any Optax optimizer, instead of the config's.
        draw_labels: function that draws a seed's labels from a key of its own, instead of ``data.y``,
            for soft or random labels.
        seeds_per_batch: largest number of seeds that train together, by default and at most ``lanes``;
            results do not depend on it.
        lanes: number of networks per compiled program, filled up with copies if there are fewer seeds.
            Default: 13 on CPUs (50 seeds on 2 or 4 cores) and 64 on accelerators. Results with equal
            ``lanes`` are bit-identical; with different ``lanes`` they are equal up to rounding.
        devices: by default all local accelerators, whose program is compiled once for lanes divided
            among them, or a CPU with a thread for each core that this process may use. Of several CPU
            devices, which share their cores, the first runs everything, in a thread for each.
        executor: any ``concurrent.futures.Executor``, such as that of a Dask client, whose workers train
            blocks, each on its first device. They must have the same versions of ibjax and JAX, and the
            functions given must be picklable by cloudpickle. ``on_advance`` then hears of whole blocks.
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
            same seed twice, unknown purposes or numbers or not one for each seed, drawn labels of other
            shapes or kinds or without an output, arguments of other types, an executor's workers that
            have other code, do not answer or are lost, processes of ``jax.distributed`` that disagree or
            are lost; when resuming, for checkpoints of other settings or other functions, damaged ones
            or those of other seeds; when not, for those of any run.
        OSError: if checkpoints cannot be written, as on a full disk. Earlier ones are kept.
    """
    check_config(config)
    check_functions(record, optimizer, draw_labels, on_advance)
    check_model(model)
    check_executor(executor)
    folder = checked_folder(checkpoint_dir, resume)
    devices = checked_devices(devices)
    places = places_of(devices)
    epochs = recorded_epochs(schedule, config.num_epochs)
    lanes = lanes_of(places, lanes)
    size = lanes if seeds_per_batch is None else as_whole("seeds_per_batch", seeds_per_batch)
    seeds_of = blocks_of_seeds(seeds, min(size, lanes))  # each block's
    all_seeds = np.concatenate(seeds_of)
    purposes = checked_purposes(purpose_seeds, len(all_seeds))
    check_numbers_used("numbers", numbers or (), config, model=model, optimizer=optimizer)
    own_numbers = checked_numbers(config, numbers, len(all_seeds))
    of_block = np.split(np.arange(len(all_seeds)), np.cumsum([len(s) for s in seeds_of])[:-1])
    with training_settings(devices[0]):
        run = prepared_run(
            config,
            data,
            numbers=own_numbers,
            record=record,
            epochs=epochs,
            lanes=lanes,
            model=model,
            optimizer=optimizer,
            draw_labels=draw_labels,
        )
        blocks = [
            Block(all_seeds[i], *jax.tree.map(lambda x, i=i: x[i], (own_numbers, purposes)))
            for i in of_block
        ]
        if run.draw_own is not None:  # what is drawn for single seeds is checked before any is trained
            for block in blocks:
                untrained_lanes(run, block)
        if folder is not None:
            description = run_description(
                run,
                untrained_lanes(run, blocks[0]),
                seeds_of=seeds_of,
                purposes=purposes,
                numbers=numbers,
                platform=devices[0].platform,
            )
            identity = of_first(lambda: describe_run(folder, description, resume=resume))
            blocks = _with_checkpoints(blocks, folder, identity)
    results: list[Any] = [None] * len(blocks)
    train_jobs(
        [Job(run, block, f"seeds_{block.seeds[0]}_to_{block.seeds[-1]}") for block in blocks],
        results.__setitem__,
        places=places,
        executor=executor,
        on_advance=on_advance,
    )
    params, records = jax.tree.map(lambda *parts: np.concatenate(parts), *results)
    return History(
        seeds=all_seeds.astype(np.int64),
        epochs=epochs,
        records=records,
        diverged=not_finite(params),
        params=params,
    )


def _with_checkpoints(blocks: list[Block], folder: Path, run: str) -> list[Block]:
    """Return blocks that continue from their newest checkpoints; this process's are read first."""
    where = [
        BlockCheckpoint(folder / f"seeds_{seeds[0]}_to_{seeds[-1]}", run, seeds) for seeds, *_ in blocks
    ]
    own = share(len(blocks))
    return [
        block._replace(checkpoint=where[i], saved=where[i].restore() if i in own else None)
        for i, block in enumerate(blocks)
    ]
