"""Ctrl-C and SIGTERM: workers stop soon, half-written files go, and the exit code says which it was."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

from aistore.cli.exits import INTERRUPTED, TERMINATED, Interrupted

GRACE_SECONDS = 3.0
"""How long workers may take to notice before the process ends without them."""

_stop = threading.Event()
_code = INTERRUPTED
_watchdog: threading.Timer | None = None


def install() -> None:
    """Take Ctrl-C and SIGTERM from now on; only in the main thread."""
    _stop.clear()
    signal.signal(signal.SIGINT, _on_signal)
    signal.signal(signal.SIGTERM, _on_signal)


def exit_code() -> int:
    """Return the exit code for the signal that came."""
    return _code


def check() -> None:
    """Let a worker stop between two pieces of its work.

    Raises:
        Interrupted: The user wants to stop.
    """
    if _stop.is_set():
        raise Interrupted


def take_time() -> None:
    """Let cleaning up take longer than workers may; another Ctrl-C ends it."""
    if _watchdog is not None:
        _watchdog.cancel()


def _on_signal(number: int, _frame: FrameType | None) -> None:
    global _code, _watchdog
    _code = TERMINATED if number == signal.SIGTERM else INTERRUPTED
    if _stop.is_set():
        _leave()
    _stop.set()
    _watchdog = threading.Timer(GRACE_SECONDS, _leave)
    _watchdog.daemon = True
    _watchdog.start()
    raise KeyboardInterrupt


def _leave() -> None:
    """End the process at once: a worker hangs in a call that does not return."""
    files = sys.modules.get("aistore._files")  # none are being written where it was not imported
    for path in list(files.unfinished) if files is not None else ():
        with contextlib.suppress(OSError):
            os.unlink(path)
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # a progress bar has hidden the cursor
        sys.stderr.flush()
    os._exit(_code)
