"""Fixtures for every test: a clean environment, a cluster, a client and a bucket of the test's own."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let Ctrl-C reach programs that tests start: what runs in the background of a shell has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell reaches a test."""
    for name in list(os.environ):
        if name.startswith(("AIS_", "ETL_", "DIRECT_PUT")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def ais_cluster_options():
    """Have two targets, so that proxies redirect to more than one."""
    return {"targets": 2}


@pytest.fixture(scope="session")
def endpoint(ais_cluster):
    """Give the URL of the test cluster, with the fixtures that the package has for everybody's tests."""
    return ais_cluster.endpoint


@pytest.fixture(scope="session")
def client(ais_client):
    """Give a client of the test cluster."""
    return ais_client


@pytest.fixture
def bucket(ais_bucket):
    """Give an empty bucket, destroyed after the test."""
    return ais_bucket


@pytest.fixture(scope="session")
def peer_python() -> Path:
    """Give the interpreter of the environment that has the 2.0.0 package (`make test` builds it)."""
    python = ROOT / ".venv-peer" / "bin" / "python"
    assert python.exists(), "the peer environment is missing: run `make test`, or `make peer` once"
    return python
