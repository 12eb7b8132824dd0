"""Buckets named by URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.sdk.errors import InvalidURLException
from aistore.sdk.namespace import Namespace
from aistore.wire.names import BucketUrl, parse_bucket_url

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.client import Client
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_client import RequestClient


def namespace_of(url: BucketUrl) -> Namespace | None:
    """Return the namespace of a URL; `None` is the global one.

    Args:
        url: The URL.
    """
    return Namespace(uuid=url.uuid, name=url.namespace) if url.uuid or url.namespace else None


def bucket_at(client: Client, url: str) -> tuple[Bucket, str]:
    """Return the bucket that a URL names, and the name or prefix that follows it; sends no request.

    Args:
        client: Makes the bucket.
        url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.

    Raises:
        InvalidURLException: It names no bucket (also a `ValueError`).
        InvalidBckProvider: An unknown provider (also a `ValueError`).
    """
    parts = parse_bucket_url(url)
    if parts is None or not parts.bucket:
        raise InvalidURLException(url)
    namespace = namespace_of(parts)
    if namespace is None:
        return client.bucket(parts.bucket, provider=parts.provider), parts.name
    return client.bucket(parts.bucket, provider=parts.provider, namespace=namespace), parts.name


def object_at(client: Client, url: str) -> Object:
    """Return the object that a URL names; sends no request.

    Args:
        client: Makes its bucket.
        url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.

    Raises:
        InvalidURLException: It names no bucket or no object (also a `ValueError`).
        InvalidBckProvider: An unknown provider (also a `ValueError`).
    """
    bucket, name = bucket_at(client, url)
    if not name:
        raise InvalidURLException(url)
    return bucket.object(name)


def object_of(client: RequestClient, url: str) -> Object:
    """Return the object that a URL names, for what has no `Client`; sends no request.

    Args:
        client: Sends the object's requests.
        url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.

    Raises:
        InvalidURLException: It names no bucket or no object (also a `ValueError`).
        InvalidBckProvider: An unknown provider (also a `ValueError`).
    """
    from aistore.sdk.bucket import Bucket

    parts = parse_bucket_url(url)
    if parts is None or not (parts.bucket and parts.name):
        raise InvalidURLException(url)
    return Bucket(parts.bucket, client, parts.provider, namespace_of(parts)).object(parts.name)
