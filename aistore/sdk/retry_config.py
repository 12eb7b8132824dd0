"""How failed requests are sent again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests.exceptions as rex
import urllib3.exceptions as uex
from urllib3 import Retry

from aistore.sdk.const import DEFAULT_COLD_GET_EST_BPS, DEFAULT_COLD_GET_MAX_WAIT
from aistore.sdk.errors import AISRetryableError
from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from tenacity import Retrying

NETWORK_RETRY_EXCEPTIONS = (
    rex.ConnectTimeout,
    rex.ReadTimeout,
    rex.ChunkedEncodingError,
    rex.ConnectionError,
    AISRetryableError,
    uex.TimeoutError,
)

# What a `tenacity.Retrying` consists of; the object itself has thread-local state and does not pickle.
_RETRYING_PARTS = (
    "sleep",
    "stop",
    "wait",
    "retry",
    "before",
    "after",
    "before_sleep",
    "reraise",
    "retry_error_cls",
    "retry_error_callback",
    "name",
    "enabled",
)


@dataclass
class ColdGetConf:
    """How long to wait for another cold GET of the same remote object.

    Args:
        est_bandwidth_bps: Estimated bandwidth to the backend, in bytes per second. Default: 10 Gbit/s.
        max_cold_wait: Longest wait in seconds. Default: 180.
        enable_remote_head: Whether the object's size may be asked of the backend. Default: True.
    """

    est_bandwidth_bps: int = DEFAULT_COLD_GET_EST_BPS
    max_cold_wait: int = DEFAULT_COLD_GET_MAX_WAIT
    enable_remote_head: bool = True


@dataclass(eq=False)
class RetryConfig:
    """Retry policy of a client.

    What `default()` returns, and its parts in another configuration, stand for the SDK's own policy
    (`aistore.sdk.transport.retry`): by cause and method, 30 s at the most. A part that differs from the
    default's is used as it is, and without that limit.

    Args:
        http_retry: Retries by HTTP status, and by the connect and read counts it has.
        network_retry: Retries of network errors. None for none.
        cold_get_conf: Waiting for cold GETs of remote objects. Default: `ColdGetConf()`.
    """

    http_retry: Retry
    network_retry: Retrying
    cold_get_conf: ColdGetConf = field(default_factory=ColdGetConf)

    @staticmethod
    def default() -> RetryConfig:
        """Return the default policy."""
        config = RetryConfig.__new__(RetryConfig)
        config.http_retry = _default_http_retry()
        # `network_retry` is made when it is looked at: tenacity is slow to import and mostly not needed.
        config.cold_get_conf = ColdGetConf()
        return config

    def __getattr__(self, name: str) -> Any:
        if name != "network_retry" or "http_retry" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = self.__dict__["network_retry"] = _default_network_retry()
        return made

    @property
    def has_own_http_retry(self) -> bool:
        """Whether `http_retry` was set or changed by the program."""
        return type(self.http_retry) is not Retry or vars(self.http_retry) != _HTTP_DEFAULTS

    @property
    def has_own_network_retry(self) -> bool:
        """Whether `network_retry` was set or changed by the program."""
        retrying = self.__dict__.get("network_retry", _NOT_MADE)
        if retrying is _NOT_MADE:
            return False
        return retrying is None or _parts(retrying) != getattr(retrying, _DEFAULT_PARTS, None)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"cold_get_conf": self.cold_get_conf}
        if self.has_own_http_retry:
            state["http_retry"] = self.http_retry
        if self.has_own_network_retry:
            state["network_retry"] = _dump_retrying(self.network_retry)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(RetryConfig.default().__dict__)
        self.cold_get_conf = state["cold_get_conf"]
        if "http_retry" in state:
            self.http_retry = state["http_retry"]
        if "network_retry" in state:
            self.network_retry = _load_retrying(state["network_retry"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RetryConfig):
            return NotImplemented
        own = self.has_own_network_retry
        return (
            self.cold_get_conf == other.cold_get_conf
            and vars(self.http_retry) == vars(other.http_retry)
            and own == other.has_own_network_retry
            and (not own or self.network_retry is other.network_retry)
        )

    __hash__ = None  # type: ignore[assignment]  # mutable


def _default_http_retry() -> Retry:
    return Retry(total=5, backoff_factor=3.0, status_forcelist=[429, 500, 502, 503, 504], connect=0, read=0)


_NOT_MADE = object()
_DEFAULT_PARTS = "_aistore_default_parts"  # of a default policy: its parts as they were made
_HTTP_DEFAULTS = vars(_default_http_retry())


def _default_network_retry() -> Retrying:
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    made = Retrying(
        wait=wait_random_exponential(multiplier=1, min=1, max=30),
        stop=stop_after_attempt(7),
        retry=retry_if_exception_type(NETWORK_RETRY_EXCEPTIONS),
        reraise=True,
    )
    setattr(made, _DEFAULT_PARTS, _parts(made))
    return made


def _parts(retrying: Retrying) -> tuple[Any, ...]:
    return tuple(getattr(retrying, name, None) for name in _RETRYING_PARTS)


def _dump_retrying(retrying: Any) -> bytes | None:
    import cloudpickle  # its conditions hold lambdas

    if retrying is None:
        return None
    parts = {name: getattr(retrying, name) for name in _RETRYING_PARTS if hasattr(retrying, name)}
    return bytes(cloudpickle.dumps((type(retrying), parts)))


def _load_retrying(data: bytes | None) -> Any:
    if data is None:
        return None
    import pickle

    # Part of the program's own pickle, never of an answer.
    cls, parts = pickle.loads(data)  # noqa: S301
    return cls(**parts)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ChunkedEncodingError", "ReadTimeout", "Retrying", "logging")
