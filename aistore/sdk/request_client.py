"""The one way from a noun to the wire: token, retries, error mapping, decoding."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from aistore.sdk.const import (
    HTTP_METHOD_GET,
    QPARAM_BSUMM_REMOTE,
    QPARAM_ETL_NAME,
    QPARAM_WHAT,
    STATUS_OK,
    STATUS_UNAUTHORIZED,
    URL_PATH_DAEMON,
    WHAT_SMAP,
)
from aistore.sdk.credentials import Credentials
from aistore.sdk.errors import AISUnrewindableBodyError, UnexpectedHTTPStatusCode
from aistore.sdk.lazy import lazy_names
from aistore.sdk.request_executor import RequestExecutor
from aistore.sdk.response_handler import AISResponseHandler, ResponseHandler
from aistore.sdk.retry_manager import RetryManager
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.redirect import REDIRECTS
from aistore.sdk.transport.response import Response as OwnResponse
from aistore.sdk.transport.url import encode_params, parse_base
from aistore.sdk.utils import decode_response
from aistore.wire.statuses import success_statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from aistore.sdk.credentials import TokenRefresh
    from aistore.sdk.request_executor import TimeoutArg, Timeouts
    from aistore.sdk.retry_config import RetryConfig
    from aistore.sdk.session_manager import SessionManager
    from aistore.sdk.transport.routing import Router
    from aistore.sdk.types import Smap

T = TypeVar("T")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_LEARNED_MAX = 1000


class _Learned(dict[_Key, _Value]):
    """Values that a client learnt from responses: at most 1,000, and none in a pickle."""

    def __setitem__(self, key: _Key, value: _Value) -> None:
        if len(self) >= _LEARNED_MAX:
            self.clear()
        super().__setitem__(key, value)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class RequestClient:
    """Sends the requests of the nouns.

    Args:
        endpoint: `http://host:port` of a proxy; the API version is added when it is not there.
        session_manager: TLS settings and connections.
        timeout: Limits in seconds: a number, `(connect, read)` or `(connect, read, total)`. Default: none.
        token: Bearer token. Default: none.
        response_handler: What becomes of answers. Default: AIStore's errors.
        retry_config: Retry policy. Default: `RetryConfig.default()`.
        token_refresh: Gets a new token when the one in use is refused (401). Default: none.
        validate_checksum: Whether to compare the bytes of objects with the checksums that the cluster
            reports. Default: True.
        direct: Whether to send what can be straight to the targets (`aistore.sdk.transport.routing`).
            Default: False.

    Raises:
        InvalidEndpoint: The endpoint is not of that form.
    """

    def __init__(
        self,
        endpoint: str,
        session_manager: SessionManager,
        timeout: TimeoutArg = None,
        token: str | None = "",
        response_handler: ResponseHandler = AISResponseHandler(),  # noqa: B008 - it has no state
        retry_config: RetryConfig | None = None,
        *,
        token_refresh: TokenRefresh | None = None,
        direct: bool = False,
        validate_checksum: bool = True,
    ) -> None:
        self.validate_checksum = validate_checksum
        self.checksum_types: dict[tuple[str, ...], str] = _Learned()
        self.etl_timeouts: dict[str, float] = _Learned()
        self.waits_by_default = False
        self._executor = RequestExecutor(parse_base(endpoint).url, session_manager, token, timeout)
        if direct:
            from aistore.sdk.transport.routing import Router

            self._executor.router = Router()
        self._executor.credentials = Credentials(token, token_refresh)
        self._response_handler = response_handler
        self._retry_manager = RetryManager(self._executor, retry_config)
        self._smap: Smap | None = None

    @property
    def base_url(self) -> str:
        """Where paths are joined to: `http://host:port/v1`."""
        return self._executor.base_url

    @property
    def timeout(self) -> TimeoutArg:
        """Limits of each call, as they were given."""
        return self._executor.timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutArg) -> None:
        self._executor.timeout = timeout
        self.waits_by_default = False

    @property
    def session_manager(self) -> SessionManager:
        """TLS settings and connections."""
        return self._executor.session_manager

    @session_manager.setter
    def session_manager(self, session_manager: SessionManager) -> None:
        self._executor.session_manager = session_manager

    @property
    def token(self) -> str | None:
        """Bearer token; "" or None, whichever was set, for none. Its `repr` does not show it."""
        return self._executor.token

    @token.setter
    def token(self, token: str | None) -> None:
        self._executor.token = token

    @property
    def retry_config(self) -> RetryConfig:
        """Retry policy."""
        return self._retry_manager.retry_config

    def limit_retries(self, seconds: float) -> None:
        """Send no request again later than this after its first failure, under the default policy.

        Args:
            seconds: The limit; the default policy has 30.
        """
        budget = self._retry_manager.budget
        self._retry_manager.budget = budget._replace(
            total=min(seconds, budget.total), refused=min(seconds, budget.refused)
        )

    def clone(
        self, base_url: str | None = None, response_handler: ResponseHandler | None = None
    ) -> RequestClient:
        """Make a client for another server, with the same connections, token, timeout and retry policy.

        The token is shared: when one of the two renews it, both have the new one.

        Args:
            base_url: Its URL. Default: this client's.
            response_handler: What becomes of answers. Default: this client's.
        """
        clone = RequestClient(
            base_url or self.base_url,
            self.session_manager,
            self.timeout,
            "",
            response_handler or self._response_handler,
            self.retry_config,
            validate_checksum=self.validate_checksum,
        )
        clone.checksum_types = self.checksum_types
        clone.etl_timeouts = self.etl_timeouts
        clone.waits_by_default = self.waits_by_default
        clone._executor.credentials = self._executor.credentials
        clone._retry_manager.budget = self._retry_manager.budget
        if clone.base_url == self.base_url:
            clone._executor.router = self._executor.router
        return clone

    @property
    def router(self) -> Router | None:
        """What sends requests straight to the targets, when that is on."""
        return self._executor.router

    def request(
        self,
        method: str,
        path: str,
        endpoint: str | None = None,
        headers: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a request and return its answer.

        Args:
            method: HTTP method, in any case.
            path: Path after the API version, quoted: `objects/bucket/name`.
            endpoint: Another server than the client's: `http://host:port`.
            headers: Header fields.
            **kwargs: `params` (query), `json` or `data` (body: bytes, str, binary file, iterable of bytes),
                `timeout` (seconds, as the client's), `stream` (True leaves the body to the caller),
                `allow_redirects`.

        Returns:
            An answer with a status that is a success of the request.

        Raises:
            APIRequestError: The server answered 4xx or 5xx.
            UnexpectedHTTPStatusCode: It answered with another status below 400 (`aistore.wire.statuses`).
            AISNetworkError: No usable answer came.
        """
        executor = self._executor
        if endpoint is None:
            args: tuple[Any, ...] = (executor.request, method, path)
        else:
            args = (executor.request_absolute, method, f"{parse_base(endpoint).url}/{path.lstrip('/')}")
        call = functools.partial(self._retry_manager.with_retry, *args, headers=headers)
        answer = call(**kwargs) if executor.credentials.refresh is None else self._with_renewal(call, kwargs)
        # Of a session that a program has put in the place of the transport, as the 2.0.0 package: below 400.
        if answer.status_code != STATUS_OK and type(answer) is OwnResponse:
            _check_success(method, path, kwargs, answer)
        return self._response_handler.handle_response(answer)

    def _with_renewal(
        self, call: Callable[..., requests.Response], kwargs: dict[str, Any]
    ) -> requests.Response:
        """Make a call; when its token is refused, once more with a new one: a refused call has not run."""
        credentials = self._executor.credentials
        body = kwargs["data"] = Body.of(kwargs.get("data"))
        token = credentials.token
        answer = call(**kwargs)
        if answer.status_code != STATUS_UNAUTHORIZED or not credentials.renew(token):
            return answer
        try:
            if body is not None:
                body.rewind()
        except AISUnrewindableBodyError:
            return answer
        answer.close()
        return call(**kwargs)

    def request_deserialize(self, method: str, path: str, res_model: type[T], **kwargs: Any) -> T:
        """Send a request and decode its answer.

        Args:
            method: HTTP method, in any case.
            path: Path after the API version, quoted.
            res_model: What the answer is.
            **kwargs: As `request`.

        Returns:
            The decoded answer.

        Raises:
            ErrInvalidResponse: The answer is not that.
            APIRequestError: The server answered 4xx or 5xx.
            AISNetworkError: No usable answer came.
        """
        return decode_response(res_model, self.request(method, path, **kwargs))

    def get_smap(self, force_update: bool = False) -> Smap:
        """Return the cluster map.

        Args:
            force_update: Ask again even if it is known. Default: False.
        """
        if self._smap is None or force_update:
            from aistore.sdk.types import Smap

            self._smap = self.request_deserialize(
                HTTP_METHOD_GET, path=URL_PATH_DAEMON, res_model=Smap, params={QPARAM_WHAT: WHAT_SMAP}
            )
        return self._smap

    def limits(self, options: dict[str, Any]) -> Timeouts:
        """Return the time limits of a call.

        Args:
            options: Its keyword arguments; `timeout` is the only one that matters.
        """
        return self._executor.limits(options)

    def get_full_url(self, path: str, params: dict[str, Any]) -> str:
        """Return the URL of a request without sending it.

        Args:
            path: Path after the API version, quoted.
            params: Query parameters.
        """
        return f"{self.base_url}/{path.lstrip('/')}?{encode_params(params)}"

    def __repr__(self) -> str:
        return f"RequestClient(base_url={self.base_url!r})"


def _check_success(method: str, path: str, options: dict[str, Any], answer: OwnResponse) -> None:
    """Raise an error for a status below 400 that is no success of the request."""
    status = answer.status_code
    if status >= 400 or (status in REDIRECTS and options.get("allow_redirects") is False):
        return
    params, message = options.get("params") or {}, options.get("json")
    action = str(message.get("action")) if isinstance(message, dict) else ""
    expected = success_statuses(
        method,
        path,
        transforms=QPARAM_ETL_NAME in params,
        summarizes=QPARAM_BSUMM_REMOTE in params or action.startswith("summary-"),
    )
    if status not in expected:
        answer.close()
        raise UnexpectedHTTPStatusCode(sorted(expected), status)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__, "Response", "RetryConfig", "SessionManager", "Smap", "get_logger", "logger", "os"
)
