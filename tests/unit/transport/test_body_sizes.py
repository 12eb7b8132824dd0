"""Bodies whose size only reading shows: files of /proc, pipes, and files that say that they are empty."""

import io
import os
import threading
from pathlib import Path

import pytest
from objects import named
from scripted import Answer, scripted

from aistore.fs import AISFileSystem
from aistore.sdk.bucket import Bucket
from aistore.sdk.transport.body import Body

MADE = [
    path
    for path in ("/proc/version", "/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled")
    if Path(path).exists()
]


class SaysNothing(io.RawIOBase):
    """A file that says it is empty, as some FUSE file systems do, until it is read."""

    def __init__(self, data):
        super().__init__()
        self._data = data
        self._at = 0

    def read(self, size=-1):
        piece = self._data[self._at :] if size < 0 else self._data[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def tell(self):
        return self._at

    def seek(self, offset, whence=0):
        self._at = offset if whence == 0 else 0
        return self._at


@pytest.fixture
def server():
    stored = {}

    def script(request):
        if request.method == "PUT":
            stored[request.path] = request.body
        return Answer()

    with scripted(script) as (server, client):
        server.client, server.stored = client, stored
        yield server


def stored(server):
    [body] = server.stored.values()
    return body


@pytest.mark.parametrize("path", MADE)
def test_files_that_are_made_when_they_are_read(server, path):
    wanted = Path(path).read_bytes()
    writer = named(server.client).get_writer()
    writer.put_file(path)
    assert stored(server) == wanted
    for buffering in (0, -1):
        with open(path, "rb", buffering=buffering) as file:
            writer.put_stream(file)
        assert stored(server) == wanted
        with open(path, "rb", buffering=buffering) as file:
            file.read(3)
            writer.put_stream(file)
        assert stored(server) == wanted[3:]


@pytest.mark.parametrize("path", MADE)
@pytest.mark.parametrize("watched", [False, True])
def test_filesystem_puts_them_whole(server, path, watched):
    from fsspec.callbacks import Callback

    wanted = Path(path).read_bytes()
    ais = AISFileSystem(server.endpoint, skip_instance_cache=True)
    callback = Callback()
    ais.put_file(path, "bck/obj", **({"callback": callback} if watched else {}))
    assert stored(server) == wanted
    assert callback.value == (len(wanted) if watched else 0)


@pytest.mark.parametrize("path", MADE)
def test_directory_of_links_to_them(server, tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    Bucket("bck", server.client).put_files(tmp_path)
    assert stored(server) == Path(path).read_bytes()


def test_pipes_are_read_to_their_end(server, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = bytes(range(256)) * 500
    thread = threading.Thread(target=pipe.write_bytes, args=(data,))
    thread.start()
    named(server.client).get_writer().put_file(pipe)
    thread.join(30)
    assert stored(server) == data


def test_directories_are_refused(server, tmp_path):
    with pytest.raises(ValueError, match="directory"):
        named(server.client).get_writer().put_file(tmp_path)
    assert server.requests == []


def test_empty_and_sparse_files(server, tmp_path):
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as file:
        assert Body(file).size == 0
    named(server.client).get_writer().put_file(path)
    assert stored(server) == b""
    os.truncate(path, 100_000)
    named(server.client).get_writer().put_file(path)
    assert stored(server) == bytes(100_000)
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        assert Body(file).size == 3


def test_files_that_say_that_they_are_empty(server):
    named(server.client).get_writer().put_stream(SaysNothing(b"abc"))
    assert stored(server) == b"abc"
    assert Body(SaysNothing(b"")).size == 0
