"""What requests to copy or transform objects say, whether of a bucket or of a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aistore.sdk.bck.counts import check_timeout
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.types import TransformBckMsg


def transform_message(etl_name: str, timeout: str, etl_pipeline: Sequence[str] | None) -> TransformBckMsg:
    """Say by which ETL objects are transformed.

    Args:
        etl_name: Name of the ETL.
        timeout: Time limit for one object, for instance `30s`.
        etl_pipeline: Names of ETLs that the results go through next, or None.

    Raises:
        InvalidArgument: The timeout is none.
    """
    return TransformBckMsg(
        etl_name=etl_name,
        timeout=check_timeout(timeout),
        etl_pipeline=list(etl_pipeline) if etl_pipeline else None,
    )


def new_extensions(ext: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return the map of old file name extensions to new ones as it is sent.

    Args:
        ext: The map, or None to keep them.

    Raises:
        InvalidArgument: It is something else.
    """
    if ext is None:
        return None
    if not isinstance(ext, Mapping):
        raise InvalidArgument(
            f"ext must map old extensions to new ones, such as {{'jpg': 'txt'}}, not {ext!r}"
        )
    return dict(ext)
