"""The ETLs of the cluster: init, stop, start, delete, and what happens when a process dies."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.local.etl import packages
from aistore.local.etl.deliveries import Deliveries
from aistore.local.etl.environment import default_workers, make_environment
from aistore.local.etl.exchange import Exchange
from aistore.local.etl.instance import Etl
from aistore.local.etl.pod import Pod
from aistore.local.etl.spec import parse_init
from aistore.local.locks import NamedLocks
from aistore.local.shares import Pool
from aistore.sdk.etl.etl_const import ETL_STAGE_ABORTED, ETL_STAGE_RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.local.etl.spec import EtlSpec
    from aistore.local.nodes import Node
    from aistore.local.state import State

log = logging.getLogger(__name__)

_DOCUMENT = "etl"
_FOLDER = "etl"
_STOP_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_THREADS = 8
_SHARE = 6
_MAX_ETLS = 64
_MARGIN_SECONDS = 2.0
_MARGIN = 0.9


class EtlRoom:
    """All ETLs.

    After a restart of the cluster those that ran are `Aborted`: `start` runs them again.

    Args:
        state (State): The cluster.

    Attributes:
        starting: Threads for starting ETLs, which may take minutes.
        stopping: Threads for stopping them, which nothing may hold up.
        exchange: How targets talk to ETL servers.
        deliveries: Results of jobs that ETL servers brought by themselves.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._documents = state.catalog.documents
        self._lock = threading.Lock()
        self._lives = NamedLocks()
        self._etls: dict[str, Etl] = {}
        self._root = state.root / _FOLDER
        if os.pathsep in str(self._root):  # no virtual environment can be there
            self._root = Path(tempfile.mkdtemp(prefix="aistore-etl-"))
        self._closed = False
        self.starting = Pool("etl-start", _THREADS, _SHARE)
        self.stopping = Pool("etl-stop", _THREADS, _THREADS)
        self.exchange = Exchange(state.options.etl_memory)
        self.deliveries = Deliveries()
        shutil.rmtree(self._root, ignore_errors=True)
        for name, record in self._documents.items(_DOCUMENT):
            try:
                self._etls[name] = Etl(parse_init(record["message"]), self._targets)
            except LocalError as err:
                log.warning("ETL %s is forgotten: %s", name, err.message)
        state.on_stop.append(self.close)

    @property
    def _targets(self) -> int:
        return len(self._state.nodes.targets)

    # ---- finding

    def all(self) -> list[Etl]:
        """Every ETL, by name."""
        with self._lock:
            return [self._etls[name] for name in sorted(self._etls)]

    def get(self, name: str) -> Etl:
        """An ETL in any stage.

        Raises:
            NotFound: There is none of this name.
        """
        etl = self._etls.get(name)
        if etl is None:
            raise NotFound(f"etl job {name} does not exist", with_node=True)
        return etl

    def find_running(self, name: str) -> Etl | None:
        """An ETL that runs, or None."""
        etl = self._etls.get(name)
        return etl if etl is not None and etl.stage == ETL_STAGE_RUNNING else None

    def find_live(self, name: str) -> Etl | None:
        """An ETL that has processes: it runs, or is being started."""
        etl = self._etls.get(name)
        return etl if etl is not None and etl.pods else None

    # ---- lives

    def init(self, message: Any, is_abandoned: Callable[[], bool]) -> str:
        """Start a new ETL; returns the ID of its job. A failed start leaves nothing: the name stays free.

        Args:
            message (Any): The init message.
            is_abandoned: Whether the client no longer waits for it.

        Raises:
            LocalError: The message is wrong, the name is taken (409), there are too many (429), or the ETL
                does not come up.
        """
        spec = parse_init(message)
        etl = Etl(spec, self._targets)
        with self._lock:
            if self._closed:
                raise LocalError("the cluster is shutting down", status=503)
            if spec.name in self._etls:
                raise LocalError(f"etl job {spec.name} already exists", status=409, with_node=True)
            if len(self._etls) >= _MAX_ETLS:
                raise LocalError(f"there are {_MAX_ETLS} ETLs already: delete one first", status=429)
            self._etls[spec.name] = etl
        try:
            with self._lives.hold(spec.name):
                job_id = self._run(etl, is_abandoned)
        except BaseException:
            with self._lock:
                self._etls.pop(spec.name, None)
            raise
        self._documents.put(_DOCUMENT, spec.name, {"message": message})
        return job_id

    def start(self, name: str) -> str:
        """Run an aborted ETL again; returns the ID of its new job.

        Raises:
            NotFound: There is none of this name.
            InvalidRequest: It is not aborted.
            LocalError: It does not come up.
        """
        etl = self.get(name)
        if etl.stage != ETL_STAGE_ABORTED:
            raise InvalidRequest(f'invalid action "can\'t start ETL[{name}] during {etl.stage} stage"')
        with self._lives.hold(name):
            return self._run(etl, lambda: False)

    def stop(self, name: str) -> None:
        """End an ETL's processes, and the jobs that use it.

        Raises:
            NotFound: There is none of this name.
        """
        etl = self.get(name)
        reason = f"ETL {name} was stopped"
        # First, so that what fails now is not taken for the jobs' own failure.
        self._abort_jobs(etl, reason)
        etl.cancelled.set()
        with self._lives.hold(name):
            self._end(etl, reason, _STOP_SECONDS)

    def delete(self, name: str) -> None:
        """Stop an ETL and forget it.

        Raises:
            NotFound: There is none of this name.
        """
        self.stop(name)
        with self._lock:
            self._etls.pop(name, None)
        self._documents.delete(_DOCUMENT, name)

    def close(self) -> None:
        """End every process."""
        with self._lock:
            self._closed = True
            etls = list(self._etls.values())
        for etl in etls:
            etl.cancelled.set()
        with ThreadPoolExecutor(max(1, len(etls))) as pool:
            list(pool.map(self._close_one, etls))
        self.exchange.close()
        for etl in etls:
            etl.threads.close()
        self.starting.close()
        self.stopping.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def kill(self) -> None:
        """Kill every process, without waiting for anything."""
        for etl in list(self._etls.values()):
            for pod in list(etl.pods.values()):
                pod.kill()

    def _close_one(self, etl: Etl) -> None:
        with self._lives.hold(etl.name):
            self._end(etl, "the cluster is shutting down", _CLOSE_SECONDS)

    # ---- starting

    def _run(self, etl: Etl, is_abandoned: Callable[[], bool]) -> str:
        spec = etl.spec
        self._check_open(spec)
        # A client that waits as long as this would give up just before the answer.
        limit = max(spec.init_timeout * _MARGIN, spec.init_timeout - _MARGIN_SECONDS)
        deadline = time.monotonic() + limit
        etl.begin(self._root / f"{spec.name}-{time.time_ns():x}", is_abandoned)
        try:
            self._start_pods(etl, deadline)
            self._await_pods(etl, deadline)
        except BaseException as err:
            self._end(etl, str(err), 0.5)
            raise
        etl.job = self._state.jobs.new("etl-inline", what=f"etl {spec.name}")
        etl.job.on_abort = lambda: self.stopping.submit(partial(self.stop, spec.name))
        etl.stage = ETL_STAGE_RUNNING
        for pod in etl.pods.values():
            if not pod.is_alive:
                message = pod.describe_exit()
                self._end(etl, message, 0.5)
                raise LocalError(message, tcode="ErrETL")
        return etl.job.id

    def _check_open(self, spec: EtlSpec) -> None:
        """Refuse a server that may answer everyone where not everyone may read.

        A class is served by a runtime that checks who asks; what a command runs is not known.

        Raises:
            LocalError: 403, it is a command, and nobody has said that it may run.
        """
        options = self._state.options
        if spec.command is not None and options.auth and not options.allow_open_etl:
            raise LocalError(
                f"ETL {spec.name} runs a command, which may answer every program of this machine: with "
                "--auth, send a class (Etl.init_class), or start the server with --allow-open-etl",
                status=403,
            )

    @staticmethod
    def _await_pods(etl: Etl, deadline: float) -> None:
        """Wait until all are ready; the first failure ends it, and is the one that is told."""
        given_up = threading.Event()
        failures: list[LocalError] = []

        def wait(pod: Pod) -> None:
            try:
                pod.wait_ready(
                    etl.spec.health_path, deadline, lambda: given_up.is_set() or etl.is_cancelled()
                )
            except LocalError as err:
                failures.append(err)
                given_up.set()

        with ThreadPoolExecutor(len(etl.pods)) as pool:
            list(pool.map(wait, etl.pods.values()))
        if failures:
            raise failures[0]

    def _start_pods(self, etl: Etl, deadline: float) -> None:
        assert etl.folder is not None
        etl.folder.mkdir(parents=True)
        spec = etl.spec
        python = ""
        if spec.command is None:
            wanted = packages.split_packages(dict(spec.env).get("PACKAGES", ""))
            python = packages.python_with(wanted, etl.folder, deadline, etl.is_cancelled)
        for target in self._state.nodes.targets:
            folder = etl.folder / f"t{target.index}"
            memory = self._state.options.etl_memory
            pod = Pod(spec.name, target.id, etl.own_secret, folder, self._pod_ended, memory)
            etl.pods[target.id] = pod
            env = self._environment(etl, target, python)
            if spec.command is None:
                pod.start_class(python, env)
            else:
                pod.start_command(spec.command, env)

    def _environment(self, etl: Etl, target: Node, python: str) -> dict[str, str]:
        nodes = self._state.nodes
        hosts = ["127.0.0.1", *(urlsplit(node.url).hostname or "" for node in (nodes.proxy, *nodes.targets))]
        # An object's file stays where it was written, also when its bucket is renamed and it changes owners.
        roots = [self._state.store.files.mountpath(node.index) for node in nodes.targets]
        url = f"{target.url}/v1/etl/_object/{etl.name}/{etl.secret}"
        tls, workers = self._state.tls.etl_environment(), default_workers(len(nodes.targets))
        return make_environment(etl.spec, url, etl.own_secret, hosts, roots, tls, python, workers)

    # ---- ending

    def _abort_jobs(self, etl: Etl, reason: str) -> None:
        for job in self._state.jobs.all():
            if job.is_running and etl.name in job.etls:
                job.abort(reason)

    def _end(self, etl: Etl, reason: str, grace: float) -> None:
        self._abort_jobs(etl, reason)
        pods = list(etl.pods.values())
        etl.stage = ETL_STAGE_ABORTED
        etl.secret = ""
        self.exchange.forget(pod.url for pod in pods)
        if pods:
            with ThreadPoolExecutor(len(pods)) as pool:
                list(pool.map(lambda pod: pod.stop(grace), pods))
        etl.pods = {}
        if etl.folder is not None:
            shutil.rmtree(etl.folder, ignore_errors=True)
            etl.folder = None
        own, etl.job = etl.job, None
        if own is not None:
            own.abort(reason)
            self._state.jobs.end(own)

    def _pod_ended(self, pod: Pod) -> None:
        """A process died by itself: the ETL ends on every target, as on a cluster."""
        etl = self._etls.get(pod.etl_name)
        if etl is None or etl.stage != ETL_STAGE_RUNNING or etl.pods.get(pod.node_id) is not pod:
            return
        message = pod.describe_exit()
        log.warning("%s", message)
        with self._lives.hold(pod.etl_name):
            if etl.pods.get(pod.node_id) is pod:
                self._end(etl, message, _CLOSE_SECONDS)
