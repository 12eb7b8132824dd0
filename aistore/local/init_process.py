"""The duties of process number 1, as which a server may run in a container.

Processes whose parent has ended become children of the first process, which must wait for each or they stay
in the table of processes for ever. The server must not do that itself: it would take the exit status of
processes that it waits for. So the first process starts the server as a child and waits for everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def run(main: Callable[[], int]) -> int:
    """Run `main` in a child; returns its exit code, 128 and the signal's number if a signal ended it.

    Signals are passed on to it. Call it before any thread is started.
    """
    numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.exit(main())

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in numbers:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return _wait_for_all(child)


def _wait_for_all(child: int) -> int:
    """Wait for every process that ends, until `child` does."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
