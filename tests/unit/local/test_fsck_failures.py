"""`fsck` where something fails on the way: nothing is dropped for it, and the exit code is its own."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aistore.local import bucket_props, check, fsck
from aistore.local.catalog import Catalog
from aistore.local.names import Bck
from aistore.local.store import Store

NAMES = ("a", "b\udcff", "c")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a folder with three objects and a file without a name; the bytes of two objects are changed."""
    store = Store(tmp_path, Catalog(tmp_path / "catalog.sqlite"))
    bucket = store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
    paths = [Path(store.path(store.put(bucket, name, b"bytes of it"))) for name in NAMES]
    store.close()
    for path in paths[:2]:
        path.write_bytes(b"other bytes")
    paths[0].with_name("ff~stray").write_bytes(b"stray")
    return tmp_path


def everything(root: Path) -> dict[str, bytes]:
    """Bytes of every file but the catalog, and the rows of that."""
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    found = {name: data for name, data in found.items() if not name.startswith("catalog") and name != "lock"}
    with closing(sqlite3.connect(root / "catalog.sqlite")) as conn:
        rows = conn.execute("SELECT name, file FROM objects").fetchall()
    return found | {"rows": repr(rows).encode()}


def run(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    code = fsck.main(["--dir", str(root), "--json", *options])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, which: Callable[[Path], bool], number: int) -> None:
    """Let a method of paths fail with an error number."""
    whole = getattr(Path, method)

    def replaced(self: Path, *args: Any, **kwargs: Any) -> Any:
        if which(self):
            raise OSError(number, "refused", str(self))
        return whole(self, *args, **kwargs)

    monkeypatch.setattr(Path, method, replaced)


def is_content(path: Path) -> bool:
    return "~" in path.name


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("method", ["open", "stat"])
def test_files_that_can_not_be_read_are_reported_and_stay(
    root: Path,
    method: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything(root)
    with monkeypatch.context() as patch:
        refuse(patch, method, lambda path: is_content(path) and not path.name.endswith("stray"), number)
        for option in ("--quick", "--repair"):
            if method == "open" and option == "--quick":
                continue
            code, report = run(root, capsys, option)
            kinds = sorted(p["kind"] for p in report["problems"])
            assert (code, kinds) == (4, ["orphan", *["unreadable"] * 3])
            assert not any(p["repaired"] for p in report["problems"] if p["kind"] == "unreadable")
    after = everything(root)
    assert after["rows"] == before["rows"]
    assert sorted(after.values()) == sorted(before.values())


@pytest.mark.parametrize("option", ["--repair", "--rebuild"])
def test_a_folder_that_can_not_be_read_is_reported(
    root: Path, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listdir = check.content_files.__globals__["os"].listdir

    def refused(path: Any) -> list[str]:
        if Path(path).name == "t0":
            raise PermissionError(errno.EACCES, "refused", str(path))
        return list(listdir(path))

    monkeypatch.setattr("aistore.local.store.files.os.listdir", refused)
    code, report = run(root, capsys, option)
    assert code == 4
    assert [p["file"] for p in report["problems"] if p["kind"] == "unreadable"] == ["t0"]


def test_a_catalog_that_can_not_be_read_is_not_made_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(root)
    with monkeypatch.context() as patch:
        refuse(patch, "open", lambda path: path.name == "catalog.sqlite", errno.EACCES)
        for option in ("--repair", "--rebuild"):
            assert run(root, capsys, option) == (8, {})
    assert everything(root) == before


@pytest.mark.parametrize("option", ["--quick", "--repair", "--rebuild"])
@pytest.mark.parametrize("where", ["any_hasher", "content_files"])
def test_what_was_not_foreseen_has_a_code_of_its_own_and_changes_nothing(
    root: Path, where: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if (where, option) == ("any_hasher", "--quick"):
        option = "--json"
    before = everything(root)

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("not foreseen")

    with monkeypatch.context() as patch:
        patch.setattr(check, where, fail)
        assert fsck.main(["--dir", str(root), option]) == 16
    assert "nothing was changed" in capsys.readouterr().err
    assert everything(root) == before


@pytest.mark.parametrize("option", ["--repair", "--rebuild"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_repairs_are_all_made_or_none(
    root: Path, after: int, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(root)
    left = after

    def is_enough(path: Path) -> bool:
        nonlocal left
        if "lost+found" in str(path) or not is_content(path):
            return False
        left -= 1
        return left == -1

    with monkeypatch.context() as patch:
        refuse(patch, "rename", is_enough, errno.EIO)
        assert fsck.main(["--dir", str(root), option]) == 16
    capsys.readouterr()
    assert everything(root) == before
    assert run(root, capsys, option)[0] == (1 if option == "--repair" else 3)
    assert run(root, capsys)[0] == 0


def test_a_report_that_can_not_be_printed_does_not_change_the_exit_code(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert fsck.main(["--dir", str(root)]) == 4
    output.seek(0)
    assert r"ais://b/b\udcff" in output.read()
    output.close()
    assert fsck.main(["--dir", str(root), "--repair"]) == 1
    assert "can't be printed" in capsys.readouterr().err
