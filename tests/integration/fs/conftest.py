"""A filesystem on the test cluster, and a bucket of the test's own in it."""

import os
import uuid

import fsspec
import pytest

from aistore.fs import AISFileSystem

# Read when Hugging Face's packages are imported. A hub that cannot be reached instead of their offline mode,
# in which `ais://` is offline, too.
os.environ.update(
    HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_DISABLE_TELEMETRY="1", HF_UPDATE_DOWNLOAD_COUNTS="0"
)


@pytest.fixture(autouse=True)
def _own_instances():
    """No instance, nor one's event loop, is left to another test."""
    yield
    AISFileSystem.clear_instance_cache()


@pytest.fixture
def ais(endpoint, monkeypatch):
    """Give a filesystem on the cluster, which `ais://` finds too."""
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    return fsspec.filesystem("ais")


@pytest.fixture
def fs(ais):
    """Give the same, by the name that fsspec's suite has for it."""
    return ais


@pytest.fixture
def root(client):
    """Give the name of an empty bucket, destroyed after the test."""
    bucket = client.bucket(f"fs-{uuid.uuid4().hex[:12]}").create()
    yield bucket.name
    bucket.delete(missing_ok=True)
