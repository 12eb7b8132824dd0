"""Bucket summaries: asked for once, then fetched by ID (protocol/02)."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aistore.local.api.response import TEXT_TYPE, Response, json_response, text_response
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.nodes import new_id
from aistore.sdk.models.prepare import prepared

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State

_MIN_ID = 9
_KEPT = 1000


class _SummaryMsg(msgspec.Struct):
    uuid: str = ""
    prefix: str = ""
    cached: bool = False
    present: bool = False
    dont_add_remote: bool = False


class _Made(NamedTuple):
    """A summary, of one bucket unless `bucket_id` is None."""

    bucket_id: int | None
    summaries: list[dict[str, Any]]


class Summaries:
    """Summaries that were made and not yet forgotten."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._made: OrderedDict[str, _Made] = OrderedDict()

    async def begin(self, bucket: Bucket | None, prefix: str) -> str:
        """Make a summary of a bucket, or of all; returns its ID."""
        buckets = [bucket] if bucket is not None else self._state.catalog.buckets.all()
        made = await self._state.run(lambda: [self._summary(one, prefix) for one in buckets])
        summary_id = new_id()
        self._made[summary_id] = _Made(bucket.id if bucket is not None else None, made)
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return summary_id

    def get(self, summary_id: str, bucket: Bucket | None) -> list[dict[str, Any]]:
        """A summary by its ID; only by way of the bucket that it is of, which the permission is for.

        Raises:
            InvalidRequest: Not an ID.
            LocalError: 404, an unknown one, or another bucket's.
        """
        if len(summary_id) < _MIN_ID:
            raise InvalidRequest(f'summary-bck: invalid UUID "{summary_id}"')
        made = self._made.get(summary_id)
        if made is None or made.bucket_id != (bucket.id if bucket is not None else None):
            raise LocalError(f"x-summary-bck[{summary_id}] does not exist", status=404, tcode="ErrNotFound")
        return made.summaries

    def _summary(self, bucket: Bucket, prefix: str) -> dict[str, Any]:
        count, least, most, total = self._state.catalog.objects.totals(bucket.id, prefix)
        disk = shutil.disk_usage(self._state.root)
        return {
            **bucket.bck.as_dict(),
            "ObjCount": {"obj_count_present": str(count), "obj_count_remote": "0"},
            "ObjSize": {
                "obj_min_size": least,
                "obj_avg_size": total // count if count else 0,
                "obj_max_size": most,
            },
            "TotalSize": {
                "size_on_disk": str(total),
                "size_all_present_objs": str(total),
                "size_all_remote_objs": "0",
                "total_disks_size": str(disk.total),
            },
            "used_pct": round(100 * total / disk.total),
            "is_present": False,
        }

    async def get_action(self, req: Request, bucket: Bucket | None, msg: ActionMsg) -> Response:
        """Answer `GET /v1/buckets[/B]` with the action `summary-bck`."""
        try:
            asked = msgspec.convert(msg.value or {}, prepared(_SummaryMsg))
        except msgspec.ValidationError as err:
            raise InvalidRequest(f"{req.node.label}: failed to unmarshal summary-bck, err: {err}") from err
        if asked.uuid:
            return json_response(self.get(asked.uuid, bucket), content_type=TEXT_TYPE)
        return text_response(await self.begin(bucket, asked.prefix), status=202)

    async def head(self, req: Request, bucket: Bucket, prefix: str) -> Response:
        """Answer `HEAD /v1/buckets/B[/PREFIX]?bsumm_remote=`."""
        props = ("Ais-Bucket-Props", msgspec.json.encode(bucket.props).decode())
        summary_id = req.query.get("uuid", "")
        if not summary_id:
            summary_id = await self.begin(bucket, prefix)
            return Response(202, headers=[props, ("Ais-Xaction-Id", summary_id)])
        summary = {**self.get(summary_id, bucket)[0], "is_present": True}
        job = ("Ais-Xaction-Id", summary_id)
        return Response(headers=[props, job, ("Ais-Bucket-Summ", msgspec.json.encode(summary).decode())])


def register(state: State) -> None:
    """Add the actions."""
    summaries = Summaries(state)
    state.registry.any_bucket_actions["summary-bck"] = summaries.get_action
    state.registry.head_summary = summaries.head
