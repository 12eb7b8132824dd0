"""Registration of tools on a server."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.sdk.errors import SDKError

if TYPE_CHECKING:
    from mcp.server import MCPServer

_Tool = Callable[..., Any]


def reading_tool(mcp: MCPServer) -> Callable[[_Tool], _Tool]:
    """Return a decorator that adds a function to the server, marked as one that changes nothing.

    Args:
        mcp: The server.
    """
    from mcp.types import ToolAnnotations

    tool_error = of_mcp(
        ("mcp.server.mcpserver.exceptions", "ToolError"), ("mcp.server.fastmcp.exceptions", "ToolError")
    )
    add = mcp.tool(annotations=ToolAnnotations.model_validate({"readOnlyHint": True}))

    def decorate(tool: _Tool) -> _Tool:
        @functools.wraps(tool)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return tool(*args, **kwargs)
            except SDKError as err:
                # mcp 2 keeps the text of any other exception from the client.
                raise tool_error(str(err)) from err

        return add(run)

    return decorate


def of_mcp(*places: tuple[str, str]) -> Any:
    """Return a name of the package `mcp`, from the first place that has it: major versions moved names.

    Args:
        *places: Modules, each with the name there.

    Raises:
        ImportError: The package is not installed, or has none of them.
    """
    for module, name in places:
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(module), name)
    raise ImportError("aistore.mcp needs mcp: pip install 'aistore[mcp]'", name="mcp")


def to_json(value: Any) -> str:
    """Return a value as JSON text.

    Args:
        value: Anything that the SDK returns.
    """
    return json.dumps(msgspec.to_builtins(value, enc_hook=str), indent=2)
