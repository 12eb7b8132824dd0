"""Runs a command and ends it when standard input ends, that is, when the server that started it is gone.

Run by path, with nothing but the standard library. The command is the head of a session of its own; with it
goes everything that it started. Usage: supervise.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 5.0


def main() -> int:
    """Run the command; returns its exit status."""
    try:
        process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as err:
        print(f"{sys.argv[1]}: {err.strerror}", file=sys.stderr, flush=True)  # noqa: T201 - to the ETL's log
        return 127

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def stop(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        timer = threading.Timer(_GRACE_SECONDS, kill)
        timer.daemon = True
        timer.start()

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    kill()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
