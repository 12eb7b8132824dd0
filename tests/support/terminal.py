"""A program on a pseudo-terminal: what it shows, what is typed, and how it ends."""

import os
import pty
import select
import subprocess
import sys
import time

# Run before the program: a `preexec_fn` would fork a process that has threads.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """Runs a program with a terminal of its own, so that Ctrl-C reaches it as it reaches a user's.

    Args:
        command: The program and its arguments.
        options: As for `subprocess.Popen`.
    """

    def __init__(self, command: list[str], **options) -> None:
        self.shown = b""
        self._master, slave = pty.openpty()
        options["env"] = {**os.environ, **options.get("env", {}), "TERM": "xterm", "COLUMNS": "100"}
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command], start_new_session=True, **options
        )
        os.close(slave)

    def type(self, text: str) -> None:
        """Type; `\\x03` is Ctrl-C."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str, within: float = 30.0) -> None:
        """Read what is shown until a text is in it."""
        deadline = time.monotonic() + within
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} is not shown: {self.shown!r}"
            assert self._read(0.2) or self.process.poll() is None, f"{text!r} was not shown: {self.shown!r}"

    def end(self, within: float = 30.0) -> int:
        """Read until the program has ended; return its exit code."""
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.shown!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody has the other end open
            return False
        self.shown += data
        return bool(data)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
