"""When a failed request is sent again: a pure decision by cause, method and time.

| cause | sent again | for |
|---|---|---|
| no connection could be made to the endpoint | any method | 5 s |
| no connection within the connect timeout, or to a redirect's target | any method | 30 s |
| the connection broke, or no answer in time | idempotent requests | 30 s |
| 429, 503: refused before it was acted on | any method | 30 s |
| 502, 504 | idempotent requests | 30 s |
| 409 on GET (a cold GET of the same object) | GET | 3 times |
| anything else, 500 included | never | |

Time counts from the first failure to the error that the caller gets. A wait that the server asks for
(`Retry-After`) is honoured when it fits.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, NamedTuple

import requests.exceptions as rex

from aistore.sdk.errors import AISNetworkError, AISProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CONFLICTS = 3


class Budget(NamedTuple):
    """How long and how often a request is tried; all times in seconds.

    Attributes:
        total: From the first failure to the caller's error.
        refused: The same, while no connection to the endpoint can be made.
        first: First pause; each is twice the one before, less a random part of up to a half.
        longest: Longest pause.
    """

    total: float = 30.0
    refused: float = 5.0
    first: float = 0.1
    longest: float = 4.0


class Cause(enum.Enum):
    """Why a request failed, as far as sending it again is concerned."""

    NO_ENDPOINT = "no connection to the endpoint"
    NOT_SENT = "no connection"
    UNCERTAIN = "no answer"
    REFUSED_BUSY = "429 or 503"
    GATEWAY = "502 or 504"
    CONFLICT = "409 on GET"


_STATUS = {429: Cause.REFUSED_BUSY, 503: Cause.REFUSED_BUSY, 502: Cause.GATEWAY, 504: Cause.GATEWAY}
_OBJECT = re.compile(r"(?:[^?]*/)?objects/[^?]")
# Requests that add to what is there: the same one twice is not the same as once.
_ADDING = re.compile(r"[?&](?:append_type|archpath|uploadId)=")
# A transform may be running, although its client has given up.
_TRANSFORMING = re.compile(r"[?&]etl_name=[^&]")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


def is_idempotent(method: str, target: str) -> bool:
    """Tell whether a request may be sent again although the first one may have been acted on.

    Args:
        method: HTTP method, in any case.
        target: Path and query.

    Returns:
        True for GET, HEAD, OPTIONS, DELETE, and for PUT of an object; False for appends, parts of a multipart
        upload (a part sent twice spoils the object), POST, PATCH and PUT of anything else (it may start
        something), and for GET and PUT with an ETL, which may still be at work.
    """
    method = method.upper()
    if method in ("GET", "PUT") and _TRANSFORMING.search(target):
        return False
    if method in _SAFE:
        return True
    return method == "PUT" and _OBJECT.match(target) is not None and not _ADDING.search(target)


def cause_of_error(err: BaseException) -> Cause | None:
    """Classify an error; None is final.

    Args:
        err: What the request raised.
    """
    if isinstance(err, (rex.SSLError, AISProtocolError, rex.TooManyRedirects, rex.UnrewindableBodyError)):
        return None
    if isinstance(err, AISNetworkError):
        if err.may_have_run:
            return Cause.UNCERTAIN
        timed_out = isinstance(err, rex.ConnectTimeout)
        return Cause.NOT_SENT if timed_out or err.redirected else Cause.NO_ENDPOINT
    # A session that a program has put in the place of the transport raises these.
    if isinstance(err, rex.ConnectTimeout):
        return Cause.NOT_SENT
    if isinstance(err, (rex.ConnectionError, rex.Timeout, rex.ChunkedEncodingError)):
        return Cause.UNCERTAIN
    return None


def cause_of_status(status: int, method: str) -> Cause | None:
    """Classify an answer; None is final.

    Args:
        status: HTTP status.
        method: HTTP method, in any case.
    """
    if status == 409 and method.upper() == "GET":
        return Cause.CONFLICT
    return _STATUS.get(status)


def next_pause(
    cause: Cause,
    attempt: int,
    elapsed: float,
    *,
    idempotent: bool,
    retry_after: float | None,
    budget: Budget,
    random: Callable[[], float],
) -> float | None:
    """Decide how long to wait before a request is sent again.

    Args:
        cause: Why it failed.
        attempt: How many times it was sent so far.
        elapsed: Seconds since the first failure.
        idempotent: Whether it may be sent again although it may have been acted on.
        retry_after: Seconds that the server asks for, or None.
        budget: Limits.
        random: Gives a number from 0 to 1.

    Returns:
        Seconds to wait, or None when it is not sent again.
    """
    if not idempotent and cause in (Cause.UNCERTAIN, Cause.GATEWAY):
        return None
    if cause is Cause.CONFLICT and attempt >= MAX_CONFLICTS:
        return None
    pause = min(budget.longest, budget.first * 2 ** min(attempt - 1, 16)) * (1 - random() / 2)
    if retry_after is not None:
        pause = max(pause, retry_after)
    limit = budget.refused if cause is Cause.NO_ENDPOINT else budget.total
    return pause if elapsed + pause < limit else None
