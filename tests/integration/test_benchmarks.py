"""The benchmarks run: a row comes out for ours and for the floor, in the table, the page and the JSON."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from peer import wait_until

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path, *args):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *args],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_group_is_measured_and_reported(tmp_path):
    figures, page, scratch = tmp_path / "figures.json", tmp_path / "page.md", tmp_path / "scratch"
    scratch.mkdir()
    options = ["--origin", "local", "--seconds", "0.1", "--quick", "--only", "ours", "--only", "floor"]
    done = run(scratch, "head", *options, "--json", str(figures), "--report", str(page))
    assert done.returncode == 0, done.stderr
    assert "HEAD" in done.stdout
    assert "bucket.info()" in done.stdout
    rows = {row["title"]: row for row in json.loads(figures.read_text())["rows"]}
    for name in ("ours", "floor"):
        taken = rows["HEAD"]["figures"][name]
        assert not taken["excluded"]
        assert taken["wall_best"] > 0
        assert taken["cpu_best"] > 0
    # Without the baseline there is no ratio, and no goal is called met.
    assert set(rows["HEAD"]["verdicts"].values()) == {"not measured"}
    assert "| HEAD [local] |" in page.read_text()
    assert list(scratch.iterdir()) == []


def test_a_batch_straight_from_the_owners_is_measured(tmp_path):
    options = ["--origin", "local", "--seconds", "0.1", "--quick", "--match", "straight from"]
    done = run(
        tmp_path, "batch", *options, "--only", "ours", "--only", "floor", "--json", str(tmp_path / "f")
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "f").read_text())["rows"]
    assert all(row["figures"][name]["wall"] for name in ("ours", "floor")), row


def test_a_group_that_is_not_there_is_named(tmp_path):
    done = run(tmp_path, "speed")
    assert done.returncode == 2
    assert "no group speed: expected get, head, put" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks Linux for its processes")
def test_nothing_is_left_of_a_run_that_is_terminated(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "benchmarks", "head", "--only", "ours"]
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with run:
        wait_until(lambda: processes_within(scratch) - {run.pid}, 100)
        run.terminate()
        assert run.wait(100) == 128 + signal.SIGTERM, run.stderr.read()
    wait_until(lambda: not processes_within(scratch), 100)
    assert list(scratch.iterdir()) == []


def processes_within(folder):
    """Return the processes whose temporary folder this is: a server of the run may name it nowhere else."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={folder}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return found
