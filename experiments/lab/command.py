"""The entry point of every experiment: command line, devices, output folder, results and figures."""

import dataclasses
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import jax
import tyro
import xarray as xr
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from PIL import Image

from experiments.lab.cluster import join_processes, workers_of
from experiments.lab.ending import ends_on_signals
from experiments.lab.folder import claimed, discard, has_checkpoints
from experiments.lab.programs import keep_programs
from experiments.lab.tables import Table, with_caution
from ibjax.batching import default_lanes
from ibjax.checks import as_whole
from ibjax.results import load_results, save_results, whole_file
from ibjax.training.checkpoint import Resume
from ibjax.training.processes import leave_together, of_first

__all__ = ["LabConfig", "main"]

RESULTS, CHECKPOINTS = "results.nc", "checkpoints"

SMOKE_SEEDS = 4

# Frame rate of animations.
FRAMES_PER_SECOND = 10

# Largest width of a figure in pixels: wider ones do not fit a page.
WIDEST = 1440


@dataclasses.dataclass(frozen=True)
class LabConfig:
    """Command-line options common to all experiments."""

    # Whether the experiment trains networks, which a cluster could do.
    trains: ClassVar[bool] = True

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
    any_version: bool = False
    """With --resume: also continue a run that other versions of ibjax or JAX have begun."""
    overwrite: bool = False
    """Delete earlier results of this experiment."""
    seeds_per_batch: int | None = None
    """Networks that train together, at most; results do not depend on it."""
    cluster: str | None = None
    """Train on the workers of a Dask cluster: its scheduler's address or file."""
    distributed: bool = False
    """One of several processes (Slurm, Open MPI, TPU pod, Kubernetes) that share the training."""
    keep_programs: bool = True
    """Keep compiled programs in the user's cache folder, so that the next run starts sooner."""

    def __post_init__(self):
        for name in ("seeds", "epochs", "seeds_per_batch", "seed"):
            if (value := getattr(self, name)) is not None:
                whole = as_whole(name, value, at_least=0 if name == "seed" else 1)
                object.__setattr__(self, name, whole)
        if self.seed > 2**31 - 1 - self.seeds:
            raise ValueError(f"seed: expected less than 2^31 - seeds, got {self.seed}")
        if self.resume and self.overwrite:
            raise ValueError("resume: expected without overwrite, got both")
        if self.any_version and not self.resume:
            raise ValueError("any_version: expected with resume, got it alone")
        if not self.trains and (self.cluster is not None or self.distributed):
            name = "distributed" if self.distributed else "cluster"
            raise ValueError(f"{name}: expected for training, got it for an experiment without any")
        if self.cluster is not None and self.distributed:
            raise ValueError("cluster: expected without distributed, got both")

    @property
    def cpu_lanes(self) -> int:
        """Number of networks per compiled program on a CPU."""
        return default_lanes("cpu")

    @property
    def how_to_resume(self) -> Resume:
        """The ``resume`` argument for ``fit``."""
        return "any_version" if self.any_version else self.resume

    @property
    def writes(self) -> bool:
        """Whether this process writes files and progress: of several, the first."""
        return not self.distributed or jax.process_index() == 0

    def fit_options(self, folder: Path | None, arm: str) -> dict[str, Any]:
        """Return arguments for ``fit``; checkpoints of ``arm`` go to ``folder``, if given."""
        return {
            "seeds": self.seed_range,
            "seeds_per_batch": self.seeds_per_batch,
            "checkpoint_dir": folder and folder / arm,
            "resume": self.how_to_resume,
        }

    @property
    def seed_range(self) -> range:
        """The seeds; only a few in a smoke run."""
        count = min(self.seeds, SMOKE_SEEDS) if self.smoke else self.seeds
        return range(self.seed, self.seed + count)


def main(
    name: str,
    config_type: type[LabConfig],
    run: Callable[..., xr.Dataset],
    report: Callable[[xr.Dataset], tuple[Mapping[str, Figure | FuncAnimation], list[Table]]],
) -> None:
    """Run an experiment from the command line; user errors end it with one line and exit code 2.

    Args:
        name: name of the experiment and of its folder.
        config_type: class of the experiment's options.
        run: function ``run(config, folder=...)`` that returns the results and keeps checkpoints in
            ``folder``.
        report: function from results to figures by file name (animations as .gif or .mp4), and tables.
    """
    try:
        config = tyro.cli(config_type, prog=f"python -m experiments.{name}")
        folder, options = config.out / name, _options(config)
        if config.keep_programs:
            keep_programs()
        if config.distributed:
            join_processes()
        with (
            _few_words(),
            ends_on_signals(lambda: _what_is_kept(folder)),
            workers_of(config.cluster),
            _claimed_by_first(config, folder, options) as finished,
        ):
            if not config.writes:
                if not finished:
                    run(config, folder=folder / CHECKPOINTS)
                return
            results = _results(config, options, run, folder)
            _write_report(*report(results), config, results, folder)
    except ValueError as error:
        text = str(error).replace('resume="any_version"', "--resume --any-version")
        print(f"error: {text}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def _claimed_by_first(config: LabConfig, folder: Path, options: Mapping[str, Any]) -> Iterator[bool]:
    """Claim a folder; of several processes the first does, which alone writes, and all leave together.

    Yields:
        Whether results have been finished earlier.
    """
    with ExitStack() as stack:

        def claim() -> bool:
            stack.enter_context(
                claimed(folder, options, resume=config.how_to_resume, overwrite=config.overwrite)
            )
            return (folder / RESULTS).exists()

        finished = of_first(claim) if config.distributed else claim()
        try:
            yield finished
        except Exception as error:
            if config.distributed:
                leave_together(error)
            raise
        if config.distributed:
            leave_together(None)


@contextmanager
def _few_words() -> Iterator[None]:
    """Show warnings without the line of code, and disk errors without other libraries' tracebacks."""

    def warn(message: Warning | str, *_: Any) -> None:
        print(f"warning: {message}", file=sys.stderr)

    former_crash, former_unraisable = sys.excepthook, sys.unraisablehook

    def crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not _is_of_a_lost_write(error):
            former_crash(kind, error, trace)

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if not _is_of_a_lost_write(args.exc_value):
            former_unraisable(args)

    # Orbax also raises what it logs, and asyncio logs writes of it that nobody waits for any longer.
    for logger in ("absl", "asyncio"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    # For good: such writes may go on until the process ends.
    sys.excepthook, sys.unraisablehook = crash, unraisable
    with warnings.catch_warnings():
        warnings.showwarning = warn
        yield


def _is_of_a_lost_write(error: BaseException | None) -> bool:
    """Return whether TensorStore raises this for a write that continues after one has failed."""
    return str(error) == "Event loop is closed"


def _results(
    config: LabConfig, options: Mapping[str, Any], run: Callable[..., xr.Dataset], folder: Path
) -> xr.Dataset:
    """Return the results of a run, finished earlier or now, and only then delete its checkpoints."""
    file, checkpoints = folder / RESULTS, folder / CHECKPOINTS
    if file.exists():
        results = _finished(file, options)
    else:
        results = run(config, folder=checkpoints)
        results = results.assign_attrs(
            experiment=folder.name, options=json.dumps(options), smoke=json.dumps(config.smoke)
        )
        save_results(results, file)
    discard(folder, [checkpoints])
    return results


def _write_report(
    figures: Mapping[str, Figure | FuncAnimation],
    tables: list[Table],
    config: LabConfig,
    results: xr.Dataset,
    folder: Path,
) -> None:
    written = [folder / RESULTS]
    for file_name, figure in figures.items():
        written.append(folder / file_name)
        _save_figure(figure, written[-1])
    for table in tables:
        said = with_caution(table, results.sizes.get("seed"), smoke=config.smoke)
        print(f"{said}\n")
        written += said.save(folder)
    print("written:", *(f"  {path}" for path in written), sep="\n")


def _options(config: LabConfig) -> dict[str, Any]:
    """Return the options that define a run, as plain values."""
    ignored = {"keep_programs", "out", "resume", "any_version", "overwrite", "cluster", "distributed"}
    options = {k: v for k, v in dataclasses.asdict(config).items() if k not in ignored}
    return json.loads(json.dumps(options, default=str))


def _finished(file: Path, options: Mapping[str, Any]) -> xr.Dataset:
    """Load the results of a finished run.

    Raises:
        ValueError: if the file is damaged or belongs to another run.
    """
    way_out = "delete it to continue from the checkpoints, if any, or use --overwrite to start anew"
    try:
        results = load_results(file)
    except ValueError as error:
        raise ValueError(f"{error}; {way_out}") from error
    saved_options = results.attrs.get("options", "none")
    if saved_options != json.dumps(options):
        raise ValueError(
            f"resume: expected results of the same options in {file}, got {saved_options}; {way_out}"
        )
    return results


def _what_is_kept(folder: Path) -> str:
    if (folder / RESULTS).exists() or has_checkpoints(folder / CHECKPOINTS):
        return f"{folder} keeps what was finished; --resume goes on from there"
    return f"nothing was finished in {folder}; --overwrite starts anew"


def _save_figure(figure: Figure | FuncAnimation, path: Path) -> None:
    """Save an animation, or a PNG with 256 well-chosen colours, which takes a third of the space."""
    with whole_file(path) as partial:
        if isinstance(figure, FuncAnimation):
            writer = PillowWriter if path.suffix == ".gif" else FFMpegWriter
            figure.save(partial, writer=writer(fps=FRAMES_PER_SECOND), dpi=80)
            return
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=min(100, WIDEST / figure.get_figwidth()))
        Image.open(file).convert("RGB").quantize(256).save(partial, optimize=True)
