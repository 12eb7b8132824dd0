"""The root of the tree of errors (`aistore.sdk.errors`), which all pickle, without token or socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_OS_FIELDS = ("errno", "strerror", "filename")


def _restore(cls: type[SDKError], args: tuple[Any, ...], state: dict[str, Any]) -> SDKError:
    # Not through __init__: args are what was shown, not what the constructor took.
    err = cls.__new__(cls, *args)
    err.args = args
    for name, value in state.items():
        setattr(err, name, value)
    return err


def _picklable_request(req: Any) -> Any:
    """Keep method, URL and headers of a request, without its body, hooks, cookies or token."""
    if req is None:
        return None
    from requests import PreparedRequest
    from requests.structures import CaseInsensitiveDict

    copy = PreparedRequest()
    copy.method = str(getattr(req, "method", "") or "")
    copy.url = str(getattr(req, "url", "") or "")
    headers = getattr(req, "headers", None) or {}
    pairs = headers.items() if hasattr(headers, "items") else ()
    copy.headers = CaseInsensitiveDict({k: v for k, v in pairs if str(k).lower() != "authorization"})
    return copy


class SDKError(Exception):
    """Base of every error raised by the SDK."""

    def __reduce__(self) -> tuple[Callable[..., SDKError], tuple[Any, ...]]:
        state = dict(self.__dict__)
        for name in ("req", "request"):
            if name in state:
                state[name] = _picklable_request(state[name])
        if "response" in state:  # it may hold a socket
            state["response"] = None
        for name in _OS_FIELDS:
            value = getattr(self, name, None)
            if value is not None and isinstance(self, OSError):
                state[name] = value
        return _restore, (type(self), self.args, state)
