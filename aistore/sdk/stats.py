"""What a client has done: the result of `Client.stats()`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from aistore.sdk.transport.recorder import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aistore.sdk.transport.recorder import MethodTotals, Totals


class Latency(msgspec.Struct, frozen=True):
    """How long answers took: from sending a request, redirects included, to the head of its answer.

    Percentiles come from buckets: they are at most 9 % too high.

    Attributes:
        mean_ms: Mean, in milliseconds.
        min_ms: The shortest.
        p50_ms: Half of the answers took at most this long.
        p90_ms: Nine in ten did.
        p99_ms: 99 in a hundred did.
        max_ms: The longest.
    """

    mean_ms: float
    min_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class MethodStats(msgspec.Struct, frozen=True):
    """The requests of one HTTP method.

    Attributes:
        requests: Requests sent, each attempt counted.
        failures: Of these, those without a usable answer: no connection, no answer in time, a malformed one.
        latency: How long the answers took; `None` when there was none.
    """

    requests: int
    failures: int
    latency: Latency | None


class ClientStats(msgspec.Struct, frozen=True):
    """What a client has done in this process since it was made, or since the last reset.

    Attributes:
        seconds: How long ago that is.
        requests: Requests sent, each attempt counted once, its redirects not at all.
        failures: Of these, those without a usable answer: no connection, no answer in time, a malformed one.
        retries: Of these, those sent because one before them failed.
        redirects: Redirects that were followed.
        sent_bytes: Bytes of request bodies of known size.
        received_bytes: Bytes of the bodies of answers, as far as they were read.
        statuses: How many answers had which HTTP status.
        latency: How long the answers took; `None` when there was none.
        methods: The same by HTTP method.
    """

    seconds: float
    requests: int
    failures: int
    retries: int
    redirects: int
    sent_bytes: int
    received_bytes: int
    statuses: dict[int, int]
    latency: Latency | None
    methods: dict[str, MethodStats]


def summarize(totals: Totals) -> ClientStats:
    """Make the public form of what was counted.

    Args:
        totals: What was counted.
    """
    methods = {
        name: MethodStats(one.requests, one.failures, _latency([one]))
        for name, one in sorted(totals.methods.items())
    }
    return ClientStats(
        seconds=time.monotonic() - totals.since,
        requests=sum(one.requests for one in methods.values()),
        failures=sum(one.failures for one in methods.values()),
        retries=totals.retries,
        redirects=totals.redirects,
        sent_bytes=totals.sent,
        received_bytes=totals.received,
        statuses=dict(sorted(totals.statuses.items())),
        latency=_latency(totals.methods.values()),
        methods=methods,
    )


def _latency(methods: Iterable[MethodTotals]) -> Latency | None:
    answered = [one for one in methods if one.requests > one.failures]
    if not answered:
        return None
    buckets = [sum(counts) for counts in zip(*(one.buckets for one in answered), strict=True)]
    count = sum(buckets)
    shortest, longest = min(one.shortest for one in answered), max(one.longest for one in answered)

    def percentile(part: float) -> float:
        below = 0
        for bound, size in zip(BOUNDS, buckets, strict=False):
            below += size
            if below >= part * count:
                # No answer in the bucket took longer than its upper bound, nor than the longest of all.
                return min(max(bound, shortest), longest)
        return longest

    mean = sum(one.seconds for one in answered) / count
    values = (mean, shortest, percentile(0.5), percentile(0.9), percentile(0.99), longest)
    return Latency(*(seconds * 1000 for seconds in values))
