"""Programs whose main thread has ended: other threads go on, and `atexit` functions run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aistore.sdk import Bucket

PROGRAM = """
import atexit, os, pathlib, sys, threading
import fsspec
from aistore import Client
from aistore.sdk.obj.obj_file.upload_writer import ObjectUploadWriter

endpoint, name, folder, when, threads = sys.argv[1:]
client = Client(endpoint)
bucket = client.bucket(name)
folder = pathlib.Path(folder)
data = os.urandom(9 << 20)

def work():
    bucket.object("whole").get_writer().put_content(data)
    bucket.put_files(folder, prepend="files/", num_workers=3)
    whole = bucket.object("whole")
    reader = whole.get_reader(num_workers=3, chunk_size=1 << 20)
    assert reader.read_all().tobytes() == data
    assert b"".join(reader) == data
    with whole.get_reader().as_seekable_file() as file:
        assert file.read() == data
    with ObjectUploadWriter(whole.get_writer(), num_workers=2) as file:
        file.write(data * 2)
    assert whole.head().size == 2 * len(data)
    assert len(list(bucket.list_objects_iter("files/", page_size=1, prefetch=True))) == 3
    fs = fsspec.filesystem("ais", endpoint=endpoint)
    fs.pipe({f"{name}/fs/{number}": data[:number] for number in range(3)})
    assert fs.cat([f"{name}/fs/1", f"{name}/fs/2"]) == {f"{name}/fs/{n}": data[:n] for n in (1, 2)}
    fs.put(f"{folder}/", f"{name}/put/", recursive=True)
    fs.get(f"{name}/put/", f"{folder}/got/", recursive=True)
    assert [os.stat(path).st_size for path in sorted((folder / "got").iterdir())] == [0, 1, 2]
    client.close()
    print("done", flush=True)

def later():
    if when == "thread":
        threading.main_thread().join()
    if threads == "none":  # as from Python 3.12 on
        def refuse(*_, **__):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        for start in ("_start_new_thread", "_start_joinable_thread"):
            vars(threading).update({start: refuse})
    work()

if when == "atexit":
    atexit.register(later)
else:
    threading.Thread(target=later).start()
"""


@pytest.mark.parametrize(("when", "threads"), [("thread", "any"), ("thread", "none"), ("atexit", "none")])
def test_everything_that_uses_threads_works(
    endpoint: str, bucket: Bucket, tmp_path: Path, when: str, threads: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}").write_bytes(b"x" * number)
    command = [sys.executable, "-c", PROGRAM, endpoint, bucket.name, str(folder), when, threads]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    names = {entry.name for entry in bucket.list_all_objects()}
    assert done.stdout == "done\n", done.stderr
    assert not done.stderr
    assert names >= {f"{prefix}/{number}" for prefix in ("files", "fs", "put") for number in range(3)}
