"""Trees of objects as local files: none is lost silently, and none gets out of its directory."""

import json
import pickle
from pathlib import Path

import pytest
from scripted import Answer, scripted

from aistore.fs import AISFileSystem
from aistore.fs.errors import ErrNotAFile
from aistore.sdk.errors import InvalidArgument, SDKError


@pytest.fixture
def write(client, root):
    """Give what writes objects: each has its name as content."""

    def put(*names):
        for name in names:
            client.bucket(root).object(name).get_writer().put_content(name.encode())

    return put


def contents(folder: Path) -> dict[str, str]:
    """Return the files below a folder, by their names."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same(*names):
    return {name: name for name in names}


class TestNamesThatCannotBeFiles:
    @pytest.mark.parametrize("recursive", ["", "/", "/*"])
    def test_all_others_are_copied(self, ais, root, write, tmp_path, recursive):
        others = [f"z{number}" for number in range(20)]
        write("d", "d/x", "x//y", "x/y", *others)
        with pytest.raises(ErrNotAFile) as caught:
            ais.get(f"{root}{recursive}", str(tmp_path / "out"), recursive=True)
        assert set(caught.value.names) == {f"{root}/d", f"{root}/x//y"}
        assert "'fs-" in str(caught.value)
        assert "is also a folder" in str(caught.value)
        assert isinstance(caught.value, OSError)
        assert isinstance(caught.value, SDKError)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (again.names, again.folder, str(again)) == (
            caught.value.names,
            caught.value.folder,
            str(caught.value),
        )
        assert contents(tmp_path / "out") == same("d/x", "x/y", *others)

    def test_one_by_one_everything_can_be_had(self, ais, root, write, tmp_path):
        write("d", "d/x")
        ais.get(f"{root}/d", str(tmp_path / "d"))
        ais.get(f"{root}/d/", str(tmp_path / "e"), recursive=True)
        with pytest.raises(ErrNotAFile, match=r"'.*/d' is also a folder"):
            ais.get(f"{root}/d", str(tmp_path / "f"), recursive=True)
        assert contents(tmp_path) == {"d": "d", "e/x": "d/x", "f/x": "d/x"}

    def test_of_the_same_base_name(self, ais, root, write, tmp_path):
        write("a/x", "b/x", "b/y")
        wanted = [f"{root}/{name}" for name in ("a/x", "b/x", "b/y")]
        with pytest.raises(ErrNotAFile, match=r"'.*/b/x' would be the same file as '.*/a/x'"):
            ais.get(wanted, str(tmp_path / "out"))
        assert contents(tmp_path / "out") == {"x": "a/x", "y": "b/y"}
        with pytest.raises(ErrNotAFile, match="same file"):
            ais.get(wanted[:2], [str(tmp_path / "same")] * 2)

    def test_what_is_here_may_be_in_the_way(self, ais, root, write, tmp_path):
        write("a", "b/x", "c")
        (tmp_path / "a").mkdir()
        (tmp_path / "b").touch()
        with pytest.raises(ErrNotAFile) as caught:
            ais.get(f"{root}/", str(tmp_path), recursive=True)
        assert set(caught.value.names) == {f"{root}/a", f"{root}/b/x"}
        assert contents(tmp_path) == {"b": "", "c": "c"}
        with pytest.raises(ErrNotAFile, match="is a folder"):
            ais.get_file(f"{root}/c", str(tmp_path / "a"))

    def test_copies_and_uploads_do_not_overwrite_each_other(self, ais, root, write, tmp_path):
        write("a/x", "b/x")
        for call in (ais.copy, ais.mv):
            with pytest.raises(InvalidArgument, match="would both become"):
                call([f"{root}/a/x", f"{root}/b/x"], f"{root}/to/")
            assert ais.exists(f"{root}/a/x")
            assert ais.exists(f"{root}/b/x")
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "x").touch()
        with pytest.raises(InvalidArgument, match="would both become"):
            ais.put([str(tmp_path / "a/x"), str(tmp_path / "b/x")], f"{root}/to/")


class TestLinks:
    @pytest.fixture
    def outside(self, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious").write_text("precious")
        return outside

    def test_none_is_followed_inside_the_directory(self, ais, root, write, tmp_path, outside):
        write("link/file", "link/sub/file", "precious", "dangling", "z/file")
        here = tmp_path / "here"
        here.mkdir()
        (here / "link").symlink_to(outside)
        (here / "precious").symlink_to(outside / "precious")
        (here / "dangling").symlink_to(outside / "nothing")
        with pytest.raises(ErrNotAFile, match="a link that leads out of the folder") as caught:
            ais.get(f"{root}/", str(here), recursive=True)
        assert set(caught.value.names) == {f"{root}/link/file", f"{root}/link/sub/file"}
        assert contents(outside) == same("precious")
        assert not (here / "precious").is_symlink()
        assert contents(here) == same("precious", "dangling", "z/file")

    def test_nor_for_one_file_in_a_directory(self, ais, root, write, tmp_path, outside):
        write("d/precious")
        (tmp_path / "precious").symlink_to(outside / "precious")
        ais.get(f"{root}/d/precious", str(tmp_path))
        assert contents(outside) == same("precious")
        assert (tmp_path / "precious").read_text() == "d/precious"

    def test_those_that_the_caller_names_are(self, ais, root, write, tmp_path, outside):
        write("a", "d/b")
        (tmp_path / "file").symlink_to(outside / "precious")
        (tmp_path / "folder").symlink_to(outside)
        ais.get(f"{root}/a", str(tmp_path / "file"))
        ais.get(f"{root}/d/", str(tmp_path / "folder"), recursive=True)
        assert contents(outside) == {"precious": "a", "b": "d/b"}
        assert (tmp_path / "file").is_symlink()


def test_names_of_a_hostile_cluster_stay_inside(tmp_path):
    names = ["../up", "a/../../up", "/abs", "ok", "./dot"]
    entries = [{"n": name, "s": 7} for name in names]
    page = json.dumps({"UUID": "u", "ContinuationToken": "", "Flags": 0, "Entries": entries}).encode()

    def script(request):
        if request.method == "HEAD":
            return Answer(status=404)
        return Answer(page) if "/buckets/" in request.path else Answer(b"content")

    with scripted(script) as (server, _):
        fs = AISFileSystem(server.endpoint, skip_instance_cache=True)
        with pytest.raises(ErrNotAFile, match="4 objects cannot be files"):
            fs.get("b/", str(tmp_path / "in" / "here"), recursive=True)
    assert contents(tmp_path) == {"in/here/ok": "content"}


class TestAnObjectAndADirectoryOfOneName:
    @pytest.fixture
    def both(self, ais, root, write):
        write("d", "d/x", "d/e", "d/e/y", "z")
        return ais

    def test_ls(self, both, root):
        listed = [(info["name"].removeprefix(f"{root}/"), info["type"]) for info in both.ls(root)]
        assert listed == [("d", "file"), ("d", "directory"), ("z", "file")]
        assert both.ls(root, detail=False) == [f"{root}/d", f"{root}/z"]
        assert both.ls(f"{root}/d", detail=False) == [f"{root}/d/e", f"{root}/d/x"]

    def test_walk(self, both, root):
        assert list(both.walk(root)) == [
            (root, ["d"], ["d", "z"]),
            (f"{root}/d", ["e"], ["e", "x"]),
            (f"{root}/d/e", [], ["y"]),
        ]

    @pytest.mark.parametrize("cached", [False, True])
    def test_find_and_glob(self, endpoint, root, both, cached):
        fs = AISFileSystem(endpoint, use_listings_cache=cached, skip_instance_cache=True)
        every = [f"{root}/{name}" for name in ("d", "d/e", "d/e/y", "d/x", "z")]
        assert fs.find(root) == every
        assert fs.find(root, maxdepth=3) == every
        assert fs.find(root, maxdepth=2, withdirs=True) == [root, *(n for n in every if "e/y" not in n)]
        assert fs.glob(f"{root}/**") == [root, *every]
        assert fs.glob(f"{root}/*/*") == [f"{root}/d/e", f"{root}/d/x"]
        assert fs.glob(f"{root}/*/*/y") == [f"{root}/d/e/y"]
        assert fs.du(root) == sum(len(name.removeprefix(f"{root}/")) for name in every)

    def test_info(self, both, root):
        assert both.info(f"{root}/d")["type"] == "file"
        assert both.isfile(f"{root}/d/e")
        assert both.info(f"{root}/d/x")["size"] == len("d/x")
        assert both.cat(f"{root}/*", recursive=True) == {
            f"{root}/{name}": name.encode() for name in ("d", "d/e", "d/e/y", "d/x", "z")
        }

    def test_removal_takes_both_or_what_is_in_the_directory(self, both, root):
        both.rm(f"{root}/d/", recursive=True)
        assert both.find(root) == [f"{root}/d", f"{root}/z"]
        both.pipe({f"{root}/d/{name}": b"" for name in "xy"})
        both.rm(f"{root}/d", recursive=True)
        assert both.find(root) == [f"{root}/z"]
