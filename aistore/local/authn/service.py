"""The AuthN service on its own port: users, roles, clusters, tokens (protocol/08)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from aistore.local.api import errors
from aistore.local.api.app import App
from aistore.local.api.response import Response, json_response
from aistore.local.authn.accounts import Cluster, Role, User
from aistore.local.authn.identity import Identity
from aistore.local.authn.jwt import InvalidToken
from aistore.local.authn.tokens import DEFAULT_LIFE, MAX_LIFE
from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.nodes import Node
from aistore.sdk.durations import convert_to_seconds
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.models.prepare import prepared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aistore.local.access_log import AccessLog
    from aistore.local.api.guard import Guard
    from aistore.local.api.request import Request
    from aistore.local.authn.authority import Authn
    from aistore.local.state import State

BEARER = "Bearer "

_MAX_BODY = 1 << 20
_NANOSECONDS = 1e9
_HASHES_AT_A_TIME = 2
_HIDDEN = "**********"


class ServiceNode(Node):
    """The service as a node: in errors it has no name."""

    def __init__(self) -> None:
        super().__init__("authn", "", 0)

    @property
    def label(self) -> str:
        """Empty, as the real service sends it."""
        return ""


class _Login(msgspec.Struct):
    password: str = ""
    expires_in: int | None = None


class _RoleName(msgspec.Struct):
    name: str = ""


class _UserChange(msgspec.Struct):
    id: str = ""
    password: str | None = msgspec.field(default="", name="pass")
    roles: list[_RoleName] | None = None


class _Revocation(msgspec.Struct):
    token: str = ""


class AuthnApp(App):
    """The application of the AuthN port.

    Args:
        state (State): The cluster.
        authn (Authn): Its accounts and tokens.
        node (Node): The service's address.
        guard (Guard): What is refused before anything else.
        access_log (AccessLog | None): Where answered requests are logged.
    """

    def __init__(
        self, state: State, authn: Authn, node: Node, guard: Guard, access_log: AccessLog | None = None
    ) -> None:
        super().__init__(state, {node.port: node}, guard, access_log)
        self._authn = authn
        self._accounts = authn.accounts
        self._life = DEFAULT_LIFE
        # Each takes a processor and memory for a while: guessing must not take all of them.
        self._hashing = asyncio.Semaphore(_HASHES_AT_A_TIME)
        self._nouns: dict[str, Callable[[Request, str], Awaitable[Response]]] = {
            "users": self._users,
            "roles": self._roles,
            "clusters": self._clusters,
            "tokens": self._tokens,
            "daemon": self._daemon,
            "public-key": self._public_key,
            "rotate-key": self._rotate_key,
        }

    async def _route(self, req: Request) -> Response:
        if req.path.startswith("/.well-known/"):
            return self._well_known(req)
        names = req.parts[1:]
        noun = self._nouns.get(req.parts[0]) if req.path.startswith("/v1/") else None
        if noun is None or len(names) > 1:
            raise _not_found()
        return await noun(req, names[0] if names else "")

    # ---- who asks

    def _bearer(self, req: Request) -> Identity:
        header = req.headers.get("authorization", "")
        if not header.startswith(BEARER):
            raise LocalError("token required", status=401)
        try:
            return self._authn.identify(header.removeprefix(BEARER))
        except InvalidToken as err:
            raise LocalError(f"not authorized (invalid token [err: {err}])", status=401) from err

    def _admin(self, req: Request) -> None:
        identity = self._bearer(req)
        if not identity.is_admin:
            about = f"user {identity.user}, {identity.expires_in(time.time())}"
            raise LocalError(f"not authorized: requires admin ({about})", status=401)

    def _admin_or_self(self, req: Request, name: str) -> bool:
        """Whether it is an admin; otherwise it is the user."""
        identity = self._bearer(req)
        if not identity.is_admin and identity.user != name:
            self._admin(req)
        return identity.is_admin

    async def _decode(self, req: Request, type: Any, kind: str) -> Any:
        body = await req.body(_MAX_BODY)
        try:
            if not body.strip():
                raise msgspec.DecodeError("EOF")
            return msgspec.json.decode(body, type=prepared(type))
        except (msgspec.DecodeError, UnicodeDecodeError) as err:
            message = f"{req.path}: failed to unmarshal [*authn.{kind}] ({req.method}), err: {err}"
            raise InvalidRequest(message) from err

    # ---- users

    async def _users(self, req: Request, name: str) -> Response:
        if req.method == "GET":
            if name:
                self._admin_or_self(req, name)
                return _json(self._shown(self._accounts.user(name)))
            self._admin(req)
            return _json({user.id: self._shown(user) for user in self._accounts.users.all()})
        if req.method == "POST":
            return await (self._login(req, name) if name else self._add_user(req))
        if req.method == "PUT" and name:
            return await self._change_user(req, name)
        if req.method == "DELETE" and name:
            self._admin(req)
            self._accounts.remove_user(name)
            return Response()
        raise errors.method_not_allowed("DELETE, GET, POST, PUT")

    def _shown(self, user: User) -> dict[str, Any]:
        return {"id": user.id, "roles": self._accounts.roles_of(user)}

    async def _login(self, req: Request, name: str) -> Response:
        login: _Login = await self._decode(req, _Login, "LoginMsg")
        if not login.password:
            raise LocalError("empty password", status=401)
        if (login.expires_in or 0) < 0:
            raise InvalidRequest(f"expires_in {login.expires_in} is negative: expecting nanoseconds")
        async with self._hashing:
            user = await self._state.run(self._accounts.check_password, name, login.password)
        if user is None:
            message = f"AuthN: failed to generate token for {name}, err: invalid credentials"
            raise LocalError(message, status=401, tcode="ErrFailedTo")
        life = login.expires_in / _NANOSECONDS if login.expires_in else self._life
        token = self._authn.tokens.issue(user, self._accounts.roles_of(user), life, self._authn.url)
        return _json({"token": token})

    async def _add_user(self, req: Request) -> Response:
        self._admin(req)
        user: _UserChange = await self._decode(req, _UserChange, "User")
        roles = [role.name for role in user.roles or ()]
        async with self._hashing:
            await self._state.run(self._accounts.add_user, user.id, user.password or "", roles)
        return Response()

    async def _change_user(self, req: Request, name: str) -> Response:
        is_admin = self._admin_or_self(req, name)
        user: _UserChange = await self._decode(req, _UserChange, "User")
        roles = [role.name for role in user.roles or ()]
        if roles and not is_admin:
            self._admin(req)
        async with self._hashing:
            await self._state.run(self._accounts.change_user, name, user.password or "", roles)
        return Response()

    # ---- roles and clusters

    async def _roles(self, req: Request, name: str) -> Response:
        if req.method == "GET":
            return _json(self._role(req, name) if name else self._shown_roles(req))
        if req.method not in {"POST", "PUT", "DELETE"} or (req.method != "POST") != bool(name):
            raise errors.method_not_allowed("DELETE, GET, POST, PUT")
        self._admin(req)
        if req.method == "DELETE":
            self._accounts.remove_role(name)
            return Response()
        role: Role = await self._decode(req, Role, "Role")
        if name:
            self._accounts.change_role(name, role)
        else:
            self._accounts.add_role(role)
        return Response()

    def _shown_roles(self, req: Request) -> list[Role]:
        """All roles for admins, their own for others: roles have the names of buckets in them."""
        identity = self._bearer(req)
        if identity.is_admin:
            return self._accounts.roles.all()
        return self._accounts.roles_of(self._accounts.user(identity.user))

    def _role(self, req: Request, name: str) -> Role:
        if name not in {role.name for role in self._shown_roles(req)}:
            self._admin(req)
        return self._accounts.role(name)

    async def _clusters(self, req: Request, name: str) -> Response:
        if req.method == "GET":
            self._bearer(req)
            found = self._accounts.find_clusters(name)
            return _json({"clusters": found} if found else {})
        if req.method not in {"POST", "PUT", "DELETE"} or (req.method != "POST") != bool(name):
            raise errors.method_not_allowed("DELETE, GET, POST, PUT")
        self._admin(req)
        if req.method == "DELETE":
            self._accounts.remove_cluster(name)
            return Response()
        cluster: Cluster = await self._decode(req, Cluster, "CluACL")
        if name:
            self._accounts.change_cluster(name, cluster)
        else:
            self._accounts.add_cluster(cluster)
        return Response()

    # ---- tokens and the service itself

    async def _tokens(self, req: Request, name: str) -> Response:
        if req.method != "DELETE" or name:
            raise errors.method_not_allowed("DELETE")
        token: str = (await self._decode(req, _Revocation, "TokenMsg")).token
        if not token:
            raise InvalidRequest("empty token")
        try:
            self._authn.tokens.revoke(token)
        except InvalidToken as err:
            raise LocalError(f"invalid token [err: {err}]", status=401, tcode="wrapErrors") from err
        return Response()

    async def _daemon(self, req: Request, name: str) -> Response:
        if req.method not in {"GET", "PUT"} or name:
            raise errors.method_not_allowed("GET, PUT")
        self._admin(req)
        if req.method == "PUT":
            self._configure(await self._decode(req, dict[str, Any], "ConfigToUpdate"))
            return Response()
        auth: dict[str, Any] = {"secret": _HIDDEN}
        auth |= {"expiration_time": _hours(self._life), "max_token_age": _hours(MAX_LIFE)}
        auth |= {"public_key": None, "signing_key": {"bits": 2048}, "db": {"type": "", "filepath": ""}}
        http = {"server_crt": "", "server_key": "", "port": req.node.port}
        http["use_https"] = self._authn.url.startswith("https:")
        log = {"dir": "", "level": "3", "max_size": "4MiB", "max_total": "64MiB", "flush_interval": "30s"}
        net = {"external_url": "", "http": http}
        return _json({"auth": auth, "log": log, "net": net, "timeout": {"default_timeout": "30s"}})

    def _configure(self, config: dict[str, Any]) -> None:
        """Set for how long tokens are valid; nothing else can be changed."""
        auth = config.get("auth")
        if not isinstance(auth, dict) or set(config) != {"auth"} or set(auth) != {"expiration_time"}:
            raise InvalidRequest("only auth.expiration_time can be changed here")
        try:
            life = float(convert_to_seconds(auth["expiration_time"]))
        except InvalidArgument as err:
            raise InvalidRequest(f"auth.expiration_time: {err}") from err
        if not 0 < life <= MAX_LIFE:
            raise InvalidRequest(f"auth.expiration_time: expecting more than 0, at most {_hours(MAX_LIFE)}")
        self._life = life

    async def _public_key(self, _req: Request, _name: str) -> Response:
        raise InvalidRequest("current signing method does not have a public key")

    async def _rotate_key(self, req: Request, _name: str) -> Response:
        self._admin(req)
        raise InvalidRequest("rotation not supported for current signing method")

    def _well_known(self, req: Request) -> Response:
        if req.path == "/.well-known/jwks.json":
            raise InvalidRequest("JWKS not available for current signing method")
        if req.path != "/.well-known/openid-configuration":
            raise _not_found()
        url = req.url_of(req.node)
        return _json(
            {
                "issuer": self._authn.url,
                "token_endpoint": f"{url}/v1/tokens",
                "userinfo_endpoint": f"{url}/v1/users",
                "jwks_uri": f"{url}/.well-known/jwks.json",
                "id_token_signing_alg_values_supported": ["HS256"],
            }
        )


def _json(value: Any) -> Response:
    return json_response(value, content_type="application/json")


def _hours(seconds: float) -> str:
    return f"{int(seconds) // 3600}h{int(seconds) // 60 % 60}m"


def _not_found() -> LocalError:
    return LocalError("404 page not found", status=404, plain=True)
