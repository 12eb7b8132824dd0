"""One S3 request as its handlers see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.api.response import Response
from aistore.local.errors import InvalidRequest
from aistore.local.names import check_object_name, make_bck
from aistore.local.s3 import xml
from aistore.local.s3.body import Body
from aistore.local.s3.errors import XML_TYPE, S3Error

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Headers
    from aistore.local.catalog import Bucket
    from aistore.local.names import Bck
    from aistore.local.s3.auth import Grant
    from aistore.local.state import State
    from aistore.local.store import Store


class Call(NamedTuple):
    """A request, its signature where signatures are checked, and what its path names."""

    req: Request
    grant: Grant | None
    bucket_name: str
    key: str

    @property
    def state(self) -> State:
        """The cluster."""
        return self.req.state

    @property
    def store(self) -> Store:
        """Its objects."""
        return self.req.state.store

    def bck(self) -> Bck:
        """The identity of the bucket.

        Raises:
            S3Error: `InvalidBucketName`.
        """
        return find_bck(self.bucket_name)

    def bucket(self) -> Bucket:
        """The bucket.

        Raises:
            BucketNotFound: There is none.
        """
        return self.state.catalog.buckets.get(self.bck())

    def check_key(self) -> None:
        """Refuse names that objects can't have."""
        check_object_name(self.key, allow_trailing_slash=True)

    def body(self) -> Body:
        """The request's body."""
        return Body(self.req, self.grant)

    async def document(self, root: str) -> xml.Element:
        """The XML document in the body.

        Raises:
            S3Error: `MalformedXML`.
        """
        try:
            return xml.parse(await self.body().read(), root)
        except xml.MalformedXml as err:
            raise S3Error("MalformedXML", f"The XML you provided was not well-formed: {err}") from err

    def number(self, parameter: str, default: int, limit: int) -> int:
        """A query parameter that is a number of at least 0; what is above the limit becomes it.

        Raises:
            S3Error: `InvalidArgument`.
        """
        text = self.req.query.get(parameter, "") or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 11):
            raise S3Error(
                "InvalidArgument", f"{parameter}: expecting a number of at least 0, got {text[:40]!r}"
            )
        return min(int(text), limit)


def find_bck(name: str) -> Bck:
    """The identity of a bucket.

    Raises:
        S3Error: `InvalidBucketName`.
    """
    try:
        return make_bck(name)
    except InvalidRequest as err:
        raise S3Error("InvalidBucketName", err.message) from err


def xml_response(root: xml.Markup, *, headers: Headers | None = None) -> Response:
    """An answer in XML."""
    return Response(200, xml.document(root), headers=headers, content_type=XML_TYPE)


def iso_time(nanoseconds: int) -> str:
    """A time as in documents, with milliseconds."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 10**6:03d}Z"
