"""Small vocabularies: which buckets count as present, node roles, log levels, Get-Batch placement hints."""

from __future__ import annotations

from enum import Enum, IntEnum


class FLTPresence(IntEnum):
    """What a request about a bucket or object means by "exists"."""

    FLT_EXISTS = 0
    """In the cluster or in its remote backend, with properties."""
    FLT_EXISTS_NO_PROPS = 1
    """The same, without properties (faster)."""
    FLT_PRESENT = 2
    """In the cluster, whole and where it belongs, with properties."""
    FLT_PRESENT_NO_PROPS = 3
    """The same, without properties."""
    FLT_PRESENT_CLUSTER = 4
    """Anywhere in the cluster: copies, misplaced objects and erasure-coded slices count."""
    FLT_EXISTS_OUTSIDE = 5
    """In the remote backend but not in the cluster."""


class Colocation(IntEnum):
    """How much the cluster knows about where the objects of a Get-Batch request live."""

    NONE = 0
    """Nothing: the assembling target is chosen by the request."""
    TARGET_AWARE = 1
    """Most objects are on one target: choose that one."""
    TARGET_AND_SHARD_AWARE = 2
    """They are also in few shards: keep these open."""


class LogSeverity(str, Enum):
    """Which of a node's logs to read."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NodeFilter(str, Enum):
    """Which nodes of a cluster to ask."""

    TARGET = "target"
    PROXY = "proxy"
    ALL = "all"
