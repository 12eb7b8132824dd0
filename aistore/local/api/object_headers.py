"""Headers that describe an object (protocol/03, 09, 10)."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from aistore.local.api.redirect import base36

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Headers
    from aistore.local.catalog import Bucket, ObjectMeta

PROPS = frozenset(
    "name size checksum atime version last-modified etag copies ec custom location chunked".split()  # noqa: SIM905
)


def checksum_headers(meta: ObjectMeta) -> Headers:
    """Type and value, absent for type `none`."""
    if not meta.cksum or meta.cksum_type == "none":
        return []
    return [("Ais-Checksum-Type", meta.cksum_type), ("Ais-Checksum-Value", meta.cksum)]


def custom_headers(meta: ObjectMeta) -> Headers:
    """One header per pair; an `ETag` among them is also sent as such."""
    headers = [("Ais-Custom-Md", f"{key}={value}") for key, value in meta.custom.items()]
    if "ETag" in meta.custom:
        headers.append(("Etag", meta.custom["ETag"]))
    return headers


def version_headers(meta: ObjectMeta) -> Headers:
    """The version, absent in an unversioned bucket."""
    return [("Ais-Version", str(meta.version))] if meta.version else []


def object_headers(meta: ObjectMeta) -> Headers:
    """What GET, PUT and HEAD have in common."""
    headers = [("Ais-Atime", str(meta.atime)), *checksum_headers(meta), *version_headers(meta)]
    return headers + custom_headers(meta) if meta.custom else headers


def location(req: Request, bucket: Bucket, meta: ObjectMeta) -> str:
    """Which target and mountpath an object is on."""
    index = req.state.store.place(bucket.bck, meta.name)
    target = req.state.nodes.targets[index]
    return f"{target.label}:mp[{req.state.store.files.mountpath(index)}, local]"


def etag(meta: ObjectMeta) -> str:
    """The quoted entity tag, empty where there is nothing to make one of."""
    if "ETag" in meta.custom:
        return f'"{meta.custom["ETag"].strip(chr(34))}"'
    if meta.etag:
        return f'"{meta.etag}"'
    if not meta.cksum:
        return ""
    if meta.cksum_type == "md5" and not meta.chunks:
        return f'"{meta.cksum}"'
    return f'"v1-{meta.cksum}-{base36(meta.mtime)}"'


def all_headers(req: Request, bucket: Bucket, meta: ObjectMeta) -> Headers:
    """Of a HEAD without `props=`."""
    bck = bucket.bck
    mountpath = req.state.store.files.mountpath(req.state.store.place(bck, meta.name))
    headers = [
        ("Ais-Name", meta.name),
        ("Ais-Bucket-Name", bck.name),
        ("Ais-Bucket-Provider", bck.provider),
        ("Ais-Location", location(req, bucket, meta)),
        ("Ais-Mirror-Copies", "1"),
        ("Ais-Mirror-Paths", f"[{mountpath}]"),
        ("Ais-Present", "true"),
        *object_headers(meta),
    ]
    if bck.ns_name:
        headers.append(("Ais-Bucket-Namespace-Name", bck.ns_name))
    return headers


def selected_headers(req: Request, bucket: Bucket, meta: ObjectMeta, wanted: set[str]) -> Headers:
    """Of a HEAD with `props=`."""
    mountpath = req.state.store.files.mountpath(req.state.store.place(bucket.bck, meta.name))
    groups: dict[str, Headers] = {
        "checksum": checksum_headers(meta),
        "atime": [("Ais-Atime", str(meta.atime))],
        "version": version_headers(meta),
        "custom": [("Ais-Custom-Md", f"{key}={value}") for key, value in meta.custom.items()],
        "last-modified": [("Last-Modified", formatdate(meta.mtime / 1e9, usegmt=True))],
        "etag": [("Etag", etag(meta))] if etag(meta) else [],
        "location": [("Ais-Location", location(req, bucket, meta))],
        "copies": [("Ais-Mirror-Copies", "1"), ("Ais-Mirror-Paths", mountpath)],
        "chunked": _chunked(meta),
    }
    headers = [("Ais-Present", "true")]
    for prop in sorted(wanted):
        headers += groups.get(prop, [])
    return headers


def _chunked(meta: ObjectMeta) -> Headers:
    if not meta.chunks:
        return []
    return [("Ais-Chunks-Count", str(meta.chunks)), ("Ais-Chunks-Max-Chunk-Size", str(meta.chunk_size))]
