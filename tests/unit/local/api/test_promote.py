"""Promoting reads below one folder, whatever is exchanged in it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aistore._files import Directory
from aistore.local import bucket_props
from aistore.local.api import promote
from aistore.local.catalog import Bucket
from aistore.local.errors import InvalidRequest, LocalError, ObjectNotFound
from aistore.local.names import Bck
from aistore.local.options import Options
from aistore.local.state import State

ALL = promote._PromoteMsg(recursive=True, obj="p/")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folder that may be promoted from, and beside it what may not."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(b"secret")
    files = tmp_path / "files"
    (files / "sub" / "deep").mkdir(parents=True)
    (files / "a").write_bytes(b"1")
    (files / "sub" / "key").write_bytes(b"2")
    (files / "sub" / "deep" / "c").write_bytes(b"3")
    return files


@pytest.fixture
def state(tmp_path: Path, files: Path) -> Iterator[State]:
    (tmp_path / "data").mkdir()
    state = State(Options(port=0, promote_dir=files), tmp_path / "data")
    yield state
    state.close()


@pytest.fixture
def bucket(state: State) -> Bucket:
    return state.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))


def content(state: State, bucket: Bucket, name: str) -> bytes | None:
    try:
        with state.store.open(bucket, name) as reader:
            return reader.read_all()
    except ObjectNotFound:
        return None


def single(state: State, bucket: Bucket, source: promote._Source) -> bool:
    return promote._promote_single(state, bucket, source, promote._PromoteMsg(obj="o"))


def swap(path: Path, target: Path) -> None:
    """Put a link in the place of a file or folder."""
    path.rename(path.with_name(f"{path.name}-before"))
    path.symlink_to(target)


def test_a_file_that_becomes_a_link_is_not_read(state: State, bucket: Bucket, files: Path) -> None:
    source = promote._source(state, str(files / "sub" / "key"))
    swap(files / "sub" / "key", files.parent / "secret" / "key")
    with pytest.raises(InvalidRequest, match="invalid promote source"):
        single(state, bucket, source)
    assert content(state, bucket, "o") is None


def test_a_folder_that_becomes_a_link_is_not_entered(state: State, bucket: Bucket, files: Path) -> None:
    source = promote._source(state, str(files / "sub" / "key"))
    swap(files / "sub", files.parent / "secret")
    with pytest.raises(InvalidRequest, match="invalid promote source"):
        single(state, bucket, source)
    assert content(state, bucket, "o") is None


def test_a_folder_that_becomes_a_link_is_not_walked(
    state: State, bucket: Bucket, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Directory.find

    def find_and_swap(self: Directory, name: str) -> os.stat_result | None:
        found = find(self, name)
        if name == "sub":
            swap(files / "sub", files.parent / "secret")
        return found

    monkeypatch.setattr(Directory, "find", find_and_swap)
    source = promote._source(state, str(files))
    with source.opened() as folder:
        names = [name for _, _, name in promote._files(folder, "", recursive=True)]
    assert names == ["a"]


def test_links_within_are_what_they_lead_to(state: State, bucket: Bucket, files: Path) -> None:
    (files / "alias").symlink_to(files / "sub")
    assert single(state, bucket, promote._source(state, str(files / "alias" / "key")))
    assert content(state, bucket, "o") == b"2"


def test_links_and_pipes_are_no_files(state: State, files: Path) -> None:
    (files / "link").symlink_to(files.parent / "secret" / "key")
    (files / "folder").symlink_to(files.parent / "secret")
    os.mkfifo(files / "pipe")
    with promote._source(state, str(files)).opened() as folder:
        found = [name for _, _, name in promote._files(folder, "p/", recursive=True)]
        assert found == ["p/a", "p/sub/key", "p/sub/deep/c"]
        assert [name for _, _, name in promote._files(folder, "", recursive=False)] == ["a"]
        for name in ("pipe", "link"):
            with pytest.raises(OSError, match=r"regular|symbolic"):
                folder.open_regular(name)


@pytest.mark.parametrize(
    "text", ["link", "folder/key", "../secret/key", "..", "sub/../../secret/key", "circle"]
)
def test_what_lies_elsewhere_is_refused(state: State, bucket: Bucket, files: Path, text: str) -> None:
    (files / "link").symlink_to(files.parent / "secret" / "key")
    (files / "folder").symlink_to(files.parent / "secret")
    (files / "circle").symlink_to(files / "circle" / "x")
    for path in (f"{files}/{text}", text, f"{files}\0"):
        with pytest.raises(LocalError) as refused:
            single(state, bucket, promote._source(state, path))
        assert refused.value.tcode in {"errInvalidPromoteSource", "PathError"}


def test_what_does_not_exist_is_not_found(state: State, bucket: Bucket, files: Path) -> None:
    for text in ("missing", "missing/file", "sub/missing"):
        with pytest.raises(LocalError) as refused:
            single(state, bucket, promote._source(state, f"{files}/{text}"))
        assert refused.value.status == 404
