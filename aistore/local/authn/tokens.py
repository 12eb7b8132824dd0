"""Issues, checks and revokes tokens; the secret they are signed with never leaves this module."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from aistore.local.admin import SECRET_FILE
from aistore.local.authn import jwt
from aistore.local.authn.identity import BucketGrant, Identity, grant_of, union
from aistore.local.authn.jwt import InvalidToken
from aistore.local.data_folder import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from aistore.local.authn.accounts import Role, User
    from aistore.local.catalog import Catalog

DEFAULT_LIFE = 24 * 3600.0
MAX_LIFE = 2160 * 3600.0

_SECRET_BYTES = 32
_REVOKED = "authn-revoked"
_REMEMBERED = 1024


class Tokens:
    """The tokens of one folder.

    Args:
        catalog (Catalog): Keeps which tokens were revoked until they expire.
        root (Path): The data folder, with the file of the secret.
    """

    def __init__(self, catalog: Catalog, root: Path) -> None:
        self._documents = catalog.documents
        self._secret = _read_secret(root / SECRET_FILE)
        self._lock = threading.Lock()
        self._revoked: dict[str, float] = dict(self._documents.items(_REVOKED))
        # By digest: what is kept is of no use to who reads it.
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def issue(self, user: User, roles: list[Role], life: float, issuer: str) -> str:
        """Make a token with everything that the roles permit now.

        Args:
            user (User): For whom.
            roles (list[Role]): The user's roles.
            life (float): For how many seconds it is valid; more than 90 days become 90 days.
            issuer (str): URL of the service.
        """
        is_admin = any(role.admin for role in roles)
        now = int(time.time())
        claims: dict[str, Any] = {"clusters": None}
        if not is_admin:
            clusters = union((mask.id, int(mask.perm)) for role in roles for mask in role.clusters or ())
            claims["clusters"] = [{"id": key, "perm": str(mask)} for key, mask in clusters.items()] or None
            buckets = _bucket_entries(roles)
            if buckets:
                claims["buckets"] = buckets
        claims |= {"admin": is_admin, "iss": issuer, "sub": user.id, "uid": user.serial}
        audience = sorted(_clusters(claims))
        if audience:
            claims["aud"] = audience
        # A token of less than a second must not be one of none.
        # The number keeps logins of the same second apart: one can be revoked without the other.
        claims |= {"exp": now + max(1, int(min(life, MAX_LIFE))), "iat": now, "jti": secrets.token_hex(8)}
        return jwt.encode(claims, self._secret)

    def check(self, token: str) -> Identity:
        """The bearer of a token.

        Raises:
            InvalidToken: It is malformed, forged, expired or revoked; the message doesn't contain it.
        """
        digest = _digest(token)
        now = time.time()
        identity = self._known.get(digest)
        if identity is None:
            identity = self._read(token, now)
            with self._lock:
                self._known[digest] = identity
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if identity.expires <= now:
            raise InvalidToken("token expired")
        if digest in self._revoked:
            raise InvalidToken("token revoked")
        return identity

    def _read(self, token: str, now: float) -> Identity:
        claims = jwt.decode(token, self._secret, now)
        try:
            return Identity.from_claims(claims)
        except ValueError as err:
            raise InvalidToken(str(err)) from err

    def revoke(self, token: str) -> None:
        """Make a token worth nothing, also after a restart; once more does no harm.

        Raises:
            InvalidToken: It is none of ours, or expired.
        """
        expires = self._read(token, time.time()).expires
        with self._lock:
            self._forget_expired()
            digest = _digest(token)
            self._documents.put(_REVOKED, digest, expires)
            self._revoked = {**self._revoked, digest: expires}

    def _forget_expired(self) -> None:
        now = time.time()
        for digest, expires in list(self._revoked.items()):
            if expires <= now:
                self._documents.delete(_REVOKED, digest)
                self._revoked = {key: end for key, end in self._revoked.items() if key != digest}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _read_secret(file: Path) -> bytes:
    """The secret of an earlier start, or a new one: tokens of before are then worth nothing."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        secret = base64.b64decode(file.read_bytes(), validate=True)
        if len(secret) == _SECRET_BYTES:
            return secret
    secret = secrets.token_bytes(_SECRET_BYTES)
    write_private(file, base64.b64encode(secret))
    return secret


def _bucket_entries(roles: list[Role]) -> list[dict[str, Any]]:
    """What roles permit in buckets, each bucket once."""
    entries: dict[BucketGrant, dict[str, Any]] = {}
    for role in roles:
        for entry in role.buckets or ():
            key = grant_of(entry.bck)
            namespace = {"uuid": key.cluster, "name": key.namespace}
            bck = {"name": key.name, "provider": key.provider, "namespace": namespace}
            mask = int(entries[key]["perm"]) if key in entries else 0
            entries[key] = {"bck": bck, "perm": str(mask | int(entry.perm))}
    return list(entries.values())


def _clusters(claims: dict[str, Any]) -> set[str]:
    found = {entry["id"] for entry in claims["clusters"] or ()}
    found |= {entry["bck"]["namespace"]["uuid"] for entry in claims.get("buckets", ())}
    return found - {""}
