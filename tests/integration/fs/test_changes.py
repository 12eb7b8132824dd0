"""Changing the tree: buckets, deleting a few and many, moving, touching, custom metadata."""

import pytest

from aistore.fs import AISFileSystem, removal
from aistore.fs.errors import ErrDirectoryNotEmpty, ErrIsADirectory, ErrNotADirectory, ErrPathExists
from aistore.sdk.errors import ErrBckNotFound, InvalidArgument, UnsupportedOperation


@pytest.fixture
def tree(ais, root):
    ais.pipe(
        {f"{root}/{name}": name.encode() for name in ("d/x", "d/y", "d/e/z", "top", "d.txt", "we[i]rd*")}
    )
    return root


class TestDirectories:
    def test_buckets(self, ais, root):
        path = f"{root}-new"
        ais.mkdir(path)
        try:
            with pytest.raises(ErrPathExists):
                ais.mkdir(path)
            with pytest.raises(FileExistsError):
                ais.makedirs(path)
            ais.makedirs(path, exist_ok=True)
            ais.pipe(f"{path}/x", b"")
            with pytest.raises(ErrDirectoryNotEmpty):
                ais.rmdir(path)
            ais.rm(f"{path}/x")
        finally:
            ais.rmdir(path)
        assert not ais.exists(path)
        with pytest.raises(FileNotFoundError):
            ais.rmdir(path)

    def test_directories_are_there_with_their_objects(self, ais, tree):
        ais.mkdir(f"{tree}/new")
        ais.makedirs(f"{tree}/d/e/f", exist_ok=True)
        assert not ais.exists(f"{tree}/new")
        with pytest.raises(ErrDirectoryNotEmpty):
            ais.rmdir(f"{tree}/d")
        with pytest.raises(ErrNotADirectory):
            ais.rmdir(f"{tree}/top")
        with pytest.raises(FileNotFoundError):
            ais.rmdir(f"{tree}/new")

    def test_a_directory_makes_its_bucket_when_asked_to(self, ais, root):
        with pytest.raises(ErrBckNotFound):
            ais.mkdir(f"{root}-new/d", create_parents=False)
        ais.makedirs(f"{root}-new/d")
        assert ais.ls(f"{root}-new") == []
        ais.rmdir(f"{root}-new")

    def test_what_is_no_bucket(self, ais):
        with pytest.raises(InvalidArgument):
            ais.mkdir("ais://")
        with pytest.raises(InvalidArgument):
            ais.rm("ais://", recursive=True)

    def test_buckets_of_clouds_stay(self, endpoint):
        fs = AISFileSystem(endpoint, provider="aws")
        with pytest.raises(UnsupportedOperation, match="aws"):
            fs.rmdir("cloud")


class TestDeleting:
    def test_one(self, ais, tree):
        ais.rm(f"{tree}/top")
        assert not ais.exists(f"{tree}/top")
        with pytest.raises(FileNotFoundError):
            ais.rm(f"{tree}/top")
        with pytest.raises(FileNotFoundError):
            ais.rm(f"{tree}/nope", recursive=True)

    def test_a_directory_only_recursively(self, ais, tree):
        for path in (f"{tree}/d", tree):
            with pytest.raises(ErrIsADirectory, match="recursive"):
                ais.rm(path)
        ais.rm(f"{tree}/d", recursive=True)
        assert ais.find(tree) == [f"{tree}/{name}" for name in ("d.txt", "top", "we[i]rd*")]

    def test_wildcards_match_objects(self, ais, tree):
        ais.rm(f"{tree}/d*")
        assert f"{tree}/d.txt" not in ais.find(tree)
        assert ais.isdir(f"{tree}/d")
        ais.rm(f"{tree}/d*", recursive=True)
        assert not ais.exists(f"{tree}/d")

    def test_maxdepth(self, ais, tree):
        ais.rm(f"{tree}/d", recursive=True, maxdepth=1)
        assert ais.find(f"{tree}/d") == [f"{tree}/d/e/z"]

    def test_a_bucket_with_everything(self, ais, root):
        ais.mkdir(f"{root}-b")
        ais.pipe(f"{root}-b/x", b"")
        ais.rm(f"{root}-b", recursive=True)
        assert not ais.exists(f"{root}-b")

    def test_many_are_a_job(self, ais, tree, monkeypatch):
        monkeypatch.setattr(removal, "FEW", 3)
        monkeypatch.setattr(removal, "PER_JOB", 40)
        ais.pipe({f"{tree}/many/{i:03} ä?": b"" for i in range(100)})
        ais.rm(f"{tree}/many", recursive=True)
        assert not ais.exists(f"{tree}/many")
        assert ais.exists(f"{tree}/d/x")


class TestMoving:
    def test_trees(self, ais, tree):
        ais.mv(f"{tree}/d", f"{tree}/moved", recursive=True)
        assert ais.find(f"{tree}/moved") == [f"{tree}/moved/{name}" for name in ("e/z", "x", "y")]
        assert not ais.exists(f"{tree}/d")

    def test_names_with_wildcards_in_them(self, ais, tree):
        ais.mv_file(f"{tree}/we[i]rd*", f"{tree}/plain")
        assert ais.cat_file(f"{tree}/plain") == b"we[i]rd*"
        assert not ais.exists(f"{tree}/we[i]rd*")

    @pytest.mark.parametrize("target", ["{}/top", "ais://{}/top", "{}/", "ais+ais://{}/top"])
    def test_onto_itself_loses_nothing(self, ais, tree, target):
        ais.mv(f"{tree}/top", target.format(tree))
        assert ais.cat(f"{tree}/top") == b"top"

    def test_only_what_was_copied_is_deleted(self, ais, tree, monkeypatch):
        copy = type(ais)._cp_file

        async def copy_while_another_arrives(self, path1, path2, **kwargs):
            await copy(self, path1, path2, **kwargs)
            await self._pipe_file(f"{tree}/d/late", b"late")

        monkeypatch.setattr(type(ais), "_cp_file", copy_while_another_arrives)
        ais.mv(f"{tree}/d", f"{tree}/moved", recursive=True)
        assert ais.find(f"{tree}/d") == [f"{tree}/d/late"]

    def test_a_copy_that_fails_keeps_its_source(self, ais, tree):
        with pytest.raises(FileNotFoundError):
            ais.mv(f"{tree}/top", "no-such-bucket-at-all/top")
        assert ais.cat(f"{tree}/top") == b"top"


def test_what_a_bucket_does_not_allow_is_a_permission_error(ais, root, client):
    client.bucket(f"{root}-ro").create(props={"access": "3"})  # GET and HEAD
    try:
        with pytest.raises(PermissionError):
            ais.pipe(f"{root}-ro/x", b"")
        with pytest.raises(PermissionError), ais.open(f"{root}-ro/x", "wb") as file:
            file.write(b"x")
    finally:
        client.bucket(f"{root}-ro").delete()


def test_touch(ais, tree):
    ais.touch(f"{tree}/top", truncate=False)
    assert ais.cat(f"{tree}/top") == b"top"
    ais.touch(f"{tree}/top")
    assert ais.cat(f"{tree}/top") == b""
    ais.touch(f"{tree}/new", truncate=False)
    assert ais.cat(f"{tree}/new") == b""


def test_custom_metadata(ais, tree):
    path = f"{tree}/top"
    ais.set_metadata(path, {"a": "1"})
    ais.set_metadata(path, {"b": "2"})
    assert ais.metadata(path) == {"a": "1", "b": "2"}
    ais.set_metadata(path, {"c": "3"}, replace=True)
    assert ais.metadata(path) == {"c": "3"}
    with pytest.raises(FileNotFoundError):
        ais.set_metadata(f"{tree}/nope", {"a": "1"})


def test_url(ais, tree):
    assert ais.url(f"ais://{tree}/a b") == f"{ais.endpoint}/v1/objects/{tree}/a%20b?provider=ais"
