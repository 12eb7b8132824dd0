"""Comparison of the bytes of an object that are written with the checksum that the cluster reports."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aistore.sdk.const import (
    HEADER_BUCKET_PROPS,
    HTTP_METHOD_HEAD,
    QPARAM_ARCHPATH,
    QPARAM_ETL_NAME,
    QPARAM_MPT_UPLOAD_ID,
    QPARAM_NAMESPACE,
    QPARAM_OBJ_APPEND,
    QPARAM_OBJ_TO,
    QPARAM_PROPS,
    QPARAM_PROVIDER,
    URL_PATH_BUCKETS,
)
from aistore.sdk.errors import ErrChecksumMismatch, SDKError
from aistore.sdk.obj.verification import can_verify
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.response import Response
from aistore.wire.checksums import DEFAULT_TYPE, PartSums, any_hasher, new_hasher, same_algorithm

if TYPE_CHECKING:
    import requests

    from aistore.sdk.request_client import RequestClient
    from aistore.wire.checksums import Hasher

logger = logging.getLogger(__name__)

# The response to such a PUT has no checksum of the body.
_OTHER_PUTS = frozenset(
    {QPARAM_ARCHPATH, QPARAM_OBJ_APPEND, QPARAM_OBJ_TO, QPARAM_ETL_NAME, QPARAM_MPT_UPLOAD_ID}
)

Params = Mapping[str, Any]


def validates(client: Any) -> bool:
    """Return whether a client compares what it writes; a mock in the place of a client does not.

    Args:
        client: The client.
    """
    return getattr(client, "validate_checksum", False) is True


def is_plain_put(params: Params) -> bool:
    """Return whether a PUT with these parameters stores its body, and nothing else, as the object.

    Args:
        params: Its query parameters.
    """
    return _OTHER_PUTS.isdisjoint(params)


class PutCheck:
    """Compares the bytes of a PUT, summed on their way, with the checksum in its response.

    The checksum is of the bucket's type, which a client learns from responses. A body in memory is summed
    when the type is known. A file is summed on its way with the type of its bucket, or of most buckets, and
    read again where that was wrong. A stream cannot be read again: the bucket is asked before.

    Args:
        client: Sends the request.
        path: Path of the object.
        params: Query parameters of the request.
        body: Its body.

    Attributes:
        data: What to send as the body.
    """

    def __init__(self, client: RequestClient, path: str, params: Params, body: Any) -> None:
        self._client = client
        self._path = path
        self._params = params
        self._type = ""
        self._hasher: Hasher | None = None
        self.data = body
        if not isinstance(body, (bytes, bytearray, memoryview)):
            self.data = data = Body(body)
            if data.view is None:
                known = client.checksum_types.get(_bucket_key(path, params))
                if known is None:
                    known = DEFAULT_TYPE if data.can_rewind else bucket_type(client, path, params)
                self._type = known
                if new_hasher(known) is not None:
                    data.sum_with(self._begin)

    def compare(self, response: requests.Response) -> None:
        """Compare.

        Args:
            response: The response.

        Raises:
            ErrChecksumMismatch: The cluster has other bytes than those that were sent.
        """
        if type(response) is not Response:
            return
        kind = response.fields.get("ais-checksum-type", "")
        value = response.fields.get("ais-checksum-value", "")
        if value and can_verify(kind):
            self._client.checksum_types[_bucket_key(self._path, self._params)] = kind
            got = self._sum(kind)
            if got and got != value.lower():
                raise ErrChecksumMismatch(self._path, kind, value, got)

    def _sum(self, kind: str) -> str:
        """Return the checksum of what was sent, "" where it cannot be computed any more."""
        view = self.data.view if isinstance(self.data, Body) else self.data
        if view is not None:
            hasher = any_hasher(kind)
            hasher.update(view)
            return hasher.hexdigest()
        if self._hasher is None or not same_algorithm(kind, self._type):
            if not self.data.can_rewind:
                return ""
            self._type = kind
            self.data.rewind()
            self.data.sum_with(self._begin)
            for _ in self.data.chunks():
                pass
        return "" if self._hasher is None else self._hasher.hexdigest()

    def _begin(self) -> Hasher:
        self._hasher = any_hasher(self._type)
        return self._hasher


def bucket_type(client: RequestClient, path: str, params: Params) -> str:
    """Return the type of checksums of an object's bucket; a client asks once for each bucket.

    Args:
        client: The client.
        path: Path of the object.
        params: Query parameters that identify the bucket besides its name.
    """
    key = _bucket_key(path, params)
    if key not in client.checksum_types:
        names = {name: params[name] for name in (QPARAM_PROVIDER, QPARAM_NAMESPACE) if name in params}
        try:
            response = client.request(HTTP_METHOD_HEAD, path=f"{URL_PATH_BUCKETS}/{key[0]}", params=names)
        except SDKError as err:
            # A token may permit to write and not to look at the bucket.
            logger.debug("Cannot get the type of checksums of bucket %s: %s", key[0], err)
            return DEFAULT_TYPE
        client.checksum_types[key] = checksum_type_of(response.headers)
    return client.checksum_types[key]


def checksum_type_of(headers: Mapping[str, str]) -> str:
    """Return the type of checksums of a bucket: that which the objects written from now on have.

    Args:
        headers: Headers that describe the bucket.
    """
    from aistore.wire.serialization import parse_json  # slow to import

    try:
        return str(parse_json(headers.get(HEADER_BUCKET_PROPS, "{}"))["checksum"]["type"])
    except (ValueError, KeyError, TypeError):
        return "none"


def _bucket_key(path: str, params: Params) -> tuple[str, ...]:
    name = path.split("/", 2)[1]
    return name, str(params.get(QPARAM_PROVIDER, "")), str(params.get(QPARAM_NAMESPACE, ""))


def compare_parts(client: RequestClient, path: str, params: Params, sums: PartSums) -> None:
    """Compare an object that was uploaded in parts with the checksum that the cluster has now (HEAD).

    Args:
        client: Sends the request.
        path: Path of the object.
        params: Query parameters that identify the bucket besides its name.
        sums: Checksums of the parts.

    Raises:
        ErrChecksumMismatch: The cluster has other bytes than those that were sent.
    """
    try:
        response = client.request(HTTP_METHOD_HEAD, path=path, params={**params, QPARAM_PROPS: "checksum"})
    except SDKError as err:
        logger.warning("Cannot compare %s with its checksum: %s", path, err)
        return
    if type(response) is not Response:
        return
    fields = response.fields
    kind, value = fields.get("ais-checksum-type", ""), fields.get("ais-checksum-value", "")
    # An object of another size has been written since.
    if not value or fields.get("content-length", "0") != str(sums.size):
        return
    got = sums.value(kind)
    if got and got != value.lower():
        raise ErrChecksumMismatch(path, kind, value, got)
