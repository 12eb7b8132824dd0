"""A dataset of the samples in tar shards."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from io import BufferedIOBase, BytesIO
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from aistore.pytorch.base_iter_dataset import AISBaseIterDataset
from aistore.pytorch.errors import ErrNotATar
from aistore.pytorch.listing import silence, unreadable_in
from aistore.pytorch.progress import progress_bar
from aistore.pytorch.samples import KeyStyle, ShardSamples, sample_file
from aistore.pytorch.split import IterOptions
from aistore.sdk.bck.counts import check_count
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import ErrArchiveFormat, ErrArchiveTruncated, InvalidArgument
from aistore.sdk.etl.etl_config import ETLConfig
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.obj.object import Object
from aistore.sdk.obj.verification import read_twice, validation
from aistore.sdk.parallel import ordered_map
from aistore.wire.archive.compression import as_source
from aistore.wire.archive.members import path_text
from aistore.wire.archive.tar import TarReader, read_files

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from aistore.pytorch.listing import PrefixMap
    from aistore.sdk.etl.etl import Etl


class Shard(NamedTuple):
    """What a shard holds: its name, its samples, and how many of its files are parts of none."""

    name: str
    samples: dict[str, dict[str, bytes]]
    left_out: int


logger = logging.getLogger(__name__)

_CHUNK = 128 * 1024


class AISShardReader(AISBaseIterDataset):
    """Samples are `(key, {extension: bytes})`: the files of a shard that differ in extension only.

    The key is the path up to the first dot of the file's own name, the extension what follows the last dot;
    where files of a sample have the same extension, it is all that follows the first dot. Hidden files and
    files without an extension are left out.

    Shards are uncompressed tars. The next ones are read while one is used. An extension that was seen before,
    in any shard, but that a sample lacks, is `b""`. Shards go to ranks and workers in turn.

    Args:
        bucket_list: One bucket or several.
        prefix_map: For a bucket, the prefix or prefixes of the shards wanted. Default: all.
        etl_name: An ETL, or its name, that transforms the shards on the way. Default: none.
        show_progress: Show a progress bar, when tqdm or rich is installed. Default: `False`.
        partition_sources_by_worker: See `AISBaseIterDataset`.
        read_ahead: How many shards to read at a time, and to hold at most besides the one in use. Default: 1.
        keys: `path`, or `basename` for keys without folders, as the 2.0.0 package has them; files of several
            folders may not have the same then. Default: `path`.
        validate_checksum: As of `Object.get_reader`. Default: what the client says.
        options: See `AISBaseIterDataset`.

    Raises:
        InvalidArgument: There is no bucket, or an option is out of range (also a `ValueError`).
    """

    class ZeroDict(dict[str, bytes]):
        """A sample, with `b""` for the extensions that it lacks.

        Args:
            dict: What it has.
            keys: All extensions.
        """

        def __init__(self, dict: dict[str, bytes], keys: Iterable[str]) -> None:
            self.update(dict)
            for key in keys:
                if key not in self:
                    self[key] = b""

    def __init__(
        self,
        bucket_list: Bucket | list[Bucket],
        prefix_map: PrefixMap | None = None,
        etl_name: str | Etl | None = None,
        show_progress: bool = False,
        partition_sources_by_worker: bool = False,
        *,
        read_ahead: int = 1,
        keys: KeyStyle = "path",
        validate_checksum: bool | None = None,
        **options: Unpack[IterOptions],
    ) -> None:
        check_count("read_ahead", read_ahead)
        if keys not in ("path", "basename"):
            raise InvalidArgument(f"keys must be 'path' or 'basename', not {keys!r}")
        super().__init__(bucket_list, prefix_map, partition_sources_by_worker, **options)
        self._etl = ETLConfig(etl_name) if etl_name else None
        self._show_progress = show_progress
        self._read_ahead = read_ahead
        self._keys: KeyStyle = keys
        self._left_out = 0
        self._validation = validation(validate_checksum)
        self._sample_count: tuple[object, int] | None = None

    def __len__(self) -> int:
        """Return how many samples the shards of this rank have, as they are stored.

        The first call has the cluster list the shards' files; the count is kept.

        Raises:
            ErrNotATar: A shard is no tar, or damaged (also a `tarfile.TarError`).
        """
        rank = self._rank()
        if self._sample_count is None or self._sample_count[0] != rank:
            self._sample_count = (rank, sum(self._count_samples(*rank)))
        return self._sample_count[1]

    @property
    def left_out(self) -> int:
        """How many files were left out of the samples, in this process and the latest iteration."""
        return self._left_out

    def refresh(self) -> None:
        """List the shards anew when they are needed next; a running iteration goes on as it is."""
        super().refresh()
        self._sample_count = None

    def __iter__(self) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Yield the samples of the shards of this rank and worker.

        Raises:
            ErrNotATar: A shard is no tar, or damaged (also a `tarfile.TarError`).
            ErrSampleClash: Two files are the same part of the same sample (also a `ValueError`).
        """
        self._left_out = 0
        shards, position, skip = self._start()
        extensions: dict[str, None] = {}
        last = self._state["last"]
        with progress_bar("Reading shards", self._expected(), self._show_progress) as advance:
            for shard in self._read_each(shards):
                self._left_out += shard.left_out
                samples = shard.samples
                extensions.update(dict.fromkeys(chain.from_iterable(samples.values())))
                for number, (basename, sample) in enumerate(samples.items(), 1):
                    if number > skip:
                        self._advance(last, position, number)
                        missing = extensions if len(sample) < len(extensions) else ()
                        yield basename, self.ZeroDict(sample, missing)
                skip = 0
                position += 1
                last = shard.name
                self._advance(last, position)
                advance()

    def _read_each(self, shards: Iterable[Object]) -> Iterator[Shard]:
        def read(shard: Object) -> Shard:
            return read_twice(lambda: self._read(shard))

        return ordered_map(read, shards, self._read_ahead) if self._read_ahead else map(read, shards)

    def _read(self, shard: Object) -> Shard:
        found = ShardSamples(f"{shard.bucket_name}/{shard.name}", self._keys)
        with self._open(shard) as file:
            reader = TarReader(as_source(file), _CHUNK, links=True)
            try:
                for name, content in read_files(reader):
                    found.add(path_text(name), content)
                while file.read(_CHUNK):
                    pass  # to its end, where the checksum is compared
            except (ErrArchiveFormat, ErrArchiveTruncated) as err:
                raise ErrNotATar(f"{shard.bucket_name}/{shard.name} is not a tar archive: {err}") from err
        if found.left_out:
            logger.info("%d files of %s/%s are no samples", found.left_out, shard.bucket_name, shard.name)
        return Shard(shard.name, found.samples, found.left_out)

    def _open(self, shard: Object) -> BufferedIOBase:
        reader = shard.get_reader(etl=self._etl, chunk_size=_CHUNK, **self._validation)
        if issubclass(type(shard), Object):
            return reader.as_file()
        # What a source of a program's own yields, or its test, need only have `read_all`.
        return BytesIO(reader.read_all())

    def _count_samples(self, rank: int, world_size: int) -> Iterator[int]:
        sources = range(len(self._listing.sources))
        shards_before = 0
        for index in sources[rank::world_size] if self._partition else sources:
            shards = [shard.name for shard in self._listing.source_objects(index)]
            mine = (
                set(shards)
                if self._partition
                else set(shards[(rank - shards_before) % world_size :: world_size])
            )
            shards_before += len(shards)
            yield self._count_in_bucket(index, mine)

    def _count_in_bucket(self, index: int, shards: set[str]) -> int:
        bucket = self._listing.sources[index]
        if not isinstance(bucket, Bucket):
            raise InvalidArgument(
                f"len() of shards needs a Bucket as their source, not {type(bucket).__name__}"
            )
        samples: set[tuple[str, str]] = set()
        for prefix in self._listing.prefixes(bucket):
            shard = ""
            pages = bucket.list_objects_iter(prefix, "name", flags=[ListObjectFlag.ARCH_DIR])
            silence(pages)
            for entry in pages:
                # Byte order: the files of a shard come right after it.
                if entry.name in shards:
                    shard = entry.name
                elif shard and entry.name.startswith(f"{shard}/"):
                    found = sample_file(entry.name[len(shard) + 1 :], self._keys)
                    if found is not None:
                        samples.add((shard, found[0]))
            damaged = shards.intersection(unreadable_in(pages))
            if damaged:
                raise ErrNotATar(
                    f"{bucket.name} has shards that are damaged or no tar: {', '.join(sorted(damaged))}"
                )
        return len(samples)
