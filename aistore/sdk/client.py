"""The client: where configuration is resolved and nouns are made."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aistore.sdk.closing import ClosesConnections
from aistore.sdk.const import (
    AIS_AUTHN_TOKEN,
    AIS_CONNECT_TIMEOUT,
    AIS_DIRECT,
    AIS_MAX_CONN_POOL,
    AIS_OTEL,
    AIS_READ_TIMEOUT,
    AIS_VALIDATE_CHECKSUM,
    EXT_TAR,
)
from aistore.sdk.enums import Colocation
from aistore.sdk.errors import InvalidEndpoint
from aistore.sdk.lazy import lazy_names
from aistore.sdk.provider import Provider
from aistore.sdk.request_client import RequestClient
from aistore.sdk.request_executor import parse_timeout
from aistore.sdk.session_manager import DEFAULT_POOL_SIZE, UNSET_FALSE, SessionManager
from aistore.sdk.transport.url import EXPECTED_ENDPOINT, parse_base
from aistore.sdk.utils import parse_bool

if TYPE_CHECKING:
    from typing_extensions import Self

    from aistore.sdk.batch.batch import Batch
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.cluster import Cluster
    from aistore.sdk.credentials import TokenRefresh
    from aistore.sdk.dsort import Dsort
    from aistore.sdk.etl.etl import Etl
    from aistore.sdk.job import Job
    from aistore.sdk.obj.object import Object
    from aistore.sdk.request_executor import TimeoutArg
    from aistore.sdk.retry_config import RetryConfig
    from aistore.sdk.stats import ClientStats
    from aistore.sdk.types import Namespace

AIS_ENDPOINT = "AIS_ENDPOINT"
DEFAULT_TIMEOUT = (3, 20)
_OFF = ("0", "f", "false", "n", "no", "off")


class Client(ClosesConnections):
    """A client of an AIStore cluster.

    Making one sends no request. It may be shared between threads; processes started by `fork`, `spawn` or
    `forkserver` use connections of their own. Use it as a context manager, or call `close`, to close its idle
    connections; it works on afterwards.

    Args:
        endpoint: `http://host:port` or `https://host:port` of a proxy. Default: environment variable
            `AIS_ENDPOINT`.
        skip_verify: True for no check of TLS certificates, False for a check whatever the environment says.
            Default: `AIS_SKIP_VERIFY_CRT` or `AIS_SKIP_VERIFY`, else False.
        ca_cert: Path of a CA file. Default: `AIS_CLIENT_CA`, else the public authorities.
        client_cert: PEM file with client certificate and key, or the two files. Default: `AIS_CRT` and
            `AIS_CRT_KEY`.
        timeout: Limits in seconds: a number for connect and read, `(connect, read)`, or `(connect, read,
            total)`; 0 is no limit. Default: `AIS_CONNECT_TIMEOUT` and `AIS_READ_TIMEOUT`, else (3, 20), and
            for objects that an ETL transforms on the way as long as the ETL may take for one.
        retry_config: Retry policy. Default: `RetryConfig.default()`: at most 30 s from the first failure.
        token: Bearer token of AuthN. Default: `AIS_AUTHN_TOKEN`.
        max_pool_size: How many idle connections to one server are kept after a burst. Default:
            `AIS_MAX_CONN_POOL`, else 10.
        token_refresh: Returns a new token when the cluster refuses the one in use (401), which happens once a
            request at the most; threads share a renewal. `AuthNClient.token_refresh` makes one. Default:
            none, an `AISUnauthorized` is raised.
        validate_checksum: Compare the bytes of whole objects, when they are read and written, with the
            checksums that the cluster reports (docs/checksums.md). Default: environment variable
            `AIS_VALIDATE_CHECKSUM` (`0` is False), else True.
        direct: Send GET, HEAD and PUT of objects straight to the target that owns them, as far as the proxy
            lets this client (docs/direct-routing.md). Default: environment variable `AIS_DIRECT` (`1` is
            True), else False.

    With `AIS_OTEL` (`1` is True) requests of this process are told to OpenTelemetry (docs/observability.md).

    Raises:
        InvalidEndpoint: No endpoint, or one that is not of that form.
        InvalidArgument: Another value that cannot be right.
        ImportError: `AIS_OTEL` is set, and the extra `otel` is missing.

    Example:
        >>> client = Client("http://localhost:8080")
        >>> client.bucket("images").object("cat.jpg").get_reader().read_all()
    """

    def __init__(
        self,
        endpoint: str | None = None,
        skip_verify: bool = UNSET_FALSE,
        ca_cert: str | None = None,
        client_cert: str | tuple[str, str] | None = None,
        timeout: float | tuple[float, float] | None = None,
        retry_config: RetryConfig | None = None,
        token: str | None = None,
        max_pool_size: int | None = None,
        *,
        token_refresh: TokenRefresh | None = None,
        direct: bool | None = None,
        validate_checksum: bool | None = None,
    ) -> None:
        if retry_config is None:
            from aistore.sdk.retry_config import RetryConfig

            retry_config = RetryConfig.default()
        self.retry_config = retry_config
        if direct is None:
            direct = parse_bool(os.environ.get(AIS_DIRECT))
        self._request_client = RequestClient(
            endpoint=_resolve_endpoint(endpoint),
            session_manager=SessionManager(
                retry=self.retry_config.http_retry,
                ca_cert=ca_cert,
                skip_verify=skip_verify,
                client_cert=client_cert,
                max_pool_size=max_pool_size if max_pool_size is not None else _pool_size_from_env(),
            ),
            timeout=resolve_timeout(timeout),
            token=token or os.environ.get(AIS_AUTHN_TOKEN) or None,
            retry_config=self.retry_config,
            **set_ones(token_refresh=token_refresh, direct=direct),
        )
        if not _validates(validate_checksum):
            self._request_client.validate_checksum = False
        if timeout is None and not os.environ.get(AIS_READ_TIMEOUT, "").strip():
            self._request_client.waits_by_default = True
        if parse_bool(os.environ.get(AIS_OTEL)):
            from aistore.sdk.telemetry import instrument, is_instrumented

            if not is_instrumented():
                instrument()

    @classmethod
    def from_profile(
        cls, name: str | None = None, path: str | os.PathLike[str] | None = None, **overrides: Any
    ) -> Self:
        """Make a client from a named profile of `~/.config/aistore/config.toml`.

        Arguments come before the environment, the environment before the profile, that before defaults.

        Args:
            name: Name of the profile. Default: `AIS_PROFILE`, else the file's `default_profile`, else
                `default`, which may be missing.
            path: The file. Default: `aistore/config.toml` in `XDG_CONFIG_HOME`, else in `~/.config`.
            **overrides: Arguments of `Client`; besides, `token_file` is the path of a file with the token
                that only its owner can read (default: `AIS_AUTHN_TOKEN_FILE`, else the profile's).

        Raises:
            InvalidArgument: No such profile or file, an unknown key, or a token file that others can read.
        """
        from aistore.sdk.profiles import client_arguments, load_profile

        return cls(**client_arguments(load_profile(name, path), overrides))

    # ------------------------------------------------------------ nouns

    def bucket(
        self,
        bck_name: str,
        provider: Provider | str = Provider.AIS,
        namespace: Namespace | None = None,
    ) -> Bucket:
        """Name a bucket; sends no request.

        Args:
            bck_name: Name of the bucket.
            provider: Where it lives. Default: `Provider.AIS`.
            namespace: Its namespace. Default: the global one.

        Raises:
            InvalidBckProvider: An unknown provider.
        """
        from aistore.sdk.bucket import Bucket

        return Bucket(
            client=self._request_client,
            name=bck_name,
            provider=Provider.parse(provider),
            namespace=namespace,
        )

    def cluster(self) -> Cluster:
        """Name the cluster; sends no request."""
        from aistore.sdk.cluster import Cluster

        return Cluster(client=self._request_client)

    def job(self, job_id: str = "", job_kind: str = "") -> Job:
        """Name a job; sends no request.

        Args:
            job_id: Its id. Default: any.
            job_kind: Its kind. Default: any.
        """
        from aistore.sdk.job import Job

        return Job(client=self._request_client, job_id=job_id, job_kind=job_kind)

    def etl(self, etl_name: str) -> Etl:
        """Name an ETL; sends no request.

        Args:
            etl_name: Its name.

        Raises:
            InvalidArgument: Not a name that an ETL can have.
        """
        from aistore.sdk.etl.etl import Etl

        return Etl(client=self._request_client, name=etl_name)

    def dsort(self, dsort_id: str = "") -> Dsort:
        """Name a distributed sort; sends no request.

        Args:
            dsort_id: Its id. Default: one that is not started yet.
        """
        from aistore.sdk.dsort import Dsort

        return Dsort(client=self._request_client, dsort_id=dsort_id)

    def batch(
        self,
        objects: list[Object] | Object | str | list[str] | None = None,
        bucket: Bucket | None = None,
        output_format: str = EXT_TAR,
        cont_on_err: bool = True,
        only_obj_name: bool = False,
        streaming_get: bool = True,
        colocation: Colocation = Colocation.NONE,
        *,
        strategy: str = "get-batch",
    ) -> Batch:
        """Make a Get-Batch request; sends nothing yet.

        Args:
            objects: Objects, or names of objects in `bucket`. Default: none, add them later.
            bucket: Bucket of the objects named by text. Default: none.
            output_format: Archive format of the answer. Default: `.tar`.
            cont_on_err: Whether missing objects are reported in place instead of failing the batch.
                Default: True.
            only_obj_name: Whether names in the answer come without the bucket. Default: False.
            streaming_get: Whether the answer begins before all objects are read. Default: True.
            colocation: What the cluster may assume about where the objects are. Default: `Colocation.NONE`.
            strategy: `get-batch`, or `direct`: single requests straight to the targets that own the objects,
                for a client with direct routing. Default: `get-batch`.
        """
        from aistore.sdk.batch.batch import Batch

        return Batch(
            self._request_client,
            objects,
            bucket=bucket,
            output_format=output_format,
            cont_on_err=cont_on_err,
            only_obj_name=only_obj_name,
            streaming_get=streaming_get,
            colocation=colocation,
            strategy=strategy,
        )

    def get_object_from_url(self, url: str) -> Object:
        """Name an object by its URL; sends no request.

        Args:
            url: `provider://bucket/name` or `provider://@uuid#namespace/bucket/name`. Everything after the
                bucket's slash is the name: `?`, `#` and `%` are part of it.

        Raises:
            InvalidURLException: Provider, bucket or name is missing.
            InvalidBckProvider: An unknown provider.
        """
        from aistore.sdk.bck.urls import object_at

        return object_at(self, url)

    # ------------------------------------------------------------ the client itself

    def stats(self, reset: bool = False) -> ClientStats:
        """Tell how many requests this client has sent in this process, with what outcome and how fast.

        What goes through a `requests` session that a program put in place is not counted.

        Args:
            reset: Whether to begin anew at zero; nothing is lost between two such calls. Default: False.
        """
        from aistore.sdk.stats import summarize

        return summarize(self._request_client.session_manager.transport.recorder.read(reset))

    def __repr__(self) -> str:
        endpoint = self._request_client.base_url.removesuffix("/v1")
        return f"Client(endpoint={endpoint!r})"

    def _repr_html_(self) -> str:
        from aistore.sdk.notebook import card

        return card("Client", self._request_client.base_url.removesuffix("/v1"))

    def _identity(self) -> tuple[object, ...]:
        inner = self._request_client
        manager = inner.session_manager
        return (inner.base_url, inner.token, inner.timeout, manager.skip_verify, manager.ca_cert)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Client):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._request_client.base_url)


def set_ones(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are set: what a program puts in a class's place need not know the others."""
    return {name: value for name, value in arguments.items() if value is not None and value is not False}


def _validates(given: bool | None) -> bool:
    if given is not None:
        return given
    return os.environ.get(AIS_VALIDATE_CHECKSUM, "").strip().lower() not in _OFF


def _resolve_endpoint(endpoint: str | None) -> str:
    given = endpoint if endpoint is not None else os.environ.get(AIS_ENDPOINT, "")
    if not given:
        raise InvalidEndpoint(f"no endpoint: give one, or set {AIS_ENDPOINT}; {EXPECTED_ENDPOINT}")
    parse_base(given)
    # A gateway's prefix ends with `/` or the API version. Any other path is refused, not cut off.
    path = urlsplit(given).path
    if path and not path.endswith(("/", "/v1")):
        raise InvalidEndpoint(
            f"invalid endpoint {given!r}: it has a path, and a gateway's prefix would end with '/'; "
            f"{EXPECTED_ENDPOINT}"
        )
    return given


def resolve_timeout(
    timeout: float | tuple[float, float] | None, default: tuple[float, float] = DEFAULT_TIMEOUT
) -> TimeoutArg:
    """Decide a client's limits: argument, else `AIS_CONNECT_TIMEOUT` and `AIS_READ_TIMEOUT`, else `default`.

    Args:
        timeout: As `Client` takes it.
        default: Seconds for connecting and reading. Default: (3, 20).

    Returns:
        The limits as `RequestClient` takes them.
    """
    if timeout is None:
        default_connect, default_read = default
        value: TimeoutArg = (
            _seconds_from_env(AIS_CONNECT_TIMEOUT, default_connect),
            _seconds_from_env(AIS_READ_TIMEOUT, default_read),
        )
    else:
        value = timeout
    limits = parse_timeout(value)
    if limits == (None, None, None):
        return None
    if isinstance(value, (tuple, list)):
        # 0 stands for no limit, which `requests` spells None.
        return tuple(part or None for part in value)
    return value


def _seconds_from_env(name: str, default: float) -> float | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
        if not 0 <= seconds < float("inf"):
            raise ValueError(text)
    except ValueError:
        warnings.warn(
            f"{name}={text!r} is not a number of seconds: using {default}", UserWarning, stacklevel=4
        )
        return default
    return seconds or None


def _pool_size_from_env() -> int:
    text = os.environ.get(AIS_MAX_CONN_POOL, "").strip()
    if not text:
        return DEFAULT_POOL_SIZE
    try:
        size = int(text)
        if size < 0:
            raise ValueError(text)
    except ValueError:
        warnings.warn(
            f"{AIS_MAX_CONN_POOL}={text!r} is not a number of connections: using {DEFAULT_POOL_SIZE}",
            UserWarning,
            stacklevel=3,
        )
        return DEFAULT_POOL_SIZE
    return size


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__,
    "Batch",
    "Bucket",
    "Cluster",
    "Dsort",
    "Etl",
    "Job",
    "Namespace",
    "Object",
    "RetryConfig",
)
