"""What a broken connection raises while a body is read."""

from __future__ import annotations

import requests.exceptions as rex
import urllib3.exceptions as uex

STREAM_ERRORS = (
    rex.ConnectionError,
    rex.ChunkedEncodingError,
    uex.ProtocolError,
    rex.ReadTimeout,
    uex.ReadTimeoutError,
)
