"""Reading one object: all at once, into memory that is there, piece by piece, raw, or as a file."""

from __future__ import annotations

from collections.abc import Generator
from io import BufferedIOBase, BufferedReader
from typing import TYPE_CHECKING, Any, Generic, cast

from aistore.sdk.const import DEFAULT_CHUNK_SIZE, MIB
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.lazy import lazy_names
from aistore.sdk.obj.content_iterator import (
    BaseContentIterProvider,
    ContentIterProvider,
    ParallelBuffer,
    ParallelContentIterProvider,
    StreamBounds,
)
from aistore.sdk.obj.content_iterator.body import ObjectBody, requested
from aistore.sdk.obj.obj_file.object_file import ObjectFileReader
from aistore.sdk.obj.object_attributes import ObjectAttributes
from aistore.sdk.obj.verification import Verifier, read_twice

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from aistore.sdk.obj.object_client import ObjectClient

    Content_co = TypeVar("Content_co", bound="bytes | ParallelBuffer", default=bytes, covariant=True)
else:
    from typing import TypeVar

    Content_co = TypeVar("Content_co", covariant=True)  # defaults came with Python 3.13

DEFAULT_MAX_RESUME = 5


class ObjectReader(Generic[Content_co]):
    """Reads one object. Every read asks the cluster again; construction asks nothing, except with workers.

    Args:
        object_client: Sends the requests.
        chunk_size: Bytes in each piece of an iteration. Default: 32 KiB; with workers the size of the
            object's own chunks, or 8 MiB.
        num_workers: How many ranges of the object to read at a time, at least 2. Default: `None`, one stream.
        validate_checksum: Compare what was read with the cluster's checksum. True: it is an error when there
            is none. Default (`None`): what the client says, where the whole object is read as it is stored
            and has a checksum.

    Raises:
        InvalidArgument: `num_workers` or `chunk_size` is out of range, or the checksum cannot be validated
            because only a part of the object is read, or it is transformed (also a `ValueError`).
    """

    def __init__(
        self,
        object_client: ObjectClient,
        chunk_size: int | None = None,
        num_workers: int | None = None,
        *,
        validate_checksum: bool | None = None,
    ) -> None:
        if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 0):
            raise InvalidArgument(f"chunk_size must be a positive int (bytes), not {chunk_size!r}")
        if validate_checksum and not object_client.is_whole_object:
            raise InvalidArgument(
                "validate_checksum: the cluster's checksum is of the whole object as it is stored, "
                "not of a range, an archive's member or a transformed object"
            )
        self._object_client = object_client
        self._chunk_size = chunk_size or DEFAULT_CHUNK_SIZE
        self._is_parallel = num_workers is not None
        self._required = bool(validate_checksum)
        if validate_checksum is None:
            validate_checksum = object_client.validates and object_client.is_whole_object
        self._validate_checksum = validate_checksum
        self._attributes: ObjectAttributes | None = None
        self._content_provider: BaseContentIterProvider
        if num_workers is not None:
            self._content_provider = ParallelContentIterProvider(object_client, chunk_size, num_workers)
        else:
            self._content_provider = ContentIterProvider(object_client, self._chunk_size)

    def head(self) -> ObjectAttributes:
        """Return the object's attributes now: checksum, access time, version, custom metadata."""
        self._attributes = self._object_client.head()
        return self._attributes

    @property
    def attributes(self) -> ObjectAttributes:
        """The object's attributes as of the last `head` or `raw`; asked for if there was none."""
        return self.head() if self._attributes is None else self._attributes

    def read_all(self) -> Content_co:
        """Return all bytes: as `bytes`, with workers as a `ParallelBuffer`.

        Raises:
            ErrObjNotFound: The object does not exist.
            ErrObjectChanged: It was overwritten while ranges of it were read (only with workers).
            ErrChecksumMismatch: The bytes are not those of the cluster's checksum, also when read again.
        """
        read = self._content_provider.read_all
        content = read_twice(lambda: read(self._bounds())) if self._validate_checksum else read()
        return cast("Content_co", content)

    def readinto(self, buffer: Any) -> int:
        """Read the object to the start of `buffer`, without copies on the way.

        Args:
            buffer: Writable and contiguous: a `bytearray`, a `memoryview`, a NumPy array, ...

        Returns:
            How many bytes the object has.

        Raises:
            InvalidArgument: The object is larger than the buffer (also a `ValueError`).
        """
        read = self._content_provider.readinto
        with memoryview(buffer) as given:
            if given.readonly:
                raise InvalidArgument("buffer must be writable")
            with given.cast("B") as view:
                if not self._validate_checksum:
                    return read(view)
                return read_twice(lambda: read(view, self._bounds()))

    def raw(self) -> Any:
        """Return the body of a GET as a stream with urllib3's interface, not decoded. The caller closes it.

        An open stream keeps the object locked in the cluster. One that is dropped without being closed is
        closed with a `ResourceWarning`.
        """
        response = self._object_client.get(stream=True)
        self._attributes = ObjectAttributes(response.headers)
        try:
            body = ObjectBody(response, requested(self._object_client), self._object_client.path)
            if not self._validate_checksum:
                return body.raw()
            verifier = self._verifier()
            verifier.begin(body.identity)
            return body.raw(verifier)
        except BaseException:
            response.close()
            raise

    def as_file(
        self, buffer_size: int | None = None, max_resume: int | None = DEFAULT_MAX_RESUME
    ) -> BufferedIOBase:
        """Return a read-only binary file that goes on when the connection breaks.

        Args:
            buffer_size: How much to read from the connection at a time, in bytes. Default: `chunk_size` of
                the reader. Without effect with workers.
            max_resume: How many times the connection may break. Default (also `None`): 5.

        Raises:
            InvalidArgument: `max_resume` is negative, or `buffer_size` is not positive (also a `ValueError`).
        """
        resumes = DEFAULT_MAX_RESUME if max_resume is None else max_resume
        if isinstance(resumes, bool) or not isinstance(resumes, int):
            raise InvalidArgumentType(f"max_resume must be an int or None, not {max_resume!r}")
        if resumes < 0:
            raise InvalidArgument(f"max_resume must not be negative, it is {resumes}")
        provider = self._content_provider
        if buffer_size is not None:
            if isinstance(buffer_size, bool) or not isinstance(buffer_size, int) or buffer_size <= 0:
                raise InvalidArgument(f"buffer_size must be a positive int (bytes), not {buffer_size!r}")
            if not self._is_parallel:
                provider = ContentIterProvider(self._object_client, buffer_size)
        return ObjectFileReader(provider, resumes, self._verifier if self._validate_checksum else None)

    def as_seekable_file(self, buffer_size: int = MIB, num_workers: int = 4) -> BufferedReader:
        """Return a read-only binary file that can seek, and reads the ranges that it needs.

        Args:
            buffer_size: How much to read at least, in bytes. Default: 1 MiB.
            num_workers: How many ranges of 8 MiB to have under way for a large read. Default: 4.

        Raises:
            InvalidArgument: The reader is not of the whole object as it is stored, or `num_workers` is out of
                range (also a `ValueError`).
            ErrObjNotFound: The object does not exist (also a `FileNotFoundError`).
        """
        from aistore.sdk.obj.obj_file.seekable_reader import SeekableObjectReader

        if not self._object_client.is_whole_object:
            raise InvalidArgument(
                "only an object as it is stored can be sought in, "
                "not a range, an archive's member or a transformed object"
            )
        return BufferedReader(SeekableObjectReader(self._object_client, num_workers), buffer_size)

    def __iter__(self) -> Generator[bytes, None, None]:  # noqa: PYI058 - callers may close it
        """Return an iterator over the object's bytes in pieces of `chunk_size`; it sends its own GET."""
        return self._content_provider.create_iter(bounds=self._bounds() if self._validate_checksum else None)

    def _bounds(self) -> StreamBounds:
        return StreamBounds(verifier=self._verifier())

    def _verifier(self) -> Verifier:
        return Verifier(self._object_client, required=self._required)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ObjectClient", "requests")
