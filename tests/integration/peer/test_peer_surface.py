"""The 2.0.0 package exercises everything its nouns can do against `aistore.local`, with its own interpreter.

The checks are in `checks/`; each is a test here. What they call is noted, and held against the package's
public surface: a method or property that no check looks at needs a reason in `REASONS`.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from aistore.local import LocalCluster

CHECKS = Path(__file__).parent / "checks"
AREAS = ("buckets", "objects", "groups", "batches", "jobs", "clusters", "etls", "datasets")
AREAS_WITH_TOKENS = ("authns",)
SURFACE = Path(__file__).resolve().parents[2] / "data" / "api" / "surface.json"

# Public name -> why no check calls it.
REASONS = {
    "Dsort.abort": "test_peer_dsort.py does",
    "Dsort.get_job_info": "test_peer_dsort.py does",
    "Dsort.start": "test_peer_dsort.py does",
    "Dsort.wait": "test_peer_dsort.py does",
}

CLASSES = {
    "Bucket": "aistore.sdk.bucket",
    "Client": "aistore.sdk.client",
    "Cluster": "aistore.sdk.cluster",
    "Job": "aistore.sdk.job",
    "Etl": "aistore.sdk.etl.etl",
    "Dsort": "aistore.sdk.dsort.core",
    "Batch": "aistore.sdk.batch.batch",
    "ObjectGroup": "aistore.sdk.multiobj.object_group",
    "Object": "aistore.sdk.obj.object",
    "ObjectReader": "aistore.sdk.obj.object_reader",
    "ObjectWriter": "aistore.sdk.obj.object_writer",
    "ObjectAttributes": "aistore.sdk.obj.object_attributes",
    "ObjectProps": "aistore.sdk.obj.object_props",
    "MultipartUpload": "aistore.sdk.obj.multipart_upload",
    "ObjectFileReader": "aistore.sdk.obj.obj_file.object_file",
    "ObjectFileWriter": "aistore.sdk.obj.obj_file.object_file",
    "AuthNClient": "aistore.sdk.authn.authn_client",
    "ClusterManager": "aistore.sdk.authn.cluster_manager",
    "RoleManager": "aistore.sdk.authn.role_manager",
    "TokenManager": "aistore.sdk.authn.token_manager",
    "UserManager": "aistore.sdk.authn.user_manager",
}

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("peer")]  # one run for all of them


def _checks():
    for area in AREAS + AREAS_WITH_TOKENS:
        source = (CHECKS / f"{area}.py").read_text(encoding="utf-8")
        yield from (f"{area}.{name}" for name in re.findall(r"^def (check_\w+)", source, re.MULTILINE))


def _run(peer_python, cluster, folder, areas, env=None):
    done = subprocess.run(
        [peer_python, CHECKS / "run.py", cluster.endpoint, folder, *areas],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def report(peer_python, tmp_path_factory):
    """Give what became of every check: runs of the peer's interpreter, the second with AuthN."""
    folder = tmp_path_factory.mktemp("peer")
    with LocalCluster(targets=2, promote_dir=folder) as cluster:
        found = _run(peer_python, cluster, folder, AREAS)
    with LocalCluster(targets=2, auth=True) as cluster:
        name, password = cluster.admin
        env = {
            "PEER_AUTHN": cluster.auth_endpoint,
            "AIS_AUTHN_SU_NAME": name,
            "AIS_AUTHN_SU_PASS": password,
        }
        more = _run(peer_python, cluster, folder, AREAS_WITH_TOKENS, env)
    return {
        "version": found["version"],
        "checks": found["checks"] | more["checks"],
        "called": found["called"] + more["called"],
    }


def test_it_is_the_2_0_package(report):
    assert report["version"] == "2.0.0"


@pytest.mark.parametrize("check", list(_checks()))
def test_check(report, check):
    problem = report["checks"][check]
    assert problem is None, problem


def _public_names():
    modules = json.loads(SURFACE.read_text(encoding="utf-8"))["modules"]
    for name, module in CLASSES.items():
        described = modules[module]["classes"][name]
        for key in (*described.get("methods", ()), *described.get("properties", ())):
            if not key.startswith("_"):
                yield f"{name}.{key}"


def test_every_public_name_is_exercised(report):
    called = set(report["called"])
    names = set(_public_names())
    assert len(names) > 120
    assert not names - called - set(REASONS)
    stale = {name for name in REASONS if name in called}
    assert not stale, "these have a check now: take them off the list"
