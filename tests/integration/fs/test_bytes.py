"""Moving bytes: cat, ranges, pipe, get, put, cp - and what happens when it goes wrong."""

import os
import stat
import threading

import pytest
from fsspec.callbacks import Callback
from scripted import Answer, scripted

from aistore.fs import AISFileSystem
from aistore.fs.errors import ErrIsADirectory, ErrPathExists, ErrPathNotFound
from aistore.sdk.errors import AISError, InvalidArgument
from aistore.sdk.obj.errors import ErrChecksumMismatch, ErrObjectChanged

DATA = bytes(range(256)) * 4


@pytest.fixture
def path(ais, root):
    ais.pipe(f"{root}/d/x", DATA)
    return f"{root}/d/x"


class TestCat:
    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (None, None), (0, 5), (3, None), (None, 7), (-5, None), (-9, -2), (1, -1), (None, -1000),
            (-5000, None), (1000, 5000), (5000, 6000), (7, 7), (9, 3), (0, 0), (1024, None), (-5000, 3),
        ],
    )  # fmt: skip
    def test_ranges_are_slices(self, ais, path, start, end):
        assert ais.cat_file(path, start, end) == DATA[start:end]

    def test_empty_object(self, ais, root):
        ais.touch(f"{root}/empty")
        assert [ais.cat_file(f"{root}/empty", *ends) for ends in ((), (0, 5), (-3, None), (2, 1))] == [
            b""
        ] * 4

    def test_several(self, ais, root, path):
        ais.pipe(f"{root}/d/y", b"y")
        assert ais.cat([path, f"{root}/d/y"]) == {path: DATA, f"{root}/d/y": b"y"}
        assert ais.cat(f"{root}/d/*") == {path: DATA, f"{root}/d/y": b"y"}
        with pytest.raises(FileNotFoundError):
            ais.cat([path, f"{root}/nope"])
        assert set(ais.cat([path, f"{root}/nope"], on_error="omit")) == {path}
        assert isinstance(ais.cat([path, f"{root}/nope"], on_error="return")[f"{root}/nope"], ErrPathNotFound)

    def test_directories_are_left_out(self, ais, root, path):
        ais.pipe({f"{root}/d/e/we[i]rd*": b"w", f"{root}/d/e/f/y": b"y"})
        assert ais.cat(f"{root}/d/*") == {path: DATA}
        below = {path: DATA, f"{root}/d/e/we[i]rd*": b"w", f"{root}/d/e/f/y": b"y"}
        assert ais.cat(f"{root}/d", recursive=True) == below
        assert ais.cat(f"{root}/*", recursive=True) == below
        assert ais.cat(f"{root}/d/x", recursive=True) == DATA
        for nothing in (f"{root}/nope", f"{root}/nope/*"):
            with pytest.raises(FileNotFoundError):
                ais.cat(nothing, recursive=True)

    def test_as_a_mapping(self, ais, root):
        mapping = ais.get_mapper(f"{root}/map")
        mapping["a/b"] = b"1"
        mapping.setitems({"c": b"2"})
        assert dict(mapping) == {"a/b": b"1", "c": b"2"}
        assert mapping.getitems(["c", "nope"], on_error="omit") == {"c": b"2"}
        with pytest.raises(KeyError):
            mapping["nope"]
        del mapping["c"]
        assert list(mapping) == ["a/b"]

    def test_cat_ranges(self, ais, root, path):
        starts, ends = [0, 100, None, -4, 0], [3, 200, 2, None, 1]
        got = ais.cat_ranges([path] * 4 + [f"{root}/nope"], starts, ends)
        assert got[:4] == [DATA[start:end] for start, end in zip(starts[:4], ends[:4], strict=True)]
        assert isinstance(got[4], FileNotFoundError)
        with pytest.raises(FileNotFoundError):
            ais.cat_ranges([f"{root}/nope"], 0, 1, on_error="raise")
        assert ais.cat_ranges([path, path], 1, 3) == [DATA[1:3]] * 2
        with pytest.raises(InvalidArgument, match="2 paths with 1 starts"):
            ais.cat_ranges([path, path], [1], [2, 3])

    def test_cat_ranges_of_one_object_are_of_one_version(self):
        versions = iter("1234")

        def script(request):
            return Answer(
                b"ab", status=206, headers={"Ais-Version": next(versions), "Content-Range": "bytes 0-1/9"}
            )

        with scripted(script) as (server, _):
            fs = AISFileSystem(server.endpoint, skip_instance_cache=True)
            assert fs.cat_ranges(["b/x", "b/y"], 0, 2) == [b"ab", b"ab"]
            with pytest.raises(ErrObjectChanged, match="version"):
                fs.cat_ranges(["b/x", "b/x"], 0, 2)

    def test_a_bucket_or_a_directory_is_no_object(self, ais, root, path):
        with pytest.raises(IsADirectoryError):
            ais.cat_file(root)
        with pytest.raises(FileNotFoundError):
            ais.cat_file(f"{root}/d")

    def test_checksums_are_compared_unless_switched_off(self, tmp_path):
        def script(request):
            headers = {"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": "0" * 16}
            return Answer(b"" if request.method == "HEAD" else b"abc", headers=headers)

        with scripted(script) as (server, _):
            trusting = AISFileSystem(server.endpoint, validate_checksum=False, skip_instance_cache=True)
            assert trusting.cat("b/x") == b"abc"
            trusting.pipe("b/x", b"abc")
            for options in ({}, {"validate_checksum": True}):
                careful = AISFileSystem(server.endpoint, skip_instance_cache=True, **options)
                with pytest.raises(ErrChecksumMismatch):
                    careful.cat("b/x")
                with pytest.raises(ErrChecksumMismatch):
                    careful.get("b/x", str(tmp_path / "x"))
                with pytest.raises(ErrChecksumMismatch):
                    careful.pipe("b/x", b"abc")
        assert list(tmp_path.iterdir()) == []


class TestPipe:
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_anything_with_bytes(self, ais, root, kind):
        ais.pipe_file(f"{root}/x", kind(b"abc"))
        assert ais.cat(f"{root}/x") == b"abc"

    def test_arrays(self, ais, root):
        import numpy as np

        ais.pipe_file(f"{root}/x", np.arange(3, dtype="<u2"))
        assert ais.cat(f"{root}/x") == b"\0\0\1\0\2\0"

    def test_modes(self, ais, path):
        with pytest.raises(ErrPathExists):
            ais.pipe_file(path, b"", mode="create")
        with pytest.raises(InvalidArgument, match="overwrite"):
            ais.pipe_file(path, b"", mode="append")
        assert ais.cat(path) == DATA


class Watching(Callback):
    def __init__(self):
        super().__init__()
        self.branches = {}

    def branched(self, path_1, path_2, **kwargs):
        return self.branches.setdefault(path_2, Callback())


class TestLocalFiles:
    def test_get_and_put_trees_with_callbacks(self, ais, root, tmp_path):
        source = tmp_path / "source"
        (source / "sub").mkdir(parents=True)
        (source / "a").write_bytes(b"a" * 10)
        (source / "sub" / "big").write_bytes(b"b" * 3_000_000)
        putting, getting = Watching(), Watching()
        ais.put(str(source), f"{root}/up", recursive=True, callback=putting)
        assert ais.find(f"{root}/up") == [f"{root}/up/a", f"{root}/up/sub/big"]
        ais.get(f"{root}/up", str(tmp_path / "down"), recursive=True, callback=getting)
        assert (tmp_path / "down" / "sub" / "big").read_bytes() == b"b" * 3_000_000
        sizes = {"a": 10, "big": 3_000_000}
        for watching in (putting, getting):
            done = {os.path.basename(name): (one.size, one.value) for name, one in watching.branches.items()}
            assert {name: done[name] for name in sizes} == {
                name: (size, size) for name, size in sizes.items()
            }

    def test_a_whole_bucket_comes_and_goes(self, ais, root, path, tmp_path):
        ais.get(root, str(tmp_path / "down"), recursive=True)
        assert (tmp_path / "down" / "d" / "x").read_bytes() == DATA
        ais.put(str(tmp_path / "down") + "/", f"{root}/again", recursive=True)
        assert ais.find(f"{root}/again") == [f"{root}/again/d/x"]
        ais.get_file(f"{root}/d", str(tmp_path / "directory"))
        assert (tmp_path / "directory").is_dir()

    def test_a_file_changes_only_when_all_is_there(self, tmp_path):
        target = tmp_path / "x"
        target.write_bytes(b"old")

        def script(request):
            if request.method == "HEAD":
                return Answer(status=404)
            return Answer(b"n" * 2_000_000, cut=1_500_000)

        with scripted(script) as (server, _):
            fs = AISFileSystem(server.endpoint, skip_instance_cache=True)
            with pytest.raises(AISError):
                fs.get_file("b/x", str(target))
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_what_a_callback_raises_stops_it(self, ais, path, tmp_path):
        class Stopping(Callback):
            def relative_update(self, inc=1):
                raise KeyError("stop")

        with pytest.raises(KeyError):
            ais.get_file(path, str(tmp_path / "x"), callback=Stopping())
        assert list(tmp_path.iterdir()) == []

    def test_modes_of_files(self, ais, path, tmp_path):
        old, new = tmp_path / "old", tmp_path / "new"
        old.write_bytes(b"old")
        old.chmod(0o604)
        plain = tmp_path / "plain"
        plain.touch()
        for target in (old, new):
            ais.get_file(path, str(target))
            assert target.read_bytes() == DATA
        assert stat.S_IMODE(old.stat().st_mode) == 0o604
        assert new.stat().st_mode == plain.stat().st_mode

    def test_into_a_pipe_and_through_a_link(self, ais, path, tmp_path):
        fifo, link, behind = tmp_path / "fifo", tmp_path / "link", tmp_path / "behind"
        os.mkfifo(fifo)
        got = []
        reading = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
        reading.start()
        ais.get_file(path, str(fifo))
        reading.join(10)
        assert got == [DATA]
        behind.touch()
        link.symlink_to(behind)
        ais.get_file(path, str(link))
        assert link.is_symlink()
        assert behind.read_bytes() == DATA

    def test_into_an_open_file(self, ais, path, tmp_path):
        with (tmp_path / "x").open("wb") as file:
            ais.get_file(path, file)
        assert (tmp_path / "x").read_bytes() == DATA

    def test_missing(self, ais, root, tmp_path):
        with pytest.raises(FileNotFoundError):
            ais.get(f"{root}/nope", str(tmp_path / "x"))
        with pytest.raises(FileNotFoundError):
            ais.put(str(tmp_path / "nope"), f"{root}/x")
        ais.pipe(f"{root}/x", b"")
        (tmp_path / "x").touch()
        with pytest.raises(ErrPathExists):
            ais.put_file(str(tmp_path / "x"), f"{root}/x", mode="create")


class TestCopy:
    def test_within_the_cluster(self, ais, root, path):
        ais.set_metadata(path, {"k": "v"})
        ais.copy(path, f"{root}/copy")
        assert ais.cat(f"{root}/copy") == DATA
        assert ais.metadata(f"{root}/copy") == {"k": "v"}

    def test_onto_itself(self, ais, root, path):
        ais.copy(path, f"ais://{path}")
        assert ais.cat(path) == DATA

    def test_errors(self, ais, root, path):
        with pytest.raises(ErrPathNotFound):
            ais.copy(f"{root}/nope", f"{root}/x")
        with pytest.raises(ErrIsADirectory):
            ais.cp_file(path, root)
        with pytest.raises(FileNotFoundError):
            ais.cp_file(path, "no-such-bucket-at-all/x")
