"""Name look-ups within a time limit: those of the operating system have none that a program could set."""

from __future__ import annotations

import os
import re
import socket
import threading
from typing import Any

_ADDRESS = re.compile(r"[0-9.]+|.*:.*")  # IPv4 or IPv6: no look-up takes place


class _LookUp:
    """A look-up that may outlast the request it was begun for."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[Any] = []
        self.error: OSError | UnicodeError | None = None

    def run(self, host: str, port: int) -> None:
        try:
            self.addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as err:
            self.error = err
        finally:
            _running.pop((host, port), None)
            self.done.set()


# At most one look-up of a name runs at a time: a resolver that hangs costs one thread, not one a retry.
_running: dict[tuple[str, int], _LookUp] = {}


def resolve(host: str, port: int, seconds: float | None) -> list[Any]:
    """Return the addresses of a server, as `socket.getaddrinfo` does.

    Args:
        host: Name or address.
        port: TCP port.
        seconds: The limit; None for the operating system's own.

    Raises:
        OSError, UnicodeError: The name is not known, or cannot be one.
        TimeoutError: There was no answer in time.
    """
    if seconds is None or _ADDRESS.fullmatch(host):
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    mine = _LookUp()
    found = _running.setdefault((host, port), mine)
    if found is mine:
        thread = threading.Thread(target=mine.run, args=(host, port), name="ais-resolve", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            mine.run(host, port)
    if not found.done.wait(seconds):
        raise TimeoutError(f"no answer to the look-up of host {host!r} within {seconds:g} s")
    if found.error is not None:
        raise found.error
    return found.addresses


# In the child of a fork the threads that did the look-ups are not there.
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_running.clear)
