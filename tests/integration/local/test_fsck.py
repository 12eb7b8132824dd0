"""`fsck`: what is wrong with a folder is found, and repaired without losing what is right."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fsck_run import fsck
from wire import Wire

from aistore.local import LocalCluster

OBJECTS = {"a": b"first", "dir/ü b.txt": b"second" * 1000, "empty": b"", "copy": b"first", "custom": b"c"}


def kinds(report: dict[str, Any]) -> list[str]:
    return sorted(problem["kind"] for problem in report["problems"])


def file_of(root: Path, content: bytes) -> Path:
    """The one content file that is no copy and has these bytes."""
    [found] = [path for path in root.glob("t*/*/*/*") if path.read_bytes() == content]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a few objects that a server has closed."""
    folder = tmp_path_factory.mktemp("made")
    with LocalCluster(targets=2, dir=folder) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("b")
        for name, data in OBJECTS.items():
            wire.ok("PUT", f"/v1/objects/b/{name.replace('ü', '%C3%BC').replace(' ', '%20')}", data)
        wire.ok("PUT", "/v1/objects/b/a?object_to=ais%2F%40%23%2Fb%2Fcopy")
        wire.ok("PATCH", "/v1/objects/b/custom", {"action": "", "value": {"k": "v"}})
        wire.ok("PUT", "/v1/objects/b/gone", b"gone")
        wire.ok("DELETE", "/v1/objects/b/gone")
        wire.create("dropped")
        wire.ok("PUT", "/v1/objects/dropped/x", b"x")
        wire.destroy("dropped")
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Give a copy of that folder."""
    return shutil.copytree(made, tmp_path / "root")


def check_content(root: Path, without: str = "") -> None:
    with LocalCluster(targets=2, dir=root) as cluster, cluster.client() as client:
        bucket = client.bucket("b")
        found = {e.name: bucket.object(e.name).get_reader().read_all() for e in bucket.list_all_objects()}
        assert found == {name: data for name, data in OBJECTS.items() if name != without}
        if without != "custom":
            assert bucket.object("custom").head("custom").custom_metadata == {"k": "v"}
        assert [b.name for b in client.cluster().list_buckets()] == ["b"]
        bucket.object("new").get_writer().put_content(b"new")


def test_a_whole_folder_is_clean(root: Path) -> None:
    code, report = fsck(root)
    assert (code, report["problems"]) == (0, [])
    assert (report["buckets"], report["objects"]) == (1, len(OBJECTS))
    assert report["bytes"] == sum(map(len, OBJECTS.values()))
    text = subprocess.run(
        [sys.executable, "-m", "aistore.local", "fsck", "--dir", root],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert text.stdout.startswith("clean: 1 buckets, 5 objects, ")


def test_changed_bytes_are_found_and_put_aside(root: Path) -> None:
    file = file_of(root, OBJECTS["dir/ü b.txt"])
    file.write_bytes(b"Second" * 1000)
    code, report = fsck(root)
    assert (code, kinds(report)) == (4, ["checksum"])
    assert report["problems"][0]["name"] == "ais://b/dir/ü b.txt"
    assert fsck(root, "--quick")[0] == 0
    code, report = fsck(root, "--repair")
    assert (code, report["problems"][0]["repaired"]) == (1, True)
    assert (root / "lost+found" / file.relative_to(root)).read_bytes() == b"Second" * 1000
    assert fsck(root)[0] == 0
    check_content(root, without="dir/ü b.txt")


def test_lost_and_shortened_files_are_found(root: Path) -> None:
    file_of(root, b"c").write_bytes(b"cc")
    code, report = fsck(root, "--quick", "--repair")
    assert (code, kinds(report)) == (1, ["size"])
    check_content(root, without="custom")


def test_a_missing_file_takes_the_object_out(root: Path) -> None:
    file_of(root, OBJECTS["dir/ü b.txt"]).unlink()
    code, report = fsck(root)
    assert (code, kinds(report)) == (4, ["missing"])
    assert fsck(root, "--repair")[0] == 1
    check_content(root, without="dir/ü b.txt")


def test_files_of_nobody_are_put_aside(root: Path) -> None:
    stray = next(root.glob("t*/*/*")) / "ff~stray.txt"
    stray.write_bytes(b"whose?")
    code, report = fsck(root)
    assert (code, kinds(report)) == (4, ["orphan"])
    assert fsck(root, "--repair")[0] == 1
    assert not stray.exists()
    assert (root / "lost+found" / stray.relative_to(root)).read_bytes() == b"whose?"
    check_content(root)


def damage_missing(path: Path) -> None:
    path.unlink()


def damage_overwritten(path: Path) -> None:
    path.write_bytes(b"not a database " * 1000)


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [damage_missing, damage_overwritten, damage_middle])
def test_the_catalog_is_made_again_from_the_disk(root: Path, damage: Any) -> None:
    damage(root / "catalog.sqlite")
    code, report = fsck(root)
    assert (code, kinds(report)) == (4, ["catalog"])
    code, report = fsck(root, "--repair")
    assert code == 1, report
    assert "1 buckets, 5 objects" in report["problems"][0]["detail"]
    assert fsck(root)[0] == 0
    check_content(root)


def test_the_catalog_is_made_again_after_many_runs_and_a_new_base(root: Path) -> None:
    for _ in range(2):
        with LocalCluster(targets=2, dir=root) as cluster:
            Wire(cluster.endpoint).ok("PUT", "/v1/objects/b/a", OBJECTS["a"])
            deadline = time.monotonic() + 20
            while not list((root / "journal").glob("*.base")) and time.monotonic() < deadline:
                time.sleep(0.05)
    assert len(list((root / "journal").glob("*.base"))) == 1
    (root / "catalog.sqlite").unlink()
    assert fsck(root, "--repair")[0] == 1
    with LocalCluster(targets=2, dir=root) as cluster, cluster.client() as client:
        assert client.bucket("b").object("a").head("version").obj_version == "3"
    check_content(root)


def test_what_can_not_be_checked(root: Path) -> None:
    code, report = fsck(root / "nowhere")
    assert code == 8
    assert "there is no folder" in report["error"]
    empty = root / "empty"
    empty.mkdir()
    assert fsck(empty)[0] == 8
    with LocalCluster(dir=root):
        code, report = fsck(root)
    assert code == 8
    assert "in use" in report["error"]


def test_without_a_journal_a_broken_catalog_stays(root: Path) -> None:
    for file in (root / "journal").iterdir():
        file.unlink()
    (root / "catalog.sqlite").unlink()
    code, report = fsck(root, "--repair")
    assert code == 8
    assert "no journal" in report["error"]
