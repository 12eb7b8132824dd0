"""What a HEAD answer says about an object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from requests.structures import CaseInsensitiveDict

from aistore.sdk.const import (
    AIS_ACCESS_TIME,
    AIS_CHECKSUM_TYPE,
    AIS_CHECKSUM_VALUE,
    AIS_CHUNKS_COUNT,
    AIS_CHUNKS_MAX_CHUNK_SIZE,
    AIS_CUSTOM_MD,
    AIS_EC_DATA,
    AIS_EC_GENERATION,
    AIS_EC_PARITY,
    AIS_EC_REPLICATED,
    AIS_LOCATION,
    AIS_MIRROR_COPIES,
    AIS_MIRROR_PATHS,
    AIS_PRESENT,
    AIS_VERSION,
    HEADER_CONTENT_LENGTH,
    HEADER_ETAG,
    HEADER_LAST_MODIFIED,
)
from aistore.sdk.transport.response import ResponseHeaders
from aistore.wire.http1.parse import utf8_text


@dataclass
class ECInfo:
    """How an object is erasure coded."""

    generation: int = 0
    data_slices: int = 0
    parity_slices: int = 0
    is_ec_copy: bool = False
    """Whether it is replicated instead, being too small to slice."""


@dataclass
class ChunksInfo:
    """How an object is stored in chunks."""

    chunk_count: int = 0
    max_chunk_size: int = 0
    """Size of the largest chunk in bytes."""


class ObjectAttributes(Mapping[str, str]):
    """Attributes of an object, read from response headers when they are asked for.

    It is also a read-only mapping of the headers themselves, without regard to case:
    `attributes["ais-checksum-value"]`.

    Args:
        response_headers: Headers of a HEAD (or GET) answer.
    """

    def __init__(self, response_headers: CaseInsensitiveDict[str]) -> None:
        self._response_headers = response_headers
        self._fetch_all: Callable[[], CaseInsensitiveDict[str]] | None = None

    # ------------------------------------------------------------ attributes

    @property
    def size(self) -> int:
        """Size of the object in bytes; 0 when the answer does not say."""
        return self._number(HEADER_CONTENT_LENGTH)

    @property
    def checksum_type(self) -> str:
        """Type of the checksum (`xxhash2`, `md5`, ...), or ""."""
        return self._text(AIS_CHECKSUM_TYPE)

    @property
    def checksum_value(self) -> str:
        """Value of the checksum in hex, or ""."""
        return self._text(AIS_CHECKSUM_VALUE)

    @property
    def access_time(self) -> str:
        """Time of the last access in nanoseconds since 1970, or ""."""
        return self._text(AIS_ACCESS_TIME)

    @property
    def obj_version(self) -> str:
        """Version of the object, or ""."""
        return self._text(AIS_VERSION)

    @property
    def location(self) -> str:
        """Target and mountpath that hold the object (`t[ID]:mp[PATH, DISKS]`), or ""."""
        return self._text(AIS_LOCATION)

    @property
    def custom_metadata(self) -> dict[str, str]:
        """Custom metadata; items that are not `key=value` are left out."""
        headers = self._response_headers
        if isinstance(headers, ResponseHeaders):
            # Each pair has a line of its own, so that values may have commas.
            lines = [utf8_text(line) for line in headers.lines(AIS_CUSTOM_MD)]
        else:
            lines = [item.strip() for item in self._text(AIS_CUSTOM_MD).split(",")]
        return {key: value for key, separator, value in (line.partition("=") for line in lines) if separator}

    @property
    def present(self) -> bool:
        """Whether the object is in the cluster."""
        return self._text(AIS_PRESENT).lower() == "true"

    @property
    def mirror_paths(self) -> list[str]:
        """Mountpaths of the object's copies."""
        # `[/a,/b]`, `[/a /b]` or `/a,/b`, depending on how the cluster was asked.
        text = self._text(AIS_MIRROR_PATHS).strip().removeprefix("[").removesuffix("]")
        return text.replace(",", " ").split()

    @property
    def mirror_copies(self) -> int:
        """How many copies the object has; 0 when the answer does not say."""
        return self._number(AIS_MIRROR_COPIES)

    @property
    def ec(self) -> ECInfo | None:
        """Erasure coding, or `None` when the answer does not mention it."""
        names = (AIS_EC_GENERATION, AIS_EC_DATA, AIS_EC_PARITY, AIS_EC_REPLICATED)
        if not any(self._response_headers.get(name) for name in names):
            return None
        return ECInfo(
            generation=self._number(AIS_EC_GENERATION),
            data_slices=self._number(AIS_EC_DATA),
            parity_slices=self._number(AIS_EC_PARITY),
            is_ec_copy=self._text(AIS_EC_REPLICATED).lower() == "true",
        )

    @property
    def chunks(self) -> ChunksInfo | None:
        """Chunks, or `None` when the object is in one piece or the answer does not say."""
        if not any(self._response_headers.get(n) for n in (AIS_CHUNKS_COUNT, AIS_CHUNKS_MAX_CHUNK_SIZE)):
            return None
        return ChunksInfo(self._number(AIS_CHUNKS_COUNT), self._number(AIS_CHUNKS_MAX_CHUNK_SIZE))

    @property
    def last_modified(self) -> str:
        """Time of the last change (RFC 1123), or ""."""
        return self._text(HEADER_LAST_MODIFIED)

    @property
    def etag(self) -> str:
        """ETag without its quotes, or ""."""
        return self._text(HEADER_ETAG).strip('"')

    def _text(self, name: str) -> str:
        return utf8_text(self._response_headers.get(name) or "")

    def _number(self, name: str) -> int:
        try:
            return int(self._response_headers.get(name) or 0)
        except ValueError:
            return 0

    # ------------------------------------------------------------ the mapping of headers

    def complete_with(self, fetch: Callable[[], CaseInsensitiveDict[str]]) -> None:
        """Set what brings the other headers when one of them is looked up.

        Args:
            fetch: Returns all headers.
        """
        self._fetch_all = fetch

    def _all_headers(self) -> CaseInsensitiveDict[str]:
        # Programs that look headers up expect all of them, which a HEAD for some properties does not bring.
        if self._fetch_all is not None:
            fetch, self._fetch_all = self._fetch_all, None
            merged = fetch()
            merged.update(self._response_headers.items())
            self._response_headers = merged
        return self._response_headers

    def __getitem__(self, name: str) -> str:
        if name in self._response_headers:
            return self._response_headers[name]
        return self._all_headers()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all_headers())

    def __len__(self) -> int:
        return len(self._all_headers())

    def __bool__(self) -> bool:
        return True

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._response_headers)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fetch_all": None}


def __getattr__(name: str) -> Any:
    if name == "ObjectAttributesV2":
        warnings.warn(
            "ObjectAttributesV2 is deprecated: use ObjectAttributes, which has its properties",
            DeprecationWarning,
            stacklevel=2,
        )
        return ObjectAttributes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
