"""`/v1/etl/_object/ETL/SECRET/UNAME`: how an ETL's server reads and writes objects at its target."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aistore.local.api import errors, object_get, object_put
from aistore.local.api.response import Response
from aistore.local.errors import LocalError
from aistore.local.names import check_object_name, parse_uname

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.catalog import Bucket
    from aistore.local.etl.instance import Etl


async def serve_pod(req: Request) -> Response:
    """Answer an ETL's server, which shows the secret of its present run.

    With AuthN it reads and writes what a caller has had it transform, and nothing else: what it does is not
    the caller's, but the permissions are.

    Raises:
        LocalError: 401 for another secret, 403 for an object that is not being transformed.
    """
    if len(req.parts) < 5:
        raise errors.invalid_uri(req)
    _, _, etl_name, secret, *rest = req.parts
    etl = req.state.etl.find_live(etl_name)
    if etl is None or not etl.is_secret(secret):
        raise LocalError("unrecognized request source", status=401, with_node=True)
    bck, name = parse_uname("/".join(rest))
    check_object_name(name)
    if req.state.authn is not None and not _is_under_way(req, etl, bck.uname(name)):
        raise LocalError(
            f"ETL {etl.name} may {req.method} objects of transforms under way only (--auth)",
            status=403,
            with_node=True,
        )
    bucket = req.state.catalog.buckets.get(bck)
    if req.method == "GET":
        return await object_get.send_object(req, bucket, name)
    if req.method == "HEAD":
        return await object_get.head_object(req, bucket, name)
    if req.method == "PUT":
        return await _store(req, bucket, name)
    raise errors.method_not_allowed("GET, HEAD, PUT")


def _is_under_way(req: Request, etl: Etl, uname: str) -> bool:
    if req.method != "PUT":
        return etl.may_read(uname)
    job = req.state.jobs.get(req.query.get("uuid", ""))
    return job is not None and etl.name in job.etls and req.state.etl.deliveries.is_expected((job.id, uname))


async def _store(req: Request, bucket: Bucket, name: str) -> Response:
    """Store what an ETL's server sends; the result of a job's object is left to the job to publish."""
    state = req.state
    with contextlib.ExitStack() as unless_delivered:
        writer = unless_delivered.enter_context(state.store.writer(bucket, name))
        inline = await object_put.receive_into(req, writer)
        key = (req.query.get("uuid", ""), bucket.bck.uname(name))
        if state.etl.deliveries.bring(key, writer):
            unless_delivered.pop_all()
        elif inline:
            writer.commit()
        else:
            await state.run(writer.commit)
    return Response()
