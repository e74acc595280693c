"""What the experiments share: command line, devices, output folder, progress, tables."""

import csv
import dataclasses
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
import xarray as xr
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ibjax.batching import default_lanes
from ibjax.checks import check_whole
from ibjax.presets import Preset, preset
from ibjax.results import (
    describe_function,
    environment,
    history_to_dataset,
    load_results,
    save_results,
)
from ibjax.training import Advance, TrainConfig, fit
from ibjax.training.checkpoint import describe_run
from ibjax.types import Record

__all__ = [
    "LabConfig",
    "Table",
    "main",
    "paper_training",
    "plane_attributes",
    "progress_bar",
    "table_of",
    "train_arms",
]

SMOKE_SEEDS = 4

# Of animations.
FRAMES_PER_SECOND = 10

# Pixels of a figure: more do not fit a page.
WIDEST = 1440


@dataclasses.dataclass(frozen=True)
class LabConfig:
    """Options of every experiment."""

    seeds: int = 50
    """Networks per arm."""
    epochs: int | None = None
    """Epochs of training; the experiment's full scale by default."""
    seed: int = 0
    """First seed; network i has key jax.random.key(seed + i)."""
    out: Path = Path("results")
    """Folder of the results; this experiment's go to a folder of its own in it."""
    smoke: bool = False
    """A few networks and epochs: every file in under a minute."""
    resume: bool = False
    """Continue an interrupted run."""
    overwrite: bool = False
    """Delete earlier results of this experiment."""
    seeds_per_batch: int | None = None
    """Networks that train together, at most; results do not depend on it."""

    def __post_init__(self):
        check_whole("seeds", self.seeds)
        if self.epochs is not None:
            check_whole("epochs", self.epochs)
        if self.seeds_per_batch is not None:
            check_whole("seeds_per_batch", self.seeds_per_batch)
        if not 0 <= self.seed <= 2**31 - 1 - self.seeds:
            raise ValueError(f"seed: expected 0 or more, below 2^31 - seeds, got {self.seed}")
        if self.resume and self.overwrite:
            raise ValueError("resume: expected without overwrite, got both")

    @property
    def cpu_lanes(self) -> int:
        """Networks that a compiled program runs on a CPU."""
        return default_lanes("cpu")

    def fit_options(self, folder: Path | None, arm: str) -> dict[str, Any]:
        """What ``fit`` takes from the command line; ``arm``'s checkpoints go to ``folder``, if given."""
        return {
            "seeds": self.seed_range,
            "seeds_per_batch": self.seeds_per_batch,
            "checkpoint_dir": folder and folder / arm,
            "resume": self.resume,
        }

    @property
    def seed_range(self) -> range:
        """The seeds, reduced in number for ``smoke``."""
        count = min(self.seeds, SMOKE_SEEDS) if self.smoke else self.seeds
        return range(self.seed, self.seed + count)


@dataclasses.dataclass(frozen=True)
class Table:
    """What was found: a name, a header, rows of words and numbers, and plain sentences."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    sentences: Sequence[str] = ()

    def __str__(self) -> str:
        cells = [list(self.header), *([_cell(x) for x in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.name, *lines, *([""] if self.sentences else []), *self.sentences])

    def save(self, folder: Path) -> list[Path]:
        """``NAME.csv`` with the rows and ``NAME.txt`` as printed."""
        numbers, text = folder / f"{self.name}.csv", folder / f"{self.name}.txt"
        with numbers.open("w", newline="") as file:
            csv.writer(file).writerows([self.header, *self.rows])
        text.write_text(f"{self}\n")
        return [numbers, text]


def table_of(name: str, data: xr.Dataset, sentences: Sequence[str] = ()) -> Table:
    """A row for each entry of the variables, all of the same dims: its coordinates, then its values."""
    dims = [str(d) for d in next(iter(data.data_vars.values())).dims]
    others = [str(k) for k, v in data.coords.items() if v.dims and k not in dims]
    frame = data.transpose(*dims, missing_dims="ignore").to_dataframe(dim_order=dims).reset_index()
    header = [*dims, *others, *map(str, data.data_vars)]
    return Table(name, header, frame[header].to_numpy(object).tolist(), sentences)


def main(
    name: str,
    config_type: type[LabConfig],
    run: Callable[..., xr.Dataset],
    report: Callable[[xr.Dataset], tuple[Mapping[str, Figure | FuncAnimation], list[Table]]],
) -> None:
    """Run an experiment from the command line; user errors end it with a line and exit code 2.

    Args:
        name: of the experiment and of its folder.
        config_type: the options.
        run: ``run(config, folder=...)`` returns the results and keeps checkpoints in ``folder``.
        report: figures by file name (animations as .gif or .mp4), and tables.
    """
    try:
        config = tyro.cli(config_type, prog=f"python -m experiments.{name}")
        folder = _claim_folder(config, name)
        _use_all_cores(len(config.seed_range), config.cpu_lanes)
        results_file = folder / "results.nc"
        checkpoints = folder / "checkpoints"
        if results_file.exists():
            results = load_results(results_file)
        else:
            results = run(config, folder=checkpoints)
            save_results(results, results_file)
            shutil.rmtree(checkpoints, ignore_errors=True)
        figures, tables = report(results)
        written = [results_file]
        for file_name, figure in figures.items():
            written.append(folder / file_name)
            _save_figure(figure, written[-1])
        for table in tables:
            print(f"{table}\n")
            written += table.save(folder)
        print("written:", *(f"  {path}" for path in written), sep="\n")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def progress_bar(arms: int) -> Iterator[Callable[[str], Callable[[Advance], None]]]:
    """A live bar with arm, epoch, loss and time left; quiet where the output is no terminal.

    Yields:
        A function from an arm's name to ``on_advance`` for its ``fit``.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=arms)

        def of_arm(name: str) -> Callable[[Advance], None]:
            bar.update(task, description=f"{name}: compiling")

            def on_advance(advance: Advance) -> None:
                loss = np.mean(advance.records["train_loss"])
                description = f"{name}: epoch {advance.epoch}, training loss {loss:.3f}"
                bar.update(task, advance=advance.fraction, description=description)

            return on_advance

        yield of_arm


def paper_training(
    config: LabConfig, *, epochs: int, smoke_epochs: int, smoke_widths: tuple[int, ...], **options: Any
) -> TrainConfig:
    """Training by the preset "paper" at full scale; of a smoke run, of few epochs and a small network.

    Args:
        config: of the command line.
        epochs: of the full scale.
        smoke_epochs: of a smoke run.
        smoke_widths: of its network, since most of its time is compilation, layer by layer.
        options: of ``TrainConfig``, such as the activation.
    """
    options |= preset("paper").training
    options["num_epochs"] = config.epochs or (smoke_epochs if config.smoke else epochs)
    if config.smoke:
        options["widths"] = smoke_widths
    return TrainConfig(**options)


def train_arms(
    config: LabConfig,
    arms: Mapping[tuple[str, ...], TrainConfig],
    data: Any,
    record_of: Callable[[TrainConfig], Record],
    *,
    schedule: Any,
    folder: Path | None,
    **options: Any,
) -> dict[tuple[str, ...], xr.Dataset]:
    """Train and measure every arm, with a live bar; by the arms' keys, the factors' levels.

    Args:
        config: of the command line.
        arms: how each arm trains.
        data: of ``fit``.
        record_of: the record function of an arm; its records are those of ``plane_record`` and alike.
        schedule: of ``fit``.
        folder: of the checkpoints, if given.
        options: of ``fit``.
    """
    found = {}
    with progress_bar(len(arms)) as on_advance_of:
        for key, training in arms.items():
            history = fit(
                training,
                data,
                record=record_of(training),
                schedule=schedule,
                on_advance=on_advance_of(" ".join(key)),
                **config.fit_options(folder, "_".join(key)),
                **options,
            )
            found[key] = history_to_dataset(history, training.as_dict())
    return found


def plane_attributes(config: LabConfig, name: str, convention: Preset, source: str) -> dict[str, Any]:
    """What planes of the symmetric task by a preset's estimator, on all its words, rest on."""
    return {
        "experiment": name,
        "source": source,
        "preset": convention.source,
        "dataset": "ibjax.datasets.symmetric_task(): 4096 binary words, hard labels",
        "estimator": describe_function(convention.estimator),
        "binning": convention.binning,
        "measured_on": "all 4096 inputs",
        "num_samples": 4096,
        "noise_variance": 0.0,
        "seed": config.seed,
        **environment(),
    }


def _save_figure(figure: Figure | FuncAnimation, path: Path) -> None:
    """PNG with a palette of 256 colours: a third of the size, colours in fine steps; or a film."""
    if isinstance(figure, FuncAnimation):
        writer = PillowWriter if path.suffix == ".gif" else FFMpegWriter
        figure.save(path, writer=writer(fps=FRAMES_PER_SECOND), dpi=80)
        return
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=min(100, WIDEST / figure.get_figwidth()))
    Image.open(file).convert("RGB").quantize(256).save(path, optimize=True)


def _claim_folder(config: LabConfig, name: str) -> Path:
    """The experiment's folder, empty or to be resumed, and writable: known before any training.

    Raises:
        ValueError: if it holds results already or cannot be written.
    """
    folder = config.out / name
    try:
        if folder.exists() and config.overwrite:
            shutil.rmtree(folder)
        if folder.exists() and any(folder.iterdir()) and not config.resume:
            raise ValueError(
                f"out: expected no earlier results, got {folder}, which is not empty; "
                "--resume continues it, --overwrite deletes it, --out writes elsewhere"
            )
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"out: expected a folder to write to, got {folder} ({error})") from error
    ignored = {"out", "resume", "overwrite"}
    options = {k: v for k, v in dataclasses.asdict(config).items() if k not in ignored}
    describe_run(folder, options, resume=config.resume)
    return folder


def _use_all_cores(num_seeds: int, lanes: int) -> None:
    """One host device a core, as far as there are programs for them; must come before JAX starts."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    programs = -(-num_seeds // lanes)
    jax.config.update("jax_num_cpu_devices", min(cores, programs))


def _cell(x: object) -> str:
    return f"{x:.3f}" if isinstance(x, float | np.floating) else str(x)
