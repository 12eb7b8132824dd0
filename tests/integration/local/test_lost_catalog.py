"""A folder whose catalog is lost, broken or a copy of before is not served, and made whole by one command."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from fsck_run import fsck
from wire import Wire

from aistore.local import LocalCluster
from aistore.local.errors import LocalClusterError

NAMES = {f"o{number}": b"content of %d" % number for number in range(5)}


def put(wire: Wire, name: str, data: bytes) -> None:
    wire.ok("PUT", f"/v1/objects/b/{name}", data)


def content(root: Path) -> dict[str, bytes]:
    """What a server of the folder has in the bucket."""
    with LocalCluster(dir=root) as cluster, cluster.client() as client:
        bucket = client.bucket("b")
        return {e.name: bucket.object(e.name).get_reader().read_all() for e in bucket.list_all_objects()}


def files(root: Path) -> dict[str, bytes]:
    """Content files, of whatever object."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.glob("t*/*/*/*")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a few objects, and in `early` the catalog of before the last two."""
    folder = tmp_path_factory.mktemp("made")
    names = list(NAMES)
    for run in (names[:3], names[3:]):
        with LocalCluster(dir=folder) as cluster:
            wire = Wire(cluster.endpoint)
            wire.create("b")
            for name in run:
                put(wire, name, NAMES[name])
        if run == names[:3]:
            shutil.copy(folder / "catalog.sqlite", folder.parent / "early")
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Give a copy of that folder."""
    return shutil.copytree(made, tmp_path / "root")


def missing(catalog: Path) -> None:
    catalog.unlink()


def empty(catalog: Path) -> None:
    catalog.write_bytes(b"")


def truncated(catalog: Path) -> None:
    os.truncate(catalog, 5000)


def overwritten(catalog: Path) -> None:
    catalog.write_bytes(b"no database " * 1000)


DAMAGES = pytest.mark.parametrize("damage", [missing, empty, truncated, overwritten])


@DAMAGES
def test_it_is_not_served_and_the_command_that_is_named_repairs_it(
    root: Path, damage: Callable[[Path], None]
) -> None:
    before = files(root)
    damage(root / "catalog.sqlite")
    with pytest.raises(LocalClusterError, match=r"python -m aistore.local fsck --rebuild --dir ") as caught:
        LocalCluster(dir=root).start()
    assert str(root) in str(caught.value)
    assert files(root) == before
    code, report = fsck(root, "--rebuild")
    assert (code, report["unnamed"], report["lost"]) == (1, 0, 0), report
    assert fsck(root)[0] == 0
    assert content(root) == NAMES


def test_a_catalog_of_before_is_not_served(root: Path, made: Path) -> None:
    before = files(root)
    shutil.copy(made.parent / "early", root / "catalog.sqlite")
    with pytest.raises(LocalClusterError, match=r"the catalog is older than the journal.*--rebuild"):
        LocalCluster(dir=root).start()
    code, report = fsck(root)
    assert (code, [p["kind"] for p in report["problems"]]) == (4, ["catalog"])
    # It can be read: only an explicit command throws it away.
    assert fsck(root, "--repair")[0] == 4
    assert files(root) == before
    assert fsck(root, "--rebuild")[0] == 1
    assert content(root) == NAMES


def test_a_catalog_of_before_is_found_without_the_journal_too(root: Path, made: Path) -> None:
    shutil.copy(made.parent / "early", root / "catalog.sqlite")
    shutil.rmtree(root / "journal")
    with pytest.raises(LocalClusterError, match="the catalog is older than the content files"):
        LocalCluster(dir=root).start()
    code, report = fsck(root, "--rebuild")
    assert code == 8
    assert "there is no journal" in report["error"]


def test_the_catalog_of_another_folder_is_not_served(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with LocalCluster(dir=other):
        pass
    shutil.copy(other / "catalog.sqlite", root / "catalog.sqlite")
    with pytest.raises(LocalClusterError, match="the catalog and the journal are of different folders"):
        LocalCluster(dir=root).start()
    assert fsck(root, "--rebuild")[0] == 1
    assert content(root) == NAMES


def test_a_journal_alone_is_not_served(root: Path) -> None:
    (root / "catalog.sqlite").unlink()
    for target in root.glob("t[0-9]*"):
        shutil.rmtree(target)
    with pytest.raises(LocalClusterError, match="fsck --rebuild"):
        LocalCluster(dir=root).start()
    code, report = fsck(root, "--rebuild")
    # All that is left are names: they are counted, and the exit code is not that of "all repaired".
    assert (code, report["lost"]) == (3, len(NAMES))
    assert fsck(root)[0] == 0
    assert content(root) == {}


def test_files_without_a_name_are_kept_and_counted(root: Path) -> None:
    # The journal of the second run is lost: of its objects only the bytes are left.
    (root / "catalog.sqlite").unlink()
    last = max((root / "journal").glob("*.log"))
    last.write_bytes(last.read_bytes().partition(b'["object"')[0])
    code, report = fsck(root, "--rebuild")
    assert (code, report["unnamed"], report["lost"]) == (3, 2, 0), report
    kept = {p.read_bytes() for p in (root / "lost+found").glob("t*/*/*/*")}
    assert kept == {NAMES["o3"], NAMES["o4"]}
    assert content(root) == {name: data for name, data in NAMES.items() if name not in {"o3", "o4"}}


def test_a_journal_with_gaps_is_not_told_as_all_repaired(root: Path) -> None:
    (root / "catalog.sqlite").unlink()
    first, *_ = sorted((root / "journal").glob("*.log"))
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([*lines[:-1], b"torn in the middle\n", lines[-1]]))
    code, report = fsck(root, "--rebuild")
    assert code == 3
    assert [p["detail"] for p in report["problems"] if p["kind"] == "journal"] == [
        f"1 lines of journal/{first.name} can't be read"
    ]
    # The journal began again from what there is: nothing is missing in it now.
    assert fsck(root, "--rebuild")[0] == 1


def test_deleted_objects_and_buckets_do_not_come_back(root: Path) -> None:
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.ok("DELETE", "/v1/objects/b/o0")
        put(wire, "o1", b"newer")
        wire.ok("POST", "/v1/objects/b/o2", {"action": "rename-obj", "name": "renamed"})
        wire.create("removed")
        wire.ok("PUT", "/v1/objects/removed/x", b"of the bucket that was removed")
        wire.destroy("removed")
        assert cluster.pid is not None
        os.kill(cluster.pid, signal.SIGKILL)
    (root / "catalog.sqlite").unlink()
    code, report = fsck(root, "--rebuild")
    assert code == 1, report
    now = {"o1": b"newer", "renamed": NAMES["o2"], "o3": NAMES["o3"], "o4": NAMES["o4"]}
    assert content(root) == now
    with LocalCluster(dir=root) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("removed")
        assert wire("GET", "/v1/objects/removed/x").status == 404
    # Nor are they there in a catalog that is made from a journal in which the bucket was made again.
    assert fsck(root, "--rebuild")[0] == 1
    with LocalCluster(dir=root) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/objects/removed/x").status == 404


def test_run_numbers_go_on_and_no_start_removes_what_a_lost_catalog_named(root: Path) -> None:
    before = files(root)
    runs = {int(path.name, 16) for path in root.glob("t*/*")}
    (root / "catalog.sqlite").unlink()
    (root / "journal").rename(root / "journal.aside")
    for _ in range(2):
        with pytest.raises(LocalClusterError):
            LocalCluster(dir=root).start()
    assert files(root) == before
    (root / "journal.aside").rename(root / "journal")
    assert fsck(root, "--rebuild")[0] == 1
    with LocalCluster(dir=root) as cluster:
        put(Wire(cluster.endpoint), "later", b"later")
    assert min({int(path.name, 16) for path in root.glob("t*/*")} - runs) > max(runs)
    assert content(root) == {**NAMES, "later": b"later"}


def test_a_folder_that_was_used_for_nothing_is_served(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path):
        pass
    (tmp_path / "lock").unlink()
    with LocalCluster(dir=tmp_path):
        pass
    fresh = tmp_path / "fresh"
    (fresh / "journal").mkdir(parents=True)
    (fresh / "t0").mkdir()
    with LocalCluster(dir=fresh):
        pass
