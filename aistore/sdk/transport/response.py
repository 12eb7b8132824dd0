"""An answer as a `requests.Response`, made at the cost of the few fields that a call looks at."""

from __future__ import annotations

import codecs
import datetime as dt
import functools
import io
from typing import TYPE_CHECKING, Any

import requests
from requests.structures import CaseInsensitiveDict

from aistore.errors import AISProtocolError
from aistore.wire.http1.content_encoding import decode, is_coded
from aistore.wire.http1.parse import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aistore.sdk.transport.stream import BodyReader
    from aistore.wire.http1.parse import ResponseHead


ERROR_BODY = 1 << 20
"""The most bytes of the body of an error that are kept: what a peer sends must not fill the memory."""

# Codecs of Python that are no character sets, and raise whatever they are told about errors.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})


@functools.lru_cache(maxsize=64)
def _is_charset(name: str) -> bool:
    try:
        return codecs.lookup(name).name.replace("-", "_") not in _NO_CHARSETS
    except (LookupError, ValueError):
        return False


class Sent:
    """What was sent, as far as errors and `Response.request` tell it: never the token, never the body.

    Args:
        method: Upper-case method.
        url: URL.
        headers: The caller's header fields.
    """

    __slots__ = ("headers", "method", "url")

    def __init__(self, method: str, url: str, headers: dict[str, Any] | None = None) -> None:
        self.method = method
        self.url = url
        self.headers = headers

    def prepared(self) -> requests.PreparedRequest:
        """Make the `requests` form of it."""
        req = requests.PreparedRequest()
        req.method = self.method
        req.url = self.url
        fields = {k: str(v) for k, v in (self.headers or {}).items() if k.lower() != "authorization"}
        req.headers = CaseInsensitiveDict(fields)
        return req


class ResponseHeaders(CaseInsensitiveDict[str]):
    """Headers of a response; values of repeated ones are joined by ", ".

    Args:
        head: Head of the response.
    """

    def __init__(self, head: ResponseHead) -> None:
        names = {name.lower(): name for name, _ in head.pairs}
        super().__init__({names[key]: value for key, value in head.fields.items()})
        self._pairs = head.pairs

    def lines(self, name: str) -> list[str]:
        """Return the values of a header, one a line; of one that was set since, its value.

        Args:
            name: Name of the header, in any case.
        """
        key = name.lower()
        values = [value for one, value in self._pairs if one.lower() == key]
        present: str = self.get(name, "")
        return values if ", ".join(values) == present else [present]

    def copy(self) -> CaseInsensitiveDict[str]:
        """Return the joined values as a mapping of their own."""
        return CaseInsensitiveDict(self.items())


class Response(requests.Response):
    """A `requests.Response` whose costly parts are made when they are asked for.

    Args:
        head: Head of the response.
        url: URL that gave it, after redirects.
        sent: The request.
        raw: Body as it arrives, for a streamed call.
        content: The whole body otherwise, still with its content coding.
        elapsed: Seconds from sending to the head.
        hops: Heads and URLs of the redirects before.
    """

    def __init__(
        self,
        head: ResponseHead,
        url: str,
        sent: Sent,
        raw: BodyReader | None,
        content: bytes,
        elapsed: float,
        hops: tuple[tuple[ResponseHead, str], ...] = (),
    ) -> None:
        # Not the constructor of the base class: it makes a cookie jar, a header mapping and more per answer.
        self.status_code = head.status
        self.url = url
        self._head = head
        self._sent = sent
        self._reader = raw
        self._body: bytes | None = None if raw is not None else content
        self._decoded = raw is not None or not is_coded(head.fields.get("content-encoding"))
        self._seconds = elapsed
        self._hops = hops
        self.attempts = 1

    @property
    def reason(self) -> str:  # type: ignore[override]
        """Reason phrase."""
        return self._head.reason

    def raise_for_status(self) -> None:
        """Raise an error for a status of 4xx or 5xx.

        Raises:
            requests.HTTPError: It is one.
        """
        if self.status_code >= 400:
            super().raise_for_status()

    @property
    def headers(self) -> CaseInsensitiveDict[str]:
        """Header fields; values of repeated ones are joined by ", "."""
        made = self.__dict__.get("_headers")
        if made is None:
            made = self.__dict__["_headers"] = ResponseHeaders(self._head)
        return made

    @headers.setter
    def headers(self, value: CaseInsensitiveDict[str]) -> None:
        self.__dict__["_headers"] = value

    @property
    def fields(self) -> Mapping[str, str]:
        """Header fields by names in lower case, without the cost of `headers`."""
        made = self.__dict__.get("_headers")
        return self._head.fields if made is None else {name.lower(): value for name, value in made.items()}

    @property
    def raw(self) -> Any:  # type: ignore[override]
        """The body as it arrives (`BodyReader`), or what was read of it already."""
        if self._reader is None:
            return io.BytesIO(self._body or b"")
        return self._reader

    @property
    def request(self) -> requests.PreparedRequest:  # type: ignore[override]
        """The request, without token and body."""
        made = self.__dict__.get("_request")
        if made is None:
            made = self.__dict__["_request"] = self._sent.prepared()
        return made

    @property
    def elapsed(self) -> dt.timedelta:  # type: ignore[override]
        """Time from sending to the head of the answer."""
        return dt.timedelta(seconds=self._seconds)

    @property
    def history(self) -> list[requests.Response]:  # type: ignore[override]
        """The redirects that led here."""
        return [Response(head, url, self._sent, None, b"", 0.0) for head, url in self._hops]

    @property
    def cookies(self) -> Any:  # type: ignore[override]
        """An empty jar: the SDK has no cookies."""
        return requests.cookies.RequestsCookieJar()

    @property
    def encoding(self) -> str | None:
        """Character set that the answer states."""
        if "_encoding" in self.__dict__:
            return str(self.__dict__["_encoding"])
        try:
            name = requests.utils.get_encoding_from_headers(self.headers)
        except AttributeError:  # of a `charset` without a value
            return None
        return name if name is None or _is_charset(name) else None

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self.__dict__["_encoding"] = value

    @property
    def content(self) -> bytes:
        """The whole body, content coding undone; of an error the first `ERROR_BODY` bytes."""
        is_error = self._head.status >= 400
        if self._body is None:
            assert self._reader is not None
            if self._reader.tell():
                raise RuntimeError("The content for this response was already consumed")
            if is_error:
                with self._reader:
                    self._body = self._reader.read(ERROR_BODY)
                self._decoded = not is_coded(self._head.fields.get("content-encoding"))
            else:
                self._body = self._reader.read(decode_content=True)
                self._decoded = True
        if not self._decoded:
            try:
                decoded = bytearray()
                for piece in decode([self._body], self._head.fields["content-encoding"]):
                    decoded += piece
                    if is_error and len(decoded) >= ERROR_BODY:
                        break
                self._body = bytes(decoded)
            except MalformedMessageError as err:
                raise AISProtocolError(str(err), method=self._sent.method, url=self._sent.url) from err
            self._decoded = True
        return self._body

    @property
    def text(self) -> str:
        """The whole body as text: in the stated character set, else UTF-8."""
        if self.encoding is None:
            try:
                return self.content.decode("utf-8")
            except UnicodeDecodeError:
                pass
        # The base class looks the body up in its own field.
        self._content = self.content
        return super().text

    def json(self, **kwargs: Any) -> Any:
        """Decode the whole body as JSON.

        Args:
            **kwargs: Passed to `json.loads`.

        Raises:
            requests.exceptions.JSONDecodeError: When it is not JSON.
        """
        if not kwargs:
            from aistore.wire.serialization import parse_json  # slow to import, and mostly not needed

            try:
                return parse_json(self.content)
            except ValueError:
                pass  # the standard decoder accepts more, and names what is wrong as programs expect
        self._content = self.content
        try:
            return super().json(**kwargs)
        except requests.exceptions.JSONDecodeError:
            raise
        except (RecursionError, ValueError) as err:  # nested too deeply, or a number of thousands of digits
            raise requests.exceptions.JSONDecodeError(str(err), "", 0) from None

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        """Read the body piece by piece.

        Args:
            chunk_size: Size of a piece in bytes; None for pieces as they arrive.
            decode_unicode: Yield text instead of bytes.

        Yields:
            Pieces, never empty.
        """
        pieces = self._pieces(chunk_size)
        if decode_unicode:
            self._content_consumed = True
            decoder: Any = requests.utils.stream_decode_response_unicode
            pieces = decoder(pieces, self)
        return pieces

    def _pieces(self, chunk_size: int | None) -> Iterator[Any]:
        if chunk_size is not None and not isinstance(chunk_size, int):
            raise TypeError(f"chunk_size must be an int, it is instead a {type(chunk_size)}.")
        if self._body is None and self._reader is not None:
            yield from self._reader.stream(chunk_size, decode_content=True)
            return
        data = self.content
        size = chunk_size or len(data) or 1
        for pos in range(0, len(data), size):
            yield data[pos : pos + size]

    def close(self) -> None:
        """Give up the connection of a streamed call."""
        if self._reader is not None:
            self._reader.close()

    def __getstate__(self) -> dict[str, Any]:
        state = requests.Response()
        state._content = self.content  # noqa: SLF001 - the fields that a pickled response consists of
        state.status_code, state.reason, state.url = self.status_code, self.reason, self.url
        state.headers, state.encoding, state.elapsed = self.headers.copy(), self.encoding, self.elapsed
        return {name: getattr(state, name) for name in requests.Response.__attrs__}

    def __reduce__(self) -> tuple[Any, ...]:
        return requests.Response, (), self.__getstate__()
