"""The main job, run as a user runs it: it works, and nothing is left behind however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from leftovers import assert_nothing_left, processes

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "quickstart.py"


@pytest.fixture
def scratch(tmp_path):
    """Give a folder that the script and all its children take for the temporary one."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def start(scratch, *args, script=SCRIPT):
    return subprocess.Popen(
        [sys.executable, str(script), *args],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, process, what, within=60.0):
    deadline = time.monotonic() + within
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.stdout.read()}"
        assert time.monotonic() < deadline, f"no {what} within {within} s"
        time.sleep(0.02)


def etl_is_up(scratch):
    return any("aistore.sdk.etl.webserver.runtime" in command for command in processes(scratch).values())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_main_job_runs_and_cleans_up(scratch):
    job = start(scratch, "--logs", "--files", str(Path(asyncio.__file__).parent))  # `make demo` takes all
    output, _ = job.communicate(timeout=280)
    assert job.returncode == 0, output
    for word in ("upload", "inline ETL", "offline ETL", "Get-Batch", "objects/s", "no/such.json"):
        assert word in output
    assert_nothing_left(scratch)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_job_leaves_nothing(scratch, number):
    job = start(scratch)
    try:
        wait_for(lambda: etl_is_up(scratch), job, "ETL process")
        if number == signal.SIGINT:
            os.killpg(job.pid, number)  # Ctrl-C on a terminal reaches the whole group
        else:
            job.send_signal(number)
        job.communicate(timeout=30)
        assert job.returncode != 0
        assert_nothing_left(scratch)
    finally:
        job.kill()


FAILING = """
from aistore.local import LocalCluster
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

with LocalCluster(targets=2) as cluster:
    client = cluster.client()
    bucket = client.bucket("failing").create()
    bucket.object("broken.txt").get_writer().put_content(b"data")

    @client.etl("always-fails").init_class(NUM_WORKERS=1)
    class Fails(FastAPIServer):
        def transform(self, data, path, etl_args):
            raise ValueError("no such colour: ultraviolet")

    bucket.object("broken.txt").get_reader(etl=ETLConfig("always-fails")).read_all()
"""


def test_a_failing_transform_ends_the_program_and_leaves_nothing(scratch, tmp_path):
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    job = start(scratch, script=script)
    output, _ = job.communicate(timeout=90)
    assert job.returncode == 1
    assert "no such colour: ultraviolet" in output.splitlines()[-1]
    assert "broken.txt" in output.splitlines()[-1]
    assert_nothing_left(scratch)
