"""Pure functions of the protocol between targets, ETL servers and pipeline stages."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from aistore.sdk.const import QPARAM_ETL_ARGS
from aistore.sdk.errors import InvalidPipelineError
from aistore.sdk.etl.class_payload import deserialize_class, serialize_class
from aistore.wire.query import parameters

__all__ = [
    "compose_etl_direct_put_url",
    "deserialize_class",
    "is_stage_url",
    "parse_etl_pipeline",
    "serialize_class",
]


def parse_etl_pipeline(pipeline_header: str) -> tuple[str, str]:
    """Split the pipeline header into the URL to send the result to and the rest.

    Args:
        pipeline_header: Value of the header `Ais-Node-Url`: URLs joined by commas.

    Returns:
        The first URL and the remaining ones, joined by commas; both empty for an empty header.

    Raises:
        InvalidPipelineError: An entry is empty.
    """
    if not pipeline_header or not pipeline_header.strip():
        return "", ""
    entries = [entry.strip() for entry in pipeline_header.split(",")]
    if not all(entries):
        raise InvalidPipelineError("Pipeline header contains empty entry")
    return entries[0], ",".join(entries[1:])


def is_stage_url(url: str) -> bool:
    """Say whether a pipeline URL names another ETL server: those carry no path, a destination target does."""
    return urlsplit(url).path in {"", "/"}


def compose_etl_direct_put_url(
    direct_put_url: str, host_target: str, obj_path: str, etl_args: str = ""
) -> str:
    """Make the URL that a result is put to.

    A destination target's URL carries the object's path: it goes below the path of the server's own target
    URL, which holds the secret of this ETL, with its scheme. A stage's URL has no path: it gets the object's;
    servers of stages have no TLS where targets have it.

    Args:
        direct_put_url: First URL of the pipeline header.
        host_target: The server's `AIS_TARGET_URL`.
        obj_path: Decoded path of the request, without leading slash.
        etl_args: Arguments for the next stage; replaces those in the query when not empty.
    """
    direct, host = urlsplit(direct_put_url), urlsplit(host_target)
    if is_stage_url(direct_put_url):
        scheme, path = direct.scheme, "/" + quote(obj_path.lstrip("/"), safe="/@", errors="surrogateescape")
    else:
        scheme, path = host.scheme, host.path.rstrip("/") + direct.path
    query = direct.query
    if etl_args:
        pairs = [(name, value) for name, value, _ in parameters(query) if name != QPARAM_ETL_ARGS]
        query = urlencode([*pairs, (QPARAM_ETL_ARGS, etl_args)], errors="surrogateescape")
    return urlunsplit((scheme, direct.netloc, path, query, ""))
