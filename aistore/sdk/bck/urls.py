"""Buckets named by URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.errors import InvalidURLException
from aistore.sdk.namespace import Namespace
from aistore.wire.names import BucketUrl, parse_bucket_url

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient


def namespace_of(url: BucketUrl) -> Namespace | None:
    """Return the namespace of a URL; `None` is the global one.

    Args:
        url: The URL.
    """
    return Namespace(uuid=url.uuid, name=url.namespace) if url.uuid or url.namespace else None


def bucket_at(client: RequestClient, url: str) -> tuple[Bucket, str]:
    """Return the bucket that a URL names, and the name or prefix that follows it; sends no request.

    Args:
        client: The bucket's client.
        url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.

    Raises:
        InvalidURLException: It names no bucket (also a `ValueError`).
        InvalidBckProvider: An unknown provider (also a `ValueError`).
    """
    from aistore.sdk.bucket import Bucket

    parts = parse_bucket_url(url)
    if parts is None or not parts.bucket:
        raise InvalidURLException(url)
    return Bucket(parts.bucket, client, parts.provider, namespace_of(parts)), parts.name


def object_at(client: RequestClient, url: str) -> Object:
    """Return the object that a URL names; sends no request.

    Args:
        client: The object's client.
        url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.

    Raises:
        InvalidURLException: It names no bucket or no object (also a `ValueError`).
        InvalidBckProvider: An unknown provider (also a `ValueError`).
    """
    bucket, name = bucket_at(client, url)
    if not name:
        raise InvalidURLException(url)
    return bucket.object(name)
