"""Another folder appears at the data folder's path while the server runs: nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from wire import Answer, Wire

from aistore.local import LocalCluster

WRITES: list[Callable[[Wire], Answer]] = [
    lambda wire: wire("PUT", "/v1/objects/b/new", b"bytes"),
    lambda wire: wire("PUT", "/v1/objects/b/old", b"bytes"),
    lambda wire: wire("PUT", "/s3/b/new", b"bytes"),
    lambda wire: wire("PUT", "/v1/objects/b/new?append_type=append", b"bytes"),
    lambda wire: wire("PUT", "/v1/objects/b/old?object_to=ais%2F%40%23%2Fb%2Fcopy"),
    lambda wire: wire("PUT", "/v1/objects/b/a.tar?archpath=x", b"bytes", {"Ais-Pine": "0"}),
    lambda wire: wire("POST", "/v1/objects/b/old", {"action": "mpt-upload"}),
    lambda wire: wire("POST", "/v1/objects/b/old", {"action": "rename-obj", "name": "renamed"}),
    lambda wire: wire("PATCH", "/v1/objects/b/old", {"action": "", "value": {"k": "v"}}),
    lambda wire: wire("DELETE", "/v1/objects/b/old"),
    lambda wire: wire("POST", "/v1/buckets/c", {"action": "create-bck"}),
    lambda wire: wire("DELETE", "/v1/buckets/b", {"action": "destroy-bck"}),
]


def another_folder(root: Path) -> Path:
    """Move the folder away, as a disk that is mounted over it hides it."""
    hidden = root.with_name("hidden")
    root.rename(hidden)
    root.mkdir()
    return hidden


def a_backup(root: Path) -> Path:
    hidden = root.with_name("hidden")
    shutil.copytree(root, root.with_name("backup"))
    root.rename(hidden)
    root.with_name("backup").rename(root)
    return hidden


def nothing(root: Path) -> Path:
    hidden = root.with_name("hidden")
    root.rename(hidden)
    return hidden


def another_catalog(root: Path) -> Path:
    shutil.copy(root / "catalog.sqlite", root / "copy")
    (root / "copy").replace(root / "catalog.sqlite")
    return root


def another_target(root: Path) -> Path:
    (root / "t0").rename(root / "aside")
    (root / "t0").mkdir()
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a folder that can be moved."""
    root = tmp_path / "data"
    root.mkdir()
    return root


@pytest.mark.parametrize("replace", [another_folder, a_backup, nothing])
def test_every_write_is_refused_and_nothing_acknowledged_is_lost(
    root: Path, replace: Callable[[Path], Path]
) -> None:
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/old", b"acknowledged")
        hidden = replace(root)
        before = sorted(root.rglob("*")) if root.exists() else []
        for write in WRITES:
            answer = write(wire)
            assert answer.status == 500, answer
            assert b"is not what this server opened" in answer.body
        assert sorted(root.rglob("*")) == before if root.exists() else not before
    with LocalCluster(dir=hidden) as cluster:
        wire = Wire(cluster.endpoint)
        assert wire("GET", "/v1/objects/b/old").body == b"acknowledged"
        assert wire("GET", "/v1/objects/b/new").status == 404


def test_the_server_goes_on_when_the_folder_is_back(root: Path) -> None:
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        hidden = another_folder(root)
        assert wire("PUT", "/v1/objects/b/o", b"refused").status == 500
        shutil.rmtree(root)
        hidden.rename(root)
        wire.ok("PUT", "/v1/objects/b/o", b"taken")
    with LocalCluster(dir=root) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/objects/b/o").body == b"taken"


@pytest.mark.parametrize("replace", [another_catalog, another_target])
def test_a_part_of_the_folder_is_replaced(root: Path, replace: Callable[[Path], Path]) -> None:
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        replace(root)
        answer = wire("PUT", "/v1/objects/b/o", b"bytes")
        assert answer.status == 500, answer
        assert b"is not what this server opened" in answer.body


def test_a_catalog_with_changes_not_yet_in_its_file_stays_whole_when_the_server_stops(root: Path) -> None:
    """SQLite removes the log of the database at the path when the last connection ends."""
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        wire.ok("PUT", "/v1/objects/b/old", b"acknowledged")
        hidden = another_folder(root)
        for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
            (root / name).write_bytes(b"of another catalog")
    assert (root / "catalog.sqlite-wal").read_bytes() == b"of another catalog"
    with LocalCluster(dir=hidden) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/objects/b/old").body == b"acknowledged"
