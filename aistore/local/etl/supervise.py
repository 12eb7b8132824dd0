"""Runs a command and ends it when standard input ends, that is, when the server that started it is gone.

Run by path, with nothing but the standard library. The command shares the process group that this process
leads, so that whoever kills the group leaves nothing, at whatever moment.

Usage: supervise.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 5.0


def _stop(*_: object) -> None:
    """End the group: asked to, and after a while killed, this process with it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    timer = threading.Timer(_GRACE_SECONDS, os.killpg, (0, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _watch_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Run the command; returns its exit status."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as err:
        print(f"{sys.argv[1]}: {err.strerror}", file=sys.stderr, flush=True)  # noqa: T201 - to the ETL's log
        return 127
    threading.Thread(target=_watch_input, daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
