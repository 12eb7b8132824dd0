"""Which version of an object an answer is of, so that two answers are never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aistore.sdk.const import (
    AIS_CHECKSUM_TYPE,
    AIS_CHECKSUM_VALUE,
    AIS_VERSION,
    HEADER_CONTENT_LENGTH,
    HEADER_ETAG,
    STATUS_OK,
    STATUS_PARTIAL_CONTENT,
)
from aistore.sdk.obj.errors import ErrObjectChanged
from aistore.wire.ranges import parse_content_range


@dataclass(frozen=True)
class ObjectIdentity:
    """What the headers of an answer say about the object as a whole; "" and `None` where they are silent.

    The checksum is compared together with its type. It is the whole object's also in the answer to a range,
    unless the bucket's `checksum.enable_read_range` is on: then it is the range's.
    """

    checksum: str = ""
    version: str = ""
    etag: str = ""
    size: int | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, Any], status: int = STATUS_OK) -> ObjectIdentity:
        """Read the identity off the headers of an answer.

        Args:
            headers: The headers; names are compared without regard to case if the mapping does.
            status: Status of the answer: the length of a 206 is not that of the object. Default: 200.
        """
        kind, value = _text(headers, AIS_CHECKSUM_TYPE), _text(headers, AIS_CHECKSUM_VALUE)
        size: int | None = None
        if status == STATUS_PARTIAL_CONTENT:
            content_range = parse_content_range(_text(headers, "Content-Range"))
            size = content_range[2] if content_range else None
        elif _text(headers, HEADER_CONTENT_LENGTH).isdecimal():
            size = int(headers[HEADER_CONTENT_LENGTH])
        return cls(
            checksum=f"{kind}:{value}" if value else "",
            version=_text(headers, AIS_VERSION),
            etag=_text(headers, HEADER_ETAG).strip('"'),
            size=size,
        )

    def check(self, later: ObjectIdentity, path: str, *, checksum: bool = True) -> None:
        """Check that a later answer is of the same version of the object.

        Args:
            later: Identity in the later answer.
            path: Path of the object, for the error.
            checksum: Compare checksums too. Default: `True`.

        Raises:
            ErrObjectChanged: An attribute that both answers name differs.
        """
        names = ("version", "etag", "size", "checksum") if checksum else ("version", "etag", "size")
        for name in names:
            before, after = getattr(self, name), getattr(later, name)
            if before not in ("", None) and after not in ("", None) and before != after:
                raise ErrObjectChanged(path, name, before, after)


def _text(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return value if isinstance(value, str) else ""
