"""Wait while the cluster fetches a remote object for somebody else (cold GET)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import requests

from aistore.sdk import utils
from aistore.sdk.const import (
    ACT_CHECK_LOCK,
    DEFAULT_COLD_GET_EST_BPS,
    HEADER_CONTENT_LENGTH,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    PROPS_SIZE,
    QPARAM_FLT_PRESENCE,
    QPARAM_NAMESPACE,
    QPARAM_PROPS,
    QPARAM_PROVIDER,
    STATUS_LOCKED,
)
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import SDKError, Timeout
from aistore.sdk.lazy import lazy_names

if TYPE_CHECKING:
    from aistore.sdk.request_executor import RequestExecutor
    from aistore.sdk.retry_config import ColdGetConf

MIN_WAIT_FLOOR = 2
MIN_WAIT_CEILING = 10
OBJ_SIZE_SCALING_FACTOR = 4


class LockPoller:
    """Asks for an object's lock until it is free.

    Args:
        executor: Sends the requests, to the SDK's endpoint.
        cold_get_conf: How long to wait.
    """

    def __init__(self, executor: RequestExecutor, cold_get_conf: ColdGetConf) -> None:
        self._executor = executor
        self._conf = cold_get_conf

    def wait_for_unlock(self, req: requests.PreparedRequest) -> None:
        """Wait until nobody writes the object.

        Args:
            req: The GET that timed out.

        Raises:
            Timeout: It is still being written after `max_cold_wait`.
        """
        path, params = utils.get_object_url_components(req, [QPARAM_PROVIDER, QPARAM_NAMESPACE])
        if not self._is_locked(path, params):
            return
        expected = self._size(path, params) / (self._conf.est_bandwidth_bps or DEFAULT_COLD_GET_EST_BPS)
        pause = min(max(expected / OBJ_SIZE_SCALING_FACTOR, MIN_WAIT_FLOOR), MIN_WAIT_CEILING)
        longest = max(pause, min(self._conf.max_cold_wait / 2, expected * OBJ_SIZE_SCALING_FACTOR))
        deadline = time.monotonic() + self._conf.max_cold_wait
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(
                    f"{path} to be unlocked", f"It is still locked after {self._conf.max_cold_wait} s."
                )
            time.sleep(min(pause, left))
            if not self._is_locked(path, params):
                return
            pause = min(pause * 2, longest)

    def _is_locked(self, path: str, params: dict[str, str]) -> bool:
        from aistore.sdk.types import ActionMsg

        action = ActionMsg(action=ACT_CHECK_LOCK).as_dict()
        try:
            answer = self._executor.request(HTTP_METHOD_POST, path, params=params, json=action)
        except (SDKError, requests.exceptions.RequestException):
            return False
        return answer.status_code == STATUS_LOCKED

    def _size(self, path: str, params: dict[str, str]) -> int:
        presence = FLTPresence.FLT_EXISTS if self._conf.enable_remote_head else FLTPresence.FLT_PRESENT
        query = {**params, QPARAM_FLT_PRESENCE: str(presence.value), QPARAM_PROPS: PROPS_SIZE}
        try:
            answer = self._executor.request(HTTP_METHOD_HEAD, path, params=query)
            return int(answer.headers.get(HEADER_CONTENT_LENGTH, 0)) if answer.ok else 0
        except (SDKError, requests.exceptions.RequestException, ValueError):
            return 0


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(
    __name__,
    "ActionMsg",
    "ColdGetConf",
    "ObjectAttributes",
    "RequestExecutor",
    "Retrying",
    "get_logger",
    "logger",
)
