"""The error body of protocol/07, and the errors that only the HTTP side knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local.api.response import TEXT_TYPE, Response
from aistore.local.errors import InvalidRequest, LocalError

if TYPE_CHECKING:
    from aistore.local.api.request import Request


def error_response(req: Request, err: LocalError) -> Response:
    """The answer to a failed request: JSON in the body, of a HEAD in the header `Hdr-Error`."""
    headers = [*err.headers.items(), ("X-Content-Type-Options", "nosniff")]
    if err.plain:
        return Response(err.status, f"{err.message}\n".encode(), headers=headers, content_type=TEXT_TYPE)
    message = f"{req.node.label}: {err.message}" if err.with_node else err.message
    body: dict[str, Any] = {"tcode": err.tcode} if err.tcode else {}
    body |= {
        "message": _printable(message),
        "method": req.method,
        "url_path": _printable(req.path),
        "remote_addr": req.remote,
        "caller": "",
        "node": req.node.label,
        "status": err.status,
    }
    encoded = msgspec.json.encode(body)
    if req.method == "HEAD":
        headers.append(("Hdr-Error", encoded.decode()))
        return Response(err.status, headers=headers, content_type="application/json")
    return Response(err.status, encoded + b"\n", headers=headers, content_type="application/json")


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def invalid_uri(req: Request) -> InvalidRequest:
    """A path that is none of ours."""
    query = f"?{req.raw_query}" if req.raw_query else ""
    return InvalidRequest(f"invalid request URI: '{req.method} {req.path}{query}' from {req.remote}")


def too_short(req: Request, expected: int) -> InvalidRequest:
    """A path with too few parts; `expected` counts `v1` too."""
    items = [part for part in req.path.split("/") if part]
    return InvalidRequest(
        f"URL '{req.path.lstrip('/')}' is too short: expected {expected} items, got {len(items)}"
    )


def method_not_allowed(allow: str) -> LocalError:
    """A verb that the path doesn't take."""
    return LocalError("Method Not Allowed", status=405, plain=True, headers={"Allow": allow})


def invalid_action(action: str) -> InvalidRequest:
    """An action that the path doesn't know."""
    return InvalidRequest(f'invalid action "{action}"')
