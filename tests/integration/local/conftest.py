"""A local cluster of two targets, and raw requests to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wire import Wire

from aistore.local import LocalCluster


@pytest.fixture(scope="session")
def promote_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that the clusters promote files from."""
    return tmp_path_factory.mktemp("promote")


@pytest.fixture(scope="module")
def cluster(promote_dir: Path) -> Iterator[LocalCluster]:
    """Give a cluster of this module's own."""
    with LocalCluster(targets=2, promote_dir=promote_dir) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def https_cluster(promote_dir: Path) -> Iterator[LocalCluster]:
    """Give a cluster with a certificate of its own."""
    with LocalCluster(targets=2, promote_dir=promote_dir, tls=True) as cluster:
        yield cluster


@pytest.fixture
def wire(request: pytest.FixtureRequest, cluster: LocalCluster) -> Wire:
    """Give a raw client of the cluster; what was recorded over https is sent over it again."""
    callspec = getattr(request.node, "callspec", None)
    record = callspec.params.get("record") if callspec is not None else None
    if isinstance(record, dict) and record.get("area") == "https":
        cluster = request.getfixturevalue("https_cluster")
    return Wire(cluster.endpoint, cluster.ca_file)
