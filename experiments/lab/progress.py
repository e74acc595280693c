"""Progress of a run: a live bar on a terminal, occasional lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ibjax.training import Advance

__all__ = ["OnAdvance", "progress_bar"]

OnAdvance = Callable[[Advance], None]

# Shortest time between lines if the output is not a terminal.
SECONDS_BETWEEN_LINES = 60.0


@contextmanager
def progress_bar(arms: int, shown: bool = True) -> Iterator[Callable[[str], OnAdvance]]:
    """Show arm, epoch, training loss, if it is recorded, and time left on standard error.

    A terminal shows a live bar. A file or pipe gets a line at the start of each arm, and further ones at
    most once a minute.

    Args:
        arms: number of calls of ``fit`` in the run.
        shown: False shows nothing, as in all but the first of several processes.

    Yields:
        A function from an arm's name to ``on_advance`` for its ``fit``.
    """
    console = Console(stderr=True)
    if not shown:
        yield lambda arm: lambda advance: None
    elif console.is_terminal:
        with _bar(console, arms) as on_advance_of:
            yield on_advance_of
    else:
        yield _lines(arms)


@contextmanager
def _bar(console: Console, arms: int) -> Iterator[Callable[[str], OnAdvance]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("compiling", total=arms)

        def on_advance_of(arm: str) -> OnAdvance:
            bar.update(task, description=f"{arm}: compiling")

            def on_advance(advance: Advance) -> None:
                bar.update(task, advance=advance.fraction, description=_position(arm, advance))

            return on_advance

        yield on_advance_of


def _lines(arms: int) -> Callable[[str], OnAdvance]:
    started = last = time.monotonic()
    done = 0.0

    def say(text: str) -> None:
        nonlocal last
        last = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def on_advance_of(arm: str) -> OnAdvance:
        say(f"{arm}: compiling")

        def on_advance(advance: Advance) -> None:
            nonlocal done
            done += advance.fraction
            now = time.monotonic()
            if now - last >= SECONDS_BETWEEN_LINES:
                say(_position(arm, advance) + _time_left(now - started, done / arms))

        return on_advance

    return on_advance_of


def _position(arm: str, advance: Advance) -> str:
    text = f"{arm}: epoch {advance.epoch}"
    if "train_loss" not in advance.records:
        return text
    return f"{text}, training loss {np.mean(advance.records['train_loss']):.3f}"


def _time_left(seconds: float, share: float) -> str:
    """Tell what is left after ``seconds`` for a ``share`` of the run; nothing where that is 0."""
    if share == 0:
        return ""
    minutes = round(seconds * (1 - share) / share / 60)
    left = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 1)} min"
    return f"; about {left} left"
