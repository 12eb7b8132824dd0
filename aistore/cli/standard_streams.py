"""Standard streams that the program was started without (`>&-`, in a daemon): using one is an error."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from aistore.cli.exits import CliError

_NAMES = ("standard input", "standard output", "standard error")


class _Closed(io.BufferedIOBase):
    """A stream that cannot be read or written."""

    def __init__(self, name: str) -> None:
        self._name = name

    def readable(self) -> bool:
        return self._name == _NAMES[0]

    def writable(self) -> bool:
        return not self.readable()

    def _refuse(self, *_arguments: Any) -> Any:
        raise CliError(f"{self._name} is closed")

    read = read1 = readinto = readinto1 = write = _refuse


def replace_closed() -> None:
    """Put something in the place of streams that are closed: nothing else may get their descriptors.

    Notes and errors are dropped where standard error is closed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        _occupy(number)
        text: Any = io.TextIOWrapper(_Closed(_NAMES[number]), "utf-8", write_through=True)
        setattr(sys, name, text if name != "stderr" else _devnull())


def ignore_closed() -> None:
    """Drop what is written to standard output, if it is closed."""
    if isinstance(getattr(sys.stdout, "buffer", None), _Closed):
        sys.stdout = _devnull()


def _devnull() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")


def _occupy(number: int) -> None:
    """Open a socket under a free descriptor: unlike a file, `/dev/stdin` cannot open it again."""
    import socket

    try:
        os.fstat(number)
    except OSError:
        other = socket.socket()
        if other.fileno() == number:
            other.detach()
        else:
            other.close()
