"""Tools that look at buckets and objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aistore.mcp.tools.registry import reading_tool, to_json

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from aistore.sdk.client import Client


def register_bucket_tools(mcp: MCPServer, get_client: Callable[[], Client]) -> None:
    """Add the tools for buckets and objects.

    Args:
        mcp: The server.
        get_client: Returns the client to use.
    """

    @reading_tool(mcp)
    def ais_list_buckets(provider: str = "ais") -> str:
        """The buckets of a provider (ais, aws, gcp, azure, oci, ...; empty: of all)."""
        found = get_client().cluster().list_buckets(provider)
        buckets = [{"name": bucket.name, "provider": str(bucket.provider)} for bucket in found]
        return to_json({"provider": provider, "count": len(buckets), "buckets": buckets})

    @reading_tool(mcp)
    def ais_bucket_summary(bucket_name: str, provider: str = "ais") -> str:
        """How many objects and bytes a bucket has; takes a while for large ones."""
        _, summary = get_client().bucket(bucket_name, provider).info()
        return to_json({"bucket": bucket_name, "provider": provider, "summary": summary})

    @reading_tool(mcp)
    def ais_list_objects(bucket_name: str, provider: str = "ais", prefix: str = "", limit: int = 100) -> str:
        """The first objects of a bucket, with their sizes; only those whose names start with the prefix."""
        bucket = get_client().bucket(bucket_name, provider)
        page = bucket.list_objects(prefix=prefix, props="name,size", page_size=limit)
        objects = [{"name": entry.name, "size": entry.size} for entry in page.entries or ()]
        return to_json({"bucket": bucket_name, "prefix": prefix, "count": len(objects), "objects": objects})

    @reading_tool(mcp)
    def ais_object_info(bucket_name: str, object_name: str, provider: str = "ais") -> str:
        """Size, checksum, version and custom metadata of an object."""
        props = get_client().bucket(bucket_name, provider).object(object_name).props
        properties = {
            "size": props.size,
            "checksum_type": props.checksum_type,
            "checksum_value": props.checksum_value,
            "version": props.obj_version,
            "present": props.present,
            "custom_metadata": props.custom_metadata,
        }
        return to_json({"bucket": bucket_name, "object": object_name, "properties": properties})
