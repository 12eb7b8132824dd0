"""One line of the table, and the names of those who take part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

OURS, V200, FLOOR, ETL_SERVER = "ours", "2.0.0", "floor", "ETL server"
CLIENTS = ("urllib3", "http.client", "requests", "httpx", "aiohttp", "pycurl", "obstore")
S3 = ("boto3", "s3fs")
CONNECTIONS = 8  # to an ETL server


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        group: The group it belongs to.
        title: What is done.
        work: What the contenders' drivers call it.
        args: Its arguments.
        others: Contenders besides ours, the baseline and the floor.
        goals: Most that ours may take of what the baseline takes: "wall", "cpu", "memory".
        baseline: What ours is compared with.
        origins: Where it can be done: any of "nginx", "local", "cluster"; empty when it needs none.
        once: Whether it is done one single time, because it is large.
        floor: Whether there is a bare socket loop for it.
        note: What a reader should know.
        samples: How many samples one operation yields, when their rate is worth a line.
        for_clusters: Whether the goals rest on what only clusters do, and are judged only there.
    """

    group: str
    title: str
    work: str
    args: dict[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    goals: dict[str, float] = field(default_factory=dict)
    baseline: str = V200
    origins: tuple[str, ...] = ("nginx", "local", "cluster")
    once: bool = False
    floor: bool = True
    note: str = ""
    for_clusters: bool = False
    samples: int = 0

    @property
    def contenders(self) -> tuple[str, ...]:
        """Everyone who takes part."""
        first = (OURS, self.baseline) if self.baseline else (OURS,)
        return (*first, *self.others, *((FLOOR,) if self.floor else ()))


def show_size(size: int) -> str:
    """Write a size as people do.

    Args:
        size: Bytes.
    """
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"
