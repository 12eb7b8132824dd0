"""The body of an ASGI request, as it comes and when it does not."""

import asyncio
import threading

import pytest

from aistore.sdk.etl.webserver import asgi, fastapi_streaming
from aistore.sdk.etl.webserver.exchange import ObjectTooLarge, Output, Reply
from aistore.sdk.etl.webserver.fastapi_streaming import BodyPipe, ClientGone, OutputPipe, RequestChunks


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


# ---------------------------------------------------------------- pipes


def test_a_body_through_a_pipe():
    """It is received no faster than it is read, beyond the window."""
    size, count = 100_000, 30
    messages = [chunk(b"x" * size, more=number < count - 1) for number in range(count)]

    async def read():
        source = RequestChunks(receiving(*messages))
        pipe = BodyPipe(source, await source.pull())
        pump = asyncio.ensure_future(pipe.pump())
        await pipe.settle()
        await asyncio.sleep(0)
        assert not pump.done()
        with pipe.open() as reader:
            data = await asyncio.to_thread(reader.read)
        await pump
        return data

    assert asyncio.run(read()) == b"x" * size * count


def test_a_body_that_breaks_off_in_a_pipe():
    async def read():
        source = RequestChunks(receiving(chunk(b"ab"), {"type": "http.disconnect"}))
        pipe = BodyPipe(source, await source.pull())
        with pytest.raises(ClientGone):
            await pipe.pump()
        with pipe.open() as reader, pytest.raises(ClientGone):
            await asyncio.to_thread(reader.read)

    asyncio.run(read())


def test_an_output_waits_for_its_reader_and_ends_with_it():
    async def pump():
        pipe = OutputPipe()

        def make():
            try:
                while True:
                    pipe.put(b"x" * 100_000)
            except ClientGone:
                return "gone"

        making = asyncio.ensure_future(asyncio.to_thread(make))
        taken = 0
        while taken <= fastapi_streaming.WINDOW_BYTES:
            taken += sum(len(item) for item in await pipe.take())
        # One chunk may be beyond the window; the next waits until something has been sent.
        assert taken <= fastapi_streaming.WINDOW_BYTES + 100_000
        assert not pipe.has_items
        pipe.sent(taken)
        assert await pipe.take()
        pipe.abandon()
        return await making

    assert asyncio.run(asyncio.wait_for(pump(), 20)) == "gone"


class Counted(OutputPipe):
    """Counts how often the loop takes something."""

    takes = 0

    async def take(self):
        items = await super().take()
        self.takes += 1
        return items


def streamed(chunks):
    """Return what is sent for a stream of these chunks, and in how many pieces the loop got it."""
    messages = []

    async def send(message):
        messages.append(message)

    async def main():
        pipe = Counted()
        reply = Reply(200, Output(b"", iter(chunks)), "text/plain")
        making = asyncio.ensure_future(asyncio.to_thread(asgi._pass_on, reply, pipe))
        await asgi._send_from(pipe, send, asyncio.Event().wait)
        await making
        return pipe.takes

    return messages, asyncio.run(asyncio.wait_for(main(), 20))


def test_a_stream_that_is_made_fast_is_handed_over_at_once(monkeypatch):
    """Each piece that goes from the thread to the loop costs a change of threads."""
    monkeypatch.setattr(fastapi_streaming, "SETTLE_SECONDS", 20.0)
    messages, takes = streamed([b"x" * 65536] * 16)
    assert takes == 1
    assert [(len(m["body"]), m["more_body"]) for m in messages[1:]] == [(1 << 20, False)]


def test_a_large_stream_goes_by_windows(monkeypatch):
    monkeypatch.setattr(fastapi_streaming, "SETTLE_SECONDS", 20.0)
    count = 160
    messages, takes = streamed([b"x" * 65536] * count)
    assert takes <= 1 + count * 65536 // fastapi_streaming.WINDOW_BYTES
    assert sum(len(m["body"]) for m in messages[1:]) == count * 65536


def test_a_slow_stream_is_sent_as_it_comes():
    """A chunk does not wait for the next one to be made."""
    sent = threading.Semaphore(0)

    def make():
        for number in range(5):
            yield b"%d" % number
            # None of the chunks after this one is made before it has been sent.
            assert sent.acquire(timeout=20)

    messages = []

    async def send(message):
        messages.append(message)
        if message.get("body"):
            sent.release()

    async def main():
        pipe = OutputPipe()
        making = asyncio.ensure_future(
            asyncio.to_thread(asgi._pass_on, Reply(200, Output(b"", make())), pipe)
        )
        await asgi._send_from(pipe, send, asyncio.Event().wait)
        await making

    asyncio.run(asyncio.wait_for(main(), 60))
    assert [m["body"] for m in messages[1:]] == [b"0", b"1", b"2", b"3", b"4", b""]


def test_a_stream_that_fails_after_its_first_chunk():
    """What was made is sent; then the application's call fails, and the answer stays without its end."""

    def make():
        yield b"first"
        raise ValueError("no")

    messages = []

    async def send(message):
        messages.append(message)

    async def main():
        pipe = OutputPipe()
        making = asyncio.ensure_future(
            asyncio.to_thread(asgi._pass_on, Reply(200, Output(b"", make())), pipe)
        )
        with pytest.raises(ValueError, match="no"):
            await asgi._send_from(pipe, send, asyncio.Event().wait)
        await making

    asyncio.run(asyncio.wait_for(main(), 20))
    assert [(m["body"], m["more_body"]) for m in messages[1:]] == [(b"first", True)]
