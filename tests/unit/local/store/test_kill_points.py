"""SIGKILL where bytes, rows and the journal reach the disk: what was acknowledged is there, nothing torn.

`AIS_TEST_KILL_STEP=1` kills at every point, otherwise at every 7th.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import kill_points
import pytest
from kill_points import open_store, read

from aistore.local.check import check_folder
from aistore.local.fsck import exit_code

STEP = int(os.environ.get("AIS_TEST_KILL_STEP", "7"))
PROGRAM = Path(kill_points.__file__)


def stored(root: Path) -> dict[str, bytes]:
    """The content after a start, when what crashes left behind is removed."""
    store = open_store(root)
    try:
        assert store._janitor.await_sweep(20)
        found = read(store)
        while store._janitor.remove_some():
            pass
        left = store.quota.room()
        assert left is not None
        assert (1 << 30) - left == sum(path.stat().st_size for path in root.glob("t*/*/*/*"))
    finally:
        store.close()
    return found


@pytest.mark.timeout(60 + 600 // STEP)
def test_what_was_acknowledged_survives_a_kill_at_any_point(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(tmp_path), str(STEP)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + 600 // STEP)
    assert done.returncode == 0, done.stderr
    expected = kill_points.contents()
    assert stored(tmp_path / "whole") == expected[-1]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 100 // STEP
    for line in lines:
        root, count = tmp_path / str(line["number"]), line["done"]
        assert line["killed"], line
        # The change that was cut off is there as a whole, or not at all.
        possible = expected[count : count + 2]
        found = stored(root)
        assert found in possible, (line, found)
        report = check_folder(root)
        assert not report.problems, (line, report)
        # What the journal has is as much, but for parts: uploads under way do not come back.
        report = check_folder(root, rebuild=True)
        assert exit_code(report) == (3 if report.unnamed else 1), (line, report)
        assert report.lost == 0
        assert all(problem.repaired for problem in report.problems)
        again = stored(root)
        assert again in possible, (line, again)
        kept = {path.read_bytes() for path in (root / "lost+found").rglob("*") if path.is_file()}
        assert {data[:4] for data in kept} <= {b"part"} or found != again, (line, kept)
