"""Send a request again when it failed and that may help."""

from __future__ import annotations

import functools
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar

import requests
import urllib3
import urllib3.exceptions

from aistore.sdk import utils
from aistore.sdk.const import HTTP_METHOD_GET, URL_PATH_OBJECTS
from aistore.sdk.errors import AISNetworkError, SDKError
from aistore.sdk.lazy import lazy_names
from aistore.sdk.lock_poller import LockPoller
from aistore.sdk.request_executor import RequestExecutor
from aistore.sdk.transport.body import Body
from aistore.sdk.transport.retry import (
    Budget,
    Cause,
    cause_of_error,
    cause_of_status,
    is_idempotent,
    next_pause,
)
from aistore.sdk.transport.url import encode_params
from aistore.wire.times import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.sdk.retry_config import RetryConfig

    Send = Callable[[], requests.Response]

_Outcome = TypeVar("_Outcome", bound="requests.Response | Exception")

log = logging.getLogger("aistore.sdk.retry")

_NETWORK = frozenset({Cause.NO_ENDPOINT, Cause.NOT_SENT, Cause.UNCERTAIN})
_STATUSES = frozenset({Cause.REFUSED_BUSY, Cause.GATEWAY, Cause.CONFLICT})
_ALL = _NETWORK | _STATUSES


class RetryManager:
    """Runs requests under a retry policy.

    Args:
        executor: Sends requests; also those that look at an object's lock.
        retry_config: The policy. Default: `RetryConfig.default()`.
    """

    def __init__(self, executor: RequestExecutor, retry_config: RetryConfig | None = None) -> None:
        self._executor = executor
        if retry_config is None:
            from aistore.sdk.retry_config import RetryConfig

            retry_config = RetryConfig.default()
        self._retry_config = retry_config
        self._budget = Budget()

    @property
    def budget(self) -> Budget:
        """How long and how often the default policy tries a request."""
        return self._budget

    @budget.setter
    def budget(self, budget: Budget) -> None:
        self._budget = budget

    @property
    def retry_config(self) -> RetryConfig:
        """The policy."""
        return self._retry_config

    def with_retry(
        self, request_func: Callable[..., requests.Response], *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Call a function that sends a request, and call it again as the policy says.

        Args:
            request_func: The function, such as `RequestExecutor.request`.
            *args: Its arguments: method, path or URL.
            **kwargs: Its keyword arguments.

        Returns:
            The last answer, whatever its status.

        Raises:
            AISNetworkError: There was none.
        """
        if kwargs.get("data") is not None:
            kwargs["data"] = Body.of(kwargs["data"])
        attempt = _Attempt(request_func, args, kwargs)
        total = self._executor.limits(kwargs).total if isinstance(self._executor, RequestExecutor) else None
        if total is not None:
            kwargs["total"] = time.monotonic() + total
        config = self._retry_config
        own_http, own_network = config.has_own_http_retry, config.has_own_network_retry
        if not own_http and not own_network:
            return self._by_budget(attempt, _ALL, attempt)
        send: Send = functools.partial(
            self._by_http_retry if own_http else self._by_budget,
            attempt,
            *(() if own_http else (_STATUSES, attempt)),
        )
        if own_network:
            return self._by_network_retry(attempt, send)
        return self._by_budget(attempt, _NETWORK, send)

    # ------------------------------------------------------------ the SDK's own policy

    def _by_budget(self, attempt: _Attempt, causes: frozenset[Cause], send: Send) -> requests.Response:
        first_failure = waited = 0.0
        while True:
            answer: requests.Response | None = None
            error: Exception | None = None
            try:
                answer = send()
                if not isinstance(answer.status_code, int) or answer.status_code < 400:
                    return attempt.counted(answer)
                cause = cause_of_status(answer.status_code, attempt.method)
            except (SDKError, requests.exceptions.RequestException) as err:
                cause, error = cause_of_error(err), err
            now = time.monotonic()
            first_failure = first_failure or now
            pause = None
            if cause in causes:
                waited += self._wait_for_lock(error)
                pause = self._pause(attempt, cause, answer, now - first_failure)
            if pause is None:
                if error is not None:
                    raise attempt.counted(error)
                assert answer is not None
                return attempt.counted(answer)
            if answer is not None:
                answer.close()
            log.debug(
                "%s %s, attempt %d: %s; again in %.2f s",
                attempt.method,
                attempt.target.partition("?")[0],  # the query may carry a signature
                attempt.count,
                cause and cause.value,
                pause,
            )
            time.sleep(pause)
            if error is not None and time.monotonic() >= attempt.kwargs.get("total", math.inf):
                raise attempt.counted(error)  # a busy machine overslept: the cause, not that time is over
            # What waiting for a lock took does not count: the server was busy with this very object.
            attempt.kwargs["deadline"] = first_failure + waited + self._budget.total

    def _pause(
        self, attempt: _Attempt, cause: Cause | None, answer: requests.Response | None, elapsed: float
    ) -> float | None:
        assert cause is not None
        pause = next_pause(
            cause,
            attempt.count,
            elapsed,
            idempotent=attempt.idempotent,
            retry_after=_retry_after(answer) if answer is not None else None,
            budget=self._budget,
            random=random.random,
        )
        total = attempt.kwargs.get("total")
        if pause is not None and total is not None and time.monotonic() + pause >= total:
            return None
        return pause

    # ------------------------------------------------------------ policies of the program

    def _by_http_retry(self, attempt: _Attempt) -> requests.Response:
        """Do what `requests` does with a `urllib3.Retry`."""
        retry = urllib3.Retry.from_int(self._retry_config.http_retry, redirect=False, default=0)
        method = attempt.method.upper()
        while True:
            try:
                answer = attempt()
            except requests.exceptions.RequestException as err:
                try:
                    retry = retry.increment(method, attempt.target, error=_as_urllib3(err))
                except urllib3.exceptions.HTTPError:
                    raise attempt.counted(err) from None
                retry.sleep()
                continue
            asks = "Retry-After" in answer.headers
            if not retry.is_retry(method, answer.status_code, asks):
                return attempt.counted(answer)
            # Only what is sure to be a number: urllib3 raises for anything that is neither that nor a date.
            wait = _retry_after(answer)
            fields = {} if wait is None else {"Retry-After": str(math.ceil(wait))}
            copy = urllib3.HTTPResponse(b"", headers=fields, status=answer.status_code)
            try:
                retry = retry.increment(method, attempt.target, response=copy)
            except urllib3.exceptions.MaxRetryError:
                return attempt.counted(answer)
            answer.close()
            retry.sleep(copy)

    def _by_network_retry(self, attempt: _Attempt, send: Send) -> requests.Response:
        retrying: Any = self._retry_config.network_retry
        if retrying is None:
            return send()
        theirs = retrying.before_sleep

        def before_sleep(state: Any) -> None:
            if state.outcome is not None and state.outcome.failed:
                self._wait_for_lock(state.outcome.exception())
            if theirs is not None:
                theirs(state)

        try:
            answer: requests.Response = retrying.copy(before_sleep=before_sleep)(send)
        except (SDKError, requests.exceptions.RequestException) as err:
            raise attempt.counted(err) from err.__cause__
        return answer

    # ------------------------------------------------------------ cold GET

    def _wait_for_lock(self, error: BaseException | None) -> float:
        """Wait until a remote object that a GET timed out on is there; return the seconds it took."""
        request = _cold_get(error)
        if request is None:
            return 0.0
        started = time.monotonic()
        try:
            LockPoller(self._executor, self._retry_config.cold_get_conf).wait_for_unlock(request)
        except (SDKError, requests.exceptions.RequestException, ValueError) as err:
            # Looking at the lock is an aid; the GET itself tells what is wrong.
            log.debug("waiting for the lock of %s failed: %s", str(request.url).partition("?")[0], err)
        return time.monotonic() - started


class _Attempt:
    """A request as a call without arguments, that counts how often it is made and rewinds its body."""

    def __init__(
        self, func: Callable[..., requests.Response], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.count = 0

    def __call__(self) -> requests.Response:
        if self.count:
            body = self.kwargs.get("data")
            if isinstance(body, Body):
                body.rewind()
            if isinstance(getattr(self.func, "__self__", None), RequestExecutor):
                self.kwargs["attempt"] = self.count + 1
        self.count += 1
        return self.func(*self.args, **self.kwargs)

    @property
    def method(self) -> str:
        return str(self.args[0]) if self.args else str(self.kwargs.get("method", ""))

    @property
    def target(self) -> str:
        path = self.args[1] if len(self.args) > 1 else self.kwargs.get("path", self.kwargs.get("url", ""))
        params = self.kwargs.get("params")
        query = params if isinstance(params, str) else encode_params(params) if params else ""
        return f"{path}?{query}" if query else str(path)

    @property
    def idempotent(self) -> bool:
        return is_idempotent(self.method, self.target)

    def counted(self, outcome: _Outcome) -> _Outcome:
        """Note the number of attempts on an answer or an error."""
        if self.count > 1:
            vars(outcome)["attempts"] = self.count
        return outcome


def _retry_after(answer: requests.Response) -> float | None:
    """Return how many seconds the server asks to wait, or None."""
    value = answer.headers.get("Retry-After")
    return parse_retry_after(value, time.time()) if isinstance(value, str) else None


def _as_urllib3(err: requests.exceptions.RequestException) -> urllib3.exceptions.HTTPError:
    """Make the urllib3 error whose kind decides which of a `Retry`'s counts applies."""
    if isinstance(err, AISNetworkError) and not err.may_have_run:
        return urllib3.exceptions.ConnectTimeoutError(str(err))
    if isinstance(err, requests.exceptions.SSLError):
        return urllib3.exceptions.SSLError(str(err))
    return urllib3.exceptions.ProtocolError(str(err))


def _cold_get(error: BaseException | None) -> requests.PreparedRequest | None:
    """Return the request when it is a GET of an object in a remote bucket that timed out waiting."""
    if not isinstance(error, requests.exceptions.ConnectionError) or not utils.is_read_timeout(error):
        return None
    request = error.request
    if not isinstance(request, requests.PreparedRequest):
        return None
    if str(request.method).lower() != HTTP_METHOD_GET or f"{URL_PATH_OBJECTS}/" not in str(request.url):
        return None
    try:
        return request if utils.get_provider_from_request(request).is_remote() else None
    except ValueError:
        return None


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "Response", "RetryConfig", "logger")
