"""Jobs on the wire: what to ask or start, status, and the snapshots that each target keeps."""

from typing import Any

from aistore.sdk.const import (
    CHANNEL_COUNT_MASK,
    CHANNEL_COUNT_SHIFT,
    GO_ZERO_TIME,
    JOGGER_COUNT_MASK,
    WORKER_COUNT_MASK,
    WORKER_COUNT_SHIFT,
)
from aistore.sdk.models.base import Model, RootModel
from aistore.sdk.models.bucket import BucketModel


class JobArgs(Model):
    """Which job: by id, kind, node and buckets; what is empty doesn't matter."""

    id: str = ""
    kind: str = ""
    daemon_id: str = ""
    bucket: BucketModel | None = None
    buckets: list[BucketModel] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: all five keys, always."""
        return {
            "ID": self.id,
            "Kind": self.kind,
            "DaemonID": self.daemon_id,
            "Bck": self.bucket,
            "Buckets": self.buckets,
        }


class JobQuery(Model):
    """Which jobs to list."""

    active: bool = False
    kind: str = ""
    target: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"kind": self.kind, "node": self.target, "show_active": self.active}


class JobStatus(Model):
    """State of a job in the whole cluster; `end_time`: nanoseconds since 1970, 0 until the job has ended."""

    uuid: str = ""
    err: str = ""
    end_time: int = 0
    aborted: bool = False
    kind: str = ""


class JobStats(
    Model,
    rename={
        "objects": "loc-objs",
        "bytes": "loc-bytes",
        "out_objects": "out-objs",
        "out_bytes": "out-bytes",
        "in_objects": "in-objs",
        "in_bytes": "in-bytes",
    },
):
    """Work done by one target: processed here, sent to other targets, received from them."""

    objects: int = 0
    bytes: int = 0
    out_objects: int = 0
    out_bytes: int = 0
    in_objects: int = 0
    in_bytes: int = 0


class JobSnap(
    Model,
    rename={
        "start_time": "start-time",
        "end_time": "end-time",
        "bucket": "bck",
        "source_bck": "src-bck",
        "destination_bck": "dst-bck",
        "abort_err": "abort-err",
        "packed": "glob.id",
    },
):
    """A job as one target sees it."""

    id: str = ""
    kind: str = ""
    start_time: str = ""
    end_time: str = ""
    bucket: BucketModel | None = None
    source_bck: BucketModel | None = None
    destination_bck: BucketModel | None = None
    stats: JobStats | None = None
    aborted: bool = False
    is_idle: bool = False
    abort_err: str = ""
    packed: int = 0

    def unpack_glob_id(self) -> tuple[int, int, int]:
        """Return the numbers of joggers (one a mountpath), of workers, and the channel-full count."""
        return (
            self.packed & JOGGER_COUNT_MASK,
            (self.packed & WORKER_COUNT_MASK) >> WORKER_COUNT_SHIFT,
            (self.packed & CHANNEL_COUNT_MASK) >> CHANNEL_COUNT_SHIFT,
        )

    def was_aborted(self) -> bool:
        """Return whether the job was aborted on this target."""
        return self.aborted or bool(self.abort_err)

    def has_ended(self) -> bool:
        """Return whether the job has an end time on this target."""
        return bool(self.end_time) and self.end_time != GO_ZERO_TIME


class AggregatedJobSnap(RootModel[dict[str, list[JobSnap]]]):
    """Snapshots of a job, or of many, by target."""

    __module__ = "aistore.sdk.types"  # where pickles for the 2.0.0 package find it

    root_type = dict[str, list[JobSnap] | None]

    def list_snapshots(self) -> list[JobSnap]:
        """Return the snapshots of all targets."""
        return [snap for snaps in self.root.values() for snap in snaps or ()]

    def get_num_workers(self) -> int:
        """Return the number of workers on a target that has the job; 0 when none has."""
        for snap in self.list_snapshots():
            return snap.unpack_glob_id()[1]
        return 0

    def all_idle(self) -> bool:
        """Return whether every snapshot is idle or aborted; true without any."""
        return all(snap.is_idle or snap.was_aborted() for snap in self.list_snapshots())

    def any_aborted(self) -> bool:
        """Return whether the job was aborted on a target."""
        return any(snap.was_aborted() for snap in self.list_snapshots())

    def idle_or_aborted(self) -> bool:
        """Return whether there is nothing left to wait for: aborted anywhere, or idle everywhere."""
        return self.any_aborted() or self.all_idle()

    def any_finished(self) -> bool:
        """Return whether the job has ended or was aborted on a target."""
        return any(snap.was_aborted() or snap.has_ended() for snap in self.list_snapshots())
