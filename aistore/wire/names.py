"""Names of objects and buckets: what the cluster refuses, and the paths and URLs that address them.

Names are bytes to the cluster: text is encoded as UTF-8, and lone surrogates (as `os.fsdecode` makes them)
become the bytes that they stand for.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from aistore.errors import InvalidArgument, InvalidArgumentType

_BUCKET = re.compile(r"[A-Za-z0-9._-]+")
# What `quote` would leave as it is.
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
# A provider may have `ais+` in front, as in URLs for fsspec.
_URL = re.compile(r"(?:ais\+)?([a-z][a-z0-9.-]*)://(.*)", re.DOTALL | re.IGNORECASE)
_NAMESPACE = re.compile(r"(?:@([^#/]*))?(?:#([^#/]*))?")


class BucketUrl(NamedTuple):
    """The parts of `provider://@uuid#namespace/bucket/name`, each possibly empty.

    Attributes:
        provider: The scheme in lower case, which may be an alias such as `s3`.
        bucket: Name of the bucket.
        name: Name or prefix of objects: everything after the bucket's slash, as it is written.
        uuid: Remote cluster of the namespace.
        namespace: Name of the namespace.
    """

    provider: str
    bucket: str = ""
    name: str = ""
    uuid: str = ""
    namespace: str = ""

    @property
    def root(self) -> str:
        """The bucket with its namespace: `@uuid#namespace/bucket`, or only the bucket in the global one."""
        place = (f"@{self.uuid}" if self.uuid else "") + (f"#{self.namespace}" if self.namespace else "")
        return "/".join(part for part in (place, self.bucket) if part)

    def __str__(self) -> str:
        return f"{self.provider}://{self.root}" + (f"/{self.name}" if self.name else "")


def split_scheme(text: str) -> tuple[str, str] | None:
    """Return the provider of a URL in lower case and what follows `://`; `None` for what is no URL.

    Args:
        text: Possibly a URL.
    """
    found = _URL.fullmatch(text)
    return (found[1].lower(), found[2]) if found else None


def split_namespace(text: str) -> tuple[str, str] | None:
    """Return UUID and name of a namespace, each possibly empty; `None` for what is no namespace.

    Args:
        text: `@uuid#name`, `@uuid`, `#name` or nothing.
    """
    found = _NAMESPACE.fullmatch(text)
    return (found[1] or "", found[2] or "") if found else None


def parse_bucket_url(text: str) -> BucketUrl | None:
    """Split the URL of a bucket or object; `None` for what is no URL.

    Names are taken literally: `#`, `?`, `;`, `%41` and slashes are part of them. Only before the bucket do
    `@` and `#` begin a namespace.

    Args:
        text: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`.
    """
    found = split_scheme(text)
    if found is None:
        return None
    provider, rest = found
    uuid = namespace = ""
    if rest[:1] in ("@", "#"):
        place, _, rest = rest.partition("/")
        parts = split_namespace(place)
        if parts is None:
            return None
        uuid, namespace = parts
    bucket, _, name = rest.partition("/")
    return BucketUrl(provider, bucket, name, uuid, namespace)


def object_name_fault(name: str) -> str:
    """Say what is wrong with an object name; "" when it can address an object.

    The rules are the cluster's own: it answers 400, or drops the connection when there is a NUL.

    Args:
        name: The name.
    """
    if not name:
        return "is empty"
    if "\0" in name:
        return "has a NUL character"
    if name.startswith("~/"):
        return "starts with '~/'"
    if name.endswith("/"):
        return "ends with '/'"
    if "." in name and not {".", ".."}.isdisjoint(name.split("/")):
        return "has a path element '.' or '..'"
    return ""


def check_object_name(name: str, what: str = "object name") -> str:
    """Return `name` if it can address an object.

    Checked before the request, because the URL of a name with dot segments is that of another resource.

    Args:
        name: The name.
        what: What to call it in an error. Default: "object name".

    Raises:
        InvalidArgument: The name is empty, starts with `~/`, ends with `/`, has a `.` or `..` between slashes
            or a NUL character.
        InvalidArgumentType: The name is not a `str`.
    """
    if not isinstance(name, str):
        raise InvalidArgumentType(f"{what} of type {type(name).__name__}: expected str")
    fault = object_name_fault(name)
    if fault:
        raise InvalidArgument(f"invalid {what} {name[:128]!r}: it {fault}")
    return name


def check_bucket_name(name: str) -> str:
    """Return `name` if it can address a bucket.

    Args:
        name: The name.

    Raises:
        InvalidArgument: The name is empty, `.`, has `..` in it, or characters other than letters, digits,
            `.`, `_` and `-` (protocol: buckets).
        InvalidArgumentType: The name is not a `str`.
    """
    if not isinstance(name, str):
        raise InvalidArgumentType(f"bucket name of type {type(name).__name__}: expected str")
    if not _BUCKET.fullmatch(name) or name == "." or ".." in name:
        raise InvalidArgument(
            f"invalid bucket name {name[:128]!r}: expected letters, digits, '.', '_' and '-', without '..'"
        )
    return name


def is_utf8(name: str) -> bool:
    """Return whether the bytes of a name are UTF-8.

    Args:
        name: The name.
    """
    try:
        return name.isascii() or bool(name.encode())
    except UnicodeEncodeError:
        return False


def quote_object_name(name: str) -> str:
    """Percent-encode an object name, or a prefix of names; slashes stay.

    Args:
        name: The name.

    Raises:
        InvalidArgument: It has a surrogate that stands for no byte.
    """
    if _PLAIN.fullmatch(name):
        return name
    try:
        return quote(name, safe="/", errors="surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument(f"name cannot be encoded as UTF-8: {name[:128]!r}") from None


def wire_object_name(name: str) -> str:
    """Return a name that can address an object, percent-encoded.

    Args:
        name: The name.

    Raises:
        InvalidArgument: See `check_object_name` and `quote_object_name`.
        InvalidArgumentType: The name is not a `str`.
    """
    # Most names are plain, and have nothing that a name could be refused for.
    if (
        isinstance(name, str)
        and _PLAIN.fullmatch(name)
        and "./" not in name
        and name[-1:] not in "./"  # true of an empty name
        and name[0] != "~"
    ):
        return name
    return quote_object_name(check_object_name(name))


def object_path(bucket: str, name: str) -> str:
    """Return the path of an object below `/v1/`.

    Args:
        bucket: Name of the bucket.
        name: Name of the object.

    Raises:
        InvalidArgument: See `check_object_name` and `check_bucket_name`.
    """
    return f"{bucket_objects_path(bucket)}/{wire_object_name(name)}"


def bucket_objects_path(bucket: str) -> str:
    """Return the path, below `/v1/`, of actions on a bucket's objects.

    Args:
        bucket: Name of the bucket.

    Raises:
        InvalidArgument: See `check_bucket_name`.
    """
    return f"objects/{check_bucket_name(bucket)}"
