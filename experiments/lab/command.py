"""What starts every experiment: command line, devices, output folder, results and figures."""

import dataclasses
import io
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import tyro
import xarray as xr
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from PIL import Image

from experiments.lab.tables import Table
from ibjax.batching import default_lanes
from ibjax.checks import check_whole
from ibjax.results import load_results, save_results
from ibjax.training.checkpoint import describe_run

__all__ = ["LabConfig", "main"]

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
