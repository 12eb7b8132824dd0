"""Commands written for a container run on a free port of this machine."""

from __future__ import annotations

import pytest

from aistore.local.etl.pod import _Log, _replace_address


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("8000", "4711"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0:8000", "127.0.0.1:4711"),
        ("--bind=0.0.0.0:8000", "--bind=127.0.0.1:4711"),
        ("--port=8000", "--port=4711"),
        (":8000", ":4711"),
        ("18000", "18000"),
        ("server:app", "server:app"),
    ],
)
def test_the_container_s_address_is_replaced(word, result):
    assert _replace_address(word, "4711") == result


def test_logs_are_bounded_to_the_newest():
    log = _Log()
    for number in range(5000):
        log.add(b"%06d" % number + b"x" * 994)
    text = log.text()
    assert len(text) <= 1 << 20
    assert text.endswith(b"004999" + b"x" * 994)
