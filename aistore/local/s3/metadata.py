"""Headers that S3 keeps with an object, as custom metadata of AIStore.

`x-amz-meta-KEY: value` is the pair KEY=value, so that each API sees what the other one set. Content headers
are kept under their own name (`Content-Type=...`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aistore.local.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aistore.local.api.response import Headers

PREFIX = "x-amz-meta-"
MAX_USER = 2048

CONTENT_TYPE = "Content-Type"
CONTENT_HEADERS = (
    CONTENT_TYPE,
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Expires",
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata that a request gives its object.

    Raises:
        S3Error: More than S3 allows, or not UTF-8.
    """
    user = {name[len(PREFIX) :]: value for name, value in headers.items() if name.startswith(PREFIX)}
    if sum(len(key) + len(value.encode("utf-8", "replace")) for key, value in user.items()) > MAX_USER:
        raise S3Error("MetadataTooLarge", f"user metadata is longer than {MAX_USER} bytes")
    content = {name: headers[name.lower()] for name in CONTENT_HEADERS if headers.get(name.lower())}
    if "Content-Encoding" in content:
        # How the body was framed is not how the object is encoded.
        kept = [
            part for part in re.split(r"\s*,\s*", content.pop("Content-Encoding")) if part != "aws-chunked"
        ]
        if any(kept):
            content["Content-Encoding"] = ",".join(kept)
    custom = {**user, **content}
    try:
        "".join(custom.values()).encode()
    except UnicodeEncodeError as err:
        raise S3Error("InvalidArgument", "metadata is not UTF-8") from err
    return {key: value for key, value in custom.items() if key}


def to_headers(custom: Mapping[str, str]) -> tuple[str, Headers]:
    """The content type, empty if none was given, and the other headers of an object's metadata.

    Keys that can't be the name of a header are left out, and counted as S3 does.
    """
    content_type = ""
    headers: Headers = []
    missing = 0
    for key, value in custom.items():
        if key == CONTENT_TYPE:
            content_type = value
        elif key in CONTENT_HEADERS:
            headers.append((key, value))
        elif _TOKEN.fullmatch(key):
            headers.append((PREFIX + key.lower(), value))
        else:
            missing += 1
    if missing:
        headers.append(("x-amz-missing-meta", str(missing)))
    return content_type, headers
