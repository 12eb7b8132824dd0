"""The requests that reading one object takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from aistore.sdk.const import (
    HEADER_CONTENT_LENGTH,
    HEADER_OBJECT_BLOB_CHUNK_SIZE,
    HEADER_OBJECT_BLOB_DOWNLOAD,
    HEADER_OBJECT_BLOB_WORKERS,
    HEADER_RANGE,
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    QPARAM_ARCHMODE,
    QPARAM_ARCHPATH,
    QPARAM_ARCHREGX,
    QPARAM_ETL_NAME,
    QPARAM_ETL_PIPELINE,
    QPARAM_PROPS,
)
from aistore.sdk.errors import ErrInvalidResponse, ErrObjNotFound
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.object_attributes import ObjectAttributes
from aistore.sdk.transport.response import Response
from aistore.wire.ranges import EVERYTHING, Bounds, format_byte_range, rest_of

if TYPE_CHECKING:
    import requests

    from aistore.sdk.request_client import RequestClient

T = TypeVar("T")

DEFAULT_PROPS = "name,size"
READER_PROPS = "checksum,atime,version,custom"

# The bytes of these reads are made on the way: a range of them means nothing to the cluster.
_MADE_ON_THE_WAY = {
    QPARAM_ARCHPATH,
    QPARAM_ARCHREGX,
    QPARAM_ARCHMODE,
    QPARAM_ETL_NAME,
    QPARAM_ETL_PIPELINE,
}

_BLOB_HEADERS = (HEADER_OBJECT_BLOB_DOWNLOAD, HEADER_OBJECT_BLOB_CHUNK_SIZE, HEADER_OBJECT_BLOB_WORKERS)


def check_length(response: requests.Response) -> None:
    """Refuse the response to a HEAD that does not tell the size: it must not be taken for 0.

    Args:
        response: The response; of a replaced session or a mock, it counts as it is.

    Raises:
        ErrInvalidResponse: It has no `Content-Length`.
    """
    if type(response) is Response and "content-length" not in response.fields:
        raise ErrInvalidResponse(
            "no Content-Length: expected the size of the object", method="HEAD", url=response.url
        )


class ObjectClient:
    """Reads one object, in the way that its query parameters and headers say.

    Args:
        request_client: Sends the requests.
        path: Path of the object below `/v1/`.
        params: Query parameters of every request.
        headers: Headers of every GET. Default: none.
        byte_range: First and last byte wanted (inclusive). Default: all.
        uname: Full name of the object, to send GETs straight to the target that owns it.
            Default: `None`, through the proxy.
    """

    def __init__(
        self,
        request_client: RequestClient,
        path: str,
        params: dict[str, str],
        headers: dict[str, str] | None = None,
        byte_range: Bounds | None = EVERYTHING,
        uname: str | None = None,
    ) -> None:
        self._request_client = request_client
        self._path = path
        self._params = params
        self._headers = headers or {}
        self._byte_range: Bounds = byte_range or EVERYTHING
        self._uname = uname
        self._target_client: RequestClient | None = None

    @property
    def path(self) -> str:
        """Path of the object below `/v1/`."""
        return self._path

    @property
    def validates(self) -> bool:
        """Whether the client compares checksums unless a reader says otherwise."""
        return getattr(self._request_client, "validate_checksum", False) is True

    @property
    def bounds(self) -> Bounds:
        """First and last byte wanted, inclusive."""
        return self._byte_range

    @property
    def is_whole_object(self) -> bool:
        """Whether a GET returns the stored bytes from first to last."""
        return self._byte_range == EVERYTHING and not self._is_made_on_the_way()

    def get(self, stream: bool, offset: int | None = None) -> requests.Response:
        """Read the object, or the rest of it.

        Args:
            stream: Return as soon as the answer's headers are here; the caller closes the response.
            offset: How many bytes, of those that this client reads, to leave out at the start.
                Default: `None`, none.

        Raises:
            ErrObjNotFound: The object does not exist.
        """
        headers = dict(self._headers)
        if offset:
            headers[HEADER_RANGE] = format_byte_range(rest_of(self._byte_range, offset))
        response = self._get(headers, stream=stream)
        if HEADER_OBJECT_BLOB_DOWNLOAD in headers and response.headers.get(HEADER_CONTENT_LENGTH) == "0":
            # A blob download of an object that is in the cluster already is answered with nothing.
            response.close()
            headers = {name: value for name, value in headers.items() if name not in _BLOB_HEADERS}
            response = self._get(headers, stream=stream)
        return response

    def get_chunk(self, start: int, end: int) -> requests.Response:
        """Read bytes `start` to `end` (exclusive) of the stored object as a stream that the caller closes.

        Args:
            start: First byte.
            end: The byte after the last.
        """
        return self._get({**self._headers, HEADER_RANGE: format_byte_range((start, end - 1))}, stream=True)

    def head(self, props: str = READER_PROPS) -> ObjectAttributes:
        """Return the object's attributes.

        Args:
            props: Which ones, separated by commas. Default: checksum, access time, version and custom
                metadata. Empty: name and size.
        """
        params = {**self._params, QPARAM_PROPS: props or DEFAULT_PROPS}
        response = self._send(lambda client: client.request(HTTP_METHOD_HEAD, path=self._path, params=params))
        check_length(response)
        return ObjectAttributes(response.headers)

    def head_v2(self, props: str = "") -> ObjectAttributes:
        """Return `head(props)`, which replaces this method.

        Args:
            props: Which attributes, separated by commas. Default: name and size.
        """
        warnings.warn("head_v2() is deprecated: use head()", DeprecationWarning, stacklevel=2)
        return self.head(props)

    def can_get_at_offset(self) -> bool:
        """Return whether `get` with an offset is sure to return the object's bytes from there on.

        It is not when the bytes are made on the way (archives, ETL), when the range counts from the end, and
        when the object is not in the cluster (asked by a HEAD).
        """
        return self.offset_attributes() is not None

    def offset_attributes(self) -> ObjectAttributes | None:
        """Return the object's attributes now if `can_get_at_offset`, else `None`."""
        start, end = self._byte_range
        if self._is_made_on_the_way() or (start is None and end is not None):
            return None
        attributes = self.head()
        return attributes if attributes.present else None

    def _is_made_on_the_way(self) -> bool:
        given = _MADE_ON_THE_WAY & self._params.keys()
        return bool(given) and any(self._params[name] for name in given)

    def _get(self, headers: dict[str, str], *, stream: bool) -> requests.Response:
        limits: dict[str, Any] = {}
        if self._params.get(QPARAM_ETL_NAME):
            from aistore.sdk.etl.inline_timeout import inline_timeout

            limits = inline_timeout(self._request_client, self._params)
        response = self._send(
            lambda client: client.request(
                HTTP_METHOD_GET,
                path=self._path,
                params=self._params,
                stream=stream,
                headers=headers,
                **limits,
            )
        )
        # A client of a program's own may leave that to its caller.
        response.raise_for_status()
        return response

    def _send(self, request: Callable[[RequestClient], T]) -> T:
        if self._uname is None:
            return request(self._request_client)
        try:
            return request(self._owner())
        except ErrObjNotFound:
            # The map may be old: the object may have moved with a node that joined or left.
            return request(self._owner(refresh=True))

    def _owner(self, refresh: bool = False) -> RequestClient:
        if self._target_client is None or refresh:
            assert self._uname is not None
            smap = self._request_client.get_smap(refresh)
            target = smap.get_target_for_object(self._uname)
            if target.public_net is None:
                raise ErrInvalidResponse(
                    f"target {target.daemon_id} has no public address in the cluster map"
                )
            self._target_client = self._request_client.clone(base_url=target.public_net.direct_url)
        return self._target_client


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "requests")
