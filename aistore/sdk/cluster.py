"""The cluster: its map, health, buckets, jobs, ETLs, performance and logs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, List, Optional, TypeVar  # noqa: UP035 - see _BUCKETS

import requests

from aistore.sdk.const import (
    ACT_LIST,
    HEADER_NODE_ID,
    HTTP_METHOD_GET,
    QPARAM_ALL_LOGS,
    QPARAM_LOG_SEV,
    QPARAM_PRIMARY_READY_REB,
    QPARAM_PROVIDER,
    QPARAM_WHAT,
    URL_PATH_BUCKETS,
    URL_PATH_CLUSTER,
    URL_PATH_DAEMON,
    URL_PATH_ETL,
    URL_PATH_HEALTH,
    URL_PATH_REVERSE,
    WHAT_ALL_RUNNING_STATUS,
    WHAT_ALL_XACT_STATUS,
    WHAT_LOG,
    WHAT_NODE_STATS_AND_STATUS,
    WHAT_SMAP,
)
from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.errors import APIRequestError, ErrInvalidResponse, InvalidArgument, InvalidArgumentType
from aistore.sdk.etl.etl_const import ETL_STAGE_RUNNING
from aistore.sdk.lazy import lazy_names
from aistore.sdk.parallel import ordered_map
from aistore.sdk.provider import Provider
from aistore.sdk.types import ActionMsg, BucketModel, ETLInfo, JobQuery, JobStatus, Smap

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient

T = TypeVar("T")
E = TypeVar("E", LogSeverity, NodeFilter)

# Programs' tests compare `res_model` with these, and `List[X]` differs from `list[X]`.
_BUCKETS = List[BucketModel]  # noqa: UP006
_STATUSES: Any = Optional[List[JobStatus]]  # noqa: UP006, UP045
_NAMES = List[str]  # noqa: UP006
_ETLS = List[ETLInfo]  # noqa: UP006

_NOT_READY = frozenset({500, 502, 503, 504})
_NODES_AT_A_TIME = 16


class Cluster:
    """A cluster. Making one makes no request; everything is asked anew on every call.

    Args:
        client: The client that requests go through; `client.cluster()` fills it in.
    """

    def __init__(self, client: RequestClient) -> None:
        self._client = client

    @property
    def client(self) -> RequestClient:
        """The client that requests go through."""
        return self._client

    def __repr__(self) -> str:
        return f"Cluster({getattr(self._client, 'base_url', '')!r})"

    def get_info(self) -> Smap:
        """Return the cluster map: proxies, targets, the primary, the map's version."""
        return self._client.request_deserialize(
            HTTP_METHOD_GET, path=URL_PATH_DAEMON, res_model=Smap, params={QPARAM_WHAT: WHAT_SMAP}
        )

    def get_primary_url(self) -> str:
        """Return the public URL of the primary proxy.

        Raises:
            ErrInvalidResponse: The map doesn't have it.
        """
        net = self.get_info().proxy_si.public_net
        if net is None:
            raise ErrInvalidResponse("the cluster map has no public network of the primary proxy")
        return net.direct_url

    def get_uuid(self) -> str:
        """Return the id of the cluster."""
        return self.get_info().uuid

    def list_buckets(self, provider: str | Provider = Provider.AIS) -> list[BucketModel]:
        """Return the buckets of the cluster.

        Args:
            provider: Only those of this provider; "": of all. Default: `Provider.AIS`.

        Raises:
            InvalidBckProvider: There is no such provider.
        """
        name = "" if provider == "" else Provider.parse(provider).value
        return (
            self._client.request_deserialize(
                HTTP_METHOD_GET,
                path=URL_PATH_BUCKETS,
                res_model=_BUCKETS,
                json=ActionMsg(action=ACT_LIST).as_dict(),
                params={QPARAM_PROVIDER: name},
            )
            or []
        )

    def list_jobs_status(self, job_kind: str = "", target_id: str = "") -> list[JobStatus]:
        """Return the states of jobs, those that have ended too.

        Args:
            job_kind: Only jobs of this kind. Default: all.
            target_id: Only jobs on this target. Default: all.
        """
        query = JobQuery(kind=job_kind, target=target_id)
        return self._ask_about_jobs(WHAT_ALL_XACT_STATUS, query, _STATUSES)

    def list_running_jobs(self, job_kind: str = "", target_id: str = "") -> list[str]:
        """Return the jobs that are running, each as `kind[id]`.

        Args:
            job_kind: Only jobs of this kind. Default: all.
            target_id: Only jobs on this target. Default: all.
        """
        query = JobQuery(kind=job_kind, target=target_id, active=True)
        return self._ask_about_jobs(WHAT_ALL_RUNNING_STATUS, query, _NAMES)

    def list_etls(self, stages: Sequence[str] | None = None) -> list[ETLInfo]:
        """Return the ETLs of the cluster.

        Args:
            stages: Only those in one of these (`Initializing`, `Running`, `Aborted`). Default: `Running`.

        Raises:
            InvalidArgumentType: `stages` is a text (also a `TypeError`).
        """
        if isinstance(stages, str):
            raise InvalidArgumentType(f"stages must be a list of stages, not the text {stages!r}")
        wanted = {ETL_STAGE_RUNNING} if stages is None else set(stages)
        etls = self._client.request_deserialize(HTTP_METHOD_GET, path=URL_PATH_ETL, res_model=_ETLS)
        return [etl for etl in etls or () if etl.stage in wanted]

    def is_ready(self) -> bool:
        """Return whether the cluster is up and done with rebalancing.

        Returns:
            `False` when nothing answers, or a node that is not ready yet.

        Raises:
            AISError: The cluster refuses to say, for instance because of the token.
            requests.exceptions.SSLError: TLS failed.
            requests.exceptions.ConnectionError: The host's name doesn't exist.
        """
        try:
            primary = self.get_primary_url()
            answer = self._client.request(
                HTTP_METHOD_GET,
                path=URL_PATH_HEALTH,
                endpoint=primary,
                params={QPARAM_PRIMARY_READY_REB: "true"},
            )
        except APIRequestError as err:
            if err.status_code in _NOT_READY:
                return False
            raise
        except requests.exceptions.SSLError:
            raise
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as err:
            if _is_unknown_host(err):
                raise
            return False
        return bool(answer.ok)

    def get_performance(self) -> dict[str, Any]:
        """Return statistics and state of every target, by its id; targets are asked at the same time.

        Raises:
            ErrInvalidResponse: A target's answer is not JSON.
        """

        def ask(node_id: str) -> Any:
            answer = self._node_request(node_id, {QPARAM_WHAT: WHAT_NODE_STATS_AND_STATUS})
            try:
                return answer.json()
            except ValueError as err:
                raise ErrInvalidResponse(f"the state of target {node_id} is not JSON: {err}") from err

        return _by_node(ask, self.get_info().tmap)

    def get_node_log(self, node_id: str, severity: LogSeverity = LogSeverity.INFO) -> str:
        """Return a node's current log.

        Args:
            node_id: Id of the target or proxy.
            severity: Which of its logs. Default: `LogSeverity.INFO`.
        """
        return self._node_request(node_id, _log_params(severity)).text

    def get_node_log_archive(self, node_id: str, severity: LogSeverity = LogSeverity.INFO) -> bytes:
        """Return all logs that a node has, as a `.tar.gz`.

        Args:
            node_id: Id of the target or proxy.
            severity: Which of its logs. Default: `LogSeverity.INFO`.
        """
        return self._node_request(node_id, {**_log_params(severity), QPARAM_ALL_LOGS: "true"}).content

    def get_cluster_logs(
        self, severity: LogSeverity = LogSeverity.INFO, role: NodeFilter = NodeFilter.TARGET
    ) -> dict[str, str]:
        """Return the current logs of nodes, by their ids; nodes are asked at the same time.

        Args:
            severity: Which of their logs. Default: `LogSeverity.INFO`.
            role: Which nodes. Default: `NodeFilter.TARGET`.
        """
        role, severity = _member(NodeFilter, role), _member(LogSeverity, severity)
        smap = self.get_info()
        targets = smap.tmap if role in {NodeFilter.TARGET, NodeFilter.ALL} else {}
        proxies = smap.pmap if role in {NodeFilter.PROXY, NodeFilter.ALL} else {}
        return _by_node(lambda node_id: self.get_node_log(node_id, severity), [*targets, *proxies])

    def _ask_about_jobs(self, what: str, query: JobQuery, res_model: type[list[T]]) -> list[T]:
        found: list[T] | None = self._client.request_deserialize(
            HTTP_METHOD_GET,
            path=URL_PATH_CLUSTER,
            res_model=res_model,
            json=query.as_dict(),
            params={QPARAM_WHAT: what},
        )
        return found or []

    def _node_request(self, node_id: str, params: dict[str, str]) -> requests.Response:
        if not node_id or not isinstance(node_id, str):
            raise InvalidArgument(f"node_id must be the id of a node, not {node_id!r}")
        return self._client.request(
            HTTP_METHOD_GET,
            path=f"{URL_PATH_REVERSE}/{URL_PATH_DAEMON}",
            params=params,
            headers={HEADER_NODE_ID: node_id},
        )


def _log_params(severity: LogSeverity) -> dict[str, str]:
    return {QPARAM_WHAT: WHAT_LOG, QPARAM_LOG_SEV: _member(LogSeverity, severity).value}


def _member(kind: type[E], value: Any) -> E:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise InvalidArgument(f"{value!r} is no {kind.__name__}: expected one of {known}") from None


def _by_node(ask: Callable[[str], T], node_ids: Iterable[str]) -> dict[str, T]:
    ids = list(node_ids)
    return dict(zip(ids, ordered_map(ask, ids, _NODES_AT_A_TIME), strict=True))


def _is_unknown_host(err: BaseException) -> bool:
    seen: BaseException | None = err
    while seen is not None:
        if isinstance(seen, socket.gaierror) or type(seen).__name__ == "NameResolutionError":
            return True
        seen = seen.__cause__ or seen.__context__
    return False


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "RequestClient", "logger", "logging")
