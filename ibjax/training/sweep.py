"""Sweeps: all combinations of settings with many seeds each, as lanes of few compiled programs."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax
import xarray as xr

from ibjax.batching import blocks_of_seeds
from ibjax.checks import kind_of
from ibjax.grid_results import GridResults, GridVariable
from ibjax.results import as_attribute, environment
from ibjax.training.arguments import (
    check_config,
    check_executor,
    check_functions,
    check_model,
    checked_devices,
    checked_folder,
)
from ibjax.training.blocks import Advance, Block, Lanes, Run, measure, training_settings, untrained_lanes
from ibjax.training.checkpoint import BlockCheckpoint, Resume, describe_run
from ibjax.training.config import TrainConfig
from ibjax.training.data import DrawData, DrawLabels
from ibjax.training.devices import places_of
from ibjax.training.engine import Job, lanes_of, not_finite, prepared_run, train_jobs
from ibjax.training.grid import DATASET, Cell, Grid, Program, checked_grid
from ibjax.training.identity import run_description
from ibjax.training.optimizers import Numbers
from ibjax.training.processes import of_first, raise_together
from ibjax.training.schedule import recorded_epochs
from ibjax.types import ArrayLike, LabelledSamples, Record

__all__ = ["sweep"]

RecordOfConfig = Callable[[TrainConfig], Record]


def sweep(
    config: TrainConfig,
    data: LabelledSamples | DrawData | None = None,
    *,
    over: Mapping[str, Any],
    seeds: Sequence[int],
    record: Record | RecordOfConfig,
    schedule: str | ArrayLike = "log",
    model: nn.Module | None = None,
    optimizer: optax.GradientTransformation | None = None,
    draw_labels: DrawLabels | None = None,
    lanes: int | None = None,
    devices: Sequence[Any] | None = None,
    executor: Executor | None = None,
    checkpoint_dir: str | Path | None = None,
    resume: Resume = False,
    save_to: str | Path | None = None,
    on_advance: Callable[[Advance], Any] | None = None,
) -> xr.Dataset:
    """Train and measure networks at all combinations of settings, with the same seeds at each.

    Numeric settings ("learning_rate", "init_scale", "weight_decay", "noise_variance", "momentum",
    "decay_factor", "decay_epochs") are data of the networks: all their values share one compiled
    program. Every combination of the other settings compiles one, as do noise or decay that is 0 beside
    one that is not. The numbers of a cell do not depend on the other cells, and are those of ``fit``
    with its config, bit for bit on one kind of device.

    Args:
        config: settings that all cells share.
        data: samples, or a function that draws them for a seed, as for ``fit``; None if ``over`` names
            datasets.
        over: values by the names of settings, fields of ``TrainConfig``. For "dataset", a dict of
            samples by name.
        seeds: whole numbers, one for each network of a cell.
        record: record that measures the networks, such as ``PlaneRecord``; or, where it depends on the
            network's structure, a function from a config to the record. It is called once for every
            program, with a config that has not the numbers along the grid's axes.
        schedule: recorded epochs, by name or number; 0 and the last are always recorded.
        model: any Flax module instead of the config's network, as for ``fit``.
        optimizer: any Optax optimizer instead of the config's, as for ``fit``.
        draw_labels: function that draws a seed's labels, as for ``fit``.
        lanes: number of networks per compiled program and device, as for ``fit``.
        devices: devices, as for ``fit``.
        executor: workers that train blocks of networks, as for ``fit``.
        checkpoint_dir: folder for checkpoints, among them the records of finished blocks.
        resume: whether to continue from ``checkpoint_dir``, as for ``fit``.
        save_to: netCDF file to which finished blocks are written, if the results are larger than memory.
            It gets its name when all are.
        on_advance: function called after every stretch of training, as for ``fit``.

    Returns:
        Dataset with the record's variables and ``diverged``, of dims ``(*over, *record factors, "seed",
        "epoch", "layer")``; with ``save_to``, read from that file when needed. Cells with fewer layers,
        or other recorded epochs, are filled up with NaN; ``num_layers`` has the dims of ``over``. A
        diverged network has NaN and is flagged. Attributes name the config, the seeds, the schedule, the
        estimator of each program, versions and device.

    Raises:
        ValueError: as ``fit``; for unknown settings, those that training does not use, an empty axis,
            the same value twice, values of the wrong kind; for results that memory does not hold.
        OSError: if checkpoints or the file cannot be written.
    """
    check_config(config)
    check_model(model)
    check_functions(record, optimizer, draw_labels, on_advance)
    check_executor(executor)
    folder = checked_folder(checkpoint_dir, resume)
    devices = checked_devices(devices)
    places = places_of(devices)
    lanes = lanes_of(places, lanes)
    all_seeds = np.concatenate(blocks_of_seeds(seeds, lanes))
    grid = checked_grid(config, over, model=model, optimizer=optimizer)
    datasets = _datasets(data, over)
    with training_settings(devices[0]):
        prepared = [
            _prepared(
                program,
                datasets[program.dataset],
                all_seeds,
                record=record,
                schedule=schedule,
                lanes=lanes,
                model=model,
                optimizer=optimizer,
                draw_labels=draw_labels,
            )
            for program in grid.programs
        ]
        results = GridResults(
            axes=dict(zip(grid.axes, grid.labels, strict=True)),
            seeds=all_seeds.astype(np.int64),
            epochs=np.unique(np.concatenate([p.run.epochs for p in prepared])),
            variables=[p.variables for p in prepared],
            coords=[dict(p.record.coords) for p in prepared],
            attributes=_attributes(config, grid, prepared, schedule),
            path=save_to,
        )
        if folder is not None:
            prepared = [
                _with_checkpoints(p, folder / f"program_{i}", resume, devices[0].platform)
                for i, p in enumerate(prepared)
            ]
    jobs = [(p, j) for p in prepared for j in range(len(p.blocks))]
    # Of several processes the first writes the file, and the others read it.
    writes = save_to is None or jax.process_index() == 0
    with results if writes else contextlib.nullcontext():

        def keep(i, result):
            if not writes:
                return
            p, j = jobs[i]
            params, records = result
            values = {**records, "diverged": not_finite(params)}
            for index, networks, at_seeds in p.places_of_block(j):
                part = {name: value[networks] for name, value in values.items()}
                results.write(index, at_seeds, p.run.epochs, part)

        train_jobs(
            [Job(p.run, p.blocks[j], f"{p.name} {j + 1} of {len(p.blocks)}".strip()) for p, j in jobs],
            keep,
            places=places,
            executor=executor,
            on_advance=on_advance,
        )
    raise_together(None)  # the file has its name
    return results.dataset()


class _Prepared(NamedTuple):
    """A program with its blocks, ready to train.

    The networks of a program are those of its first cell, one for each seed, then those of the next.
    """

    name: str
    run: Run
    record: Record
    cells: list[Cell]
    num_seeds: int
    blocks: list[Block]
    first: Lanes
    variables: dict[str, GridVariable]

    def places_of_block(self, block: int) -> Iterator[tuple[tuple[int, ...], slice, slice]]:
        """Yield the cells of a block: position, and which of the block's networks have which seeds."""
        begin, last = block * self.run.lanes, block * self.run.lanes + len(self.blocks[block].seeds)
        at = begin
        while at < last:
            cell, seed = divmod(at, self.num_seeds)
            end = min(last, (cell + 1) * self.num_seeds)
            yield (
                self.cells[cell].index,
                slice(at - begin, end - begin),
                slice(seed, seed + end - at),
            )
            at = end


def _prepared(
    program: Program, data: Any, seeds: np.ndarray, *, record, schedule, lanes, **options: Any
) -> _Prepared:
    config = program.config
    measured = record if isinstance(record, Record) else record(config)
    if isinstance(measured, type) or not isinstance(measured, Record):
        wanted = (
            "one such as PlaneRecord, which declares its variables, or a function from configs to it"
        )
        raise ValueError(f"record: expected {wanted}, got {kind_of(measured)}")
    of_cells = Numbers(*map(np.stack, zip(*(cell.numbers for cell in program.cells), strict=True)))
    numbers = jax.tree.map(lambda x: np.repeat(x, len(seeds)), of_cells)
    all_seeds = np.tile(seeds, len(program.cells))
    run = prepared_run(
        config,
        data,
        numbers=numbers,
        record=measured,
        epochs=recorded_epochs(schedule, config.num_epochs),
        lanes=lanes,
        **options,
    )
    parts = [slice(i, i + lanes) for i in range(0, len(all_seeds), lanes)]
    blocks = [
        Block(all_seeds[part], jax.tree.map(lambda x, part=part: x[part], numbers), {}) for part in parts
    ]
    first = untrained_lanes(run, blocks[0])
    shapes = jax.eval_shape(lambda: measure(first, run.data, run.record))
    variables = {
        name: GridVariable(described, shapes[name].shape[1:], shapes[name].dtype)
        for name, described in measured.variables.items()
    }
    cells, count = program.cells, len(seeds)
    return _Prepared(program.name, run, measured, cells, count, blocks, first, variables)


def _datasets(data: Any, over: Mapping[str, Any]) -> Mapping[Any, Any]:
    """Return data by name; None names the one that all cells share."""
    named = over.get(DATASET)
    if named is None:
        return {None: data}
    if data is not None:
        raise ValueError(
            f'data: expected None with over={{"dataset": {{name: samples}}}}, got {kind_of(data)} too'
        )
    return named


def _with_checkpoints(prepared: _Prepared, folder: Path, resume: Resume, platform: str) -> _Prepared:
    run, blocks = prepared.run, prepared.blocks
    numbers = {
        name: np.concatenate([getattr(block.numbers, name) for block in blocks])
        for name in Numbers._fields
    }
    description = run_description(
        run,
        prepared.first,
        seeds_of=[block.seeds for block in blocks],
        purposes={},
        numbers=numbers,
        platform=platform,
    )
    identity = of_first(lambda: describe_run(folder, description, resume=resume))
    kept = [
        block._replace(checkpoint=BlockCheckpoint(folder / f"seeds_block_{i}", identity, block.seeds))
        for i, block in enumerate(blocks)
    ]
    return prepared._replace(blocks=kept)


def _attributes(
    config: TrainConfig, grid: Grid, prepared: Sequence[_Prepared], schedule: Any
) -> dict[str, Any]:
    shared = {k: v for k, v in config.as_dict().items() if k not in grid.axes}
    named = isinstance(schedule, str)
    return {
        **{k: as_attribute(v) for k, v in shared.items()},
        "over": as_attribute(grid.axes),
        "estimator": "; ".join(dict.fromkeys(str(p.record) for p in prepared)),
        "measured_on": "; ".join(dict.fromkeys(p.record.rows for p in prepared)),
        "schedule": schedule if named else f"{len(prepared[0].run.epochs)} epochs",
        "lanes": prepared[0].run.lanes,
        **environment(),
    }
