"""What stands before every route of the cluster: who asks, and whether that is permitted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aistore.local.api.redirect import checked_action
from aistore.local.api.registry import Handler, Noun
from aistore.local.authn import rules
from aistore.local.authn.identity import describe
from aistore.local.authn.jwt import InvalidToken
from aistore.local.authn.service import BEARER
from aistore.local.bucket_props import ALL_ACCESS
from aistore.local.errors import LocalError
from aistore.local.s3.errors import error_response
from aistore.sdk.authn.access_attr import AccessAttr

if TYPE_CHECKING:
    from aistore.local.api.request import Request
    from aistore.local.api.response import Response
    from aistore.local.authn.authority import Authn
    from aistore.local.authn.identity import Identity
    from aistore.local.authn.needs import Need
    from aistore.local.catalog import Bucket
    from aistore.local.state import State

_S3_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - the name of a header

_OPEN = frozenset({"health"})
# Rewritten to a path of one of the others, which is then checked.
_REWRITTEN = frozenset({"ais", "gs", "az", "oc"})
_ALWAYS_ADMINS = AccessAttr.PATCH | AccessAttr.BCK_SET_ACL


def protect(state: State, authn: Authn) -> None:
    """Put the gate before every route that is registered, whatever it is, except `/v1/health`."""
    gate = Gate(authn)
    nouns, roots = state.registry.nouns, state.registry.roots
    for name, noun in nouns.items():
        if name not in _OPEN:
            nouns[name] = noun._replace(handler=gate.before(noun))
    for name, noun in roots.items():
        if name == "s3":
            roots[name] = noun._replace(handler=gate.before_s3(noun))
        elif name not in _REWRITTEN:
            roots[name] = noun._replace(handler=gate.before(noun))


class Gate:
    """Checks requests.

    Args:
        authn (Authn): Who there is.
    """

    def __init__(self, authn: Authn) -> None:
        self._authn = authn

    def before(self, noun: Noun) -> Handler:
        """A handler that checks first."""

        async def handle(req: Request) -> Response:
            if not await self._is_trusted(req):
                await self._check(req)
            return await noun.handler(req)

        return handle

    def before_s3(self, noun: Noun) -> Handler:
        """The same for S3, which has errors of its own form."""

        async def handle(req: Request) -> Response:
            try:
                await self._check(req)
            except LocalError as err:
                return error_response(req, err)
            return await noun.handler(req)

        return handle

    async def _is_trusted(self, req: Request) -> bool:
        """Whether the proxy has checked this request, or an ETL's server sent it.

        That server shows a secret, which its route checks. A body that is no message has no action that the
        proxy could have checked.
        """
        if req.node.is_proxy:
            return False
        if req.path.startswith("/v1/etl/_object/"):
            return True
        signed = self._authn.signed_action(req.method, req.raw_path, req.raw_query)
        if signed is None:
            return False
        try:
            return await checked_action(req) == signed
        except LocalError:
            return False

    async def _check(self, req: Request) -> None:
        identity = self._identify(req)
        for need in await rules.needs(req):
            self._check_token(req, identity, need)
            if need.bck is not None:
                bucket = req.state.catalog.buckets.find(need.bck)
                if bucket is not None:
                    _check_mask(bucket, identity, need)

    def _identify(self, req: Request) -> Identity:
        header = req.headers.get("authorization", "")
        name, token = "Authorization", ""
        if header.startswith(BEARER):
            token = header.removeprefix(BEARER)
        else:
            name, token = _S3_TOKEN, req.headers.get(_S3_TOKEN.lower(), "")
            if not token and req.path.split("/", 2)[1] == "s3":
                # Of a presigned URL; the older signature has it in lower case.
                token = req.query.get(_S3_TOKEN, "") or req.query.get(_S3_TOKEN.lower(), "")
        if not token:
            if not req.node.is_proxy and req.parts[:1] in (["objects"], ["ml"]):
                raise LocalError("direct target access denied", status=403)
            raise LocalError("token required", status=401)
        try:
            return self._authn.identify(token)
        except InvalidToken as err:
            message = f'invalid token from header "{name}": invalid token [err: {err}]'
            raise LocalError(message, status=401) from err

    def _check_token(self, req: Request, identity: Identity, need: Need) -> None:
        uuid = req.state.nodes.uuid
        granted = identity.granted(uuid, need.bck)
        if granted & need.bits == need.bits:
            return
        if need.shown is not None:
            self._check_token(req, identity, need.shown)
        who = f"user {identity.user}, {identity.expires_in(time.time())}"
        what = f"cluster {uuid}, {who}" if need.bck is None else f"{who}, bucket {need.bck}"
        message = (
            f"user `{identity.user}` has insufficient permissions: [{what}, granted({describe(granted)})]"
        )
        raise LocalError(message, status=403, tcode="wrapError" if need.bck is not None else "")


def _check_mask(bucket: Bucket, identity: Identity, need: Need) -> None:
    """Refuse what the bucket's own mask doesn't allow to anyone; admins may always change the mask."""
    mask = bucket.props["access"]
    if mask == ALL_ACCESS:
        return
    refused = need.bits & ~int(mask)
    if identity.is_admin:
        refused &= ~_ALWAYS_ADMINS
    if refused:
        raise LocalError(
            f"bucket {bucket.bck}: {describe(refused)} access denied ({int(mask):#x})",
            status=403,
            tcode="ErrBucketAccessDenied",
        )
