"""The access log: a line of JSON for each request that was answered."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistore.local.errors import LocalClusterError
from aistore.wire.serialization import encode_json

if TYPE_CHECKING:
    from aistore.local.api.request import Request

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class AccessLog:
    """Where the lines go. Each is one write to a file opened for appending: it may be truncated meanwhile.

    Neither headers nor the query are logged, nor the secret of an ETL: tokens and signatures are there.

    Args:
        target (str): A file, or `-` for standard output.

    Raises:
        LocalClusterError: The file can't be opened.
    """

    def __init__(self, target: str) -> None:
        self._own = target != "-"
        if not self._own:
            self._fd = sys.stdout.fileno()
            return
        try:
            self._fd = os.open(Path(target), _FLAGS, 0o600)
        except OSError as err:
            raise LocalClusterError(
                f"the access log {target!r} can't be written: {err.strerror or err}"
            ) from err

    def write(self, req: Request, *, status: int, sent: int, elapsed_ns: int, cut: bool = False) -> None:
        """Log a request.

        Args:
            req (Request): The request.
            status (int): Of the answer, 0 if there was none.
            sent (int): Bytes of its body.
            elapsed_ns (int): From the request's head to the answer's last byte.
            cut (bool): The connection ended before the answer did.
        """
        now = time.time()
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z",
            "node": req.node.label,
            "method": req.method,
            "path": req.logged_path,
            "status": status,
            "bytes": sent,
            "ms": round(elapsed_ns / 1e6, 3),
            "peer": req.remote,
        }
        if cut:
            line["cut"] = True
        # A full disk, or a reader that went away, must not fail requests.
        with contextlib.suppress(OSError):
            os.write(self._fd, encode_json(line) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._own:
            os.close(self._fd)
