"""`/v1/sort`: dSort (protocol-ml/04)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aistore.local.api import errors
from aistore.local.api.multiobj import check_destination
from aistore.local.api.registry import Noun
from aistore.local.api.response import TEXT_TYPE, Response, json_response, text_response
from aistore.local.dsort.room import DsortRoom
from aistore.local.dsort.spec import parse_spec
from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.state import State


class _Router:
    """Answers requests of one cluster."""

    def __init__(self, state: State) -> None:
        self._room = DsortRoom(state)

    async def handle(self, req: Request) -> Response:
        parts = [part for part in req.parts[1:] if part]
        if req.method == "DELETE" and parts == ["abort"]:
            return await self._abort(req)
        if parts:
            raise errors.invalid_uri(req)
        if req.method == "POST":
            return await self._start(req)
        return await (self._remove(req) if req.method == "DELETE" else self._show(req))

    async def _start(self, req: Request) -> Response:
        value = _decode(req, await req.body())
        spec = parse_spec(value)
        req.state.catalog.buckets.get(spec.input_bck)
        check_destination(req, spec.output_bck)
        nodes = (req.state.nodes.proxy, *req.state.nodes.targets)
        hosts = {req.headers.get("host", ""), *(urlsplit(req.url_of(node)).netloc for node in nodes)}
        return text_response(await req.state.run(self._room.start, value, spec, hosts))

    async def _show(self, req: Request) -> Response:
        run_id = req.query.get("uuid", "")
        if run_id:
            found: Any = await req.state.run(self._room.info, run_id)
        else:
            regex = req.query.get("regex", "")
            found = await req.run(
                req.state.copying, self._room.all, regex, only_active=req.flag("only_active")
            )
        return json_response(found, content_type=TEXT_TYPE)

    async def _abort(self, req: Request) -> Response:
        # As on a cluster, an abort that names no run is no error: programs clean up with it.
        if req.query.get("uuid", ""):
            await req.state.run(self._room.abort, req.query["uuid"])
        return Response()

    async def _remove(self, req: Request) -> Response:
        await req.state.run(self._room.remove, req.query.get("uuid", ""))
        return Response()


def _decode(req: Request, body: bytes) -> Any:
    try:
        return req.decode(body, Any, "dsort.RequestSpec")
    except InvalidRequest as err:
        raise InvalidRequest(err.message, tcode="wrapError") from err


def register(state: State) -> None:
    """Add the route."""
    state.registry.nouns["sort"] = Noun(_Router(state).handle, "DELETE, GET, POST")
