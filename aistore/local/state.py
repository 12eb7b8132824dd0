"""The running cluster: what every router works on, reached as `req.state`."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aistore.local import tls
from aistore.local.admin import ACCOUNTS, SECRET_FILE
from aistore.local.api.registry import Registry
from aistore.local.catalog import Catalog
from aistore.local.cluster_config import ClusterConfig
from aistore.local.errors import LocalClusterError
from aistore.local.etl.room import EtlRoom
from aistore.local.jobs import Jobs
from aistore.local.locks import NamedLocks
from aistore.local.node_log import NodeLog
from aistore.local.nodes import Nodes
from aistore.local.shares import Pool, Shares, finish
from aistore.local.stats import Stats
from aistore.local.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aistore.local.authn import Authn
    from aistore.local.options import Options

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 16
# Work that may take long is done in Python: more threads of one kind would only take turns more often.
_LONG_THREADS = 8
_SHARE = 6
_LARGEST_PIECE = 512 << 10
_SMALLEST_PIECE = 64 << 10
_AHEAD_BYTES = 32 << 20
_BODY_BYTES = 64 << 20
_PAGE_BYTES = 256 << 20


class State:
    """The cluster's parts.

    Attributes:
        options: What the server was started with.
        root: The data folder.
        catalog: Buckets, object rows, documents.
        store: Objects.
        nodes: Proxy and targets.
        config: The cluster's configuration.
        registry: Routes.
        jobs: Work in the background.
        etl: ETLs and their processes.
        locks: Held by bucket number and object name (`f"{bucket.id}/{name}"`) by what rewrites an archive.
        log: The newest lines of the server's log.
        stats: Counters of requests, bytes and latencies.
        tls: Certificates.
        authn: Accounts and tokens, None when nobody has to show one.
        started: When, in Unix nanoseconds.
        stopping: Set when the server stops: work for requests ends.
        archives: Threads for reading and writing archives.
        bodies: Bytes of larger request bodies that are held.
        pages: Bytes of larger pages of listings that are held.
        batches: Threads for Get-Batch.
        copying: Threads for reading and copying objects whole.
        on_stop: Called in reverse order when the server stops, after the last request and before the store
            closes.
    """

    def __init__(self, options: Options, root: Path) -> None:
        self.options = options
        self.root = root
        self.started = time.time_ns()
        self.tls = tls.prepare(options, root)
        self.catalog = Catalog(root / "catalog.sqlite", durable=options.fsync)
        self.authn = _authn(self)
        self.nodes = Nodes(self.catalog, options.targets)
        self.store = Store(
            root,
            self.catalog,
            targets=options.targets,
            place=self.nodes.place,
            quota=options.quota,
            durable=options.fsync,
        )
        self.config = ClusterConfig(self.catalog, self.nodes.uuid)
        self.registry = Registry()
        self.jobs = Jobs(self.catalog, self.nodes)
        self.locks = NamedLocks()
        self.stopping = threading.Event()
        self.archives = Pool("archive", _LONG_THREADS, _SHARE)
        self.bodies = Shares(_BODY_BYTES, _BODY_BYTES // 2)
        self.pages = Shares(_PAGE_BYTES, _PAGE_BYTES * 3 // 4)
        self._ahead = 0
        self.batches = Pool("batch", _LONG_THREADS, _SHARE)
        self.copying = Pool("copy", _LONG_THREADS, _SHARE)
        self.stats = Stats()
        self.log = NodeLog()
        self.on_stop: list[Callable[[], None]] = [self.jobs.stop]
        self.etl = EtlRoom(self)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short call that blocks on a thread."""
        return await finish(self._threads, lambda: call(*args, **kwargs))

    @contextmanager
    def streaming(self) -> Iterator[Callable[[int], None]]:
        """Transfer a body piece by piece; gives what must be called with the bytes that are held of it."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            self._ahead += size - held
            held = size

        try:
            yield hold
        finally:
            hold(0)

    def piece_size(self) -> int:
        """How long the next piece of a body may be: the less, the more is held for transfers under way.

        Clients that stop reading or sending then hold 32 MiB together, and the shortest piece each beyond.
        """
        return max(_SMALLEST_PIECE, min(_LARGEST_PIECE, (_AHEAD_BYTES - self._ahead) // 4))

    def close(self) -> None:
        """Stop everything in order."""
        self.stopping.set()
        for stop in reversed(self.on_stop):
            stop()
        for pool in (self.archives, self.batches, self.copying):
            pool.close()
        self._threads.shutdown(wait=True)
        self.store.close()

    def kill(self) -> None:
        """End the processes that were started, for a server that must end at once."""
        self.etl.kill()


def _authn(state: State) -> Authn | None:
    """Accounts and tokens, None when none are demanded.

    Raises:
        LocalClusterError: The folder was used with tokens, and nobody has said that it is open now.
    """
    if state.options.auth:
        from aistore.local.authn import Authn

        return Authn(state.catalog, state.root, state.options.admin)
    # The secret outlives the accounts of a catalog that was made again.
    if state.catalog.documents.items(ACCOUNTS) or (state.root / SECRET_FILE).exists():
        if not state.options.no_auth:
            state.catalog.close()
            raise LocalClusterError(
                f"{state.root} was used with --auth, without which it is open to everyone: start with --auth "
                "or with --no-auth to open it (in Python: auth=True or auth=False)"
            )
        log.warning("%s was used with --auth, and is now open to everyone (--no-auth)", state.root)
    return None
