"""Fixtures for every test: a clean environment, a cluster, a client and a bucket of the test's own."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENDPOINT = os.environ.get("AIS_ENDPOINT", "")


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
def endpoint() -> Iterator[str]:
    """Give the cluster at `AIS_ENDPOINT` when it is set, else a local one of two targets."""
    if ENDPOINT:
        yield ENDPOINT
        return
    from aistore.local import LocalCluster

    with LocalCluster(targets=2) as cluster:
        yield cluster.endpoint


@pytest.fixture(scope="session")
def client(endpoint):
    """Give a client of the test cluster."""
    from aistore import Client

    with Client(endpoint) as client:
        yield client


@pytest.fixture
def bucket(client):
    """Give an empty bucket, destroyed after the test."""
    bucket = client.bucket(f"test-{uuid.uuid4().hex[:12]}").create()
    yield bucket
    bucket.delete(missing_ok=True)


@pytest.fixture(scope="session")
def peer_python() -> Path:
    """Give the interpreter of the environment that has the 2.0.0 package (`make test` builds it)."""
    python = ROOT / ".venv-peer" / "bin" / "python"
    assert python.exists(), "the peer environment is missing: run `make test`, or `make peer` once"
    return python
