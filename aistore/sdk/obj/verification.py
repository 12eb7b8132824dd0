"""Comparison of the bytes of an object that are read with the checksum that the cluster reports."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from aistore.sdk.errors import ErrChecksumMismatch
from aistore.sdk.obj.identity import ObjectIdentity
from aistore.wire.checksums import ChecksumCheck, is_fast, new_hasher, same_algorithm

if TYPE_CHECKING:
    from aistore.sdk.obj.object_client import ObjectClient
    from aistore.wire.checksums import Buffer

T = TypeVar("T")

logger = logging.getLogger(__name__)


def validation(validate_checksum: bool | None) -> dict[str, Any]:
    """Return the argument of `Object.get_reader`: what stands in for an object in a test need not know it.

    Args:
        validate_checksum: The argument; `None` is not passed on.
    """
    return {} if validate_checksum is None else {"validate_checksum": validate_checksum}


def can_verify(checksum_type: str) -> bool:
    """Return whether checksums of a type are compared without being asked for.

    Args:
        checksum_type: A type of checksum, or "".
    """
    if new_hasher(checksum_type) is None:
        return False
    return is_fast(checksum_type) or _warn_slow(checksum_type)


@cache
def _warn_slow(checksum_type: str) -> bool:
    logger.warning(
        "Objects with a checksum of type %s are not verified: install google-crc32c, with its native part",
        checksum_type,
    )
    return False


class Verifier:
    """Compares the bytes of one read of an object with the checksum in the response.

    Args:
        client: Reads the object.
        required: Whether it is an error when there is no checksum to compare with.
    """

    def __init__(self, client: ObjectClient, *, required: bool) -> None:
        self._client = client
        self._required = required
        self._check: ChecksumCheck | None = None
        self._is_range = self._begun = False

    def begin(self, identity: ObjectIdentity | None, *, is_range: bool = False) -> None:
        """Take the checksum from the first response; further calls do nothing.

        Args:
            identity: The object, as that response has it.
            is_range: Whether it is the response to a range request. Then the checksum may be the range's.
                Default: `False`.

        Raises:
            ErrChecksumMismatch: There is no checksum, and one is required.
        """
        if self._begun:
            return
        self._begun = True
        if self._required and (identity is None or not identity.checksum):
            identity = self._now()
        if identity is None:
            return
        kind, _, value = identity.checksum.partition(":")
        if self._required or (value and identity.as_stored and can_verify(kind)):
            self._check = ChecksumCheck(self._client.path, kind, value)
            self._is_range = is_range

    def update(self, data: Buffer) -> None:
        """Add the next bytes, in the object's order.

        Args:
            data: The bytes.
        """
        if self._check is not None:
            self._check.update(data)

    def finish(self) -> None:
        """Compare.

        Raises:
            ErrChecksumMismatch: The bytes are not those of the checksum.
        """
        if self._check is None:
            return
        try:
            self._check.finish()
        except ErrChecksumMismatch as err:
            if not self._is_range:
                raise
            kind, _, value = self._now().checksum.partition(":")
            # Checksums of ranges are of the bucket's type, that of the object may be of another: then there
            # is nothing to compare with but those of the ranges, which was done.
            if same_algorithm(kind, err.checksum_type) and value.lower() != err.got:
                raise

    def _now(self) -> ObjectIdentity:
        return ObjectIdentity.from_headers(self._client.head())


def compare_content(path: str, fields: Mapping[str, str], content: Buffer) -> None:
    """Compare the bytes of a whole object with the checksum in a response.

    Args:
        path: Path of the object, for the error.
        fields: Header fields of the response, by names in lower case.
        content: The bytes.

    Raises:
        ErrChecksumMismatch: They are not those of the checksum.
    """
    value = fields.get("ais-checksum-value", "")
    kind = fields.get("ais-checksum-type", "")
    if value and can_verify(kind):
        check = ChecksumCheck(path, kind, value)
        check.update(content)
        check.finish()


def read_twice(read: Callable[[], T], may_repeat: Callable[[], bool] = lambda: True) -> T:
    """Read an object, and once more when its bytes are not those of its checksum.

    Args:
        read: Reads and compares.
        may_repeat: Returns whether it can be called again. Default: it can.

    Raises:
        ErrChecksumMismatch: They were not the second time either, or there is no checksum.
    """
    try:
        return read()
    except ErrChecksumMismatch as err:
        if not (err.got and may_repeat()):
            raise
        logger.warning("Reading again: %s", err)
    return read()


def copy_twice(target: Callable[[], AbstractContextManager[BinaryIO]], copy: Callable[[BinaryIO], T]) -> T:
    """Copy an object to a file, and once more when its bytes are not those of its checksum.

    Args:
        target: Opens the file. What is not a regular file has the bytes already: it is written once.
        copy: Copies to the file, and compares.

    Raises:
        ErrChecksumMismatch: They were not the second time either.
    """
    is_regular = True

    def once() -> T:
        nonlocal is_regular
        with target() as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return copy(file)

    return read_twice(once, lambda: is_regular)
