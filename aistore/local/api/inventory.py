"""Native bucket inventories (protocol-ml/07): of remote buckets, of which a local cluster has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.local.api.response import Response, json_response
from aistore.local.errors import LocalError

if TYPE_CHECKING:
    from aistore.local.api.request import ActionMsg, Request
    from aistore.local.catalog import Bucket
    from aistore.local.state import State


async def _create(_req: Request, bucket: Bucket, msg: ActionMsg) -> Response:
    raise LocalError(
        f"{msg.action}: expecting remote bucket (have {bucket.bck}); listing it needs no inventory",
        tcode="ErrNotRemoteBck",
    )


async def _show(_req: Request, _bucket: Bucket | None, _msg: ActionMsg) -> Response:
    return json_response({})


async def _destroy(_req: Request, _bucket: Bucket, _msg: ActionMsg) -> Response:
    # As on a cluster: done also when nothing matches.
    return Response()


def register(state: State) -> None:
    """Add the actions."""
    state.registry.bucket_actions["POST", "create-inventory"] = _create
    state.registry.bucket_actions["DELETE", "destroy-inventory"] = _destroy
    state.registry.any_bucket_actions["show-inventory"] = _show
