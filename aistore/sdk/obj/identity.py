"""Which version of an object an answer is of, so that two answers are never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aistore.sdk.const import (
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
    as_stored: bool = field(default=True, compare=False)
    """Whether the response has the bytes as they are stored: not encoded, nor from a mock of a program."""

    @classmethod
    def of(cls, fields: Mapping[str, str], status: int, *, as_stored: bool = True) -> ObjectIdentity:
        """Read the identity off the header fields of a response.

        Args:
            fields: The fields, by names in lower case.
            status: Status of the response: the length of a 206 is not that of the object.
            as_stored: Whether it has the bytes as they are stored. Default: `True`.
        """
        get = fields.get
        value = get("ais-checksum-value")
        if status == STATUS_PARTIAL_CONTENT:
            found = parse_content_range(get("content-range") or "")
            size = found[2] if found else None
        else:
            length = get("content-length")
            size = int(length) if length is not None and length.isdecimal() else None
        return cls(
            f"{get('ais-checksum-type') or ''}:{value}" if value else "",
            get("ais-version") or "",
            (get("etag") or "").strip('"'),
            size,
            as_stored,
        )

    @classmethod
    def from_headers(cls, headers: Mapping[str, Any], status: int = STATUS_OK) -> ObjectIdentity:
        """Read the identity off the headers of an answer.

        Args:
            headers: The headers.
            status: Status of the answer: the length of a 206 is not that of the object. Default: 200.
        """
        fields = {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}
        return cls.of(fields, status)

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
