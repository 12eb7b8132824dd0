"""Conditional requests: which version of an object a client means (RFC 9110, and the S3 API reference)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from aistore.local.s3.entity_tag import stored_tag
from aistore.local.s3.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aistore.local.catalog import ObjectMeta
    from aistore.local.store import Condition

COPY_SOURCE = "x-amz-copy-source-"


def check_read(headers: Mapping[str, str], tag: str, mtime: int, prefix: str = "") -> None:
    """Refuse to read an object that is not, or still is, the one that the client has.

    Args:
        headers (Mapping[str, str]): Of the request.
        tag (str): The object's entity tag without quotes.
        mtime (int): When it was written, Unix nanoseconds.
        prefix (str): Before the names of the conditions; with one, nothing is `NotModified`.

    Raises:
        S3Error: `PreconditionFailed` or `NotModified`.
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    seconds = mtime // 10**9
    if match is not None:
        if not _matches(match, tag):
            raise _failed(f"{prefix}if-match")
    else:
        before = _time(headers, f"{prefix}if-unmodified-since")
        if before is not None and seconds > before:
            raise _failed(f"{prefix}if-unmodified-since")
    if none_match is not None:
        if _matches(none_match, tag):
            raise _unchanged(f"{prefix}if-none-match", tag, prefix)
        return
    since = _time(headers, f"{prefix}if-modified-since")
    if since is not None and seconds <= since:
        raise _unchanged(f"{prefix}if-modified-since", tag, prefix)


def _matches(given: str, tag: str) -> bool:
    return any(item.strip().removeprefix("W/").strip('"') in {"*", tag} for item in given.split(","))


def _time(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    if not value:
        return None
    try:
        return int(parsedate_to_datetime(value).timestamp())
    except (ValueError, OverflowError):
        # RFC 9110: a date that can't be read is no condition.
        return None


def _failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", f"the condition {condition} does not hold")


def _unchanged(condition: str, tag: str, prefix: str) -> S3Error:
    return _failed(condition) if prefix else S3Error("NotModified", condition, headers={"Etag": f'"{tag}"'})


def write_condition(headers: Mapping[str, str]) -> Condition | None:
    """What must hold of the object that a write or a delete replaces; None if anything may.

    The tag of that object has to be stored already, where it takes reading the object to know it.

    Raises:
        S3Error: `NotImplemented`: `If-None-Match` of something else than `*`.
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match not in {None, "*"}:
        raise S3Error("NotImplemented", "if-none-match of a write can only be *")
    if match is None and none_match is None:
        return None

    def check(old: ObjectMeta | None) -> None:
        if none_match is not None and old is not None:
            raise _failed("if-none-match")
        if match is not None:
            if old is None:
                raise S3Error("NoSuchKey", "there is no object to compare with if-match")
            if not _matches(match, stored_tag(old)):
                raise _failed("if-match")

    return check
