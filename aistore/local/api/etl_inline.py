"""`GET /v1/objects/...?etl_name=` at the owning target, and copying an object through an ETL."""

from __future__ import annotations

import contextlib
import html
from typing import TYPE_CHECKING

from aistore.local.api.guard import is_loopback
from aistore.local.api.response import OCTETS, Response, content_headers
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.etl.exchange import EtlError, Result, TransformCall
from aistore.local.etl.spec import HPULL
from aistore.sdk.const import QPARAM_ETL_SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.etl.instance import Etl
    from aistore.local.etl.pod import Pod
    from aistore.local.store import ObjectReader

_SMALL = 1 << 20
_CHANGED_TRIES = 3


class _Inline:
    """One object on its way through an ETL, and maybe through others that follow it."""

    def __init__(self, req: Request, bucket: Bucket, name: str) -> None:
        self.req = req
        self.bucket = bucket
        self.name = name
        self.etl: Etl = self._find(req.query["etl_name"])
        self.pod: Pod = self.etl.pods[req.node.id]
        self.size = 0
        self.stages = [part for part in req.query.get("etl_pipeline", "").split(",") if part]

    def _find(self, name: str) -> Etl:
        etl = self.req.state.etl.find_running(name)
        if etl is None or self.req.node.id not in etl.pods:
            url = f"{self.req.url_of(self.req.state.nodes.proxy)}/v1/etl/init"
            text = f'{name} does not exist - try starting new ETL with "{url}" endpoint'
            raise LocalError(text, status=404, with_node=True)
        return etl

    @property
    def pipeline(self) -> str:
        """The header that names the stages after the first.

        Raises:
            LocalError: One of them doesn't run.
        """
        urls = []
        for name in self.stages:
            etl = self.req.state.etl.find_running(name)
            pod = etl.pods.get(self.req.node.id) if etl is not None else None
            if pod is None:
                text = f'[{self.req.node.label},etl="{name}"] entry not found in the target'
                raise LocalError(text, tcode="ErrETL")
            urls.append(pod.stage_url)
        return ",".join(urls)

    def call(self, reader: ObjectReader) -> TransformCall:
        """What is asked of the ETL's server."""
        query = self.req.query
        return TransformCall(
            etl=self.etl,
            pod=self.pod,
            reader=reader,
            uname=self.bucket.bck.uname(self.name),
            bucket=self.bucket.bck.name,
            args=query.get("etl_args", ""),
            pipeline=self.pipeline,
            by_path=not self.req.flag("latest-ver"),
        )

    def transform(self) -> tuple[Result, contextlib.ExitStack]:
        """Have it transformed; to be closed when the result is read: the object, which the ETL may read.

        Raises:
            LocalError: It could not be, with the object's name.
        """
        store, uname = self.req.state.store, self.bucket.bck.uname(self.name)
        for attempt in range(_CHANGED_TRIES):
            with contextlib.ExitStack() as opened:
                reader = opened.enter_context(store.open(self.bucket, self.name))
                self.etl.begin_reading(uname)
                opened.callback(self.etl.end_reading, uname)
                try:
                    result = self.req.state.etl.exchange.transform(self.call(reader))
                except EtlError as err:
                    gone = err.status == 404 and store.head(self.bucket, self.name).file != reader.meta.file
                    if gone and attempt + 1 < _CHANGED_TRIES:
                        continue
                    raise self.failed(err) from err
                store.accessed(self.bucket, reader.meta)
                self.size = reader.meta.size
                return result, opened.pop_all()
        raise AssertionError("the last attempt returns or raises")

    def failed(self, err: LocalError) -> EtlError:
        """The error for the caller, noted with the ETL."""
        full_name = f"{self.bucket.bck}/{self.name}"
        self.etl.add_error(full_name, err.message, err.status)
        return EtlError(f"{err.message} ({full_name})", status=err.status)

    def read_all(self) -> tuple[Result, bytes | None]:
        """Transform and read a small result; None with a larger one, whose pieces are left."""
        result, opened = self.transform()
        if result.status == 200 and (result.length is None or result.length > _SMALL):
            return result._replace(pieces=_closing(result, opened)), None
        with opened:
            try:
                body = b"".join(result.pieces)
            except LocalError as err:
                raise self.failed(err) from err
        if result.length is not None and len(body) != result.length and result.status == 200:
            raise self.failed(EtlError("ETL error: the answer broke off"))
        self.etl.count(self.size, len(body))
        return result, body

    async def stream(self, result: Result) -> AsyncIterator[bytes]:
        """The pieces of a large result; an error in it cuts the connection."""
        size = 0
        try:
            while (piece := await self.req.run(self.etl.threads, next, result.pieces, None)) is not None:
                size += len(piece)
                yield piece
        except EtlError as err:
            self.failed(err)
            raise
        finally:
            # A thread may still be in it when the server stops; then it ends there.
            with contextlib.suppress(ValueError):
                result.pieces.close()
        self.etl.count(0, size)


def _closing(result: Result, opened: contextlib.ExitStack) -> Generator[bytes, None, None]:
    """The pieces of a result; what is opened is closed at their end, or when nobody reads them."""

    def begun() -> Generator[bytes, None, None]:
        with opened:
            yield b""
            yield from result.pieces

    pieces = begun()
    next(pieces)  # one that has not begun closes nothing
    return pieces


async def transform_inline(req: Request, bucket: Bucket, name: str) -> Response:
    """Answer a GET with the transformed object.

    Raises:
        LocalError: There is no such ETL or object, or the transform failed.
    """
    inline = _Inline(req, bucket, name)
    if inline.etl.spec.communication == HPULL:
        if inline.stages:
            raise InvalidRequest("inline transform pipeline not supported for hpull://")
        if _may_reach_pods(req):
            return _redirect_to_pod(inline)
    result, body = await req.run(inline.etl.threads, inline.read_all)
    content_type = result.content_type or OCTETS
    headers = content_headers(content_type)
    if body is not None:
        return Response(200, body, headers=headers, content_type=content_type)
    stream = inline.stream(result)
    return Response(200, headers=headers, content_type=content_type, stream=stream, length=result.length)


def _may_reach_pods(req: Request) -> bool:
    """Whether clients may be sent to an ETL's processes.

    These listen on loopback, in plain http, and a client that was sent there could send them anything.
    """
    state = req.state
    return is_loopback(state.options.host) and not req.node.url.startswith("https:") and state.authn is None


def _redirect_to_pod(inline: _Inline) -> Response:
    with inline.req.state.store.open(inline.bucket, inline.name) as reader:
        call = inline.call(reader)
        query = call.query()
        query += f"{'&' if query else '?'}{QPARAM_ETL_SECRET}={inline.pod.secret}"
        if inline.req.flag("latest-ver"):
            query += "&latest-ver=true"
        location = call._replace(args="", by_path=False).url() + query
    body = f'<a href="{html.escape(location)}">Temporary Redirect</a>.\n\n'.encode()
    return Response(307, body, headers=[("Location", location)], content_type="text/html; charset=utf-8")


async def copy_transformed(
    req: Request, bucket: Bucket, name: str, to_bucket: Bucket, to_name: str
) -> Response:
    """Store an object's transform as another object.

    Raises:
        LocalError: There is no such ETL or object, or the transform failed; nothing is stored then.
    """
    inline = _Inline(req, bucket, name)

    def copy() -> None:
        result, opened = inline.transform()
        with opened, req.state.store.writer(to_bucket, to_name) as writer:
            try:
                for piece in result.pieces:
                    writer.write(piece)
            except EtlError as err:
                raise inline.failed(err) from err
            if result.length is not None and writer.size != result.length and result.status == 200:
                raise inline.failed(EtlError("ETL error: the answer broke off"))
            writer.commit()
            inline.etl.count(inline.size, writer.size)

    await req.run(inline.etl.threads, copy)
    return Response(204, headers=[("X-Content-Type-Options", "nosniff")], content_type="application/json")
