"""Names of members, and what links point to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aistore.errors import InvalidArgument, InvalidArgumentType

MAX_HOPS = 8
"""Links from a path to a file, one to the other."""


class Link(NamedTuple):
    """What a link in a tar points to: a member's path (hard link), or a path from the link's folder."""

    target: bytes
    is_hard: bool


def member_path(name: bytes) -> bytes:
    """Return the path that a member is listed and read by; empty for what no path can name.

    Leading slashes, empty path elements and `.` are dropped and `..` is followed, though not out of the
    archive. A name that ends with a slash is a folder's.

    Args:
        name: Name of the member, as the archive has it.
    """
    if name.endswith(b"/") or b"\0" in name:
        return b""
    if b"./" not in name and b"//" not in name and name[:1] != b"/" and name[-1:] != b".":
        return name
    path: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del path[-1:]
        elif part not in (b"", b"."):
            path.append(part)
    return b"" if name.rpartition(b"/")[2] in (b".", b"..") else b"/".join(path)


def is_member_path(text: str) -> bool:
    """Return whether a path can name a member: it does not lead out of the archive, nor to a folder.

    Args:
        text: The path.
    """
    return ".." not in text.split("/") and bool(member_path(path_bytes(text)))


def check_member_path(text: str) -> str:
    """Return a path that can name a member.

    Args:
        text: The path.

    Raises:
        InvalidArgument: It cannot (also a `ValueError`).
        InvalidArgumentType: It is not a `str` (also a `TypeError`).
    """
    if not isinstance(text, str):
        raise InvalidArgumentType(f"archpath of type {type(text).__name__}: expected str")
    if not is_member_path(text):
        raise InvalidArgument(
            f"invalid archpath {text[:128]!r}: expected the path of a file in the archive, without '..'"
        )
    return text


def path_text(path: bytes) -> str:
    """Return a path as text; bytes that are not UTF-8 become surrogates.

    Args:
        path: The path.
    """
    return path.decode("utf-8", "surrogateescape")


def path_bytes(text: str) -> bytes:
    """Return the bytes of a path that is text.

    Args:
        text: The path, as `path_text` returns it.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")  # a surrogate that stands for no byte, as in no name


def link_path(name: bytes, link: Link) -> bytes:
    """Return the path of the member that a link points to; empty if it points out of the archive.

    Args:
        name: Name of the link.
        link: Its target.
    """
    if link.is_hard:
        return member_path(link.target)
    if link.target.startswith(b"/"):
        return b""
    folder = member_path(name).rpartition(b"/")[0]
    depth = folder.count(b"/") + 1 if folder else 0
    for part in link.target.split(b"/"):
        if part not in (b"", b"."):
            depth += -1 if part == b".." else 1
        if depth < 0:
            return b""
    return member_path(folder + b"/" + link.target)


def final_target(path: bytes, links: Mapping[bytes, tuple[bytes, Link]]) -> bytes:
    """Return the path that a path leads to by way of links; empty if it leads out of the archive.

    Args:
        path: The path.
        links: Name and target of each link, by path.
    """
    for _ in range(MAX_HOPS):
        link = links.get(path)
        if link is None:
            return path
        path = link_path(*link)
    return b""
