"""What programs that know `urllib3.HTTPResponse` ask of the body of an answer besides its bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import HTTPHeaderDict

    from aistore.wire.http1.parse import ResponseHead


class AnswerFace(io.RawIOBase):
    """Status, headers and progress of an answer.

    Attributes:
        _head: Head of the response.
        _url: URL of the request.
        _length: Length of the body in bytes; negative when it is not known.
        _pos: Number of bytes read so far.
    """

    _head: ResponseHead
    _url: str
    _length: int
    _pos: int

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._head.status

    @property
    def reason(self) -> str:
        """Reason phrase."""
        return self._head.reason

    @property
    def version(self) -> int:
        """10 or 11."""
        return self._head.version

    @property
    def headers(self) -> HTTPHeaderDict:
        """Header fields of the answer."""
        from urllib3 import HTTPHeaderDict

        fields = HTTPHeaderDict()
        for name, value in self._head.pairs:
            fields.add(name, value.strip(" \t"))
        return fields

    @property
    def length_remaining(self) -> int | None:
        """Bytes still to come, when that is known."""
        return self._length - self._pos if self._length >= 0 else None

    def geturl(self) -> str:
        """URL of the request."""
        return self._url

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """One header field.

        Args:
            name: Its name, in any case.
            default: Returned when it is not there.
        """
        return self._head.fields.get(name.lower(), default)

    def readable(self) -> bool:
        """Tell that it can be read: always."""
        return True
