"""The 2.0.0 package can't tell `aistore.local` from a cluster: the main job with it gives the same bytes."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.peer
@pytest.mark.slow
def test_main_job_with_the_2_0_package(peer_python, endpoint, tmp_path):
    folder = Path(sysconfig.get_path("stdlib")) / "asyncio"
    done = subprocess.run(
        [peer_python, HERE / "main_job.py", endpoint, folder],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["version"] == "2.0.0"
    assert report["objects"] == len(list(folder.rglob("*.py")))
