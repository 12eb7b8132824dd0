"""`AISFileSystem`: the buckets of a cluster as an fsspec filesystem."""

from __future__ import annotations

from aistore.fs.changes import Changes


class AISFileSystem(Changes):
    """Buckets and objects of an AIStore cluster as a filesystem.

    Paths are `bucket/key`, URLs `ais://bucket/key`; `ais+aws://bucket/key` (or `ais+s3`, `ais+gcp`, `ais+gs`,
    `ais+azure`, `ais+oci`) names buckets of a cloud that the cluster fronts, `ais://@#namespace/bucket/key`
    those of a namespace. Directories are the parts of names between slashes, as in other object stores.

    Instances may be shared between threads, survive forks, and pickle. The same options give the
    same instance.

    Args:
        endpoint: As of `Client`. Default: environment variable `AIS_ENDPOINT`.
        profile: Name of a profile; see `Client.from_profile`. Default: none is used.
        provider: Provider of buckets in paths that do not name one. Default: `Provider.AIS`.
        namespace: Namespace of such buckets: a `Namespace`, `@uuid#name`, or a name. Default: the global one.
        threads: How many requests run at a time. Default: 16.
        default_block_size: Bytes that files read or write at a time. Default: 8 MiB.
        default_cache_type: fsspec's cache for reading files. Default: `readahead`.
        validate_checksum: As of `Client`; True also makes it an error when there is no checksum to compare
            with. Default: `AIS_VALIDATE_CHECKSUM`, else whole objects are compared where they have one.
        use_listings_cache: Keep listings. Default: `False`: what another program writes is seen at once.
        asynchronous: The instance is used from coroutines, in their event loop. Default: `False`.
        loop: Event loop of synchronous calls. Default: fsspec's.
        batch_size: How many coroutines fsspec starts at a time. Default: fsspec's.
        **options: Everything else that `Client` takes, as `token`, `timeout`, `retry_config`, `ca_cert`; of
            fsspec's cache of listings `listings_expiry_time` (seconds) and `max_paths`.

    Raises:
        InvalidEndpoint: No endpoint, or one that is not of the form `http://host:port`.
        InvalidArgumentType: An option that nobody takes.

    Example:
        >>> fs = AISFileSystem("http://localhost:8080")
        >>> fs.pipe("images/cat.txt", b"meow")
        >>> fs.cat("images/cat.txt")
    """

    def url(self, path: str) -> str:
        """Return the HTTP URL that a GET of an object has; the token, if one is needed, is not in it.

        Args:
            path: Path of the object.
        """
        return self._object(path).get_url()
