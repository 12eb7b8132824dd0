"""Paths: `ais://bucket/key`, other providers and namespaces, and what a path addresses.

The filesystem's own paths have no scheme: `bucket/key`. A first component with an `@` says which buckets are
meant when it is not those of the filesystem's own provider and namespace; AIStore writes namespaces like
this, and no bucket's name can look like it:

| URL | path | bucket |
|---|---|---|
| `ais://b/k` | `b/k` | of the filesystem's provider and namespace, `ais` and global by default |
| `ais://@#team/b/k` | `@#team/b/k` | in the namespace `team` |
| `ais://@REMAIS#team/b/k` | `@REMAIS#team/b/k` | in the namespace `team` of the remote cluster `REMAIS` |
| `ais+s3://b/k` | `aws@/b/k` | of AWS, through the cluster |
"""

from __future__ import annotations

import os
import re
import string
from typing import NamedTuple

from aistore.fs import SCHEME
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider
from aistore.wire.names import split_namespace

_URL = re.compile(rf"{SCHEME}(?:\+(?P<provider>[a-z0-9]+))?(?:://|::)(?P<rest>.*)", re.DOTALL)
_PROVIDER_LETTERS = string.ascii_lowercase + string.digits


class Location(NamedTuple):
    """What a path addresses.

    Attributes:
        place: First component of the path when it names provider and namespace, else "".
        bucket: Name of the bucket; "" for the place itself.
        key: Name of the object, or of a directory without the last slash; "" for the bucket itself.
    """

    place: str
    bucket: str
    key: str

    @property
    def root(self) -> str:
        """Path of the bucket."""
        return f"{self.place}/{self.bucket}" if self.place else self.bucket

    def path_of(self, name: str) -> str:
        """Return the path of an object in the same bucket.

        Args:
            name: Name of the object.
        """
        return f"{self.root}/{name}"


class Place(NamedTuple):
    """Where a bucket is: `None` is the filesystem's own provider or namespace."""

    provider: Provider | None
    namespace: Namespace | None


def strip(path: str | os.PathLike[str]) -> str:
    """Return a path without scheme and without slashes at its ends, with its place written in one way.

    Args:
        path: A path or a URL.

    Raises:
        InvalidArgument: The place is not one.
    """
    text = os.fspath(path)
    match = _URL.fullmatch(text)
    provider = ""
    if match:
        provider, text = match["provider"] or "", match["rest"]
    text = text.strip("/")
    head, slash, rest = text.partition("/")
    if "@" not in head and "#" not in head:
        return f"{Provider.parse(provider).value}@/{text}".rstrip("/") if provider else text
    if provider:
        head = provider + head
    return f"{_normal(head)}{slash}{rest}"


def split(path: str) -> Location:
    """Return what a path addresses.

    Args:
        path: A path as `strip` returns it.
    """
    place = ""
    head, _, rest = path.partition("/")
    if "@" in head:
        place = head
        head, _, rest = rest.partition("/")
    return Location(place, head, rest)


def unstrip(path: str) -> str:
    """Return the URL of a path.

    Args:
        path: A path, or a URL already.
    """
    if _URL.fullmatch(path):
        return path
    provider, at, rest = path.partition("@")
    if not at or "/" in provider or not provider:
        return f"{SCHEME}://{path}"
    rest = rest.lstrip("/") if rest.startswith("/") else f"@{rest}" if rest else ""
    return f"{SCHEME}+{provider}://{rest}"


def parse_place(place: str) -> Place:
    """Return the provider and the namespace that a place names.

    Args:
        place: Place of a `Location`.
    """
    if not place:
        return Place(None, None)
    parts = _split_place(place)
    assert parts is not None, "`strip` lets no other place through"
    provider = Provider.parse(parts[0]) if parts[0] else None
    uuid, name = parts[1:]
    # Naming a provider alone leaves the namespace: `aws@` is the global one of AWS.
    return Place(provider, Namespace(uuid=uuid, name=name) if uuid or name or provider else None)


def parse_namespace(value: Namespace | str | None) -> Namespace | None:
    """Return the namespace of a storage option.

    Args:
        value: A `Namespace`, `@uuid#name`, `@uuid`, `#name` or a bare name; `None` and "" are the global one.

    Raises:
        InvalidArgument: It is none of these.
    """
    if value is None or isinstance(value, Namespace):
        return value
    if not isinstance(value, str):
        raise InvalidArgument(f"namespace must be a Namespace or text such as '@uuid#name', not {value!r}")
    text = value if not value or value[0] in "@#" else f"#{value}"
    parts = split_namespace(text)
    if parts is None:
        raise InvalidArgument(f"invalid namespace {value!r}: expected '@uuid#name', '@uuid' or 'name'")
    uuid, name = parts
    return Namespace(uuid=uuid, name=name) if uuid or name else None


def _split_place(place: str) -> tuple[str, str, str] | None:
    rest = place.lstrip(_PROVIDER_LETTERS)
    namespace = split_namespace(rest)
    return None if namespace is None else (place[: len(place) - len(rest)], *namespace)


def _normal(place: str) -> str:
    parts = _split_place(place)
    if parts is None:
        raise InvalidArgument(
            f"invalid path: {place!r} is neither a bucket nor 'PROVIDER@UUID#NAMESPACE'; "
            "expected ais://bucket/object, ais://@#namespace/bucket/object or ais+aws://bucket/object"
        )
    provider, uuid, name = parts
    return f"{Provider.parse(provider).value if provider else ''}@{uuid}" + (f"#{name}" if name else "")
