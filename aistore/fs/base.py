"""What all operations of the filesystem stand on: options, client, threads, paths and the listings cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from fsspec.asyn import AsyncFileSystem
from fsspec.utils import tokenize

from aistore.fs import SCHEME, SCHEMES, details, paths
from aistore.fs.errors import ErrIsADirectory, ErrPathNotFound, is_missing
from aistore.fs.options import CachedInstances, check_options, check_positive, make_client
from aistore.fs.paths import Location
from aistore.fs.threads import Threads, get_loop
from aistore.sdk.const import DEFAULT_PARALLEL_CHUNK_SIZE
from aistore.sdk.errors import APIRequestError
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider

if TYPE_CHECKING:
    import asyncio

    from aistore.fs.details import Details
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.obj.object import Object

T = TypeVar("T")

DEFAULT_THREADS = 16

_BASIC_PROPS = "checksum,version,custom"
_OWN = frozenset(
    {
        "profile",
        "provider",
        "namespace",
        "threads",
        "default_block_size",
        "default_cache_type",
        "validate_checksum",
    }
)
# Neither deterministic nor part of what the data is.
_NOT_IN_TOKEN = frozenset({"token", "token_refresh", "retry_config", "threads", "max_pool_size"})


class BaseFileSystem(AsyncFileSystem, metaclass=CachedInstances):
    """Options, client and threads of `AISFileSystem`, which documents the arguments."""

    protocol = SCHEMES
    root_marker = ""
    cachable = True
    _extra_tokenize_attributes: Any = ("environment",)

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        profile: str | None = None,
        provider: Provider | str = Provider.AIS,
        namespace: Namespace | str | None = None,
        threads: int = DEFAULT_THREADS,
        default_block_size: int = DEFAULT_PARALLEL_CHUNK_SIZE,
        default_cache_type: str = "readahead",
        validate_checksum: bool | None = None,
        use_listings_cache: bool = False,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        check_options(options, _OWN, profile)
        self.provider = Provider.parse(provider)
        self.namespace = paths.parse_namespace(namespace)
        self.default_block_size = check_positive("default_block_size", default_block_size)
        self.default_cache_type = default_cache_type
        self.validate_checksum = validate_checksum
        self._threads = Threads(check_positive("threads", threads))
        self._object_props = details.OBJECT_PROPS
        if validate_checksum is not None:
            options["validate_checksum"] = validate_checksum
        cache = {name: options.pop(name) for name in ("listings_expiry_time", "max_paths") if name in options}
        if endpoint is not None:
            options["endpoint"] = endpoint
        self.client = make_client(options, profile, threads)
        super().__init__(
            asynchronous=asynchronous,
            loop=get_loop() if loop is None and not asynchronous else loop,
            batch_size=batch_size,
            use_listings_cache=use_listings_cache,
            **cache,
        )

    # ------------------------------------------------------------ the filesystem itself

    @property
    def endpoint(self) -> str:
        """Endpoint of the cluster."""
        return self.client.cluster().client.base_url.removesuffix("/v1")

    @property
    def fsid(self) -> str:
        """Name of what this filesystem shows, the same in every process."""
        return f"{SCHEME}-{self._fs_token}"

    @property
    def _fs_token(self) -> str:
        token = self.client.cluster().client.token
        options = {k: v for k, v in self.storage_options.items() if k not in _NOT_IN_TOKEN}
        options["endpoint"] = self.endpoint
        secret = sha256(token.encode()).hexdigest() if token else ""
        return tokenize(type(self).__qualname__, secret, *sorted((k, repr(v)) for k, v in options.items()))

    def __repr__(self) -> str:
        where = "" if self.provider is Provider.AIS else f", provider={self.provider.value!r}"
        if self.namespace is not None:
            where += f", namespace={self.namespace.get_path()!r}"
        return f"{type(self).__name__}(endpoint={self.endpoint!r}{where})"

    def __reduce__(self) -> tuple[Any, ...]:
        # With the endpoint, which the environment of another process may not name.
        make, (cls, _, options) = super().__reduce__()
        return make, (cls, (), {**options, "endpoint": self.endpoint})

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return a dictionary that `from_dict` makes the filesystem from.

        Args:
            include_password: Include the bearer token. Default: `True`.
        """
        made = super().to_dict(include_password=include_password)
        if not include_password:
            made.pop("token", None)
        return made

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of synchronous calls; a forked child has its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            if self._loop is not None:
                self._loop = get_loop()
        loop: asyncio.AbstractEventLoop | None = self._loop
        return loop

    async def run(self, call: Callable[[], T]) -> T:
        """Run a blocking call in one of the filesystem's threads.

        Args:
            call: Takes no arguments.
        """
        return await self._threads.run(call)

    # ------------------------------------------------------------ paths

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, (list, tuple)):
            return [cls._strip_protocol(one) for one in path]
        return paths.strip(path)

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a path, with provider and namespace unless they are AIStore and the global one.

        Args:
            name: The path.
        """
        location = self.locate(name)
        if location.place and not location.place.startswith("@"):
            return paths.unstrip(paths.strip(name))
        provider, namespace = self.place_of(location)
        place = "" if provider is Provider.AIS else f"{provider.value}@"
        if namespace is not None:
            place = f"{place.rstrip('@')}@{namespace.uuid}" + (f"#{namespace.name}" if namespace.name else "")
        rest = f"{location.bucket}/{location.key}" if location.key else location.bucket
        return paths.unstrip(f"{place}/{rest}" if place and rest else place or rest)

    def locate(self, path: str) -> Location:
        """Return what a path addresses.

        Args:
            path: A path or a URL.
        """
        return paths.split(paths.strip(path))

    def place_of(self, location: Location) -> tuple[Provider, Namespace | None]:
        """Return provider and namespace of a location; `None` is the global namespace.

        Args:
            location: The location.
        """
        place = paths.parse_place(location.place)
        namespace = self.namespace if place.namespace is None else place.namespace
        is_global = namespace is None or not (namespace.uuid or namespace.name)
        return place.provider or self.provider, None if is_global else namespace

    def bucket_of(self, location: Location) -> Bucket:
        """Return the bucket of a location; sends no request.

        Args:
            location: The location.
        """
        provider, namespace = self.place_of(location)
        return self.client.bucket(location.bucket, provider, namespace)

    # ------------------------------------------------------------ one object

    def describe(self, path: str) -> Details:
        """Ask for the details of an object; blocks, and uses no cache.

        Args:
            path: Its path.

        Raises:
            ErrPathNotFound: There is no such object; there may be a directory (also a `FileNotFoundError`).
            ErrBckNotFound: There is no such bucket (also a `FileNotFoundError`).
        """
        location = self.locate(path)
        obj = self.bucket_of(location).object(location.key)
        try:
            try:
                return details.of_object(path, obj.head(self._object_props))
            except APIRequestError as err:
                # Older clusters know fewer properties.
                if (
                    self._object_props == _BASIC_PROPS
                    or err.status_code != 400
                    or "property" not in err.message
                ):
                    raise
                self._object_props = _BASIC_PROPS
                return details.of_object(path, obj.head(_BASIC_PROPS))
        except APIRequestError as err:
            if is_missing(err):
                raise ErrPathNotFound(path) from err
            raise

    def _object(self, path: str) -> Object:
        location = self.locate(path)
        if not location.key:
            raise ErrIsADirectory(self._strip_protocol(path), "a bucket")
        return self.bucket_of(location).object(location.key)

    async def _on_object(self, path: str, call: Callable[[], T]) -> T:
        """Run a blocking call that reads an object; an error names the path."""
        try:
            return await self.run(call)
        except APIRequestError as err:
            if is_missing(err):
                raise ErrPathNotFound(self._strip_protocol(path)) from err
            raise

    # ------------------------------------------------------------ the cache of listings

    def cached_listing(self, path: str) -> list[Details] | None:
        """Return what is in a directory if a listing of it is kept.

        Args:
            path: Path of the directory.
        """
        try:
            listed: list[Details] = self.dircache[path]
        except KeyError:
            return None
        return listed

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget listings that a change at a path makes outdated: its own, those above it and below it.

        Args:
            path: What changed. Default: everything may have.
        """
        super().invalidate_cache(path)
        if path is None:
            self.dircache.clear()
            return
        if not len(self.dircache):
            return
        changed = self._unique(path)
        for kept in list(self.dircache):
            known = self._unique(kept)
            if changed[: len(known)] == known or known[: len(changed)] == changed:
                self.dircache.pop(kept, None)

    def _unique(self, path: str) -> tuple[object, ...]:
        """Return the components of a path, the same however its place is written."""
        location = self.locate(path)
        provider, namespace = self.place_of(location)
        place = (provider, namespace.get_path() if namespace else "")
        return (
            (*place, *f"{location.bucket}/{location.key}".strip("/").split("/")) if location.bucket else place
        )
