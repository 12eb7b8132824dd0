"""The pytest plugin, as suites of other people load it: in runs of pytest of their own."""

import os
import re
import subprocess
import sys

import pytest
from _pytest.assertion.rewrite import AssertionRewriter

import aistore
from aistore import Client
from aistore.local import LocalCluster

SUITE = """
def test_bucket(ais_bucket):
    ais_bucket.object("a").get_writer().put_content(b"content")
    assert [entry.name for entry in ais_bucket.list_all_objects()] == ["a"]


def test_another_bucket(ais_bucket, ais_client, ais_cluster):
    assert ais_bucket.list_all_objects() == []
    assert ais_client.cluster().is_ready()
    assert ais_cluster.endpoint.startswith("http")
"""

# Plugins of packages that happen to be installed here, and take their time.
OTHERS = ("zarr", "hypothesispytest", "anyio", "pytest_cov", "timeout", "cacheprovider")


@pytest.fixture
def run(tmp_path):
    """Give a function that runs pytest on files of a suite: name without `.py` -> text."""

    def run(*options, env=None, **files):
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n")
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-W", "error", *options]
        command += [f"-pno:{name}" for name in OTHERS]
        # Not what this run of pytest has set for itself.
        own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))} | (env or {})
        done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=100)
        assert "INTERNALERROR" not in done.stdout + done.stderr
        return done

    return run


def outcomes(done):
    """Read the last line of a run: {"passed": 3}."""
    last = done.stdout.strip().splitlines()[-1]
    return {
        word: int(count)
        for count, word in re.findall(r"(\d+) (passed|failed|errors?|skipped|warnings?)", last)
    }


def test_fixtures_of_a_local_cluster(run):
    done = run(test_suite=SUITE)
    assert outcomes(done) == {"passed": 2}, done.stdout


def test_xdist_workers_have_clusters_of_their_own(run, tmp_path):
    suite = (
        SUITE
        + """

import os
import pathlib


def test_place(ais_bucket, ais_cluster):
    place = pathlib.Path(os.environ["PLACES"], os.environ["PYTEST_XDIST_WORKER"])
    place.write_text(f"{ais_cluster.endpoint} {ais_cluster.pid}")
"""
    )
    places = tmp_path / "places"
    places.mkdir()
    done = run("-n", "2", "--dist", "each", env={"PLACES": str(places)}, test_suite=suite)
    assert outcomes(done) == {"passed": 6}, done.stdout
    seen = [path.read_text().split() for path in places.iterdir()]
    assert len(seen) == len({endpoint for endpoint, _ in seen}) == 2
    for _, pid in seen:  # the clusters ended with their workers
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_a_cluster_that_runs_already(run):
    suite = (
        SUITE
        + """

def test_remote(ais_cluster):
    assert repr(ais_cluster).startswith("RemoteCluster")
"""
    )
    with LocalCluster() as cluster, Client(cluster.endpoint) as client:
        done = run("-n", "2", env={"AIS_ENDPOINT": cluster.endpoint}, test_suite=suite)
        assert outcomes(done) == {"passed": 3}, done.stdout
        # Nothing is left behind on it.
        assert client.cluster().list_buckets() == []


def test_what_a_failing_test_leaves_is_removed(run):
    suite = """
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


class Shout(FastAPIServer):
    def transform(self, data, path, etl_args):
        return data.upper()


class Broken(Shout):
    def __init__(self):
        raise OSError("no model file")


def test_fails(ais_bucket, ais_etl):
    ais_etl(Shout)
    ais_bucket.object("a").get_writer().put_content(b"x")
    raise ValueError("on purpose")


def test_never_starts(ais_etl):
    ais_etl(Broken, init_timeout="2s")
"""
    with LocalCluster() as cluster, Client(cluster.endpoint) as client:
        done = run(env={"AIS_ENDPOINT": cluster.endpoint, "AIS_ETL_CHECK": "false"}, test_suite=suite)
        assert outcomes(done) == {"failed": 2}, done.stdout
        assert "on purpose" in done.stdout
        assert client.cluster().list_buckets() == []
        assert client.cluster().list_etls() == []


def test_options_of_the_cluster(run):
    conftest = """
import pytest


@pytest.fixture(scope="session")
def ais_cluster_options():
    return {"targets": 3, "auth": True}
"""
    suite = """
def test_targets(ais_client, ais_bucket):
    assert len(ais_client.cluster().get_info().tmap) == 3
"""
    done = run(conftest=conftest, test_suite=suite)
    assert outcomes(done) == {"passed": 1}, done.stdout


def test_a_suites_own_fixtures_go_first(run):
    suite = """
import pytest


@pytest.fixture
def ais_bucket():
    return "mine"


def test_mine(ais_bucket):
    assert ais_bucket == "mine"
"""
    conftest = """
import pytest


@pytest.fixture
def ais_cluster():
    return "mine"
"""
    done = run(
        conftest=conftest,
        test_suite=suite + "\n\ndef test_cluster(ais_cluster):\n    assert ais_cluster == 'mine'\n",
    )
    assert outcomes(done) == {"passed": 2}, done.stdout


def test_it_can_be_left_out(run):
    done = run("-p", "no:aistore", test_suite="def test_x(ais_bucket):\n    pass\n")
    assert "fixture 'ais_bucket' not found" in done.stdout


def test_a_suite_that_does_not_use_it_pays_nothing(run):
    suite = """
import sys


def test_nothing_is_loaded():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "aistore"}
    assert loaded == {"aistore", "aistore.testing", "aistore.testing.plugin"}
"""
    done = run(test_suite=suite)
    assert outcomes(done) == {"passed": 1}, done.stdout


def test_fixtures_are_listed_with_what_they_do(run):
    done = run("--fixtures", test_suite="")
    for name in ("ais_cluster", "ais_client", "ais_bucket", "ais_etl", "ais_cluster_options"):
        assert re.search(rf"^{name}\b", done.stdout, re.MULTILINE), name


def test_no_warning_where_a_program_imported_the_package_before():
    """Of an installed plugin's package pytest rewrites the assertions, and warns where that is too late."""
    assert AssertionRewriter.is_rewrite_disabled(aistore.__doc__)
