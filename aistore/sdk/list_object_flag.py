"""Flags that narrow or widen what a bucket listing returns."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class ListObjectFlag(Enum):
    """A bit position in the `flags` of a listing request."""

    CACHED = 0
    """Only objects that are in the cluster (remote buckets)."""
    MISSING = 1
    """Include objects whose main copy is missing."""
    DELETED = 2
    """Include objects that are marked as deleted."""
    ARCH_DIR = 3
    """List the members of archives as if these were directories."""
    NAME_ONLY = 4
    """Names and nothing else: the fastest listing."""
    NAME_SIZE = 5
    """Names and sizes."""
    BCK_PRESENT = 6
    """Fail unless the cluster knows the bucket already."""
    DONT_HEAD_REMOTE = 7
    """Don't look a remote bucket up before listing."""
    DONT_ADD_REMOTE = 8
    """Don't add a remote bucket to the cluster's own metadata."""
    NOT_CACHED = 9
    """Only objects that are not in the cluster (remote buckets)."""
    ONLY_REMOTE_PROPS = 10
    """Only what the remote backend says: no local metadata."""
    NO_RECURSION = 11
    """Stop at the first `/` after the prefix and return what lies below as directories."""
    DIFF = 12
    """Compare the cluster's objects with the remote backend's versions."""
    NO_DIRS = 13
    """Leave directories out."""
    IS_S3 = 14
    """Follow the rules of S3 listings."""
    NBI = 15
    """List from the bucket's inventory."""

    @staticmethod
    def join_flags(flags: Iterable[ListObjectFlag]) -> int:
        """Return the flags as the number that travels; none is 0."""
        joined = 0
        for flag in flags:
            joined |= 1 << flag.value
        return joined
