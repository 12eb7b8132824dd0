"""Reading many objects in order: small ones with Get-Batch, the others, and what it cannot read, with GET."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from aistore.sdk.archive_config import ArchiveConfig
from aistore.sdk.batch.batch import Batch
from aistore.sdk.batch.errors import ErrBatchFormat, ErrBatchIncomplete
from aistore.sdk.const import MIB
from aistore.sdk.errors import AISReadTimeout, APIRequestError, ErrObjNotFound
from aistore.sdk.obj.object import Object
from aistore.sdk.obj.verification import validation
from aistore.wire.names import is_utf8

if TYPE_CHECKING:
    from aistore.sdk.etl.etl_config import ETLConfig

logger = logging.getLogger(__name__)

# Get-Batch saves a round trip for each object, and sends its bytes through one target more.
_LARGE = MIB
# How full names of buckets begin that are the cluster's own, not a cloud's or another cluster's.
_OWN = "ais/@#"


class Wanted(NamedTuple):
    """What is to be read.

    Attributes:
        obj: The object.
        archpath: Path of a member, when the object is an archive; else "".
        etl: Transforms it on the way.
    """

    obj: Object
    archpath: str = ""
    etl: ETLConfig | None = None


class Fetched(NamedTuple):
    """What was read.

    Attributes:
        wanted: What was asked for.
        content: Its bytes.
        error: Why there are none: it does not exist.
    """

    wanted: Wanted
    content: bytes
    error: ErrObjNotFound | None = None


class Fetcher:
    """Reads objects in order. Several threads may read different groups at a time.

    Get-Batch reads only what the cluster has itself: objects of remote buckets are read with GET, and so is
    everything on a cluster without Get-Batch, once it has said so.

    Args:
        max_batch_size: Objects in one Get-Batch. 1: always GET.
        validate_checksum: As `Object.get_reader` takes it, for GETs. Default: `None`.
    """

    def __init__(self, max_batch_size: int, validate_checksum: bool | None = None) -> None:
        self._max_batch_size = max_batch_size
        self._validation = validation(validate_checksum)
        self._has_get_batch = True

    def split(self, wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
        """Yield what is wanted in groups that are read with one request each, in the order given.

        Args:
            wanted: What is to be read.
        """
        group: list[Wanted] = []
        for item in wanted:
            if not (self._has_get_batch and self._max_batch_size > 1 and _suits_get_batch(item)):
                if group:
                    yield group
                    group = []
                yield [item]
                continue
            if group and (len(group) >= self._max_batch_size or group[0].obj.client is not item.obj.client):
                yield group
                group = []
            group.append(item)
        if group:
            yield group

    def read(self, group: list[Wanted]) -> Generator[Fetched, None, None]:
        """Yield the contents of a group, as they arrive. What does not exist has an error in its place.

        Args:
            group: One that `split` made.
        """
        with closing(self._read_batch(group)) as contents:
            for wanted in group:
                content = next(contents, None)
                if content is not None:
                    yield Fetched(wanted, content)
                    continue
                try:
                    content = self._get(wanted)
                except ErrObjNotFound as err:
                    yield Fetched(wanted, b"", err)
                    continue
                if len(group) > 1:
                    self._has_get_batch = False  # it is there, and Get-Batch does not see it
                yield Fetched(wanted, content)

    def _read_batch(self, group: list[Wanted]) -> Generator[bytes | None, None, None]:
        """Yield what Get-Batch reads of a group, `None` for what it misses; ends early when it fails."""
        if len(group) < 2 or not self._has_get_batch:
            return
        batch = Batch(group[0].obj.client, cont_on_err=True)
        for wanted in group:
            batch.add(wanted.obj, archpath=wanted.archpath or None)
        try:
            with batch.get() as results:
                for info, content in results:
                    yield None if info.err_msg else content
        except (APIRequestError, AISReadTimeout, ErrBatchFormat, ErrBatchIncomplete) as err:
            logger.debug("Get-Batch failed, reading with GET: %s", err)

    def _get(self, wanted: Wanted) -> bytes:
        obj, archpath, etl = wanted
        if not archpath:
            return obj.get_reader(etl=etl, **self._validation).read_all()
        return obj.get_reader(archive_config=ArchiveConfig(archpath=archpath), etl=etl).read_all()


def _suits_get_batch(wanted: Wanted) -> bool:
    obj = wanted.obj
    # Exactly an Object: what stands in for one in a program's tests has no address to ask a cluster for.
    if wanted.etl is not None or type(obj) is not Object or not obj.bucket_path.startswith(_OWN):
        return False
    # A cluster replaces bytes of a request that are not UTF-8.
    if not (is_utf8(obj.name) and is_utf8(wanted.archpath)):
        return False
    size = None if wanted.archpath else obj.size_cached
    return size is None or size < _LARGE
