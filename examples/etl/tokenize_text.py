"""Turns text into lines of token ids, by hashing words into a vocabulary of fixed size: no file to ship.

python examples/offline_transform.py SRC DST --etl examples/etl/tokenize_text.py:TokenizeText
"""

import json
import re
import zlib

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

WORD = re.compile(r"\w+|[^\w\s]")
VOCABULARY = 32_768


class TokenizeText(FastAPIServer):
    """`etl_args` may be `{"vocabulary": N, "lower": true}`."""

    def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
        """Give one JSON list of ids per line of the text."""
        options = json.loads(etl_args or "{}")
        size = int(options.get("vocabulary", VOCABULARY))
        text = data.decode("utf-8", "replace")
        if options.get("lower"):
            text = text.lower()
        lines = (
            [zlib.crc32(word.encode()) % size for word in WORD.findall(line)] for line in text.splitlines()
        )
        return b"".join(json.dumps(ids).encode() + b"\n" for ids in lines)
