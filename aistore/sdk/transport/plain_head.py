"""The head that most answers have, found by one expression.

It is of a 200 or 206 with one length, kept alive, and no other field says anything of framing or coding.
What `PLAIN_HEAD` matches, `parse_head` and `body_length` read in the same way, at three times the cost; what
it does not match is theirs to judge.
"""

from __future__ import annotations

import re

# Whatever its value is, a field whose name begins with another letter than C or T means nothing here.
_FIELDS = (
    rb"(?:[!#$%&'*+\-.^_`|~0-9ABD-SU-Zabd-su-z][!#$%&'*+\-.^_`|~0-9A-Za-z]*:[^\r\n\0]*\r\n"
    rb"|[Cc]onnection: keep-alive\r\n"
    rb"|[Cc]ontent-[Tt]ype:[^\r\n\0]*\r\n)*"
)

PLAIN_HEAD = re.compile(
    rb"HTTP/1\.1 (20[06]) [^\r\n\0]*\r\n"
    + _FIELDS
    + rb"[Cc]ontent-[Ll]ength: ([0-9]{1,19})\r\n"
    + _FIELDS
    + rb"\r\n"
)
"""Its groups are the status and the length of the body."""

_CHECKSUM = re.compile(rb"\r\n(Ais-Checksum-(?:Type|Value)): ([^\r\n\0]*)", re.IGNORECASE)


def checksum_fields(data: bytes | bytearray, start: int, end: int) -> dict[str, str]:
    """Return the fields of a plain head that tell the object's checksum, by names in lower case.

    Args:
        data: Where the head is.
        start: Its first byte.
        end: The byte after its last.
    """
    found = _CHECKSUM.findall(data, start, end)
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found}
