"""MessagePack whose texts are not all UTF-8: object names are bytes, and listings have them as they are.

`msgspec` refuses such texts. This is for the few messages that have one: in memory every text is a `str` with
a lone surrogate for each byte that is not UTF-8, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from aistore.errors import InvalidArgument

_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_TEXTS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_BINARY = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_LISTS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}


def decode_lenient(data: bytes) -> Any:
    """Decode one value.

    Args:
        data: All of it.

    Raises:
        ValueError: It is cut short, has something after it, or a type that listings do not have.
    """
    reader = _Reader(data)
    value = reader.value()
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes follow the value")
    return value


def encode_lenient(value: Any) -> bytes:
    """Encode plain data.

    Args:
        value: Lists, maps with texts as keys, texts, numbers, truth values and `None`.

    Raises:
        InvalidArgument: A text has a surrogate that stands for no byte (also a `ValueError`).
    """
    pieces: list[bytes] = []
    _write(value, pieces)
    return b"".join(pieces)


def _write(value: Any, pieces: list[bytes]) -> None:
    if isinstance(value, str):
        try:
            text = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise InvalidArgument(f"text cannot be encoded as UTF-8: {value[:128]!r}") from None
        pieces += [_head(len(text), 0xA0, 32, _TEXTS), text]
    elif isinstance(value, dict):
        pieces.append(_head(len(value), 0x80, 16, _MAPS))
        for key, item in value.items():
            _write(key, pieces)
            _write(item, pieces)
    elif isinstance(value, (list, tuple)):
        pieces.append(_head(len(value), 0x90, 16, _LISTS))
        for item in value:
            _write(item, pieces)
    else:
        pieces.append(msgspec.msgpack.encode(value))


def _head(size: int, fixed: int, fixed_end: int, forms: dict[int, str]) -> bytes:
    """Return what begins a text, list or map of a size, in its shortest form."""
    if size < fixed_end:
        return bytes([fixed | size])
    kind = next(kind for kind, form in forms.items() if size < 1 << 8 * struct.calcsize(form))
    return bytes([kind]) + struct.pack(forms[kind], size)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def _take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._data):
            raise ValueError("the data was truncated")
        piece = self._data[self.position : end]
        self.position = end
        return piece

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _text(self, size: int) -> str:
        return self._take(size).decode("utf-8", "surrogateescape")

    def _map(self, size: int) -> dict[str, Any]:
        found = {}
        for _ in range(size):
            key = self.value()
            if type(key) is not str:
                raise ValueError(f"a key that is not text: {key!r}")
            found[key] = self.value()
        return found

    def _list(self, size: int) -> list[Any]:
        return [self.value() for _ in range(size)]

    def value(self) -> Any:
        kind = self._take(1)[0]
        if kind < 0x80:
            return kind
        if kind >= 0xE0:
            return kind - 0x100
        if kind < 0x90:
            return self._map(kind & 0xF)
        if kind < 0xA0:
            return self._list(kind & 0xF)
        if kind < 0xC0:
            return self._text(kind & 0x1F)
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        for forms, make in (
            (_TEXTS, self._text),
            (_BINARY, self._take),
            (_LISTS, self._list),
            (_MAPS, self._map),
        ):
            if kind in forms:
                return make(self._number(forms[kind]))
        raise ValueError(f"type {kind:#x} is not expected")
