"""pytest fixtures: a cluster, a client, a bucket and ETLs of a test's own.

pytest loads this module in every run on a machine that has the package. It holds fixtures only, imports
nothing of the package, and starts nothing before a test asks for it. A suite's fixtures of the same names go
before these.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.sdk.bucket import Bucket
    from aistore.sdk.client import Client
    from aistore.sdk.etl.etl import Etl
    from aistore.testing.cluster import AnyCluster


@pytest.fixture(scope="session")
def ais_cluster_options() -> dict[str, Any]:
    """Arguments of the `LocalCluster` that tests run on. Default: none; override it in a `conftest.py`."""
    return {}


@pytest.fixture(scope="session")
def ais_cluster(ais_cluster_options: dict[str, Any]) -> Iterator[AnyCluster]:
    """The cluster at `AIS_ENDPOINT` when that is set, else a local one, started once for each process.

    With pytest-xdist each worker has a local cluster of its own, which ends with it.
    """
    endpoint = os.environ.get("AIS_ENDPOINT")
    if endpoint:
        from aistore.testing.cluster import RemoteCluster

        yield RemoteCluster(endpoint)
        return
    from aistore.local import LocalCluster

    with LocalCluster(**ais_cluster_options) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def ais_client(ais_cluster: AnyCluster) -> Iterator[Client]:
    """A client of the cluster."""
    with ais_cluster.client() as client:
        yield client


@pytest.fixture
def ais_bucket(ais_client: Client) -> Iterator[Bucket]:
    """An empty bucket with a name of its own, removed after the test, whatever became of it."""
    bucket = ais_client.bucket(f"test-{uuid.uuid4().hex[:16]}").create()
    yield bucket
    bucket.delete(missing_ok=True)


@pytest.fixture
def ais_etl(ais_client: Client) -> Iterator[Callable[..., Etl]]:
    """A function that starts an ETL from a class: `ais_etl(MyServer, dependencies=["pillow"])`.

    Its keyword arguments are those of `Etl.init_class`; `name` is the ETL's, by default a new one.
    It returns the `Etl`. What it started is removed after the test, whatever became of it.
    """
    with contextlib.ExitStack() as started:

        def start(cls: type, name: str | None = None, **options: Any) -> Etl:
            etl = ais_client.etl(name or f"test-{uuid.uuid4().hex[:16]}")
            # Before it is started: one whose start fails half-way is removed, too.
            started.callback(_remove, etl)
            etl.init_class(**options)(cls)
            return etl

        yield start


def _remove(etl: Etl) -> None:
    from aistore.sdk.errors import ErrETLNotFound

    with contextlib.suppress(ErrETLNotFound):
        etl.delete()
