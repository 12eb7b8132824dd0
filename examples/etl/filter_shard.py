"""Re-shards a tar archive on the fly: keeps the members with the wanted extensions, streaming both ways.

python examples/offline_transform.py SRC DST --etl examples/etl/filter_shard.py:FilterShard
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer


class FilterShard(HTTPMultiThreadedServer):
    """`etl_args` lists the extensions to keep, joined by commas: `jpg,cls`. Default: all files."""

    def transform_stream(self, reader: BinaryIO, path: str, etl_args: str) -> Iterator[bytes]:
        """Copy the wanted members; one member at a time is in memory."""
        wanted = {
            f".{extension.strip().lstrip('.')}" for extension in etl_args.split(",") if extension.strip()
        }
        buffer = io.BytesIO()
        # Nothing is extracted: members are read as bytes and written into another archive.
        with (
            tarfile.open(fileobj=reader, mode="r|*") as source,
            tarfile.open(fileobj=buffer, mode="w|") as kept,
        ):
            for member in source:
                if member.isfile() and (not wanted or PurePosixPath(member.name).suffix in wanted):
                    kept.addfile(member, source.extractfile(member))
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    def get_mime_type(self) -> str:
        """Name the shards' type."""
        return "application/x-tar"
