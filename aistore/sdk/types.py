"""The values that calls take and return, and those that travel: every model by its public name."""

from __future__ import annotations

import warnings
from typing import Any

from aistore.sdk.const import (
    AIS_ACCESS_TIME,
    AIS_CHECKSUM_VALUE,
    AIS_LOCATION,
    AIS_MIRROR_COPIES,
    AIS_OBJ_NAME,
    AIS_VERSION,
    CHANNEL_COUNT_MASK,
    CHANNEL_COUNT_SHIFT,
    GO_ZERO_TIME,
    HEADER_CONTENT_LENGTH,
    JOGGER_COUNT_MASK,
    WORKER_COUNT_MASK,
    WORKER_COUNT_SHIFT,
)
from aistore.sdk.errors import NoTargetError
from aistore.sdk.hrw import get_digest, xoshiro256_hash
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.models.base import Model, RootModel
from aistore.sdk.models.bucket import ActionMsg, BsummCtrlMsg, BucketModel, CreateNBIMsg, NBIInfo
from aistore.sdk.models.cluster import NetInfo, Smap, Snode
from aistore.sdk.models.etl import (
    EnvVar,
    ETLDetails,
    ETLInfo,
    ETLInitMsg,
    ETLNodeLogs,
    ETLObjError,
    ETLRuntimeSpec,
    ETLSpecMsg,
    InitETLArgs,
    PodSpecMsg,
)
from aistore.sdk.models.job import AggregatedJobSnap, JobArgs, JobQuery, JobSnap, JobStats, JobStatus
from aistore.sdk.models.listing import BucketEntry, BucketList, ListObjectsMsg
from aistore.sdk.models.transfer import (
    ArchiveMultiObj,
    BlobMsg,
    CopyBckMsg,
    MptCompletedPart,
    PrefetchMsg,
    PromoteAPIArgs,
    TCBckMsg,
    TCMultiObj,
    TransformBckMsg,
)
from aistore.sdk.namespace import Namespace

__all__ = [
    "AIS_ACCESS_TIME",
    "AIS_CHECKSUM_VALUE",
    "AIS_LOCATION",
    "AIS_MIRROR_COPIES",
    "AIS_OBJ_NAME",
    "AIS_VERSION",
    "CHANNEL_COUNT_MASK",
    "CHANNEL_COUNT_SHIFT",
    "GO_ZERO_TIME",
    "HEADER_CONTENT_LENGTH",
    "JOGGER_COUNT_MASK",
    "WORKER_COUNT_MASK",
    "WORKER_COUNT_SHIFT",
    "ActionMsg",
    "AggregatedJobSnap",
    "ArchiveMultiObj",
    "BlobMsg",
    "BsummCtrlMsg",
    "BucketEntry",
    "BucketList",
    "BucketModel",
    "CopyBckMsg",
    "CreateNBIMsg",
    "ETLDetails",
    "ETLInfo",
    "ETLInitMsg",
    "ETLNodeLogs",
    "ETLObjError",
    "ETLRuntimeSpec",
    "ETLSpecMsg",
    "EnvVar",
    "InitETLArgs",
    "JobArgs",
    "JobQuery",
    "JobSnap",
    "JobStats",
    "JobStatus",
    "ListObjectFlag",
    "ListObjectsMsg",
    "Model",
    "MptCompletedPart",
    "NBIInfo",
    "Namespace",
    "NetInfo",
    "NoTargetError",
    "PodSpecMsg",
    "PrefetchMsg",
    "PromoteAPIArgs",
    "RootModel",
    "Smap",
    "Snode",
    "TCBckMsg",
    "TCMultiObj",
    "TransformBckMsg",
    "get_digest",
    "xoshiro256_hash",
]


def __getattr__(name: str) -> Any:
    if name == "ObjectProps":  # lazily: its module needs this one
        from aistore.sdk.obj.object_props import ObjectProps

        return ObjectProps
    if name == "InitSpecETLArgs":
        warnings.warn(
            "InitSpecETLArgs is deprecated: use PodSpecMsg, or ETLSpecMsg without a pod spec",
            DeprecationWarning,
            stacklevel=2,
        )
        return PodSpecMsg
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
