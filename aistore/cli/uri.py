"""Buckets and objects as they are written on a command line: `ais://bucket/name`, `s3://...`, `ais://@uuid#ns/...`.

Object names are taken as they are, also with `?`, `#` and `%`: what is shown by `ls` can be given to `rm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.cli.exits import USAGE, CliError
from aistore.wire.names import BucketUrl, parse_bucket_url, split_scheme

if TYPE_CHECKING:
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.client import Client
    from aistore.sdk.models.bucket import BucketModel
    from aistore.sdk.obj.object import Object

EXPECTED = "expected ais://bucket/object (or s3://, gs://, azure://, oci://)"


class Uri(BucketUrl):
    """The URL of a bucket, an object or a folder; its provider is a known one, and no alias."""

    def of(self, client: Client) -> Bucket:
        """Return the bucket."""
        from aistore.sdk.bck.urls import namespace_of

        return client.bucket(self.bucket, self.provider, namespace_of(self))

    def object_of(self, client: Client) -> Object:
        """Return the object."""
        return self.of(client).object(self.name)

    def below(self, name: str) -> Uri:
        """Return the object that has this name in the same bucket."""
        return self._replace(name=name)

    @property
    def folder(self) -> str:
        """The name as a prefix that ends where a folder's name ends: "" or `something/`."""
        return self.name if not self.name or self.name.endswith("/") else f"{self.name}/"


def is_uri(text: str) -> bool:
    """Return whether a text is meant as a URI rather than a path."""
    return split_scheme(text) is not None


def parse_uri(text: str) -> Uri:
    """Split a URI.

    Args:
        text: The URI.

    Raises:
        CliError: It is not one, or of no known provider (exit code 2).
    """
    from aistore.sdk.errors import InvalidBckProvider
    from aistore.sdk.provider import Provider

    parts = parse_bucket_url(text)
    if parts is None:
        raise CliError(f"{text!r} is not a URI: {EXPECTED}", USAGE)
    try:
        provider = Provider.parse(parts.provider).value
    except InvalidBckProvider:
        raise CliError(f"{text!r}: unknown provider {parts.provider!r}; {EXPECTED}", USAGE) from None
    return Uri(*parts)._replace(provider=provider)


def parse_bucket(text: str) -> Uri:
    """Split the URI of a bucket; a bare name is one of `ais://`.

    Raises:
        CliError: It names no bucket, or an object (exit code 2).
    """
    uri = parse_uri(text if is_uri(text) else f"ais://{text}")
    if not uri.bucket:
        raise CliError(f"{text!r} names no bucket: expected ais://bucket", USAGE)
    if uri.name:
        raise CliError(f"{text!r} names an object: expected a bucket, as {uri._replace(name='')}", USAGE)
    return uri


def parse_object(text: str) -> Uri:
    """Split the URI of an object.

    Raises:
        CliError: It names none (exit code 2).
    """
    uri = parse_uri(text)
    if not uri.bucket or not uri.name:
        raise CliError(f"{text!r} names no object: {EXPECTED}", USAGE)
    return uri


def bucket_uri(model: BucketModel) -> Uri:
    """Return the URI of a bucket that the cluster named."""
    space = model.namespace
    return Uri(model.provider, model.name, "", space.uuid if space else "", space.name if space else "")
