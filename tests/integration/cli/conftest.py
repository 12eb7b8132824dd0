"""The command `aistore`, run as a user runs it: in a process of its own, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


class Shell:
    """Runs `aistore ...` in a folder.

    Attributes:
        folder: Where commands run.
        env: Their environment.
    """

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "AIS_ENDPOINT": endpoint,
            "XDG_CONFIG_HOME": str(folder.parent / "config"),
            "PYTHONWARNINGS": "error",
        }

    def command(self, *arguments) -> list[str]:
        return [sys.executable, "-m", "aistore.cli", *map(str, arguments)]

    def run(self, *arguments, input=None, env=None) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.env, **(env or {})},
            input=input if input is None or isinstance(input, bytes) else input.encode(),
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=100,
        )

    def __call__(self, *arguments, code=0, input=None, env=None) -> str:
        """Run a command, check its exit code, and return what it wrote to standard output."""
        done = self.run(*arguments, input=input, env=env)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.stdout.decode("utf-8", "surrogateescape")

    def fails(self, *arguments, code, input=None, env=None) -> str:
        """Run a command that must end with this exit code, and return its line of error."""
        done = self.run(*arguments, input=input, env=env)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.stderr.decode()


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
