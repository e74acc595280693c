"""Training of blocks, of one program or several, in this process or by an executor's workers."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax

from ibjax.batching import default_lanes
from ibjax.checks import as_whole
from ibjax.training.blocks import Advance, Block, Run, Watch, run_block
from ibjax.training.checkpoint import code_versions
from ibjax.training.config import LOSSES, TrainConfig, make_model, named_optimizer
from ibjax.training.data import DrawData, DrawLabels, check_drawn_form, checked_data
from ibjax.training.devices import one_at_a_time, run_tasks
from ibjax.training.optimizers import GivenOptimizer, Numbers
from ibjax.training.processes import SECONDS_TO_END, check_equal, gathered, raise_together, share
from ibjax.training.remote import check_workers, train_remotely
from ibjax.training.steps import Recipe
from ibjax.types import LabelledSamples, PyTree, RecordFunction

__all__ = ["Job", "lanes_of", "not_finite", "prepared_run", "train_jobs"]


class Job(NamedTuple):
    """A block to train, with a name for progress and dashboards."""

    run: Run
    block: Block
    name: str


def lanes_of(places: Sequence[Any], lanes: int | None) -> int:
    """Return the number of networks per program: ``lanes``, or the default, on each of its devices."""
    devices = list(getattr(places[0], "device_set", places[:1]))
    if lanes is None:
        lanes = default_lanes(_platform_of(places[0]))
    return as_whole("lanes", lanes) * len(devices)


def prepared_run(
    config: TrainConfig,
    data: LabelledSamples | DrawData,
    *,
    numbers: Numbers,
    record: RecordFunction,
    epochs: np.ndarray,
    lanes: int,
    model: nn.Module | None = None,
    optimizer: optax.GradientTransformation | None = None,
    draw_labels: DrawLabels | None = None,
) -> Run:
    """Return what all blocks of one program share; arguments are those of ``fit``.

    Args:
        config: training configuration.
        data: samples, or a function that draws them.
        numbers: (network,) numeric settings of all networks; whether any has noise or decay of weights
            decides on the program.
        record: what is measured.
        epochs: recorded epochs.
        lanes: number of networks of the program.
        model: network instead of the config's.
        optimizer: optimizer instead of the config's.
        draw_labels: function that draws labels.

    Raises:
        ValueError: for data that the network cannot learn.
    """
    if model is None:
        model = make_model(config).clone(noise_variance=float((numbers.noise_variance > 0).any()))
    draw_data = data if callable(data) and not isinstance(data, type) else None
    if draw_data is not None and draw_labels is not None:
        raise ValueError("draw_labels: expected only with data that all seeds share, got both drawn")
    draw_own = draw_labels if draw_data is None else draw_data
    shared = checked_data(config, model, data) if draw_data is None else None
    if draw_own is not None:
        check_drawn_form(config, model, draw_own, shared)
    decays = bool((numbers.weight_decay > 0).any())
    named = named_optimizer(config, decays=decays)
    recipe = Recipe(
        model=model,
        optimizer=named if optimizer is None else GivenOptimizer(optimizer),
        batch_size=config.batch_size,
        shuffle=config.shuffle,
        loss=LOSSES[config.loss],
        validation_fraction=config.validation_fraction,
    )
    return Run(
        recipe=recipe,
        config=config,
        data=shared,
        record=record,
        draw_own=draw_own,
        epochs=epochs,
        lanes=lanes,
    )


def train_jobs(
    jobs: Sequence[Job],
    keep: Callable[[int, tuple[PyTree, PyTree]], None],
    *,
    places: Sequence[Any],
    executor: Executor | None,
    on_advance: Callable[[Advance], Any] | None,
) -> None:
    """Train all blocks, and call ``keep(i, (params, records))`` with each as it finishes.

    Args:
        jobs: the blocks.
        keep: function called for one block at a time; in every process, if there are several.
        places: one for each thread of this process.
        executor: workers that train the blocks instead, or None.
        on_advance: function called after every stretch of training; for an executor, after every block.

    Raises:
        ValueError: for workers with other versions of the code, or none that answers; for processes of
            ``jax.distributed`` that are about to train something else, or are lost.
    """
    if jax.process_count() > 1:
        _train_together(jobs, keep, places=places, on_advance=on_advance)
    else:
        _train_here(jobs, keep, places=places, executor=executor, on_advance=on_advance)


def _train_together(jobs, keep, *, places, on_advance) -> None:
    """Train this process's share of the blocks, and keep those of all processes."""
    check_equal([code_versions(), *((job.name, *_settings(job)) for job in jobs)])
    own, results = share(len(jobs)), {}

    def keep_own(i, result):
        results[own[i]] = result

    failure = None
    try:
        mine = [jobs[i] for i in own]
        _train_here(mine, keep_own, places=places, executor=None, on_advance=on_advance)
    except Exception as error:
        failure = error
    raise_together(failure, seconds=SECONDS_TO_END)
    for begin in range(0, len(jobs), jax.process_count()):
        own_result = results.pop(begin + jax.process_index(), None)
        for i, result in enumerate(gathered(own_result, "the results"), begin):
            if i < len(jobs) and failure is None:
                try:
                    keep(i, result)
                except Exception as error:  # the others must not wait for this process
                    failure = error
    raise_together(failure)


def _settings(job: Job) -> tuple[Any, ...]:
    run, block = job.run, job.block
    arrays = jax.tree.map(
        lambda x: np.asarray(x).tolist(),
        (block.seeds, block.numbers, dict(block.purpose_seeds), run.epochs),
    )
    return run.config.as_dict(), run.lanes, arrays


def _train_here(jobs, keep, *, places, executor, on_advance) -> None:
    if not jobs:
        return
    num_networks, tell = sum(len(job.block.seeds) for job in jobs), one_at_a_time(on_advance)
    if executor is None:
        watch, kept = Watch(tell, num_networks, threading.Event()), one_at_a_time(keep)
        assert kept is not None

        def task(place, i):
            kept(i, run_block(jobs[i].run, jobs[i].block, place, watch))

        run_tasks(task, len(jobs), places, watch.stop)
        return
    checkpoints = [job.block.checkpoint for job in jobs if job.block.checkpoint is not None]
    check_workers(
        executor, checkpoints[0].directory.parent if checkpoints else None, _platform_of(places[0])
    )

    def done(i, result):
        keep(i, result)
        if tell is not None:
            run, block, _ = jobs[i]
            last = jax.tree.map(lambda x: x[:, -1], result[1])
            tell(Advance(len(block.seeds) / num_networks, int(run.epochs[-1]), last))

    train_remotely(jobs, executor, done)


def not_finite(params: PyTree) -> np.ndarray:
    """Return which networks' parameters, leaves (network, ...), are not all finite."""
    finite = [np.isfinite(p).reshape(len(p), -1).all(axis=1) for p in jax.tree.leaves(params)]
    return ~np.all(finite, axis=0)


def _platform_of(place: Any) -> str:
    return next(iter(getattr(place, "device_set", [place]))).platform
