"""Clients for asyncio, with `op["threads"]` requests under way at a time."""

import asyncio

from operation import Operation, digest
from payload import content


class AsyncOperation(Operation):
    """Work of a coroutine function."""

    is_concurrent = True

    def __init__(self, work, width, loop, finish):
        self._work, self._width, self._loop = work, width, loop
        super().__init__(
            lambda: loop.run_until_complete(work()), close=lambda: loop.run_until_complete(finish())
        )

    def run(self, times):
        async def several(share):
            for _ in range(share):
                await self._work()

        async def everything():
            each, more = divmod(times, self._width)
            await asyncio.gather(*(several(each + (number < more)) for number in range(self._width)))

        self._loop.run_until_complete(everything())


def prepare(op):
    loop = asyncio.new_event_loop()
    work, finish = loop.run_until_complete(CLIENTS[op["client"]](op))
    operation = AsyncOperation(work, op.get("threads", 1), loop, finish)
    if op["name"] in ("head", "put"):
        operation.check = lambda: digest(operation.once() and None)
    return operation


async def aiohttp_client(op):
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=op.get("threads", 1)))
    url = f"{op['endpoint']}/v1/objects/{op['bucket']}/{op['object']}?provider=ais"
    method = {"get": "GET", "head": "HEAD", "put": "PUT"}[op["name"]]
    body = content(op["size"], op["seed"]) if method == "PUT" else None

    async def work():
        async with session.request(method, url, data=body, allow_redirects=True) as answer:
            answer.raise_for_status()
            return await answer.read()

    return work, session.close


async def obstore_client(op):
    import obstore
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(
        f"{op['endpoint']}/v1/objects/{op['bucket']}", client_options={"allow_http": True}
    )
    name = op["object"]
    if op["name"] != "get":
        raise ValueError(f"obstore has nothing for {op['name']!r} here")

    async def work():
        return memoryview(await (await obstore.get_async(store, name)).bytes_async())

    async def finish():
        return None

    return work, finish


CLIENTS = {"aiohttp": aiohttp_client, "obstore": obstore_client}
