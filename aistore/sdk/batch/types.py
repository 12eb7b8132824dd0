"""What a Get-Batch request and its answer consist of (reference: protocol-ml, Get-Batch)."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.sdk.const import (
    GB_ARCHPATH,
    GB_BCK,
    GB_COLOC,
    GB_CONTINUE_ERR,
    GB_ERR_MSG,
    GB_IN,
    GB_LENGTH,
    GB_OBJNAME,
    GB_ONLY_OBJ_NAME,
    GB_OPAQUE,
    GB_OUT,
    GB_OUTPUT_FMT,
    GB_PROVIDER,
    GB_SIZE,
    GB_START,
    GB_STRM_GET,
    GB_UNAME,
    GB_UUID,
)
from aistore.sdk.models.base import Model

if TYPE_CHECKING:
    from typing_extensions import Self


class _BatchModel(Model):
    def dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the form on the wire: its names, without what is `None`.

        Args:
            *args: Ignored.
            **kwargs: As of `model_dump`. Default: `by_alias=True, exclude_none=True`.
        """
        return self.model_dump(**{"by_alias": True, "exclude_none": True, **kwargs})


class MossIn(_BatchModel, frozen=True, omit_defaults=True):  # type: ignore[misc]  # msgspec allows frozen here
    """One entry of a request: an object, a range of it, or a member of it.

    Attributes:
        obj_name: Name of the object.
        bck: Name of its bucket, when it is not the request's.
        provider: Provider of that bucket.
        uname: Full name of that bucket, ending with `/`; goes before `bck` and `provider`.
        opaque: What the answer is to repeat, in base64.
        archpath: Path of a member, when the object is an archive.
        start: First byte wanted.
        length: How many bytes are wanted; -1: to the end.
    """

    obj_name: str = msgspec.field(name=GB_OBJNAME)
    bck: str | None = msgspec.field(name=GB_BCK, default=None)
    provider: str | None = msgspec.field(name=GB_PROVIDER, default=None)
    uname: str | None = msgspec.field(name=GB_UNAME, default=None)
    opaque: str | None = msgspec.field(name=GB_OPAQUE, default=None)
    archpath: str | None = msgspec.field(name=GB_ARCHPATH, default=None)
    start: int | None = msgspec.field(name=GB_START, default=None)
    length: int | None = msgspec.field(name=GB_LENGTH, default=None)

    def opaque_bytes(self) -> bytes | None:
        """Return `opaque` decoded, or `None`."""
        return _decode_opaque(self.opaque)


class MossOut(_BatchModel):
    """One entry of an answer.

    Attributes:
        obj_name: Name of the object.
        bucket: Name of its bucket.
        provider: Provider of the bucket.
        archpath: Path of the member, when one was asked for.
        opaque: What the request said.
        err_msg: Why there are no bytes; `None` when there are.
        size: Number of bytes.
    """

    obj_name: str = msgspec.field(name=GB_OBJNAME)
    bucket: str = msgspec.field(name=GB_BCK)
    provider: str = msgspec.field(name=GB_PROVIDER)
    archpath: str | None = msgspec.field(name=GB_ARCHPATH, default=None)
    opaque: bytes | None = msgspec.field(name=GB_OPAQUE, default=None)
    err_msg: str | None = msgspec.field(name=GB_ERR_MSG, default=None)
    size: int = msgspec.field(name=GB_SIZE, default=0)

    @property
    def bck(self) -> str:
        """The bucket, by the name that entries of a request have for it: programs pass one for the other."""
        return self.bucket

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Make an instance from a dictionary; `opaque` is base64 when it is text, as on the wire."""
        if isinstance(obj, dict):
            obj = dict(obj)
            for name in {GB_OPAQUE, "opaque"} & obj.keys():
                if isinstance(obj[name], str):
                    obj[name] = _decode_opaque(obj[name])
        return super().model_validate(obj)


class MossReq(_BatchModel):
    """A request.

    Attributes:
        moss_in: Its entries; the answer has them in the same order.
        output_format: Format of the archive (`.tar`, ...).
        cont_on_err: Answer with the other entries when one is missing.
        only_obj_name: Leave the bucket out of the names in the archive.
        streaming_get: Send the archive while it is made; else it comes with a list of its entries.
        colocation: See `Colocation`.
    """

    moss_in: list[MossIn] = msgspec.field(name=GB_IN, default_factory=list)
    output_format: str | None = msgspec.field(name=GB_OUTPUT_FMT, default=None)
    cont_on_err: bool | None = msgspec.field(name=GB_CONTINUE_ERR, default=None)
    only_obj_name: bool | None = msgspec.field(name=GB_ONLY_OBJ_NAME, default=None)
    streaming_get: bool | None = msgspec.field(name=GB_STRM_GET, default=None)
    colocation: int | None = msgspec.field(name=GB_COLOC, default=None)

    def add(self, moss_in: MossIn) -> MossReq:
        """Add an entry.

        Args:
            moss_in: It.
        """
        self.moss_in.append(moss_in)
        return self

    def extend(self, moss_ins: list[MossIn]) -> MossReq:
        """Add entries.

        Args:
            moss_ins: They.
        """
        self.moss_in.extend(moss_ins)
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON body."""
        body = {
            GB_IN: msgspec.to_builtins(self.moss_in) or None,
            GB_OUTPUT_FMT: self.output_format,
            GB_CONTINUE_ERR: self.cont_on_err,
            GB_ONLY_OBJ_NAME: self.only_obj_name,
            GB_STRM_GET: self.streaming_get,
            GB_COLOC: self.colocation,
        }
        return {name: value for name, value in body.items() if value is not None}

    def subset(self, entries: list[MossIn]) -> MossReq:
        """Return the same request for other entries.

        Args:
            entries: They.
        """
        return new_request(
            entries,
            self.output_format,
            self.cont_on_err,
            self.only_obj_name,
            self.streaming_get,
            self.colocation,
        )

    def dict(self, *args: Any, **kwargs: bool) -> dict[str, Any]:
        """Return the JSON body.

        Args:
            *args: Ignored.
            **kwargs: As of `model_dump`, which is called when there are any.
        """
        return super().dict(**kwargs) if kwargs else self.as_dict()


class MossResp(_BatchModel):
    """The list of entries that comes with an archive which is not streamed.

    Attributes:
        out: The entries, in the order of the request.
        uuid: Id of the job.
    """

    out: list[MossOut] = msgspec.field(name=GB_OUT, default_factory=list)
    uuid: str = msgspec.field(name=GB_UUID, default="")


def _decode_opaque(opaque: str | None) -> bytes | None:
    return None if opaque is None else binascii.a2b_base64(opaque)


# Constructors without the checks and conversions of a model, for values that are known to be right: a batch
# has many entries, and these take a tenth of a microsecond each. Arguments are the fields in order.
new_entry: Callable[..., MossIn] = type(msgspec.Struct).__call__.__get__(MossIn)
new_request: Callable[..., MossReq] = type(msgspec.Struct).__call__.__get__(MossReq)
new_result: Callable[..., MossOut] = type(msgspec.Struct).__call__.__get__(MossOut)
