"""Objects as files: read by ranges of one version, written so that nothing half-written is ever seen."""

import contextlib
import gzip
import io
import logging
import pickle

import fsspec
import pytest

from aistore.fs import AISFileSystem, files
from aistore.fs.errors import ErrIsADirectory, ErrPathExists
from aistore.sdk.errors import AISError, APIRequestError
from aistore.sdk.obj.errors import ErrObjectChanged

DATA = bytes(range(256)) * 40


@pytest.fixture
def small(endpoint, ais):
    """Give a filesystem whose files read and write 1,000 bytes at a time."""
    return AISFileSystem(endpoint, default_block_size=1000)


@pytest.fixture
def path(ais, root):
    ais.pipe(f"{root}/x", DATA)
    return f"{root}/x"


class Boom(Exception):
    pass


class TestReading:
    @pytest.mark.parametrize(
        "cache", ["readahead", "none", "bytes", "all", "blockcache", "background", "first"]
    )
    def test_caches(self, small, path, cache):
        with small.open(path, cache_type=cache) as file:
            assert file.read(10) == DATA[:10]
            assert file.seek(-10, io.SEEK_END) == len(DATA) - 10
            assert file.read() == DATA[-10:]
            file.seek(5000)
            assert file.read(3000) == DATA[5000:8000]
            file.seek(0)
            assert file.read() == DATA
            assert file.read() == b""
            assert (file.size, file.info()["version"]) == (len(DATA), "1")
        with pytest.raises(ValueError, match="closed"):
            file.read()

    def test_as_python_reads(self, ais, root):
        ais.pipe(f"{root}/t", "ä\nb\r\nc".encode())
        with ais.open(f"{root}/t", "r", encoding="utf-8") as file:
            assert list(file) == ["ä\n", "b\n", "c"]
        with ais.open(f"{root}/t", "rb") as file:
            assert file.readlines() == ["ä\n".encode(), b"b\r\n", b"c"]
            file.seek(0)
            assert io.BufferedReader(file).read(3) == "ä\n".encode()

    def test_empty(self, ais, root):
        ais.touch(f"{root}/empty")
        with ais.open(f"{root}/empty") as file:
            assert file.read() == b""

    @pytest.mark.parametrize("versioning", [True, False])
    @pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5000, 1500, 0])
    def test_an_object_that_changes_is_an_error(self, small, client, root, versioning, size):
        """Never bytes of two versions."""
        bucket = client.bucket(f"{root}-v").create(props={"versioning": {"enabled": versioning}})
        try:
            path = f"{root}-v/x"
            small.pipe(path, DATA)
            with small.open(path, cache_type="none") as file:
                assert file.read(1000) == DATA[:1000]
                small.pipe(path, b"n" * size)
                with pytest.raises(ErrObjectChanged):
                    file.read(1000)
            with small.open(path, cache_type="none") as file:
                assert file.read() == b"n" * size
        finally:
            bucket.delete()

    def test_an_object_that_is_deleted_is_an_error(self, small, path):
        with small.open(path, cache_type="none") as file:
            file.read(1000)
            small.rm(path)
            with pytest.raises(FileNotFoundError):
                file.read(1000)

    def test_pickled_where_it_stands(self, small, path):
        with small.open(path) as file:
            file.read(100)
            with pickle.loads(pickle.dumps(file)) as copy:
                assert copy.read(50) == DATA[100:150]

    def test_what_cannot_be_opened(self, ais, root):
        with pytest.raises(FileNotFoundError):
            ais.open(f"{root}/nope")
        with pytest.raises(ErrIsADirectory):
            ais.open(root)


class TestWriting:
    @pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 12_345])
    @pytest.mark.parametrize("step", [1, 700, 5000])
    def test_nothing_is_there_before_it_is_closed(self, small, root, size, step):
        if size == 12_345 and step == 1:
            step = 77
        path = f"{root}/w"
        data = (DATA * 2)[:size]
        with small.open(path, "wb") as file:
            for start in range(0, size, step):
                file.write(data[start : start + step])
            assert file.tell() == size
            assert not small.exists(path)
        assert small.cat(path) == data

    def test_small_is_one_request_and_large_an_upload_in_parts(self, small, root, client):
        for name, size, chunked in (("small", 900, False), ("large", 5000, True)):
            with small.open(f"{root}/{name}", "wb") as file:
                file.write(b"x" * size)
                file.flush()
            props = client.bucket(root).object(name).head("chunked")
            assert (props.chunks is not None) is chunked

    def test_parts_grow_so_that_their_number_suffices(self, small, root, monkeypatch):
        monkeypatch.setattr(files, "_PARTS_OF_A_SIZE", 3)
        sizes = []
        with small.open(f"{root}/w", "wb") as file:
            for _ in range(20):
                file.write(b"x" * 1000)
                sizes.append(file.blocksize)
        assert sizes[::4] == [1000, 2000, 4000, 4000, 4000]
        assert small.size(f"{root}/w") == 20_000

    @pytest.mark.parametrize("size", [10, 5000])
    def test_append(self, small, root, size):
        path = f"{root}/log"
        for part in (b"a", b"b", b""):
            with small.open(path, "ab") as file:
                file.write(part * size)
        assert small.cat(path) == b"a" * size + b"b" * size

    def test_append_of_nothing_creates(self, ais, root):
        with ais.open(f"{root}/log", "ab"):
            pass
        assert ais.cat(f"{root}/log") == b""

    def test_exclusive(self, ais, root, path):
        with pytest.raises(ErrPathExists):
            ais.open(path, "xb")
        with ais.open(f"{root}/new", "x") as file:
            file.write("new")
        assert ais.cat(f"{root}/new") == b"new"

    def test_text_and_compression(self, ais, root):
        with ais.open(f"{root}/t.gz", "wt", compression="infer", encoding="utf-16", newline="\r\n") as file:
            file.write("ä\n")
        assert gzip.decompress(ais.cat(f"{root}/t.gz")) == "ä\r\n".encode("utf-16")
        with ais.open(f"{root}/t.gz", "rt", compression="gzip", encoding="utf-16") as file:
            assert list(file) == ["ä\n"]
        file = ais.open(f"{root}/b.xz", "wb", compression="xz")
        file.write(b"abc" * 1000)
        file.close()
        with ais.open(f"{root}/b.xz", "rb", compression="xz") as file:
            assert file.read(6) == b"abcabc"

    def test_a_bucket_that_is_not_there(self, ais):
        file = ais.open("no-such-bucket-at-all/x", "wb")
        file.write(b"x")
        with pytest.raises(FileNotFoundError):
            file.close()
        assert file.closed


OPENERS = {
    "binary": lambda fs, path: fs.open(path, "wb"),
    "text": lambda fs, path: fs.open(path, "w"),
    "append": lambda fs, path: fs.open(path, "ab"),
    "gzip": lambda fs, path: fs.open(path, "wb", compression="gzip"),
    "text gzip": lambda fs, path: fs.open(path, "wt", compression="gzip"),
    "fsspec.open": lambda _, path: fsspec.open(f"ais://{path}", "wb"),
    "fsspec.open text": lambda _, path: fsspec.open(f"ais://{path}", "w"),
    "fsspec.open gzip": lambda _, path: fsspec.open(f"ais://{path}", "wt", compression="gzip"),
    "closing": lambda fs, path: contextlib.closing(fs.open(path, "wb")),
}


def text_or_bytes(file, text):
    return text if isinstance(file, io.TextIOBase) else text.encode()


class TestWithBlocks:
    @pytest.mark.parametrize("opener", OPENERS)
    @pytest.mark.parametrize("size", [1, 40_000])
    def test_one_that_raises_changes_nothing(self, small, path, opener, size):
        with contextlib.suppress(Boom), OPENERS[opener](small, path) as file:
            file.write(text_or_bytes(file, "n" * size))
            raise Boom
        assert small.cat(path) == DATA

    @pytest.mark.parametrize("opener", [name for name in OPENERS if name != "append"])
    def test_one_within_the_handling_of_another_error_commits(self, small, path, opener):
        try:
            raise Boom
        except Boom:
            with OPENERS[opener](small, path) as file:
                file.write(text_or_bytes(file, "new"))
        content = small.cat(path)
        assert (gzip.decompress(content) if "gzip" in opener else content) == b"new"

    def test_a_file_opened_before_an_error_and_closed_while_handling_it_commits(self, ais, root):
        first, second = ais.open(f"{root}/1", "wb"), ais.open(f"{root}/2", "wb")
        try:
            raise Boom
        except Boom:
            first.write(b"1")
            first.close()
            with contextlib.closing(second):
                second.write(b"2")
        assert ais.cat([f"{root}/1", f"{root}/2"]) == {f"{root}/1": b"1", f"{root}/2": b"2"}


class TestGivingUp:
    @pytest.mark.parametrize("opener", ["binary", "text", "gzip", "text gzip"])
    def test_discard(self, small, path, opener):
        file = OPENERS[opener](small, path)
        file.write(text_or_bytes(file, "n" * 40_000))
        file.discard()
        assert file.closed
        assert small.cat(path) == DATA

    @pytest.mark.parametrize("opener", ["binary", "text"])
    def test_dropped_without_being_closed(self, small, path, opener, caplog):
        """What goes because of an error must not become the object; and nobody is left without a word."""
        file = OPENERS[opener](small, path)
        file.write(text_or_bytes(file, "n" * 40_000))
        caplog.set_level(logging.ERROR)
        kept = [file]
        del file
        with pytest.warns(ResourceWarning, match="unclosed"):
            kept.clear()
        assert "dropped without being closed" in caplog.text
        assert small.cat(path) == DATA

    def test_after_a_part_could_not_be_sent(self, small, client, root):
        client.bucket(f"{root}-gone").create()
        file = small.open(f"{root}-gone/x", "wb")
        file.write(b"x" * 1500)
        client.bucket(f"{root}-gone").delete()
        with pytest.raises((APIRequestError, OSError)):
            file.write(b"x" * 1500)
        with pytest.raises(ValueError, match="failed before"):
            file.write(b"x")
        file.close()
        assert file.closed


class TestTransactions:
    def test_all_at_the_end(self, small, root, tmp_path):
        (tmp_path / "local").write_bytes(b"p" * 3000)
        with small.transaction:
            with small.open(f"{root}/file", "wb") as file:
                file.write(b"f" * 2500)
            small.pipe(f"{root}/piped", b"p")
            small.put(str(tmp_path / "local"), f"{root}/put")
            assert small.find(root) == []
        assert {name: len(data) for name, data in small.cat(f"{root}/*").items()} == {
            f"{root}/file": 2500,
            f"{root}/piped": 1,
            f"{root}/put": 3000,
        }

    def test_nothing_after_an_error(self, small, root):
        with contextlib.suppress(Boom), small.transaction:
            small.pipe(f"{root}/piped", b"p")
            with small.open(f"{root}/file", "wb") as file:
                file.write(b"f" * 2500)
            raise Boom
        assert small.find(root) == []
        small.pipe(f"{root}/after", b"p")
        assert small.find(root) == [f"{root}/after"]

    def test_a_file_given_up_is_left_out(self, ais, root):
        with ais.transaction:
            with contextlib.suppress(Boom), ais.open(f"{root}/bad", "wb") as file:
                file.write(b"x")
                raise Boom
            ais.pipe(f"{root}/good", b"x")
        assert ais.find(root) == [f"{root}/good"]

    def test_commit_by_hand(self, ais, root):
        file = ais.open(f"{root}/x", "wb", autocommit=False)
        file.write(b"x")
        file.close()
        assert not ais.exists(f"{root}/x")
        file.commit()
        file.commit()
        assert ais.cat(f"{root}/x") == b"x"


def test_errors_of_the_cluster_pass_through(ais, root):
    with pytest.raises(AISError):
        ais.pipe("no-such-bucket-at-all/x", b"")
