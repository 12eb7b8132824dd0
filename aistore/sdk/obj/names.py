"""Object names: what the cluster refuses, and how a name becomes the path that addresses it."""

from __future__ import annotations

from urllib.parse import quote

from aistore.sdk.const import URL_PATH_OBJECTS
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType


def check_object_name(name: str, what: str = "object name") -> str:
    """Return `name` if it can address an object.

    The rules are the cluster's own (it answers 400, or drops the connection when there is a NUL), checked
    here because the URL of a name with dot segments is that of another resource.

    Args:
        name: The name.
        what: What to call it in an error. Default: "object name".

    Raises:
        InvalidArgument: The name is empty, starts with `~/`, ends with `/`, has a `.` or `..` between slashes
            or a NUL character.
        InvalidArgumentType: The name is not a `str`.
    """
    if not isinstance(name, str):
        raise InvalidArgumentType(f"{what} must be a str, not {type(name).__name__}")
    if not name:
        raise InvalidArgument(f"{what} must not be empty")
    if "\0" in name:
        raise InvalidArgument(f"{what} must not contain a NUL character: {name!r}")
    if name.startswith("~/") or name.endswith("/"):
        raise InvalidArgument(f"{what} must not start with '~/' or end with '/': {name!r}")
    if "." in name and not {".", ".."}.isdisjoint(name.split("/")):
        raise InvalidArgument(f"{what} must not have '.' or '..' between slashes: {name!r}")
    return name


def object_path(bucket: str, name: str) -> str:
    """Return the path of an object below `/v1/`, percent-encoded with `/` kept.

    Names are bytes to the cluster: text is encoded as UTF-8, and lone surrogates (as `os.fsdecode` makes
    them) become the bytes that they stand for.

    Args:
        bucket: Name of the bucket.
        name: Name of the object.

    Raises:
        InvalidArgument: See `check_object_name`.
    """
    check_object_name(name)
    return f"{bucket_objects_path(bucket)}/{_quote(name, safe='/')}"


def bucket_objects_path(bucket: str) -> str:
    """Return the path, below `/v1/`, of actions on a bucket's objects.

    Args:
        bucket: Name of the bucket.
    """
    return f"{URL_PATH_OBJECTS}/{_quote(bucket, safe='')}"


def _quote(text: str, safe: str) -> str:
    try:
        return quote(text, safe=safe, errors="surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument(f"name cannot be encoded as UTF-8: {text!r}") from None
