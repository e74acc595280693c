"""Handling of Ctrl-C and SIGTERM, which end an experiment soon, with one line."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["ends_on_signals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Time for cleaning up before the process ends.
SECONDS = 0.5

# Restores a terminal with a live bar: shows the cursor again, and overwrites the bar.
RESTORE = "\x1b[?25h\r\x1b[K"


@contextmanager
def ends_on_signals(last_words: Callable[[], str]) -> Iterator[None]:
    """End the process with one line and exit code 128 + signal on Ctrl-C and SIGTERM, in this context.

    The main thread gets a KeyboardInterrupt and half a second to clean up. It may not get that far:
    worker threads continue to the next recorded epoch, and no exception reaches a main thread that waits
    for them or for the compiler. So a separate thread then ends the process; files are written
    completely or not at all.

    Args:
        last_words: function that returns the line, called when the process ends.
    """
    received: list[int] = []
    ending = threading.Lock()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def end(number: int) -> None:
        ending.acquire()  # never released, so that the line is printed once
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        stderr = sys.__stderr__
        if stderr is not None:
            restore = RESTORE if stderr.isatty() else ""
            name = signal.Signals(number).name
            with suppress(OSError, ValueError):
                print(f"{restore}interrupted by {name}: {last_words()}", file=stderr, flush=True)
        os._exit(128 + number)

    def watch() -> None:
        while number := os.read(reader, 1)[0]:
            if number in SIGNALS:
                time.sleep(SECONDS)
                end(number)

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        # The signal came while Python was in a callback, which cannot raise it; the thread ends the run.
        if args.exc_type is not KeyboardInterrupt:
            former_hook(args)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not received:  # a second Ctrl-C does not interrupt the cleanup
            received.append(number)
            raise KeyboardInterrupt

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    former_hook, sys.unraisablehook = sys.unraisablehook, unraisable
    former_writer, former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False), {}
    try:
        for number in SIGNALS:
            former[number] = signal.signal(number, interrupt)
        yield
    finally:
        if received:
            end(received[0])
        sys.unraisablehook = former_hook
        signal.set_wakeup_fd(former_writer)
        for number, handler in former.items():
            signal.signal(number, handler)
        os.write(writer, bytes([0]))
        watching.join()
        os.close(reader)
        os.close(writer)
