"""dSort through both packages gives the same output shards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aistore.local import LocalCluster

HERE = Path(__file__).parent


def report(python, endpoint, folder):
    done = subprocess.run(
        [python, HERE / "dsort_job.py", endpoint, folder],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def members(records):
    return [f"r{number:02}.{kind}" for number in records for kind in ("txt", "cls")]


@pytest.fixture(scope="module")
def local_endpoint():
    """Give a local cluster, as those of others are mostly built without dSort."""
    with LocalCluster(targets=2) as cluster:
        yield cluster.endpoint


def check(found):
    up, down = range(20), range(19, -1, -1)
    for name, order in (("from_json", up), ("from_yaml", down), ("content", down)):
        assert found[name]["success"], found[name]
        assert found[name]["error"] is None
        shards = found[name]["shards"]
        assert list(shards) == ["out-0.tar", "out-1.tar"]
        assert [member for shard in shards.values() for member in shard] == members(order)
    shuffled = [member for shard in found["shuffled"]["shards"].values() for member in shard]
    assert sorted(shuffled) == sorted(members(up))
    assert shuffled != members(up)
    mapped = found["mapped"]["shards"]
    assert [m for name, shard in mapped.items() if name.startswith("low") for m in shard] == members(
        range(10)
    )
    assert [m for name, shard in mapped.items() if name.startswith("high") for m in shard] == members(
        range(10, 20)
    )
    assert not found["failing"]["success"]
    assert found["failing"]["error"].startswith("record 'r00.txt' has no file with extension .nope")
    assert found["aborted"]


def test_dsort_with_this_package(local_endpoint, tmp_path):
    check(report(sys.executable, local_endpoint, tmp_path))


@pytest.mark.peer
@pytest.mark.slow
def test_dsort_with_the_2_0_package(peer_python, local_endpoint, tmp_path):
    theirs = report(peer_python, local_endpoint, tmp_path)
    check(theirs)
    ours = report(sys.executable, local_endpoint, tmp_path)
    assert {**theirs, "version": ""} == {**ours, "version": ""}
