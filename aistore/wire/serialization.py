"""JSON and MessagePack with texts that are not UTF-8: names are bytes, and messages have them as they are.

In memory such a text is a `str` with a lone surrogate for each byte that is not UTF-8, as `os.fsdecode` makes
them. `msgspec` refuses these texts; messages with one take a longer way.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from aistore.errors import InvalidArgument
from aistore.wire.msgpack import decode_lenient, encode_lenient

# msgspec 0.20 to 0.22, and from 0.23 on, for bytes that are not UTF-8.
_NOT_DECODED = (UnicodeDecodeError, msgspec.DecodeError)
_NOT_ENCODED = (UnicodeEncodeError, msgspec.EncodeError)


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON.

    Args:
        value: Plain data, or models.

    Raises:
        InvalidArgument: A text has a surrogate that stands for no byte (also a `ValueError`).
        TypeError: JSON has no such value.
    """
    try:
        return msgspec.json.encode(value)
    except _NOT_ENCODED:
        plain = msgspec.to_builtins(value, str_keys=True)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as err:
            shown = text[max(err.start - 64, 0) : err.end + 64]
            raise InvalidArgument(f"text cannot be encoded as UTF-8: {shown!r}") from None


def decode_json(data: bytes | str, type: Any = Any, **options: Any) -> Any:
    """Decode JSON.

    Args:
        data: All of it.
        type: What it should be. Default: anything.
        **options: `strict` and `dec_hook` of `msgspec.convert`.

    Raises:
        msgspec.DecodeError: It is not that.
    """
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) and not data.isascii() else data
    try:
        return msgspec.json.decode(raw, type=type, **options)
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None
    except _NOT_DECODED:
        if isinstance(raw, str) or _is_utf8(raw):
            raise
    try:
        plain = json.loads(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as err:
        raise msgspec.DecodeError(f"JSON is malformed: {err}") from None
    return msgspec.convert(plain, type, str_keys=True, **options)


def parse_json(data: bytes | str) -> Any:
    """Decode JSON of a peer into plain data.

    Args:
        data: All of it.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return decode_json(data)
    except (msgspec.MsgspecError, RecursionError) as err:
        raise ValueError(str(err)) from None


def encode_msgpack(value: Any) -> bytes:
    """Encode a value as MessagePack.

    Args:
        value: Plain data, or models.

    Raises:
        InvalidArgument: A text has a surrogate that stands for no byte (also a `ValueError`).
    """
    try:
        return msgspec.msgpack.encode(value)
    except _NOT_ENCODED:
        return encode_lenient(msgspec.to_builtins(value, str_keys=True))


def decode_msgpack(data: bytes, type: Any = Any, **options: Any) -> Any:
    """Decode MessagePack.

    Args:
        data: All of it.
        type: What it should be. Default: anything.
        **options: `strict` and `dec_hook` of `msgspec.convert`.

    Raises:
        ValueError: It is not that.
    """
    try:
        return msgspec.msgpack.decode(data, type=type, **options)
    except RecursionError:
        raise msgspec.DecodeError("MessagePack is nested too deeply") from None
    except _NOT_DECODED:
        return msgspec.convert(decode_lenient(data), type, **options)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
