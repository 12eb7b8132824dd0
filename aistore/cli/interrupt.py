"""Ctrl-C, SIGTERM, `--max-time`: workers stop soon, half-written files go, the exit code says why."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

from aistore.cli.exits import INTERRUPTED, TERMINATED, TIME_IS_UP, Interrupted

GRACE_SECONDS = 3.0
"""How long workers may take to notice before the process ends without them."""

_CODES: dict[int, int] = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
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


def limit(seconds: float) -> None:
    """End the command when this time is over, as Ctrl-C would.

    Args:
        seconds: The time from now.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _on_signal)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        timer = threading.Timer(seconds, _leave, [TIME_IS_UP])
        timer.daemon = True
        timer.start()


def end_limit() -> None:
    """Let what is left to do take any time."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


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
    _code = _CODES.get(number, TIME_IS_UP)
    if _stop.is_set():
        _leave()
    _stop.set()
    _watchdog = threading.Timer(GRACE_SECONDS, _leave)
    _watchdog.daemon = True
    _watchdog.start()
    raise KeyboardInterrupt


def _leave(code: int | None = None) -> None:
    """End the process at once: a worker hangs in a call that does not return."""
    files = sys.modules.get("aistore._files")  # none are being written where it was not imported
    for path in list(files.unfinished) if files is not None else ():
        with contextlib.suppress(OSError):
            os.unlink(path)
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # a progress bar has hidden the cursor
        sys.stderr.flush()
    os._exit(_code if code is None else code)
