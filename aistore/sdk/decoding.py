"""Answers become models. `msgspec`, slow to import, comes with the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from aistore.sdk.const import HEADER_CONTENT_TYPE, MSGPACK_CONTENT_TYPE
from aistore.sdk.errors import ErrInvalidResponse
from aistore.sdk.models.base import decode_hook
from aistore.sdk.models.prepare import prepared
from aistore.wire.serialization import decode_json, decode_msgpack

if TYPE_CHECKING:
    import requests

T = TypeVar("T")


def decode_answer(res_model: type[T], resp: requests.Response) -> T:
    """Decode an answer, as `aistore.sdk.utils.decode_response` says.

    Args:
        res_model: What it should be.
        resp: The answer.

    Raises:
        ErrInvalidResponse: It is not that.
    """
    found = _decode_body(res_model, resp)
    take_headers = getattr(found, "take_headers", None)
    if take_headers is not None:
        take_headers(resp.headers)
    return found


def _decode_body(res_model: type[T], resp: requests.Response) -> T:
    try:
        if resp.headers.get(HEADER_CONTENT_TYPE) == MSGPACK_CONTENT_TYPE:
            packed = decode_msgpack(resp.content, prepared(res_model), dec_hook=decode_hook, strict=False)
            return cast("T", packed)
        if not isinstance(res_model, type(msgspec.Struct)) and hasattr(res_model, "model_validate_json"):
            foreign: Any = res_model
            return cast("T", foreign.model_validate_json(resp.text))
        text = resp.content if isinstance(resp.content, bytes) else resp.text
        return cast("T", decode_json(text, prepared(res_model), dec_hook=decode_hook, strict=False))
    except (msgspec.MsgspecError, ValueError, RecursionError) as err:
        request = getattr(resp, "request", None)
        name = getattr(res_model, "__name__", str(res_model))
        raise ErrInvalidResponse(
            f"the answer is not a valid {name}: {err}",
            method=str(getattr(request, "method", None) or ""),
            url=str(getattr(resp, "url", None) or ""),
        ) from err
