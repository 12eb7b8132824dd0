"""The AIStore client: `Client` makes the nouns (buckets, objects, jobs, ...) through which all is done.

Names are imported when they are first used, so that importing the package costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aistore.sdk.ais_source import AISSource
    from aistore.sdk.archive_config import ArchiveConfig
    from aistore.sdk.authn.authn_client import AuthNClient
    from aistore.sdk.batch.batch import Batch
    from aistore.sdk.blob_download_config import BlobDownloadConfig
    from aistore.sdk.bucket import Bucket
    from aistore.sdk.client import Client
    from aistore.sdk.cluster import Cluster
    from aistore.sdk.dataset.data_shard import DataShard
    from aistore.sdk.etl.etl import Etl
    from aistore.sdk.job import Job
    from aistore.sdk.list_object_flag import ListObjectFlag
    from aistore.sdk.namespace import Namespace
    from aistore.sdk.obj.object import Object
    from aistore.sdk.retry_config import ColdGetConf, RetryConfig
    from aistore.sdk.wait_result import WaitResult

_MODULES = {
    "AISSource": "ais_source",
    "ArchiveConfig": "archive_config",
    "AuthNClient": "authn.authn_client",
    "Batch": "batch.batch",
    "BlobDownloadConfig": "blob_download_config",
    "Bucket": "bucket",
    "Client": "client",
    "Cluster": "cluster",
    "ColdGetConf": "retry_config",
    "DataShard": "dataset.data_shard",
    "Etl": "etl.etl",
    "Job": "job",
    "ListObjectFlag": "list_object_flag",
    "Namespace": "namespace",
    "Object": "obj.object",
    "RetryConfig": "retry_config",
    "WaitResult": "wait_result",
}

__all__ = [
    "AISSource",
    "ArchiveConfig",
    "AuthNClient",
    "Batch",
    "BlobDownloadConfig",
    "Bucket",
    "Client",
    "Cluster",
    "ColdGetConf",
    "DataShard",
    "Etl",
    "Job",
    "ListObjectFlag",
    "Namespace",
    "Object",
    "RetryConfig",
    "WaitResult",
]


def __getattr__(name: str) -> Any:
    from aistore.sdk.lazy import lazy_exports  # not above: no package imports its own modules

    return lazy_exports(__name__, _MODULES)(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
