"""Runs of `fsck` as users start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def fsck(root: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Check a folder; returns the exit code and the report, or what was said instead as `error`."""
    command = [sys.executable, "-m", "aistore.local", "fsck", "--json", "--dir", root, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}
