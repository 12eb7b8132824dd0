"""An exception raised at any line of ours, as a signal handler may, arrives, and the client still works."""

import linecache
import os
import sys
from pathlib import Path

import pytest

import aistore

PACKAGE = str(Path(aistore.__file__).parent) + os.sep
STRIDE = 3  # each third line that is run, so that each way takes a second or two
DATA = os.urandom(300_000)


class SoftTimeLimit(Exception):
    """As Celery's: derived from `Exception`."""


class Interruption:
    """Raises `SoftTimeLimit` at the n-th line of the package that this thread runs."""

    def __init__(self, line):
        self.left = line
        self.where = ""

    def enter(self, frame, event, arg):
        is_ours = frame.f_code.co_filename.startswith(PACKAGE)
        # What a destructor raises is never seen, whoever raises it.
        return self.step if is_ours and frame.f_code.co_name != "__del__" else None

    def step(self, frame, event, arg):
        code = frame.f_code
        # Python handles no signal between the end of a block and the exit of its context manager.
        line = linecache.getline(code.co_filename, frame.f_lineno).lstrip()
        if event != "line" or line.startswith("with "):
            return self.step
        self.left -= 1
        if self.left == 0:
            sys.settrace(None)
            self.where = f"{code.co_filename.removeprefix(PACKAGE)}:{frame.f_lineno} {code.co_name}"
            raise SoftTimeLimit
        return self.step


def read_file(obj):
    with obj.get_reader().as_file() as file:
        return file.read()


def read_raw(obj):
    with obj.get_reader().raw() as raw:
        return raw.read()


WAYS = {
    "read_all": lambda obj, bucket, file: obj.get_reader().read_all(),
    "file": lambda obj, bucket, file: read_file(obj),
    "raw": lambda obj, bucket, file: read_raw(obj),
    "iteration": lambda obj, bucket, file: b"".join(obj.get_reader()),
    "threads": lambda obj, bucket, file: (
        obj.get_reader(num_workers=2, chunk_size=100_000).read_all().tobytes()
    ),
    "put": lambda obj, bucket, file: bucket.object("put").get_writer().put_content(DATA),
    "put_file": lambda obj, bucket, file: bucket.object("put").get_writer().put_file(file),
    "put_files": lambda obj, bucket, file: bucket.put_files(file.parent, num_workers=2),
    "list": lambda obj, bucket, file: bucket.list_all_objects(),
    "head": lambda obj, bucket, file: obj.head(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what is left half made is closed by its destructor
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_at_any_line_arrives(bucket, tmp_path, way):
    file = tmp_path / "file"
    file.write_bytes(DATA)
    obj = bucket.object("o")
    obj.get_writer().put_content(DATA)
    call = WAYS[way]
    call(obj, bucket, file)  # what is imported or connected once is not what is tried
    before = sys.gettrace()
    swallowed, line = [], 1
    while True:
        interruption = Interruption(line)
        sys.settrace(interruption.enter)
        try:
            call(obj, bucket, file)
        except SoftTimeLimit:
            pass
        except Exception as err:
            swallowed.append(f"{interruption.where}: became {err!r}")
        else:
            if not interruption.where:
                break
            swallowed.append(f"{interruption.where}: swallowed")
        finally:
            sys.settrace(before)
        if line % 10 == 1:
            assert obj.get_reader().read_all() == DATA, interruption.where
        line += STRIDE
    assert line > 20 * STRIDE
    assert not swallowed
