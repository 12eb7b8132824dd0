"""Kinds of jobs (xactions) and how each ends."""

from __future__ import annotations

from aistore.sdk.const import (
    ACT_ARCHIVE_OBJECTS,
    ACT_BLOB_DOWNLOAD,
    ACT_COPY_BCK,
    ACT_COPY_OBJECTS,
    ACT_CREATE_NBI,
    ACT_DELETE_OBJECTS,
    ACT_ETL_BCK,
    ACT_EVICT_OBJECTS,
    ACT_EVICT_REMOTE_BCK,
    ACT_LIST,
    ACT_MOVE_BCK,
    ACT_PREFETCH_OBJECTS,
    ACT_PROMOTE,
    ACT_SUMMARY_BCK,
    ACT_TRANSFORM_OBJECTS,
)

# Kinds that share the name of the action that starts them
XACT_KIND_ARCHIVE = ACT_ARCHIVE_OBJECTS
XACT_KIND_BLOB_DL = ACT_BLOB_DOWNLOAD
XACT_KIND_COPY_BCK = ACT_COPY_BCK
XACT_KIND_COPY_OBJECTS = ACT_COPY_OBJECTS
XACT_KIND_CREATE_NBI = ACT_CREATE_NBI
XACT_KIND_DELETE_OBJECTS = ACT_DELETE_OBJECTS
XACT_KIND_ETL_BCK = ACT_ETL_BCK
XACT_KIND_ETL_OBJECTS = ACT_TRANSFORM_OBJECTS
XACT_KIND_EVICT_OBJECTS = ACT_EVICT_OBJECTS
XACT_KIND_EVICT_REMOTE_BCK = ACT_EVICT_REMOTE_BCK
XACT_KIND_LIST = ACT_LIST
XACT_KIND_MOVE_BCK = ACT_MOVE_BCK
XACT_KIND_PREFETCH_OBJECTS = ACT_PREFETCH_OBJECTS
XACT_KIND_PROMOTE = ACT_PROMOTE
XACT_KIND_SUMMARY_BCK = ACT_SUMMARY_BCK

# Kinds with a name of their own
XACT_KIND_DOWNLOAD = "download"
XACT_KIND_DSORT = "dsort"
XACT_KIND_EC_ENCODE = "ec-encode"
XACT_KIND_EC_GET = "ec-get"
XACT_KIND_EC_PUT = "ec-put"
XACT_KIND_EC_RESP = "ec-resp"
XACT_KIND_ELECTION = "election"
XACT_KIND_ETL_INLINE = "etl-inline"
XACT_KIND_GET_BATCH = "get-batch"
XACT_KIND_INDEX_SHARD = "index-shard"
XACT_KIND_LOAD_LOM_CACHE = "load-lom-cache"
XACT_KIND_LRU = "lru"
XACT_KIND_MAKE_NCOPIES = "make-n-copies"
XACT_KIND_PUT_COPIES = "put-copies"
XACT_KIND_REBALANCE = "rebalance"
XACT_KIND_RECHUNK = "rechunk"
XACT_KIND_RESILVER = "resilver"
XACT_KIND_STORE_CLEANUP = "cleanup-store"
XACT_KIND_SUMMARY_SHARD = "summary-shard"

KNOWN_KINDS = frozenset(
    {
        XACT_KIND_ARCHIVE,
        XACT_KIND_BLOB_DL,
        XACT_KIND_COPY_BCK,
        XACT_KIND_COPY_OBJECTS,
        XACT_KIND_CREATE_NBI,
        XACT_KIND_DELETE_OBJECTS,
        XACT_KIND_DOWNLOAD,
        XACT_KIND_DSORT,
        XACT_KIND_EC_ENCODE,
        XACT_KIND_EC_GET,
        XACT_KIND_EC_PUT,
        XACT_KIND_EC_RESP,
        XACT_KIND_ELECTION,
        XACT_KIND_ETL_BCK,
        XACT_KIND_ETL_INLINE,
        XACT_KIND_ETL_OBJECTS,
        XACT_KIND_EVICT_OBJECTS,
        XACT_KIND_EVICT_REMOTE_BCK,
        XACT_KIND_GET_BATCH,
        XACT_KIND_INDEX_SHARD,
        XACT_KIND_LIST,
        XACT_KIND_LOAD_LOM_CACHE,
        XACT_KIND_LRU,
        XACT_KIND_MAKE_NCOPIES,
        XACT_KIND_MOVE_BCK,
        XACT_KIND_PREFETCH_OBJECTS,
        XACT_KIND_PROMOTE,
        XACT_KIND_PUT_COPIES,
        XACT_KIND_REBALANCE,
        XACT_KIND_RECHUNK,
        XACT_KIND_RESILVER,
        XACT_KIND_STORE_CLEANUP,
        XACT_KIND_SUMMARY_BCK,
        XACT_KIND_SUMMARY_SHARD,
    }
)
"""Every kind this package knows; a newer cluster may have more."""

IDLE_KINDS = frozenset(
    {
        XACT_KIND_ARCHIVE,
        XACT_KIND_COPY_OBJECTS,
        XACT_KIND_DOWNLOAD,
        XACT_KIND_EC_GET,
        XACT_KIND_EC_PUT,
        XACT_KIND_EC_RESP,
        XACT_KIND_ETL_OBJECTS,
        XACT_KIND_GET_BATCH,
        XACT_KIND_LIST,
        XACT_KIND_PUT_COPIES,
    }
)
"""Kinds that stay up for a while after their last work: done when idle, not when ended."""


def is_valid_kind(kind: str) -> bool:
    """Return whether `kind` is one of `KNOWN_KINDS`."""
    return kind in KNOWN_KINDS


def idles_before_finishing(kind: str) -> bool:
    """Return whether jobs of this kind go idle before they end (`IDLE_KINDS`)."""
    return kind in IDLE_KINDS
