"""Where routers register what they answer.

Each module of `api` that answers requests has `register(state)`, listed in `api/routes.py`; it adds its
handlers to `state.registry` and may add to `state.on_stop`. A noun is what follows `/v1/`; the shared nouns
(`buckets`, `objects`, `cluster`) dispatch further by action or by `what=`, so that jobs, ETL and the rest
plug in without touching them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.api.request import ActionMsg, Request
from aistore.local.api.response import Response

if TYPE_CHECKING:
    from aistore.local.catalog import Bucket

Handler = Callable[[Request], Awaitable[Response]]
BucketAction = Callable[[Request, "Bucket", ActionMsg], Awaitable[Response]]
AnyBucketAction = Callable[[Request, "Bucket | None", ActionMsg], Awaitable[Response]]
HeadSummary = Callable[[Request, "Bucket", str], Awaitable[Response]]
ObjectAction = Callable[[Request, "Bucket", str, ActionMsg], Awaitable[Response]]
ClusterAction = Callable[[Request, ActionMsg], Awaitable[Response]]
ObjectHandler = Callable[[Request, "Bucket", str], Awaitable[Response]]


class Noun(NamedTuple):
    """A first path part: who answers which verbs, those in the cluster's `Allow` and those it omits there."""

    handler: Handler
    allow: str
    unlisted: str = ""

    def accepts(self, method: str) -> bool:
        """Whether the verb is answered."""
        return method in self.allow.split(", ") or method in self.unlisted.split(", ")


class Registry:
    """All routes.

    Attributes:
        nouns: `/v1/<noun>...`, at the proxy and at targets (`req.node` tells which).
        roots: other first path parts: `/metrics`, `/ais/...`, `/s3/...`.
        bucket_actions: (verb, action) of `/v1/buckets/<bucket>`; at the proxy, the bucket exists.
        any_bucket_actions: action of `GET /v1/buckets[/<bucket>]`; the bucket is None where none is named.
        head_summary: answers `HEAD /v1/buckets/<bucket>[/<prefix>]?bsumm_remote=`.
        object_actions: action of `POST /v1/objects/<bucket>/<object>`; at the owning target.
        named_actions: action of `POST /v1/objects/<bucket>` with the object in the message; at the proxy.
        cluster_actions: action of `PUT /v1/cluster`.
        cluster_what: `GET /v1/cluster?what=`.
        get_forms, put_forms: by a query parameter that makes GET or PUT of an object something else; at the
            target.
        transform: answers `GET /v1/objects/...?etl_name=` at the owning target; None until an ETL room is
            there.
    """

    def __init__(self) -> None:
        self.nouns: dict[str, Noun] = {}
        self.roots: dict[str, Noun] = {}
        self.bucket_actions: dict[tuple[str, str], BucketAction] = {}
        self.any_bucket_actions: dict[str, AnyBucketAction] = {}
        self.head_summary: HeadSummary | None = None
        self.object_actions: dict[str, ObjectAction] = {}
        self.named_actions: dict[str, ObjectAction] = {}
        self.cluster_actions: dict[str, ClusterAction] = {}
        self.cluster_what: dict[str, Handler] = {}
        self.get_forms: dict[str, ObjectHandler] = {}
        self.put_forms: dict[str, ObjectHandler] = {}
        self.transform: ObjectHandler | None = None
