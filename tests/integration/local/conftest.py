"""A local cluster of two targets, and raw requests to it."""

from collections.abc import Iterator

import pytest
from wire import Wire

from aistore.local import LocalCluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Give a cluster of this module's own."""
    with LocalCluster(targets=2) as cluster:
        yield cluster


@pytest.fixture
def wire(cluster: LocalCluster) -> Wire:
    """Give a raw client of the cluster."""
    return Wire(cluster.endpoint)
