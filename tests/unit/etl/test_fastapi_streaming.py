"""The body of an ASGI request, as it comes and when it does not."""

import asyncio

import pytest

from aistore.sdk.etl.webserver import fastapi_streaming
from aistore.sdk.etl.webserver.exchange import ObjectTooLarge
from aistore.sdk.etl.webserver.fastapi_streaming import ClientGone, RequestChunks


def receiving(*messages):
    """Give the messages one after the other, then nothing for ever."""
    pending = list(messages)

    async def receive():
        if not pending:
            await asyncio.Event().wait()
        return pending.pop(0)

    return receive


def chunk(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_pieces():
    async def read():
        return await RequestChunks(receiving(chunk(b"ab"), chunk(b""), chunk(b"c", more=False))).read_all(3)

    assert asyncio.run(read()) == b"abc"


def test_a_body_that_grows_too_large():
    async def read():
        await RequestChunks(receiving(chunk(b"ab"), chunk(b"c", more=False))).read_all(2)

    with pytest.raises(ObjectTooLarge):
        asyncio.run(read())


def test_a_client_that_goes_away():
    async def read():
        await RequestChunks(receiving(chunk(b"ab"), {"type": "http.disconnect"})).read_all(9)

    with pytest.raises(ClientGone):
        asyncio.run(read())


def test_a_client_that_stalls(monkeypatch):
    """It holds no thread for longer than a limit."""
    monkeypatch.setattr(fastapi_streaming, "RECEIVE_SECONDS", 0.05)

    async def read():
        await RequestChunks(receiving(chunk(b"ab"))).read_all(9)

    with pytest.raises(ClientGone, match=r"nothing of the request's body came for 0\.05 s"):
        asyncio.run(read())


def test_an_end_is_noticed_though_nobody_reads_the_body():
    async def wait():
        body = RequestChunks(receiving(chunk(b"unread"), chunk(b"", more=False), {"type": "http.disconnect"}))
        await asyncio.wait_for(body.wait_for_disconnect(), 5)

    asyncio.run(wait())
