"""How tools become part of a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mcp.server.fastmcp import FastMCP

_Tool = Callable[..., Any]


def reading_tool(mcp: FastMCP) -> Callable[[_Tool], _Tool]:
    """Return a decorator that adds a function to the server, marked as one that changes nothing.

    Args:
        mcp: The server.
    """
    from mcp.types import ToolAnnotations

    return mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))


def to_json(value: Any) -> str:
    """Return an answer as JSON text.

    Args:
        value: Anything that the SDK returns.
    """
    return json.dumps(msgspec.to_builtins(value, enc_hook=str), indent=2)
