"""Uploads that count what they read, and output that reaches its reader unharmed."""

import io
import logging

import pytest

from aistore.cli import interrupt
from aistore.cli.exits import Interrupted
from aistore.cli.output import Output
from aistore.cli.progress import Meter
from aistore.cli.session import Session
from aistore.cli.transfer import Upload


class Counter(Meter):
    def __init__(self):
        super().__init__(Output(), "test")
        self.bytes = 0

    def add_bytes(self, count):
        self.bytes += count


def test_an_upload_that_is_repeated_is_counted_once():
    meter = Counter()
    upload = Upload(io.BytesIO(b"x" * 1000), meter)
    assert upload.seek(0, io.SEEK_END) == 1000
    assert upload.seek(0) == 0
    upload.read(600)
    upload.seek(0)
    assert (upload.tell(), meter.bytes) == (0, 0)
    while upload.read(300):
        pass
    assert meter.bytes == 1000


def test_an_upload_stops_when_the_user_wants_to(monkeypatch):
    upload = Upload(io.BytesIO(b"x"), Counter())
    monkeypatch.setattr("aistore.cli.interrupt._stop.is_set", lambda: True)
    with pytest.raises(Interrupted):
        upload.read()


def test_nothing_is_to_be_stopped_at_first():
    interrupt.check()


def test_into_a_pipe_names_go_as_they_are(capsysbinary):
    out = Output()
    out.line("caf\u00e9 \x1b[31m \udcff")
    out.record({"name": "\x1b\udcff"})
    out.table(("A", "LONG"), [("x", 1), ("longer", None)])
    out.flush()
    assert capsysbinary.readouterr().out == (
        b'caf\xc3\xa9 \x1b[31m \xff\n{"name": "\\u001b\\udcff"}\nA       LONG\nx       1\nlonger\n'
    )


def test_notes_are_harmless_and_can_be_left_out(capsys):
    Output(quiet=True).note("no")
    Output().note("a\nb\x1b")
    assert capsys.readouterr().err == "a\\nb\\x1b\n"


@pytest.fixture
def logger(monkeypatch):
    """Give the SDK's logger; it and the root logger are afterwards as before."""
    root, logger = logging.getLogger(), logging.getLogger("aistore")
    levels = root.level, logger.level
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr("warnings.showwarning", None)
    yield logger
    for handler in root.handlers:
        handler.close()
    root.setLevel(levels[0])
    logger.setLevel(levels[1])


def test_log_lines_are_harmless(capsys, logger):
    Session(debug=True).start_logging()
    logger.getChild("x").debug("from the server: %s", "\x1b[31m")
    assert "from the server: \\x1b[31m" in capsys.readouterr().err


def test_the_sdk_logs_nothing_unless_asked(capsys, logger):
    Session().start_logging()
    logger.warning("resuming")
    assert capsys.readouterr().err == ""
