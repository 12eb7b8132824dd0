"""Statuses that are a success, by operation.

Any other status below 400 means that something else than the requested operation happened (a cache returned
"not modified", a gateway responded in place of the cluster). Taken for a success it would be an empty object,
or one that was not stored. The table comes from recordings of a real cluster.

| operation | statuses |
|---|---|
| GET of an object | 200, 206 (`ranges` compares it with what was requested) |
| GET, HEAD of buckets for a summary | 200; 202, 206 while it is being made |
| PUT that stores the transform of an object as another object | 200, 204 |
| anything else | 200 |
"""

from __future__ import annotations

import re

_OK = frozenset({200})
_RANGE = frozenset({200, 206})
_SUMMARY = frozenset({200, 202, 206})
_TRANSFORMED_COPY = frozenset({200, 204})

_OBJECT = re.compile(r"(?:.*/)?objects/[^/?]+/[^?]")
_BUCKETS = re.compile(r"(?:.*/)?buckets(?:[/?]|$)")


def success_statuses(
    method: str, path: str, *, transforms: bool = False, summarizes: bool = False
) -> frozenset[int]:
    """Return the statuses that are a success of a request.

    Args:
        method: HTTP method, in any case.
        path: Path of the request, with or without what is before the API's nouns.
        transforms: Whether it names an ETL.
        summarizes: Whether it asks for a summary.
    """
    method = method.upper()
    if method == "GET" and _OBJECT.match(path):
        return _RANGE
    if method in ("GET", "HEAD") and summarizes and _BUCKETS.match(path):
        return _SUMMARY
    if method == "PUT" and transforms and _OBJECT.match(path):
        return _TRANSFORMED_COPY
    return _OK
