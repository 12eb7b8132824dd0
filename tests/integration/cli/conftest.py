"""The command `aistore` in an empty folder: in this process where that is enough, else in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest


class Shell:
    """Runs `aistore ...` in a folder.

    Attributes:
        folder: Where commands run.
        env: Their environment.
        in_process: Whether they run in this process, which is quicker.
    """

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.in_process = True
        self.env = {
            **os.environ,
            "AIS_ENDPOINT": endpoint,
            "XDG_CONFIG_HOME": str(folder.parent / "config"),
            "PYTHONWARNINGS": "error",
        }

    def command(self, *arguments) -> list[str]:
        """Return the command line for a process of its own."""
        return [sys.executable, "-m", "aistore.cli", *map(str, arguments)]

    def run(self, *arguments, input=b"", env=None) -> subprocess.CompletedProcess:
        """Run a command; neither input nor output is a terminal."""
        data = input if isinstance(input, bytes) else input.encode()
        env = {**self.env, **(env or {})}
        if self.in_process:
            return self._run_here(list(map(str, arguments)), data, env)
        return self.process(*arguments, data=data, env=env)

    def process(self, *arguments, data=b"", env=None) -> subprocess.CompletedProcess:
        """Run a command in a process of its own."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=env or self.env,
            input=data,
            capture_output=True,
            timeout=100,
        )

    def _run_here(self, arguments, data, env) -> subprocess.CompletedProcess:
        from aistore.cli import app

        streams = {
            name: io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for name in ("out", "err")
        }
        with contextlib.ExitStack() as stack:
            for patch in (
                mock.patch.dict(os.environ, env, clear=True),
                mock.patch("aistore.cli.interrupt.install"),
                mock.patch("aistore.cli.session.Session.start_logging"),
                mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(data))),
                mock.patch("sys.stdout", streams["out"]),
                mock.patch("sys.stderr", streams["err"]),
                contextlib.chdir(self.folder) if hasattr(contextlib, "chdir") else _chdir(self.folder),
            ):
                stack.enter_context(patch)
            path = list(sys.path)
            stack.callback(sys.path.__setitem__, slice(None), path)
            code = app.run(arguments)
        for stream in streams.values():
            stream.flush()
        output, errors = (stream.buffer.getvalue() for stream in streams.values())
        return subprocess.CompletedProcess(arguments, code, output, errors)

    def __call__(self, *arguments, code=0, input=b"", env=None) -> str:
        """Run a command, check its exit code, and return what it wrote to standard output."""
        done = self.run(*arguments, input=input, env=env)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.stdout.decode("utf-8", "surrogateescape")

    def fails(self, *arguments, code, input=b"", env=None) -> str:
        """Run a command that must end with this exit code, and return its line of error."""
        done = self.run(*arguments, input=input, env=env)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.stderr.decode()


@contextlib.contextmanager
def _chdir(folder: Path):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture
def aistore(tmp_path, endpoint) -> Shell:
    """Give the command, in an empty folder with an empty configuration."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, endpoint)


@pytest.fixture
def uri(bucket) -> str:
    """Give the URI of an empty bucket."""
    return f"ais://{bucket.name}"


@pytest.fixture
def put(bucket):
    """Give what writes objects: `put(name, content)`."""

    def write(name: str, content: bytes = b"") -> None:
        bucket.object(name).get_writer().put_content(content)

    return write
