"""Turn error answers into the errors that programs catch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import requests

from aistore.sdk import errors
from aistore.sdk.errors import (
    AISError,
    APIRequestError,
    ErrBckAlreadyExists,
    ErrBckNotFound,
    ErrETLAlreadyExists,
    ErrETLNotFound,
    ErrGETConflict,
    ErrObjNotFound,
    ErrRemoteBckNotFound,
    InvalidBckProvider,
)
from aistore.sdk.provider import Provider
from aistore.sdk.utils import extract_and_parse_url
from aistore.wire.http1.parse import utf8_text

HEADER_ERROR = "Hdr-Error"
"""Where an error answer to HEAD has its text: it has no body."""

_BY_STATUS: dict[int, type[AISError]] = {
    401: errors.AISUnauthorized,
    403: errors.AISForbidden,
    416: errors.ErrRangeNotSatisfiable,
    429: errors.ErrTooManyRequests,
    500: errors.ErrServerFailure,
    501: errors.ErrNotSupported,
    502: errors.ErrServerFailure,
    503: errors.ErrServerFailure,
    504: errors.ErrServerFailure,
    507: errors.ErrOutOfSpace,
}
# Codes decide only where the text names no bucket or object.
_BY_TCODE: dict[tuple[int, str], type[AISError]] = {
    (404, "ErrBckNotFound"): ErrBckNotFound,
    (404, "ErrRemoteBckNotFound"): ErrRemoteBckNotFound,
    (409, "ErrBucketAlreadyExists"): ErrBckAlreadyExists,
    (500, "ErrBadCksum"): errors.ErrBadChecksum,
}
_ETL_MARK = "etl job"


class ResponseHandler(ABC):
    """Decides what becomes of an answer."""

    @property
    @abstractmethod
    def exc_class(self) -> type[APIRequestError]:
        """Class of errors that are nothing more special."""

    @abstractmethod
    def parse_error(self, r: requests.Response) -> APIRequestError:
        """Make the error of an answer.

        Args:
            r: An answer with status 4xx or 5xx.
        """

    def handle_response(self, r: requests.Response) -> requests.Response:
        """Pass a good answer on.

        Args:
            r: An answer.

        Returns:
            The same, when its status is below 400.

        Raises:
            APIRequestError: What `parse_error` makes of it.
        """
        if isinstance(r.status_code, int) and r.status_code < 400:
            return r
        try:
            r.raise_for_status()
        except requests.HTTPError as err:
            raise describe_error(self.parse_error(r), r) from err
        return r


class AISResponseHandler(ResponseHandler):
    """Answers of AIStore nodes."""

    @property
    def exc_class(self) -> type[AISError]:
        """`AISError`."""
        return AISError

    def parse_error(self, r: requests.Response) -> AISError:
        """Make the error of an answer: by status first, then by what its text names, then by its code.

        Args:
            r: An answer with status 4xx or 5xx.
        """
        text = error_text(r)
        cls = self._classify(r, text) or _BY_STATUS.get(r.status_code, self.exc_class)
        return cls(r.status_code, text, *_where(r))

    @staticmethod
    def _classify(r: requests.Response, text: str) -> type[AISError] | None:
        named = extract_and_parse_url(text)
        is_etl = _ETL_MARK in text.lower()
        if r.status_code == 404:
            if is_etl:
                return ErrETLNotFound
            if named is not None:
                return _not_found(*named)
        elif r.status_code == 409:
            if str(getattr(r.request, "method", "")).upper() == "GET":
                return ErrGETConflict
            if is_etl:
                return ErrETLAlreadyExists
            if named is not None and not named[2]:
                return ErrBckAlreadyExists
        return _BY_TCODE.get((r.status_code, _fields(text).get("tcode", "")))


def _not_found(provider: str, bucket: str, has_object: bool) -> type[AISError]:
    if has_object:
        return ErrObjNotFound
    try:
        remote = Provider.parse(provider).is_remote()
    except InvalidBckProvider:
        remote = False
    return ErrRemoteBckNotFound if remote or "@" in bucket else ErrBckNotFound


def error_text(r: requests.Response) -> str:
    """Return the server's text of an error answer.

    Args:
        r: The answer.

    Returns:
        The body, or the `Hdr-Error` header of an answer without one; "" when it could not be read.
    """
    try:
        text = r.text
    except (errors.SDKError, requests.exceptions.RequestException):
        return ""
    if text:
        # The cluster ends its bodies with a line feed, which would break the text of the error in two.
        return text.rstrip("\n") if isinstance(text, str) else text
    header = r.headers.get(HEADER_ERROR)
    return utf8_text(header) if isinstance(header, str) else ""


def describe_error(err: APIRequestError, r: requests.Response) -> APIRequestError:
    """Fill in what an error answer tells besides its text.

    Args:
        err: The error.
        r: The answer.

    Returns:
        The same error, with `tcode`, `node` and `attempts`.
    """
    fields = _fields(err.message)
    err.tcode = fields.get("tcode", "")
    err.node = fields.get("node", "")
    attempts = getattr(r, "attempts", 1)
    err.attempts = attempts if isinstance(attempts, int) else 1
    return err


def _fields(text: str) -> dict[str, str]:
    if not isinstance(text, str) or not text.startswith("{"):
        return {}
    from aistore.wire.serialization import parse_json  # slow to import, and most programs meet no error

    try:
        decoded = parse_json(text)
    except ValueError:
        return {}
    return {k: v for k, v in decoded.items() if isinstance(v, str)} if isinstance(decoded, dict) else {}


def _where(r: requests.Response) -> tuple[str, Any]:
    request = getattr(r, "request", None)
    return getattr(request, "url", None) or "", request
