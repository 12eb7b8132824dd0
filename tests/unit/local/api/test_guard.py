"""Which addresses are this machine's only."""

from __future__ import annotations

import pytest

from aistore.local.api.guard import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com"])
def test_reachable_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)
