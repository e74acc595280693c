"""The one way to train: an experiment's arms, as labelled results with their provenance."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from experiments.lab.cluster import workers_of
from experiments.lab.command import LabConfig
from experiments.lab.progress import progress_bar
from experiments.lab.tasks import Task
from experiments.lab.two_passes import TwoPassRecord, measured_history
from ibjax.batching import default_lanes
from ibjax.results import environment, history_to_dataset, stack_arms
from ibjax.training import TrainConfig, fit
from ibjax.types import ArrayLike, Record

__all__ = ["Arm", "train"]


class Arm(NamedTuple):
    """One arm of an experiment: networks that differ in their seeds alone.

    Attributes:
        training: their training configuration.
        task: the task that they learn.
        record: what is measured of them; a ``TwoPassRecord`` after training, for shared data alone.
        schedule: schedule of recorded epochs for ``fit``; None for that of the other arms.
    """

    training: TrainConfig
    task: Task
    record: Record
    schedule: ArrayLike | None = None


def train(
    config: LabConfig,
    arms: Mapping[tuple[str, ...], Arm],
    *,
    factors: tuple[str, ...],
    source: str,
    schedule: str | ArrayLike = "log",
    folder: Path | None = None,
    purpose_seeds: Mapping[str, ArrayLike] | None = None,
    derive: Callable[[tuple[str, ...], xr.Dataset], xr.Dataset] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Train and measure every arm, with a live bar, and return the labelled results.

    Args:
        config: options from the command line.
        arms: arms by their levels of ``factors``, all combinations; with no factors the key is ().
        factors: names of the leading dimensions.
        source: the paper, section and figure that the experiment is about.
        schedule: schedule of recorded epochs for ``fit``, of arms without their own.
        folder: folder for checkpoints, or None.
        purpose_seeds: seeds to use instead of the networks' own, by purpose, for ``fit``.
        derive: function from an arm's levels and its Dataset, as recorded, to the Dataset that is kept.
        **attributes: further provenance, such as the bins.

    Returns:
        Dataset with dims ``(*factors, *record factors, "seed", "epoch", "layer")``. Losses and
        accuracies are repeated along the records' own factors, such as "estimator", so that every
        arm can be selected by all of them. Attributes: ``source``, ``dataset``, ``estimator``,
        ``measured_on``, ``num_samples``, ``schedule``, ``seed``, versions and device; ``arms`` holds
        each arm's training configuration as JSON.
    """
    datasets = {}
    with workers_of(config.cluster) as executor, progress_bar(len(arms), config.writes) as on_advance_of:
        for levels, (training, task, record, own_schedule) in arms.items():
            history = fit(
                training,
                task.data,
                record=record,
                schedule=schedule if own_schedule is None else own_schedule,
                purpose_seeds=purpose_seeds,
                draw_labels=task.draw_labels,
                lanes=_lanes(config, task),
                executor=executor,
                on_advance=on_advance_of(" ".join(levels) or "networks"),
                **config.fit_options(folder, "_".join(levels) or "networks"),
            )
            if isinstance(record, TwoPassRecord):
                history = measured_history(
                    history,
                    record,
                    training,
                    task.data,
                    split_seeds=(purpose_seeds or {}).get("split", np.asarray(config.seed_range)),
                    lanes=_lanes(config, task) or default_lanes(jax.default_backend()),
                )
                record = record.record_of(None)
            arm = history_to_dataset(history, record, training.as_dict())
            datasets[levels] = arm if derive is None else derive(levels, arm)
    results = stack_arms(datasets, factors)
    recorded = dict.fromkeys(name for arm in arms.values() for name in arm.record.coords)
    record_dims = tuple(name for name in recorded if name in results.dims)
    results = _repeated(results, factors, record_dims).transpose(
        *factors, *record_dims, "seed", "epoch", ...
    )
    return results.assign_attrs(
        source=source,
        **_provenance(arms, factors),
        schedule=schedule if isinstance(schedule, str) else f"{results.sizes['epoch']} epochs",
        seed=config.seed,
        **environment(),
    ).assign_attrs(attributes)


def _lanes(config: LabConfig, task: Task) -> int | None:
    """Return the number of networks per program, or None for the default."""
    if not task.one_by_one:
        return None
    return 1 if jax.default_backend() == "cpu" else len(config.seed_range)


def _repeated(results: xr.Dataset, factors: tuple[str, ...], record_dims: tuple[str, ...]) -> xr.Dataset:
    """Repeat losses, accuracies and flags along the records' own factors."""
    repeated = {}
    for name, values in results.data_vars.items():
        missing = {dim: results[dim].values for dim in record_dims if dim not in values.dims}
        if missing and set(values.dims) <= {*factors, *record_dims, "seed", "epoch"}:
            repeated[name] = values.expand_dims(missing).copy()
    return results.assign(repeated)


def _provenance(arms: Mapping[tuple[str, ...], Arm], factors: tuple[str, ...]) -> dict[str, Any]:
    """Return data, estimators and samples measured, each once; by dataset if that is a factor."""
    provenance: dict[str, list[Any]] = {"noise_variance": [0.0]}
    for training, task, record, _ in arms.values():
        suffix = f"_{task.name}" if "dataset" in factors else ""
        rows, count = task.measured(training, record.rows)
        for name, value in (
            (f"dataset{suffix}", task.description),
            (f"num_samples{suffix}", count),
            ("measured_on", rows),
            ("estimator", str(record)),
        ):
            values = provenance.setdefault(name, [])
            if value not in values:
                values.append(value)
    return {k: v[0] if len(v) == 1 else "; ".join(map(str, v)) for k, v in provenance.items()}
