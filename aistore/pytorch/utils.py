"""Names of samples and files, sizes, URLs."""

from __future__ import annotations

from aistore.sdk.utils import parse_url as sdk_parse_url

MB_TO_B = 1_000_000


def convert_mb_to_bytes(megabytes: float) -> int:
    """Return a size in bytes, rounded down to whole ones.

    Args:
        megabytes: The size in units of 10^6 bytes.
    """
    return int(megabytes * MB_TO_B)


def convert_bytes_to_mb(bytes: int) -> float:
    """Return a size in units of 10^6 bytes.

    Args:
        bytes: The size in bytes.
    """
    return bytes / MB_TO_B


def unparse_url(provider: str, bck_name: str, obj_name: str) -> str:
    """Return `provider://bucket/object`, without the last slash for a bucket.

    Args:
        provider: Provider of the bucket.
        bck_name: Name of the bucket.
        obj_name: Name of the object, or "".
    """
    return f"{provider}://{bck_name}/{obj_name}" if obj_name else f"{provider}://{bck_name}"


def parse_url(url: str) -> tuple[str, str, str]:
    """Return provider, bucket and object name of `provider://bucket/object`, each possibly empty.

    Args:
        url: The URL.
    """
    return sdk_parse_url(url)


def get_basename(name: str) -> str:
    """Return which sample a file belongs to: the last part of its path up to the first dot.

    Args:
        name: Path of the file.
    """
    return name.rpartition("/")[2].partition(".")[0]


def split_name(name: str) -> tuple[str, str]:
    """Return the basename and the extension of a file, as `get_basename` and `get_extension` do.

    Args:
        name: Path of the file.
    """
    basename, _, rest = name.rpartition("/")[2].partition(".")
    return basename, rest.rpartition(".")[2]


def get_extension(name: str) -> str:
    """Return which part of the sample a file is: what follows the last dot of its name; "" without a dot.

    Args:
        name: Path of the file.
    """
    return name.rpartition("/")[2].rpartition(".")[2] if "." in name.rpartition("/")[2] else ""
