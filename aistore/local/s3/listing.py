"""ListObjects, versions 1 and 2: pages of keys, rolled up at a delimiter."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from aistore.local.catalog.objects import decode_name, encode_name, prefix_end
from aistore.local.s3.call import iso_time, xml_response
from aistore.local.s3.entity_tag import tag_all
from aistore.local.s3.errors import S3Error
from aistore.local.s3.xml import Markup, element

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.local.api.response import Response
    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.s3.call import Call
    from aistore.local.store import Store

MAX_KEYS = 1000
_TOKEN_KEY = "1"  # noqa: S105 - begins a continuation token, with the version of its form
_OWNER = element("Owner", element("ID", "1"), element("DisplayName", "aistore"))


class Page(NamedTuple):
    """Objects and common prefixes, each in byte order, and the last of them if there are more."""

    objects: list[ObjectMeta]
    prefixes: list[str]
    more_after: str | None


def list_page(store: Store, bucket: Bucket, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Up to `limit` keys and common prefixes that come after `after`."""
    if limit == 0:
        return Page([], [], None)
    raw_prefix, raw_delimiter = encode_name(prefix), encode_name(delimiter)
    start, end = _start(raw_prefix, raw_delimiter, encode_name(after)), prefix_end(raw_prefix)
    objects: list[ObjectMeta] = []
    prefixes: list[str] = []
    last = after
    while start < end:
        # One more than fits tells whether there are more.
        wanted = limit - len(objects) - len(prefixes) + 1
        found = store.catalog.objects.page(bucket.id, start, end, wanted)
        next_start = None
        for meta in found:
            if len(objects) + len(prefixes) == limit:
                return Page(objects, prefixes, last)
            raw = encode_name(meta.name)
            cut = raw.find(raw_delimiter, len(raw_prefix)) if raw_delimiter else -1
            if cut < 0:
                objects.append(meta)
                last = meta.name
                continue
            common = raw[: cut + len(raw_delimiter)]
            last = decode_name(common)
            prefixes.append(last)
            next_start = prefix_end(common)
            break
        if next_start is not None:
            start = next_start
        elif len(found) < wanted:
            break
        else:
            start = encode_name(found[-1].name) + b"\0"
    return Page(objects, prefixes, None)


def _start(prefix: bytes, delimiter: bytes, after: bytes) -> bytes:
    if not after or after < prefix:
        return prefix
    cut = after.find(delimiter, len(prefix)) if delimiter and after.startswith(prefix) else -1
    # A page that ended with a common prefix goes on after everything below it.
    if cut >= 0 and cut + len(delimiter) == len(after):
        return prefix_end(after)
    return after + b"\0"


def encode_token(last: str) -> str:
    """The continuation token of a page that ended with this key or common prefix."""
    return _TOKEN_KEY + base64.urlsafe_b64encode(encode_name(last)).decode().rstrip("=")


def decode_token(token: str) -> str:
    """The key or common prefix that a token continues after.

    Raises:
        S3Error: `InvalidArgument`.
    """
    try:
        if not token.startswith(_TOKEN_KEY):
            raise ValueError(token)
        text = token[len(_TOKEN_KEY) :]
        return decode_name(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as err:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from err


def encoder(call: Call) -> tuple[Callable[[str], str], list[Markup]]:
    """How names are written in the answer, and what says so there.

    Raises:
        S3Error: `InvalidArgument`: an unknown encoding.
    """
    kind = call.req.query.get("encoding-type", "")
    if not kind:
        return str, []
    if kind != "url":
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    return lambda name: quote(encode_name(name), safe="/"), [element("EncodingType", "url")]


async def list_objects(call: Call) -> Response:
    """A page, in the form of the version that was asked for."""
    query = call.req.query
    version = query.get("list-type", "1")
    if version not in {"1", "2"}:
        raise S3Error("InvalidArgument", f"list-type: expecting 2, got {version[:40]!r}")
    bucket = call.bucket()
    limit = call.number("max-keys", MAX_KEYS, MAX_KEYS)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token") if version == "2" else None
    begin = query.get("start-after" if version == "2" else "marker", "")
    after = decode_token(token) if token is not None else begin
    encode, about_encoding = encoder(call)
    listing = call.req.working(list_page, call.store, bucket, prefix, delimiter, after, limit)
    page = await call.state.run(listing)
    tagged = await call.req.run(call.state.copying, tag_all, call.store, bucket, page.objects)
    owner = [_OWNER] if version == "1" or query.get("fetch-owner") == "true" else []
    items = [
        element("Name", bucket.bck.name),
        element("Prefix", encode(prefix)),
        element("MaxKeys", limit),
        element("IsTruncated", "false" if page.more_after is None else "true"),
        *([element("Delimiter", encode(delimiter))] if delimiter else []),
        *about_encoding,
        *(_version_1 if version == "1" else _version_2)(call, page, encode),
    ]
    items += [_contents(meta, encode, owner) for meta in tagged]
    items += [element("CommonPrefixes", element("Prefix", encode(name))) for name in page.prefixes]
    return xml_response(element("ListBucketResult", *items))


def _version_1(call: Call, page: Page, encode: Callable[[str], str]) -> list[Markup]:
    items = [element("Marker", encode(call.req.query.get("marker", "")))]
    if page.more_after is not None:
        items.append(element("NextMarker", encode(page.more_after)))
    return items


def _version_2(call: Call, page: Page, encode: Callable[[str], str]) -> list[Markup]:
    query = call.req.query
    items = [element("KeyCount", len(page.objects) + len(page.prefixes))]
    if "continuation-token" in query:
        items.append(element("ContinuationToken", query["continuation-token"]))
    if "start-after" in query:
        items.append(element("StartAfter", encode(query["start-after"])))
    if page.more_after is not None:
        items.append(element("NextContinuationToken", encode_token(page.more_after)))
    return items


def _contents(meta: ObjectMeta, encode: Callable[[str], str], owner: list[Markup]) -> Markup:
    return element(
        "Contents",
        element("Key", encode(meta.name)),
        element("LastModified", iso_time(meta.mtime)),
        element("ETag", f'"{meta.etag}"'),
        element("Size", meta.size),
        *owner,
        element("StorageClass", "STANDARD"),
    )
