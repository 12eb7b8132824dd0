"""Clients that go straight to the targets, of which there are three."""

import uuid
from collections.abc import Iterator

import pytest

from aistore.local import LocalCluster
from aistore.sdk.bucket import Bucket
from aistore.sdk.client import Client


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with LocalCluster(targets=3) as cluster:
        yield cluster.endpoint


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    with Client(endpoint, direct=True) as client:
        yield client


@pytest.fixture
def bucket(client: Client) -> Iterator[Bucket]:
    bucket = client.bucket(f"test-{uuid.uuid4().hex[:12]}").create()
    yield bucket
    bucket.delete(missing_ok=True)
