"""A bucket listing on the wire: request, page, entry.

A page holds tens of thousands of entries, hence bare structs that `msgspec` fills straight from the bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from requests.structures import CaseInsensitiveDict

from aistore.sdk.const import (
    AIS_ACCESS_TIME,
    AIS_CHECKSUM_VALUE,
    AIS_LOCATION,
    AIS_MIRROR_COPIES,
    AIS_OBJ_NAME,
    AIS_VERSION,
    HEADER_CONTENT_LENGTH,
)
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.models.base import Model
from aistore.wire.archive.unreadable import HEADER_UNREADABLE, parse_unreadable

if TYPE_CHECKING:
    from aistore.sdk.obj.object_props import ObjectProps

# `BucketEntry.f`: status in the low bits (0 is good), then one bit for "in the cluster".
_STATUS_MASK = (1 << 5) - 1
_IN_CLUSTER = 1 << 6


class ListObjectsMsg(Model):
    """What to list: the `value` of a list request."""

    prefix: str
    page_size: int
    uuid: str
    props: str
    continuation_token: str
    flags: list[ListObjectFlag]
    target: str
    start_after: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: the flags as a decimal string, `start_after` only when it is set."""
        wire = {
            "prefix": self.prefix,
            "pagesize": self.page_size,
            "uuid": self.uuid,
            "props": self.props,
            "continuation_token": self.continuation_token,
            "flags": str(ListObjectFlag.join_flags(self.flags)),
            "target": self.target,
        }
        if self.start_after:
            wire["start_after"] = self.start_after
        return wire


class ObjectFactory:
    """Makes the `Object` of an entry when it is first asked for: a page has thousands, programs use few."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make

    def __call__(self, name: str) -> Any:
        """Return the object of this name."""
        return self._make(name)

    def __repr__(self) -> str:
        return "<Object>"

    def __reduce__(self) -> "tuple[type[ObjectFactory], tuple[Callable[[str], Any]]]":
        return ObjectFactory, (self._make,)


class BucketEntry(msgspec.Struct):
    """One listed object. What the request didn't ask for is empty or 0."""

    __module__ = "aistore.sdk.types"  # where pickles for the 2.0.0 package find it

    n: str
    cs: str = ""
    a: str = ""
    v: str = ""
    t: str = ""
    s: int = 0
    c: int = 0
    f: int = 0
    object: Any = None

    @property
    def name(self) -> str:
        """Name of the object; in an archive listing `archive/member`."""
        return self.n

    @property
    def checksum(self) -> str:
        """Value of the checksum."""
        return self.cs

    @property
    def atime(self) -> str:
        """Time of the last access, as the request's time format has it."""
        return self.a

    @property
    def version(self) -> str:
        """Version of the object."""
        return self.v

    @property
    def location(self) -> str:
        """Target and mountpath that hold the object."""
        return self.t

    @property
    def size(self) -> int:
        """Bytes."""
        return self.s

    @property
    def copies(self) -> int:
        """Number of copies."""
        return self.c

    @property
    def flags(self) -> int:
        """Status (low five bits) and flags, as sent."""
        return self.f

    def is_cached(self) -> bool:
        """Return whether the object is in the cluster, not only in the remote bucket."""
        return bool(self.f & _IN_CLUSTER)

    def is_ok(self) -> bool:
        """Return whether the object is where it belongs and whole."""
        return not self.f & _STATUS_MASK

    def generate_object_props(self) -> "ObjectProps":
        """Return the entry's values as object properties."""
        from aistore.sdk.obj.object_props import ObjectProps

        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        headers[AIS_OBJ_NAME] = self.n
        headers[HEADER_CONTENT_LENGTH] = str(self.s)
        for name, value in (
            (AIS_CHECKSUM_VALUE, self.cs),
            (AIS_ACCESS_TIME, self.a),
            (AIS_VERSION, self.v),
            (AIS_LOCATION, self.t),
        ):
            if value:
                headers[name] = value
        if self.c:
            headers[AIS_MIRROR_COPIES] = str(self.c)
        return ObjectProps(headers)


# The field `object` holds an `ObjectFactory` until it is read: the struct's own slot, behind a property.
_object_slot = BucketEntry.__dict__["object"]


def _get_object(entry: BucketEntry) -> Any:
    value = _object_slot.__get__(entry)
    if type(value) is ObjectFactory:
        value = value(entry.n)
        _object_slot.__set__(entry, value)
    return value


BucketEntry.object = property(  # stands in front of the slot
    _get_object, _object_slot.__set__, doc="The `Object` listed."
)


class BucketList(msgspec.Struct):
    """One page of a listing. The fields in capitals have the names that travel.

    Attributes:
        unreadable: Names of archives whose members could not be listed, or not all: damaged or encrypted
            ones. At most 20.
        unreadable_count: Number of all of them.
    """

    __module__ = "aistore.sdk.types"  # where pickles for the 2.0.0 package find it

    UUID: str
    ContinuationToken: str
    Flags: int
    Entries: list[BucketEntry] | None = None
    unreadable: list[str] = []
    unreadable_count: int = 0

    def __iter__(self) -> Iterator[BucketEntry]:
        return iter(self.entries)

    @property
    def uuid(self) -> str:
        """Id of the listing, to be sent with the request for the next page."""
        return self.UUID

    @property
    def continuation_token(self) -> str:
        """Where the next page starts; empty on the last one."""
        return self.ContinuationToken

    @property
    def flags(self) -> int:
        """Flags of the answer."""
        return self.Flags

    @property
    def entries(self) -> list[BucketEntry]:
        """Entries of this page."""
        return self.Entries or []

    def take_headers(self, headers: Mapping[str, str]) -> None:
        """Take what the headers of the response contain.

        Args:
            headers: The headers.
        """
        value = headers.get(HEADER_UNREADABLE)
        if isinstance(value, str):
            self.unreadable, self.unreadable_count = parse_unreadable(value)

    def bind_objects(self, make: Callable[[str], Any]) -> None:
        """Let every entry's `object` be what `make(name)` returns, once it is asked for."""
        factory, bind = ObjectFactory(make), _object_slot.__set__
        for entry in self.entries:
            bind(entry, factory)
