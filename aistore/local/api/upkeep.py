"""Actions about copies, slices, chunks and indexes of shards, and blob downloads (protocol-ml/06 and 07)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from aistore.local import bucket_props
from aistore.local.api.response import TEXT_TYPE, Response, json_response, text_response
from aistore.local.errors import InvalidRequest, LocalError, NotFound
from aistore.local.jobs.shard_index import index_shards, sum_up
from aistore.local.jobs.upkeep import make_copies, not_rechunked
from aistore.local.names import check_prefix
from aistore.local.numbers import whole_number

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.jobs import Job
    from aistore.local.state import State

_MAX_COPIES = 32
_KEPT = 1000


async def _make_copies(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    copies = whole_number(str(msg.value))
    if isinstance(msg.value, bool) or copies is None or not 1 <= copies <= _MAX_COPIES:
        raise InvalidRequest(f"{msg.action}: expecting a number of copies from 1 to 32, got {msg.value!r}")
    return text_response((await req.state.run(make_copies, req.state, bucket, copies)).id)


async def _encode(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    value = msg.value or {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"invalid ec-encode request: expecting an object, got {value!r}")
    slices = {key: value.get(key) or bucket.props["ec"][key] for key in ("data_slices", "parity_slices")}
    for key, count in slices.items():
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MAX_COPIES:
            raise InvalidRequest(f"invalid ec-encode request: {key} must be 1 to 32, got {count!r}")
    raise bucket_props.too_few_targets(**slices, targets=len(req.state.nodes.targets))


async def _rechunk(_req: Request, bucket: Bucket, _msg: ActionMsg) -> Response:
    raise not_rechunked(bucket)


async def _blob_download(_req: Request, bucket: Bucket, _name: str, msg: ActionMsg) -> Response:
    raise LocalError(f"{msg.action}: expecting remote bucket (have {bucket.bck})", tcode="ErrNotRemoteBck")


def _options(msg: ActionMsg) -> dict[str, Any]:
    """The value of an action that has a prefix.

    Raises:
        InvalidRequest: It isn't an object with a prefix.
    """
    value = msg.value or {}
    if not isinstance(value, dict) or not isinstance(value.get("prefix") or "", str):
        raise InvalidRequest(f"{msg.action}: expecting an object with a prefix, got {value!r}")
    check_prefix(value.get("prefix") or "")
    return value


async def _index(req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    prefix = _options(msg).get("prefix") or ""
    return text_response((await req.state.run(index_shards, req.state, bucket, prefix)).id)


class _ShardSummaries:
    """Summaries of shards: asked for once, then fetched by ID."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def get_action(self, req: Request, bucket: Bucket | None, msg: ActionMsg) -> Response:
        """Answer `GET /v1/buckets/B` with the action `summary-shard`."""
        if bucket is None:
            raise InvalidRequest(f"{msg.action}: the bucket's name is missing")
        value = _options(msg)
        job_id = value.get("uuid") or ""
        if not job_id:
            return text_response(await req.state.run(self._begin, req.state, bucket, value), status=202)
        job = req.state.jobs.get(str(job_id))
        # The permission is for this bucket, not for that of any job.
        if job is None or job.kind != msg.action or job.bck != bucket.bck:
            raise NotFound(f"{msg.action} job {job_id} does not exist")
        if job.is_running:
            return Response(202)
        made = self._made.get(job.id)
        if made is None:
            raise NotFound(f"{msg.action} job {job_id} has no result: {job.abort_error or 'it is too old'}")
        return json_response(made, content_type=TEXT_TYPE)

    def _begin(self, state: State, bucket: Bucket, value: dict[str, Any]) -> str:
        def work(job: Job) -> None:
            self._made[job.id] = sum_up(state, job, bucket, value.get("prefix") or "")
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)

        return state.jobs.start("summary-shard", work, bck=bucket.bck).id


def register(state: State) -> None:
    """Add the actions."""
    actions: dict[tuple[str, str], Any] = {
        ("POST", "make-n-copies"): _make_copies,
        ("POST", "ec-encode"): _encode,
        ("POST", "rechunk"): _rechunk,
        ("POST", "index-shard"): _index,
    }
    state.registry.bucket_actions.update(actions)
    state.registry.named_actions["blob-download"] = _blob_download
    state.registry.any_bucket_actions["summary-shard"] = _ShardSummaries().get_action
