"""Bucket identity, and the rules for bucket and object names (protocol/02 and 03).

Object names are bytes. Inside the server they are `str` decoded with `surrogateescape`, so that a name that
is not valid UTF-8 makes the round trip.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from aistore.local.errors import InvalidName, InvalidRequest, LocalError
from aistore.wire.names import object_name_fault

MAX_BUCKET_NAME = 64
MAX_OBJECT_NAME = 8192

PROVIDERS = {
    "ais": "ais",
    "aws": "aws",
    "s3": "aws",
    "gcp": "gcp",
    "gs": "gcp",
    "azure": "azure",
    "az": "azure",
}
PROVIDERS |= {"oci": "oci", "oc": "oci"}
SCHEMES = {"ais": "ais", "aws": "s3", "gcp": "gs", "azure": "az", "oci": "oc"}

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


class Bck(NamedTuple):
    """A bucket's identity: name, provider, and namespace as (uuid of a remote cluster, name)."""

    name: str
    provider: str = "ais"
    ns_uuid: str = ""
    ns_name: str = ""

    @property
    def namespace(self) -> str:
        """`@uuid#name`, `@#` for the global namespace."""
        return f"@{self.ns_uuid}#{self.ns_name}"

    def uname(self, obj_name: str = "") -> str:
        """The full name that placement is computed from, and that `bck_to` and `object_to` carry."""
        return f"{self.provider}/{self.namespace}/{self.name}/{obj_name}"

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        namespace = {"uuid": self.ns_uuid, "name": self.ns_name}
        return {"name": self.name, "provider": self.provider, "namespace": namespace}

    def __str__(self) -> str:
        scheme = SCHEMES[self.provider]
        if self.ns_uuid or self.ns_name:
            return f"{scheme}://{self.namespace}/{self.name}"
        return f"{scheme}://{self.name}"


def normalize_provider(provider: str) -> str:
    """The provider's full name; empty means `ais`.

    Raises:
        InvalidRequest: An unknown provider.
    """
    if not provider:
        return "ais"
    known = PROVIDERS.get(provider.lower())
    if known is None:
        raise InvalidRequest(
            f'invalid backend provider "{provider}": must be one of '
            "[ais, aws (s3://), gcp (gs://), azure (az://), oci (oc://)]",
            tcode="ErrInvalidBackendProvider",
        )
    return known


def parse_namespace(text: str) -> tuple[str, str]:
    """Split `@uuid#name` into (uuid, name); without `#` the text is the uuid."""
    uuid, _, name = text.removeprefix("@").partition("#")
    return uuid, name


def make_bck(name: str, provider: str = "", namespace: str = "", *, validate: bool = True) -> Bck:
    """A bucket's identity from the parts that a query carries.

    Raises:
        InvalidRequest: A name or provider that the cluster refuses.
    """
    full_provider = normalize_provider(provider)
    if validate:
        check_bucket_name(name)
    uuid, ns_name = parse_namespace(namespace)
    _check_namespace(uuid, ns_name)
    return Bck(name, full_provider, uuid, ns_name)


def bck_from_dict(value: Any) -> Bck:
    """A bucket's identity from its JSON form.

    Raises:
        InvalidRequest: No name, or one that the cluster refuses.
    """
    if not isinstance(value, dict) or not value.get("name"):
        raise InvalidRequest("bucket name is missing")
    namespace = value.get("namespace") or {}
    if not isinstance(namespace, dict):
        raise InvalidRequest(
            f"invalid bucket namespace {namespace!r}: expecting an object with uuid and name"
        )
    check_bucket_name(str(value["name"]))
    provider = normalize_provider(str(value.get("provider") or ""))
    uuid, ns_name = str(namespace.get("uuid") or ""), str(namespace.get("name") or "")
    _check_namespace(uuid, ns_name)
    return Bck(str(value["name"]), provider, uuid, ns_name)


def parse_uname(uname: str) -> tuple[Bck, str]:
    """Split `provider/@uuid#ns/bucket/object` into (bucket, object name, maybe empty).

    Raises:
        InvalidRequest: The text is not a full name.
    """
    parts = uname.split("/", 3)
    if len(parts) < 3 or not parts[2]:
        raise InvalidRequest("bucket name is missing")
    provider, namespace, name = parts[:3]
    return make_bck(name, provider, namespace), parts[3] if len(parts) == 4 else ""


def check_bucket_name(name: str) -> None:
    """Refuse what the cluster refuses.

    Raises:
        InvalidRequest: Says which rule the name breaks.
    """
    if not name:
        raise InvalidRequest("bucket name is missing")
    if len(name) <= MAX_BUCKET_NAME and name.startswith("."):
        raise InvalidRequest(f'reserved bucket name "{name}" (unknown system bucket)')
    _check_plain(name, "bucket name")


def _check_namespace(uuid: str, name: str) -> None:
    """Refuse what would be a part of another bucket's full name, or takes much memory."""
    for text, what in ((uuid, "namespace UUID"), (name, "namespace")):
        if text:
            _check_plain(text, what)


def _check_plain(text: str, what: str) -> None:
    if len(text) > MAX_BUCKET_NAME:
        raise InvalidRequest(f"{what} is too long: {len(text)} > {MAX_BUCKET_NAME}(max length)")
    if not _PLAIN.fullmatch(text) or ".." in text:
        raise InvalidRequest(
            f"{what} is invalid: may only contain letters, numbers, dashes (-), underscores (_), and dots (.)"
        )


def check_object_name(name: str, *, allow_trailing_slash: bool = False) -> None:
    """Refuse names with dot segments, NUL, a home prefix or a trailing slash.

    Raises:
        InvalidName: The name as the cluster reports it.
        LocalError: The name is too long.
    """
    named = name.rstrip("/") if allow_trailing_slash else name
    if named and object_name_fault(named):  # callers decide what no name at all means
        raise InvalidName(f'invalid object name "{name}"')
    if len(name) > MAX_OBJECT_NAME:
        raise LocalError(f"object name is too long: {len(name)} > {MAX_OBJECT_NAME}(max length)")


def check_prefix(prefix: str) -> None:
    """Refuse a listing prefix that would leave the bucket.

    Raises:
        InvalidName: The prefix has a `..` element or NUL.
    """
    if "\0" in prefix or ".." in prefix.split("/"):
        raise InvalidName(f'bad list-objects request: invalid prefix "{prefix}"')
