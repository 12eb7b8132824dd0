"""How the proxy sends a client to the target that owns an object (protocol/01)."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from aistore.local.api.response import Response
from aistore.wire.query import parameters

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.nodes import Node

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# With one of these in the name the cluster re-encodes the query, sorted by key.
_SPECIAL = frozenset(" !\"#$%&'()*+,;<=>?@[\\]^`{|}")


def base36(number: int) -> str:
    """A number in the notation of `utm`."""
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits)) or "0"


async def checked_action(req: Request) -> str:
    """The action in the body of a request for an object, where the body decides what is done.

    Raises:
        LocalError: The body is no message.
    """
    return (await req.optional_action()).action if req.method in {"POST", "DELETE"} else ""


async def redirect(req: Request, target: Node) -> Response:
    """Answer with the target's URL: 301 to a GET of an object, 307 to everything else."""
    pid, utm = req.node.id, base36(time.time_ns())
    query = f"{req.raw_query}&pid={pid}&utm={utm}" if req.raw_query else f"pid={pid}&utm={utm}"
    if req.state.authn is not None:
        # As the client wrote it, who will write it the same way again: every byte is signed.
        query = req.state.authn.sign(req.method, req.raw_path, query, await checked_action(req))
    elif not _SPECIAL.isdisjoint(req.path):
        query = "&".join(
            f"{_quote(name)}={_quote(value)}"
            for name, value, _ in sorted(parameters(query), key=lambda parameter: parameter.name)
        )
    location = f"{req.url_of(target)}{req.raw_path}?{query}"
    headers = [("Location", location)]
    if req.method == "GET":
        body = f'<a href="{html.escape(location)}">Moved Permanently</a>.\n\n'.encode()
        return Response(301, body, headers=headers, content_type="text/html; charset=utf-8")
    return Response(
        307, headers=headers, content_type="text/html; charset=utf-8" if req.method == "HEAD" else ""
    )


def _quote(text: str) -> str:
    return quote_plus(text.encode("utf-8", "surrogateescape"))


def was_redirected(req: Request) -> bool:
    """Whether a request at a target came by way of a proxy."""
    return bool(req.query.get("pid") and req.query.get("utm"))
