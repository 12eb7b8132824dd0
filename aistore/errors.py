"""Every error of the SDK, in one tree. Programs import them from `aistore.sdk.errors`.

Each class is also the built-in, `requests` or `urllib3` class that programs catch for the same thing
(in brackets). Everything pickles, and no error carries a token.

```
SDKError
├── APIRequestError                     the server answered 4xx or 5xx
│   ├── AISError
│   │   ├── AISRetryableError
│   │   │   ├── ErrObjNotFound          404 [FileNotFoundError]
│   │   │   └── ErrGETConflict          409 on GET
│   │   ├── ErrBckNotFound              404 [FileNotFoundError]
│   │   ├── ErrRemoteBckNotFound        404 [FileNotFoundError]
│   │   ├── ErrETLNotFound              404 [LookupError]
│   │   ├── ErrBckAlreadyExists         409 [FileExistsError]
│   │   ├── ErrETLAlreadyExists         409 [FileExistsError]
│   │   ├── AISUnauthorized             401
│   │   ├── AISForbidden                403 [PermissionError]
│   │   ├── ErrRangeNotSatisfiable      416
│   │   ├── ErrNotSupported             501 [NotImplementedError]
│   │   ├── ErrOutOfSpace               507 [OSError, errno ENOSPC]
│   │   ├── ErrTooManyRequests          429 [requests RetryError]
│   │   └── ErrServerFailure            500, 502, 503, 504 [requests RetryError]
│   │       └── ErrBadChecksum          500, tcode ErrBadCksum
│   └── AuthNError                      aistore.sdk.authn.errors: answers of the AuthN service
├── AISNetworkError                     no usable answer came [requests RequestException]
│   ├── AISConnectionError              [requests ConnectionError, ConnectionError]
│   │   ├── AISConnectionRefused        [ConnectionRefusedError]
│   │   ├── AISConnectTimeout           [requests ConnectTimeout, urllib3 ConnectTimeoutError, TimeoutError]
│   │   ├── AISReadTimeout              [requests ReadTimeout, urllib3 ReadTimeoutError, TimeoutError]
│   │   ├── AISProtocolError            [urllib3 ProtocolError]
│   │   └── AISSSLError                 [requests SSLError]
│   ├── AISChunkedEncodingError         body cut short [requests ChunkedEncodingError, urllib3 ProtocolError]
│   │   ├── ErrRangeMismatch            another range than the requested one
│   │   └── ErrArchiveTruncated         an archive cut short
│   ├── AISTooManyRedirects             [requests TooManyRedirects]
│   └── AISUnrewindableBodyError        [requests UnrewindableBodyError]
├── ErrInvalidResponse                  an answer that cannot be decoded [ValueError]
│   └── ErrArchiveFormat                an archive that is damaged, encrypted or none [RuntimeError]
├── InvalidArgument                     [ValueError]
│   ├── InvalidEndpoint                 [requests InvalidURL]
│   ├── InvalidURLException
│   ├── InvalidBckProvider
│   ├── InvalidObjectRangeIndex
│   └── InvalidPipelineError
├── InvalidArgumentType                 [TypeError]
├── UnsupportedOperation                [NotImplementedError]
├── Timeout                             a wait ended before its condition [TimeoutError]
├── JobInfoNotFound                     [LookupError]
├── NoTargetError                       [LookupError]
├── ErrNoMemory                         an object larger than the memory that can be had [MemoryError]
├── UnexpectedHTTPStatusCode
├── ETLDirectPutTransientError
├── ErrChecksumMismatch                 bytes are not those of the checksum [OSError]
├── ErrNotAFile, ErrPathNotFound, ErrIsADirectory, ...          aistore.fs.errors [OSError, ...]
├── ErrObjectChanged, ObjectFileReader*    aistore.sdk.obj: errors, obj_file.errors
└── MultipartDecodeError, ErrBatch*     aistore.sdk.batch.errors [ValueError, RuntimeError, ...]
```
"""

# ruff: noqa: N818 - the names are those that programs catch

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import requests.exceptions as rex
import urllib3.exceptions as uex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import requests

_OS_FIELDS = ("errno", "strerror", "filename")


def _restore(cls: type[SDKError], args: tuple[Any, ...], state: dict[str, Any]) -> SDKError:
    # Not through __init__: args are what was shown, not what the constructor took.
    err = cls.__new__(cls, *args)
    err.args = args
    for name, value in state.items():
        setattr(err, name, value)
    return err


def _picklable_request(req: Any) -> Any:
    """Keep method, URL and headers of a request, without its body, hooks, cookies or token."""
    if req is None:
        return None
    from requests import PreparedRequest
    from requests.structures import CaseInsensitiveDict

    copy = PreparedRequest()
    copy.method = str(getattr(req, "method", "") or "")
    copy.url = str(getattr(req, "url", "") or "")
    headers = getattr(req, "headers", None) or {}
    pairs = headers.items() if hasattr(headers, "items") else ()
    copy.headers = CaseInsensitiveDict({k: v for k, v in pairs if str(k).lower() != "authorization"})
    return copy


class SDKError(Exception):
    """Base of every error raised by the SDK."""

    def __reduce__(self) -> tuple[Callable[..., SDKError], tuple[Any, ...]]:
        state = dict(self.__dict__)
        for name in ("req", "request"):
            if name in state:
                state[name] = _picklable_request(state[name])
        if "response" in state:  # it may hold a socket
            state["response"] = None
        for name in _OS_FIELDS:
            value = getattr(self, name, None)
            if value is not None and isinstance(self, OSError):
                state[name] = value
        return _restore, (type(self), self.args, state)


# ---------------------------------------------------------------- answers with an error status


class APIRequestError(SDKError):
    """A request that the server answered with status 4xx or 5xx.

    Args:
        status_code: HTTP status.
        message: The server's text: the body, or the `Hdr-Error` header of a HEAD answer.
        req_url: URL of the request.
        req: The request, without its token.

    Attributes:
        tcode: The server's name for the kind of error (`ErrBckNotFound`, ...), or "".
        node: The node that reported it (`t[ID]`, `p[ID]`), or "".
        attempts: How many times the request was sent.
    """

    status_code: int
    message: str
    req_url: str
    req: requests.PreparedRequest | None
    # Set in an OSError's own field by the classes that are one too.
    _errno: int | None = None

    def __init__(
        self, status_code: int, message: str, req_url: str, req: requests.PreparedRequest | None
    ) -> None:
        # `BaseException.__init__`, because a mixin's constructor would take other arguments.
        BaseException.__init__(self, f"STATUS:{status_code}, MESSAGE:{message}, REQ_URL:{req_url}")
        self.status_code = status_code
        self.message = message
        self.req_url = req_url
        self.req = req
        self.tcode = ""
        self.node = ""
        self.attempts = 1
        mixin: Any = self
        if isinstance(mixin, OSError):
            mixin.errno = self._errno
            mixin.strerror = message
        if isinstance(mixin, rex.RequestException):
            mixin.request = req
            mixin.response = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AISError(APIRequestError):
    """An error answer of an AIStore node."""


class AISRetryableError(AISError):
    """An error answer that may change by itself; a custom `network_retry` retries it."""


class ErrObjNotFound(AISRetryableError, FileNotFoundError):
    """The object does not exist."""

    _errno = errno.ENOENT


class ErrGETConflict(AISRetryableError):
    """A GET met a conflicting operation, such as a cold GET of the same object."""


class ErrBckNotFound(AISError, FileNotFoundError):
    """The bucket does not exist in this cluster."""

    _errno = errno.ENOENT


class ErrRemoteBckNotFound(AISError, FileNotFoundError):
    """The bucket does not exist in its backend, or in the remote cluster."""

    _errno = errno.ENOENT


class ErrBckAlreadyExists(AISError, FileExistsError):
    """The bucket exists already."""

    _errno = errno.EEXIST


class ErrETLAlreadyExists(AISError, FileExistsError):
    """An ETL of this name exists already."""

    _errno = errno.EEXIST


class ErrETLNotFound(AISError, LookupError):
    """No ETL of this name is there."""


class AISUnauthorized(AISError):
    """The cluster wants a token, or does not accept the one it got (401)."""


class AISForbidden(AISError, PermissionError):
    """The token, or the bucket's access attributes, do not permit the operation (403)."""

    _errno = errno.EACCES


class ErrRangeNotSatisfiable(AISError):
    """The byte range starts past the end of the object, or is malformed (416)."""


class ErrNotSupported(AISError, NotImplementedError):
    """The cluster does not support the operation (501)."""


class ErrOutOfSpace(AISError, OSError):
    """The cluster is out of space (507)."""

    _errno = errno.ENOSPC


class ErrTooManyRequests(AISError, rex.RetryError):
    """The rate limit was still exceeded at the end of the retry budget (429)."""


class ErrServerFailure(AISError, rex.RetryError):
    """The server failed or is not available (500, 502, 503, 504), also at the end of the retry budget."""


class ErrBadChecksum(ErrServerFailure):
    """The checksum sent with an object is not the one that its bytes have (500, `ErrBadCksum`)."""


# ---------------------------------------------------------------- no usable answer


class AISNetworkError(SDKError, rex.RequestException):
    """A request that got no usable answer.

    Args:
        message: What happened, without secrets.
        method: HTTP method.
        url: URL of the request.

    Attributes:
        attempts: How many times the request was sent.
        may_have_run: False when the server cannot have got the request, so that sending it again is safe.
        redirected: Whether it happened behind a redirect, at another server than the endpoint.
    """

    def __init__(self, message: str, *, method: str = "", url: str = "") -> None:
        BaseException.__init__(self, message)
        self.method = method
        self.url: str | None = url
        self.attempts = 1
        self.may_have_run = True
        self.redirected = False
        self.request = None
        self.response = None

    def __str__(self) -> str:
        where = f"{self.method.upper()} {self.url}: " if self.url else ""
        tail = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{where}{self.args[0] if self.args else ''}{tail}"


class AISConnectionError(AISNetworkError, rex.ConnectionError, ConnectionError):
    """The connection could not be made, or broke."""


class AISConnectionRefused(AISConnectionError, ConnectionRefusedError):
    """Nothing listens at the address."""


class AISConnectTimeout(AISConnectionError, rex.ConnectTimeout, uex.ConnectTimeoutError, TimeoutError):
    """No connection within the connect timeout."""


class AISReadTimeout(AISConnectionError, rex.ReadTimeout, uex.ReadTimeoutError, TimeoutError):
    """The server sent nothing for the read timeout, or took nothing of the body for as long."""

    pool: Any = None


class AISProtocolError(AISConnectionError, uex.ProtocolError):
    """The peer broke the rules of HTTP/1.1; its connection was closed."""


class AISSSLError(AISConnectionError, rex.SSLError):
    """TLS failed: a certificate that is not trusted, a wrong host name, or a peer without TLS."""


class AISChunkedEncodingError(AISNetworkError, rex.ChunkedEncodingError, uex.ProtocolError):
    """The connection ended before the end of the body."""


class ErrRangeMismatch(AISChunkedEncodingError):
    """The response to a request for a byte range is not that range, nor the whole object."""


class ErrArchiveTruncated(AISChunkedEncodingError):
    """An archive that ends in the middle of a member, or before its end marker."""


class AISTooManyRedirects(AISNetworkError, rex.TooManyRedirects):
    """More redirects than the hop cap, or a redirect that leads nowhere."""


class AISUnrewindableBodyError(AISNetworkError, rex.UnrewindableBodyError):
    """A body that cannot be sent a second time had to be."""


class ErrInvalidResponse(SDKError, ValueError):
    """An answer that cannot be decoded into what the call returns.

    Args:
        message: What was wrong.
        method: HTTP method.
        url: URL of the request.
    """

    def __init__(self, message: str, *, method: str = "", url: str = "") -> None:
        where = f"{method.upper()} {url}: " if url else ""
        super().__init__(f"{where}{message}")
        self.method = method
        self.url = url


# ---------------------------------------------------------------- bad input


class ErrArchiveFormat(ErrInvalidResponse, RuntimeError):
    """An archive that is damaged, encrypted or not in the format of its extension."""


class InvalidArgument(SDKError, ValueError):
    """A value that cannot be right; the text names it and what would be."""


class InvalidArgumentType(SDKError, TypeError):
    """A value of the wrong type; the text names it and what would be right."""


class UnsupportedOperation(SDKError, NotImplementedError):
    """Something that this kind of bucket or object cannot do; no request was made."""


class InvalidEndpoint(InvalidArgument, rex.InvalidURL):
    """An endpoint that is not of the form `http://host:port`."""


class InvalidURLException(InvalidArgument):
    """A URL that is not of the form `provider://bucket/object`.

    Args:
        url: The URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(f"Invalid URL: '{url}'. Ensure it follows the format 'provider://bucket/object'.")


class InvalidBckProvider(InvalidArgument):
    """An unknown bucket provider.

    Args:
        provider: What was given.
    """

    def __init__(self, provider: Any) -> None:
        super().__init__(f"Invalid bucket provider: '{provider}'")


class InvalidObjectRangeIndex(InvalidArgument):
    """A range of object names whose indices make no sense.

    Args:
        message: What was wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"Invalid argument provided for object range index: {message}")


class InvalidPipelineError(InvalidArgument):
    """An ETL pipeline that cannot be parsed or used."""


# ---------------------------------------------------------------- the rest


class Timeout(SDKError, TimeoutError):
    """A wait that ended before its condition came true.

    Args:
        action: What was waited for.
        message: More about it.
    """

    def __init__(self, action: str, message: str = "") -> None:
        super().__init__(f"Timed out while waiting for {action}. {message}")


class JobInfoNotFound(SDKError, LookupError):
    """The cluster knows nothing of the job.

    Args:
        message: Which job, and what was asked.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"Job information not found on the cluster: {message}")


# In this order: an instance of the other could not be made from a pickle.
class ErrNoMemory(MemoryError, SDKError):
    """An object that does not fit into memory; it can be read piece by piece."""


class NoTargetError(SDKError, LookupError):
    """The cluster map has no target that can hold an object.

    Args:
        total_nodes: How many targets the map has in all, those in maintenance included.
    """

    def __init__(self, total_nodes: int) -> None:
        super().__init__(f"No available targets in the cluster map. Total nodes: {total_nodes}")


class UnexpectedHTTPStatusCode(SDKError):
    """An answer with a success status, but not one that the call can have.

    Args:
        expected_status_codes: What would have been right.
        received_status_code: What came.
    """

    def __init__(self, expected_status_codes: Iterable[int], received_status_code: int) -> None:
        expected = ", ".join(map(str, expected_status_codes))
        super().__init__(
            "Unexpected status code received. "
            f"Expected one of the following: {expected}, but received: {received_status_code}"
        )


class ErrChecksumMismatch(SDKError, OSError):
    """The bytes of an object are not those of the cluster's checksum, or there is none to compare with.

    Args:
        path: Path of the object.
        checksum_type: Type of the checksum, "" when the cluster sent none.
        expected: The cluster's value.
        got: The value of the bytes that were read or written; "" when it cannot be computed.
    """

    def __init__(self, path: str, checksum_type: str, expected: str, got: str) -> None:
        if got:
            text = f"{path}: {checksum_type} of the bytes is {got}, the cluster has {expected}"
        else:
            text = (
                f"{path}: no checksum to compare with (type {checksum_type or 'none'!r}, value {expected!r})"
            )
        super().__init__(text)
        self.path = path
        self.checksum_type = checksum_type
        self.expected = expected
        self.got = got


class ETLDirectPutTransientError(SDKError):
    """A direct put of an ETL server that failed but may succeed when it is tried again.

    Args:
        url: Where the object was to go; its query, which may have a secret, is not kept.
        cause: What happened.
        bail_without_local_retry: True when the source cannot be replayed: only the cluster can retry.
    """

    url: str
    cause: Exception
    bail_without_local_retry: bool

    def __init__(self, url: str, cause: Exception, bail_without_local_retry: bool = False) -> None:
        path, mark, query = url.partition("?")
        why = str(cause).replace(mark + query, "") if query else str(cause)
        super().__init__(f"direct_put to '{path}' failed with transient error: {type(cause).__name__}({why})")
        self.url = path
        self.cause = cause
        self.bail_without_local_retry = bail_without_local_retry


# Programs know the classes, and pickles name them, by the public module.
for _cls in [
    value for value in globals().values() if isinstance(value, type) and issubclass(value, SDKError)
]:
    _cls.__module__ = "aistore.sdk.errors"
del _cls
