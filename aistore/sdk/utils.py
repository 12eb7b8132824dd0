"""Small helpers that programs import, and that several nouns share."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import ParseResult, parse_qs, urlparse

import requests
import urllib3.exceptions

from aistore.sdk.const import DEFAULT_LOG_FORMAT, QPARAM_PROVIDER, URL_PATH_OBJECTS
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.provider import Provider, provider_aliases
from aistore.wire.names import parse_bucket_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aistore.sdk.braces import expand_braces
    from aistore.sdk.durations import convert_to_seconds
    from aistore.sdk.hrw import (
        CONST1,
        CONST2,
        GOLDEN_RATIO,
        MASK,
        ROTATION_BITS,
        get_digest,
        xoshiro256_hash,
    )
    from aistore.sdk.models.failure import HttpError

__all__ = [
    "BUCKET_CHARS",
    "CONST1",
    "CONST2",
    "GOLDEN_RATIO",
    "MASK",
    "MAX_BUCKET_PART_LEN",
    "ROTATION_BITS",
    "URL_PROVIDERS",
    "HttpError",
    "convert_to_seconds",
    "decode_response",
    "expand_braces",
    "extract_and_parse_url",
    "get_digest",
    "get_file_size",
    "get_logger",
    "get_object_url_components",
    "get_provider_from_request",
    "is_read_timeout",
    "parse_bool",
    "parse_request_url",
    "parse_url",
    "probing_frequency",
    "read_file_bytes",
    "validate_directory",
    "validate_file",
    "xoshiro256_hash",
]

T = TypeVar("T")

BUCKET_CHARS = "[A-Za-z0-9@#._-]"
MAX_BUCKET_PART_LEN = 132
URL_PROVIDERS = "|".join([*(p.value for p in Provider), *sorted(provider_aliases)])

_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_NAMED = rf"({URL_PROVIDERS})://({BUCKET_CHARS}{{1,{MAX_BUCKET_PART_LEN}}})(?!{BUCKET_CHARS})(/?)"
_SIZES = ("kB", "MB", "GB", "TB", "PB", "EB")


def parse_bool(s: str | None) -> bool:
    """Read a truth value as the cluster does.

    Args:
        s: Text, or None.

    Returns:
        True for `1`, `t`, `true`, `y`, `yes` and `on` in any case; False for everything else.
    """
    return bool(s) and str(s).strip().lower() in _TRUE


def probing_frequency(dur: int) -> float:
    """Choose how often to look during a wait.

    Args:
        dur: How long the wait may be, in seconds.

    Returns:
        Seconds between looks: 1/8 of it but at most 1, at least 1/64 of it and at least 0.1.
    """
    return max(min(dur / 8, 1), dur / 64, 0.1)


def read_file_bytes(filepath: str) -> bytes:
    """Read a whole file.

    Args:
        filepath: Its path.
    """
    return Path(filepath).read_bytes()


def validate_file(path: str | Path) -> None:
    """Check that a path is a file, or a pipe or device, which is read to its end.

    Args:
        path: The path.

    Raises:
        InvalidArgument: It does not exist, or is a directory.
    """
    _must_exist(path)
    if Path(path).is_dir():
        raise InvalidArgument(f"Path: {path} is a directory, not a file")


def validate_directory(path: str | Path) -> None:
    """Check that a path is a directory.

    Args:
        path: The path.

    Raises:
        InvalidArgument: It does not exist, or is a file.
    """
    _must_exist(path)
    if not Path(path).is_dir():
        raise InvalidArgument(f"Path: {path} is a file, not a directory")


def _must_exist(path: str | Path) -> None:
    if not Path(path).exists():
        raise InvalidArgument(f"Path: {path} does not exist")


def get_file_size(file: Path) -> str:
    """Tell the size of a file for people.

    Args:
        file: Its path.

    Returns:
        `1 Byte`, `999 Bytes`, `1.2 MB` (powers of 1000), or `unknown` for an empty file.
    """
    size = file.stat().st_size
    if size < 1000:
        return "unknown" if not size else f"{size} Byte{'' if size == 1 else 's'}"
    amount, units = size / 1000, iter(_SIZES)
    unit = next(units)
    while amount >= 999.95 and (larger := next(units, None)):
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}"


def decode_response(res_model: type[T], resp: requests.Response) -> T:
    """Decode an answer: msgpack when its Content-Type says so, else JSON.

    Args:
        res_model: What it should be.
        resp: The answer.

    Returns:
        The decoded value.

    Raises:
        ErrInvalidResponse: It is not that.
    """
    from aistore.sdk.decoding import decode_answer

    return decode_answer(res_model, resp)


def parse_url(url: str) -> tuple[str, str, str]:
    """Split `provider://bucket/object`.

    Args:
        url: The URL; `?`, `#` and `%` are part of the object's name.

    Returns:
        Provider, bucket and object name, each possibly empty. A namespace stays with the bucket:
        `@uuid#namespace/bucket`.
    """
    parts = parse_bucket_url(url)
    return (parts.provider, parts.root, parts.name) if parts else ("", "", url.lstrip("/"))


def extract_and_parse_url(msg: str) -> tuple[str, str, bool] | None:
    """Find the first `provider://bucket` in a message of the cluster.

    Args:
        msg: The message.

    Returns:
        Provider, bucket, and whether an object follows; or None.
    """
    match = re.search(_NAMED, msg)
    return (match[1], match[2], bool(match[3])) if match else None


def get_logger(name: str, log_format: str = DEFAULT_LOG_FORMAT) -> logging.Logger:  # noqa: ARG001 - see below
    """Return a logger; what becomes of its records is the program's business.

    Args:
        name: Name of the logger.
        log_format: Not used: the SDK attaches no handlers.
    """
    return logging.getLogger(name)


def is_read_timeout(exc: requests.ConnectionError) -> bool:
    """Tell whether a connection error is a read timeout.

    Args:
        exc: The error.
    """
    if isinstance(exc, requests.exceptions.ReadTimeout):
        return True
    cause = exc.args[0] if exc.args else None
    return isinstance(cause, urllib3.exceptions.MaxRetryError) and isinstance(
        cause.reason, urllib3.exceptions.ReadTimeoutError
    )


def parse_request_url(req: requests.Request | requests.PreparedRequest) -> ParseResult:
    """Parse the URL of a request.

    Args:
        req: The request.

    Raises:
        InvalidArgument: It has none that is text.
    """
    url: Any = req.url
    if not isinstance(url, str):
        raise InvalidArgument(f"Cannot parse request with non-string URL: {url}")
    return urlparse(url)


def get_provider_from_request(req: requests.Request | requests.PreparedRequest) -> Provider:
    """Tell the provider that a request names.

    Args:
        req: The request.

    Raises:
        InvalidArgument: Its query names none, or an unknown one.
    """
    if isinstance(req, requests.Request) and req.params:
        req = req.prepare()
    values = parse_qs(parse_request_url(req).query).get(QPARAM_PROVIDER)
    if not values:
        raise InvalidArgument("Cannot parse provider from request with no query params")
    return Provider.parse(values[0])


def get_object_url_components(
    req: requests.PreparedRequest, qparams: Iterable[str]
) -> tuple[str, dict[str, str]]:
    """Take the object, and some parameters, out of the URL of a request.

    Args:
        req: The request.
        qparams: Names of the parameters wanted.

    Returns:
        `objects/<bucket>/<object>` as quoted in the URL, and the parameters it has.

    Raises:
        InvalidArgument: The URL is not one of an object.
    """
    parts = parse_request_url(req)
    _, found, name = parts.path.partition(f"/{URL_PATH_OBJECTS}/")
    if not found:
        raise InvalidArgument(f"Cannot extract object path from request URL: '{req.url}'")
    query = parse_qs(parts.query)
    params = {key: values[0] for key in qparams if (values := query.get(key))}
    return f"{URL_PATH_OBJECTS}/{name}", params


# Offered here, too, and imported with what needs them: every program imports this module.
__getattr__ = lazy_names(
    __name__,
    "CONST1",
    "CONST2",
    "GOLDEN_RATIO",
    "MASK",
    "ROTATION_BITS",
    "HttpError",
    "convert_to_seconds",
    "expand_braces",
    "get_digest",
    "xoshiro256_hash",
)
