"""Requests that the proxy has taken and redirected, until the target answers them; each is answered once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import NotFound
from aistore.local.nodes import new_id

if TYPE_CHECKING:
    from aistore.local.batch.request import BatchRequest
    from aistore.local.jobs import Job, Jobs
    from aistore.local.names import Bck

MAX_PENDING = 256
MAX_ENTRIES = 200_000
"""Entries of all pending requests; one request may have more when it is alone."""

_UNCLAIMED_SECONDS = 300.0
_IDLE_SECONDS = 60.0


class Ticket(NamedTuple):
    """A request that waits for its client."""

    request: BatchRequest
    job: Job
    node: str
    expires: float
    client: str


class Pending:
    """The waiting requests, and the job of each bucket that they are counted in.

    Args:
        jobs (Jobs): Where the jobs are known.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._of_bucket: dict[Bck | None, Job] = {}
        self._active: dict[str, int] = {}
        self._used: dict[str, float] = {}

    def add(self, request: BatchRequest, bck: Bck | None, node: str, client: str) -> tuple[str, str]:
        """Take a request; returns the IDs of its job and of the request.

        A client follows the redirect at once. So when too many wait, the oldest of the client that has the
        most is forgotten: those who do not follow hold up nobody.
        """
        now = time.monotonic()
        with self._lock:
            self._drop_expired(now)
            self._make_room(len(request.entries))
            job = self._job(bck, now)
            work_id = f"{new_id(8)}-{new_id(5)}"
            self._tickets[work_id] = Ticket(request, job, node, now + _UNCLAIMED_SECONDS, client)
            self._used[job.id] = now
            return job.id, work_id

    def _make_room(self, entries: int) -> None:
        """Forget requests until there is room for one with so many entries."""
        held = Counter[str]()
        for ticket in self._tickets.values():
            held[ticket.client] += len(ticket.request.entries)
        while self._tickets and (len(self._tickets) >= MAX_PENDING or held.total() + entries > MAX_ENTRIES):
            [(greediest, _)] = held.most_common(1)
            oldest = next(key for key, ticket in self._tickets.items() if ticket.client == greediest)
            held[greediest] -= len(self._tickets.pop(oldest).request.entries)

    def _drop_expired(self, now: float) -> None:
        for work_id, ticket in list(self._tickets.items()):
            if ticket.expires < now:
                del self._tickets[work_id]

    def _job(self, bck: Bck | None, now: float) -> Job:
        job = self._of_bucket.get(bck)
        if job is not None and job.is_running:
            if self._active.get(job.id) or self._used.get(job.id, 0) + _IDLE_SECONDS > now:
                return job
            self._retire(job)
        job = self._of_bucket[bck] = self._jobs.new("get-batch", bck=bck, src=bck)
        job.set_busy(False)
        return job

    def _retire(self, job: Job) -> None:
        self._used.pop(job.id, None)
        self._active.pop(job.id, None)
        self._jobs.end(job)

    def end_idle(self) -> None:
        """End the jobs that had nothing to do for a minute."""
        now = time.monotonic()
        with self._lock:
            self._drop_expired(now)
            for job in self._of_bucket.values():
                idle = not self._active.get(job.id) and self._used.get(job.id, now) + _IDLE_SECONDS <= now
                if job.is_running and idle:
                    self._retire(job)

    def take(self, job_id: str, work_id: str, node: str) -> Ticket:
        """Claim a request at the target; the caller says `done` when it is answered.

        Raises:
            NotFound: It was answered, is expired, or never was.
        """
        with self._lock:
            ticket = self._tickets.get(work_id)
            if ticket is None or ticket.job.id != job_id or ticket.node != node:
                if self._jobs.get(job_id) is None:
                    raise NotFound(f"xid {job_id} not active", with_node=True)
                raise NotFound(f"wid={work_id} (prep-rx not done?) does not exist", with_node=True)
            del self._tickets[work_id]
            self._active[job_id] = self._active.get(job_id, 0) + 1
            ticket.job.set_busy(True)
            return ticket

    def done(self, ticket: Ticket) -> None:
        """A claimed request is answered, or its client is gone."""
        job = ticket.job
        with self._lock:
            self._active[job.id] = left = self._active.get(job.id, 1) - 1
            self._used[job.id] = time.monotonic()
            job.set_busy(left > 0)
