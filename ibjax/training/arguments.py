"""Checks and normalisation of the arguments of ``fit``, except for its samples."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import check_function, check_known, kind_of
from ibjax.training.checkpoint import Resume
from ibjax.training.config import TrainConfig, numbers_of
from ibjax.training.devices import usable_cores
from ibjax.training.optimizers import NUMBERS_OF_OPTIMIZERS, NUMBERS_OF_SCHEDULES, Numbers
from ibjax.training.steps import Keys
from ibjax.types import ArrayLike

__all__ = [
    "check_config",
    "check_executor",
    "check_functions",
    "check_model",
    "check_numbers_used",
    "checked_devices",
    "checked_folder",
    "checked_numbers",
    "checked_purposes",
]


def check_config(config: Any) -> None:
    if not isinstance(config, TrainConfig):
        raise ValueError(f"config: expected a TrainConfig, got {kind_of(config)}")


def check_functions(record: Any, optimizer: Any, draw_labels: Any, on_advance: Any) -> None:
    """Refuse anything but the right kinds of functions, such as names; optional ones may be None."""
    check_function("record", record, "record(params, data, split)")
    try:
        hash(record)
    except TypeError as error:
        raise ValueError(f"record: expected a hashable function, got {kind_of(record)}") from error
    if draw_labels is not None:
        check_function("draw_labels", draw_labels, "draw_labels(key) -> labels")
    if on_advance is not None:
        check_function("on_advance", on_advance, "on_advance(advance)")
    parts = (getattr(optimizer, name, None) for name in ("init", "update"))
    if optimizer is not None and not all(map(callable, parts)):
        raise ValueError(
            f"optimizer: expected an Optax optimizer such as optax.sgd(0.1), got {kind_of(optimizer)}; "
            "names are for TrainConfig"
        )


def check_model(model: Any) -> None:
    if model is not None and not isinstance(model, nn.Module):
        raise ValueError(f"model: expected a Flax Linen module, got {kind_of(model)}")


def check_executor(executor: Any) -> None:
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(
            "executor: expected a concurrent.futures.Executor, such as client.get_executor() of Dask, "
            f"got {kind_of(executor)}"
        )
    if executor is not None and jax.process_count() > 1:
        raise ValueError(
            f"executor: expected with one process of jax.distributed, got {jax.process_count()}"
        )


def checked_devices(devices: Sequence[Any] | None) -> list[Any]:
    """Return the devices to use: by default all local ones, or a CPU once for each usable core."""
    if devices is None:
        local = jax.local_devices()
        return local[:1] * usable_cores() if local[0].platform == "cpu" else local
    given = list(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else []
    if not given or not all(isinstance(device, jax.Device) for device in given):
        raise ValueError(
            f"devices: expected one or more devices such as jax.devices(), got {kind_of(devices)}"
        )
    if others := [d for d in given if d.process_index != jax.process_index()]:
        raise ValueError(
            f"devices: expected devices of this process, as jax.local_devices() has, got {others}"
        )
    return given


def checked_folder(checkpoint_dir: str | Path | None, resume: Resume) -> Path | None:
    """Return the folder for checkpoints, which may not exist yet, or None."""
    if not isinstance(resume, bool | np.bool_) and resume != "any_version":
        raise ValueError(f'resume: expected True, False or "any_version", got {kind_of(resume)}')
    if checkpoint_dir is None:
        return None
    if not isinstance(checkpoint_dir, str | Path):
        raise ValueError(f"checkpoint_dir: expected the path of a folder, got {kind_of(checkpoint_dir)}")
    folder = Path(checkpoint_dir)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"checkpoint_dir: expected a folder, got the file {folder}")
    return folder


def checked_purposes(
    purpose_seeds: Mapping[str, ArrayLike] | None, num_seeds: int
) -> dict[str, np.ndarray]:
    """Return the seeds to use instead of the networks' own, by purpose, (seed,) int32.

    Raises:
        ValueError: for unknown purposes, and anything but one whole number for each seed.
    """
    if purpose_seeds is None:
        return {}
    if not isinstance(purpose_seeds, Mapping):
        raise ValueError(
            "purpose_seeds: expected a dict from purposes to whole numbers, "
            f"got {kind_of(purpose_seeds)}"
        )
    checked = {}
    for purpose, given in purpose_seeds.items():
        check_known("purpose_seeds", purpose, Keys._fields)
        numbers = np.asarray(as_array(f"purpose_seeds[{purpose!r}]", given))
        whole = numbers.shape == (num_seeds,) and np.issubdtype(numbers.dtype, np.integer)
        if not whole or numbers.min() < 0 or numbers.max() >= 2**31:
            raise ValueError(
                f"purpose_seeds: expected {num_seeds} whole numbers from 0 to 2^31 - 1 for "
                f"{purpose!r}, got {kind_of(given)}"
            )
        checked[purpose] = numbers.astype(np.int32)
    return checked


def check_numbers_used(
    argument: str, names: Iterable[Any], config: TrainConfig, *, model: Any, optimizer: Any
) -> None:
    """Refuse numeric settings that would do nothing.

    Raises:
        ValueError: for unknown names, and settings that the optimizer, schedule or model does not have.
    """
    for name in names:
        check_known(argument, name, Numbers._fields)
        owner = None
        if name == "noise_variance" and model is not None:
            owner = "a model of its own"
        elif name not in ("noise_variance", "init_scale") and optimizer is not None:
            owner = "an optimizer of its own"
        elif NUMBERS_OF_OPTIMIZERS.get(name, config.optimizer) != config.optimizer:
            owner = f'the optimizer "{config.optimizer}"'
        elif name in NUMBERS_OF_SCHEDULES and config.learning_rate_schedule == "constant":
            owner = "a constant learning rate"
        if owner is not None:
            wanted = "settings that training uses"
            raise ValueError(f"{argument}: expected {wanted}, got {name!r} with {owner}")


def checked_numbers(
    config: TrainConfig, numbers: Mapping[str, ArrayLike] | None, num_networks: int
) -> Numbers:
    """Return the numeric settings of each network, (network,) float32.

    Raises:
        ValueError: for anything but one number of the right kind for each network.
    """
    if numbers is not None and not isinstance(numbers, Mapping):
        raise ValueError(f"numbers: expected a dict from names to numbers, got {kind_of(numbers)}")
    shared = numbers_of(config)._asdict()
    own = {name: np.full(num_networks, value, np.float32) for name, value in shared.items()}
    for name, given in (numbers or {}).items():
        values = np.asarray(as_array(f"numbers[{name!r}]", given))
        if values.shape != (num_networks,):
            raise ValueError(
                f"numbers: expected {num_networks} numbers for {name!r}, got {kind_of(given)}"
            )
        for value in np.unique(values):
            dataclasses.replace(config, **{name: value.item()})  # checks the number
        own[name] = values.astype(np.float32)
    return Numbers(**own)
