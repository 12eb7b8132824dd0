"""Turns each object into a JSON record of its size and SHA-256, without holding the object in memory.

python examples/offline_transform.py SRC DST --etl examples/etl/sha256_record.py:Sha256Record
"""

import hashlib
import json
from collections.abc import Iterator
from typing import BinaryIO

from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer


class Sha256Record(HTTPMultiThreadedServer):
    """`etl_args` may name another algorithm of `hashlib`."""

    def transform_stream(self, reader: BinaryIO, path: str, etl_args: str) -> Iterator[bytes]:
        """Read the object in pieces and give one record."""
        algorithm = etl_args or "sha256"
        digest, size = hashlib.new(algorithm), 0
        while piece := reader.read(1 << 20):
            digest.update(piece)
            size += len(piece)
        yield json.dumps({"path": path, "size": size, algorithm: digest.hexdigest()}).encode()

    def get_mime_type(self) -> str:
        """Name the records' type."""
        return "application/json"
