"""Scripted peers, and request clients that are closed after the test."""

import pytest
from peer import TLS, Peer, answers

from aistore.sdk.request_client import RequestClient
from aistore.sdk.session_manager import SessionManager


@pytest.fixture
def peers():
    """Make scripted peers that are closed after the test: `peers(answer, ...)` or `peers(script=...)`."""
    made = []

    def make(*given, script=None, **kwargs):
        peer = Peer(script or answers(*given), **kwargs)
        made.append(peer)
        return peer

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def rc():
    """Make request clients whose connections are closed after the test."""
    made = []

    def make(peer_or_url, token="", timeout=(5, 5), **kwargs):
        manager = kwargs.pop("manager", None) or SessionManager(ca_cert=str(TLS / "ca.pem"))
        client = RequestClient(getattr(peer_or_url, "url", peer_or_url), manager, timeout, token, **kwargs)
        made.append(client)
        return client

    yield make
    for client in made:
        client.session_manager.close()
