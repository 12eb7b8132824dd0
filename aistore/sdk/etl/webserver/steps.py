"""The steps that the flows are made of: what is to be done, as values; `->` says what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from aistore.sdk.etl.webserver.destinations import DestinationGuard
from aistore.sdk.etl.webserver.exchange import Output, TransformRequest


@dataclass(frozen=True)
class ReadBody:
    """Read the request's body whole -> bytes."""


@dataclass(frozen=True)
class Fetch:
    """Get an object from the target -> bytes, or a `HopAnswer` with an error status."""

    url: str


@dataclass(frozen=True)
class CallTransform:
    """Call the user's `transform` -> what it returned."""

    data: bytes | str
    request: TransformRequest


@dataclass(frozen=True)
class TransformFile:
    """Read a file whole and call the user's `transform` with it -> what that returned.

    One step, because on an event loop each one that blocks costs a change of threads.
    """

    path: str
    request: TransformRequest


@dataclass(frozen=True)
class OpenBody:
    """Open the request's body -> a binary reader."""


@dataclass(frozen=True)
class OpenFile:
    """Open a file -> a binary reader."""

    path: str


@dataclass(frozen=True)
class OpenFetch:
    """Start to get an object from the target -> a binary reader, or a `HopAnswer` with an error status."""

    url: str


@dataclass(frozen=True)
class StartStream:
    """Call `transform_stream` and take the first chunk -> `Output`, whose end closes the reader."""

    reader: Any
    request: TransformRequest


@dataclass(frozen=True)
class CheckDestination:
    """Ask the guard about a URL."""

    guard: DestinationGuard
    url: str


@dataclass(frozen=True)
class Put:
    """Put the result to the next hop -> `(HopAnswer, bytes sent)`.

    Attributes:
        stage: Whether that is another ETL server, which may answer while it is still being sent to.
    """

    url: str
    data: bytes | Output
    headers: dict[str, str]
    stage: bool


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


Step: TypeAlias = (
    ReadBody
    | Fetch
    | CallTransform
    | TransformFile
    | OpenBody
    | OpenFile
    | OpenFetch
    | StartStream
    | CheckDestination
    | Put
    | Pause
)
