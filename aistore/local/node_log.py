"""What nodes tell when they are asked for their logs: the server's own log lines, the newest of them."""

from __future__ import annotations

import io
import logging
import tarfile
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aistore.local.nodes import Node

_KEPT = 10_000
_MAX_LINE = 4096
_LEVELS = {"": logging.INFO, "info": logging.INFO, "i": logging.INFO}
_LEVELS |= {"warning": logging.WARNING, "w": logging.WARNING, "error": logging.ERROR, "e": logging.ERROR}

SEVERITIES = frozenset(_LEVELS)


class NodeLog(logging.Handler):
    """The newest ten thousand lines, the same for every node: there is one process.

    Lines look like the cluster's: a letter for the severity, the time, the place, the message.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        micros = int(record.created % 1 * 1e6)
        text = (
            f"{record.levelname[0]} {clock}.{micros:06} {record.module}:{record.lineno} {record.getMessage()}"
        )
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._lines.append((record.levelno, text[:_MAX_LINE]))

    def text(self, severity: str) -> str:
        """The lines of a severity and above, the oldest first."""
        least = _LEVELS[severity]
        return "".join(f"{line}\n" for level, line in list(self._lines) if level >= least)

    def archive(self, node: Node, severity: str) -> bytes:
        """The same as a compressed tar of one file."""
        data = self.text(severity).encode("utf-8", "replace")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            info = tarfile.TarInfo(f"ais{node.kind}.{(severity or 'info').upper()}.log")
            info.size = len(data)
            info.mtime = int(time.time())
            archive.addfile(info, io.BytesIO(data))
        return out.getvalue()
