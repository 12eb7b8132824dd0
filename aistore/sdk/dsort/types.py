"""What the cluster reports about a dSort job: counters are decimal strings, durations nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from aistore.sdk.models.base import Model
from aistore.sdk.types import BucketModel


@dataclass(kw_only=True)
class TimeStats:
    """How long something took, in milliseconds."""

    total_ms: str
    count: str
    min_ms: str
    max_ms: str
    avg_ms: str


@dataclass(kw_only=True)
class ThroughputStats:
    """How fast something went, in bytes per second."""

    total: str
    count: str
    min_throughput: str
    max_throughput: str
    avg_throughput: str


@dataclass(kw_only=True)
class DetailedStats(TimeStats, ThroughputStats):
    """How long something took and how fast it went."""


class PhaseInfo(Model):
    """When a phase started and ended, and how long it has taken (nanoseconds)."""

    started_time: str
    end_time: str
    elapsed: int
    running: bool
    finished: bool


class LocalExtraction(PhaseInfo, kw_only=True):
    """First phase: targets extract the records of their shards."""

    total_count: str
    extracted_count: str
    extracted_size: str
    extracted_record_count: str
    extracted_to_disk_count: str
    extracted_to_disk_size: str
    single_shard_stats: DetailedStats | None = None


class MetaSorting(PhaseInfo):
    """Second phase: the records' keys are gathered and sorted."""

    sent_stats: TimeStats | None = None
    recv_stats: TimeStats | None = None


class ShardCreation(PhaseInfo, kw_only=True):
    """Third phase: output shards are made."""

    to_create: str
    created_count: str
    moved_shard_count: str
    req_stats: TimeStats | None = None
    resp_stats: TimeStats | None = None
    local_send_stats: DetailedStats | None = None
    local_recv_stats: DetailedStats | None = None
    single_shard_stats: DetailedStats | None = None


class DsortMetrics(Model):
    """The three phases on one target, and what went wrong."""

    local_extraction: LocalExtraction
    meta_sorting: MetaSorting
    shard_creation: ShardCreation
    aborted: bool | None = None
    archived: bool | None = None
    description: str | None = None
    warnings: list[str] | None = None
    errors: list[str] | None = None
    extended: bool | None = None


class JobInfo(
    Model,
    kw_only=True,
    rename={
        "src_bck": "src-bck",
        "dst_bck": "dst-bck",
        "extracted_duration": "started_meta_sorting",
        "sorting_duration": "started_shard_creation",
        "creation_duration": "finished_shard_creation",
        "objects": "loc-objs",
        "bytes": "loc-bytes",
        "metrics": "Metrics",
    },
):
    """A dSort job on one target; the durations are those of its phases."""

    id: str
    src_bck: BucketModel
    dst_bck: BucketModel
    started_time: str | None = None
    finish_time: str | None = None
    extracted_duration: int | None = None
    sorting_duration: int | None = None
    creation_duration: int | None = None
    objects: str
    bytes: str
    metrics: DsortMetrics
    aborted: bool
    archived: bool
