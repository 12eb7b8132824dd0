"""Which addresses are this machine's only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aistore.local.api.guard import Guard, is_loopback
from aistore.local.errors import LocalError


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com"])
def test_reachable_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


def judged(guard: Guard, **headers: str) -> int:
    """The status that a request with these headers is refused with, 0 for none."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    req = SimpleNamespace(headers=named, state=SimpleNamespace(tls=SimpleNamespace(scheme="http")))
    try:
        guard.check(req)  # type: ignore[arg-type]  # it has all that is used
    except LocalError as err:
        return err.status
    return 0


def test_where_other_machines_connect_any_name_is_taken_and_no_other_origin() -> None:
    """By which names they know this machine is not known here."""
    guard = Guard("0.0.0.0")
    assert judged(guard, host="any.example:80") == 0
    assert judged(guard, host="any.example:8080", origin="http://any.example:8080") == 0
    assert judged(guard, host="any.example", origin="http://any.example:80") == 0
    assert judged(guard, host="any.example:8080", origin="http://any.example") == 403
    assert judged(guard, host="any.example", origin="https://any.example") == 403
    assert judged(guard, host="any.example", sec_fetch_site="same-site") == 403
    assert judged(Guard("127.0.0.1"), host="any.example") == 403
    assert judged(Guard("127.0.0.1"), host="127.0.0.1:9") == 0
