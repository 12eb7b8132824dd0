"""Users, roles and clusters of the AuthN service, kept in the catalog."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from aistore.local.admin import ACCOUNTS
from aistore.local.authn.identity import ROLE_MASKS
from aistore.local.authn.passwords import hash_password, is_password
from aistore.local.errors import LocalError
from aistore.local.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.local.catalog import Catalog

ADMIN_ROLE = "Admin"

_T = TypeVar("_T", bound=msgspec.Struct)


class ClusterMask(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a role permits in a cluster; the alias is filled in where a role is shown by itself."""

    id: str
    alias: str = ""
    perm: str


class BucketMask(msgspec.Struct):
    """What a role permits in a bucket."""

    bck: dict[str, Any]
    perm: str


class Role(msgspec.Struct):
    """Permissions under a name."""

    name: str = ""
    desc: str = ""
    clusters: list[ClusterMask] | None = None
    buckets: list[BucketMask] | None = None
    admin: bool = False


class Cluster(msgspec.Struct):
    """A registered cluster."""

    id: str = ""
    alias: str | None = ""
    urls: list[str] | None = None


class User(msgspec.Struct):
    """A user: what is kept of the password, the names of the roles, and what tokens are issued for.

    The serial is of this user and this password: a token that has another is worth nothing.
    """

    id: str
    password: str
    roles: list[str]
    serial: str


def failed(action: str, why: str, status: int) -> LocalError:
    """The error of a change that is refused."""
    return LocalError(f"AuthN: failed to {action}, err: {why}", status=status, tcode="ErrFailedTo")


def missing(why: str) -> LocalError:
    """The error of a name that is asked for, and isn't there."""
    return LocalError(why, status=404, tcode="ErrNotFound")


class _Table(Generic[_T]):
    """Records in memory, and as documents of one kind in the catalog."""

    def __init__(self, catalog: Catalog, kind: str, type: type[_T]) -> None:
        self._documents = catalog.documents
        self._kind = kind
        self._records = {key: msgspec.convert(value, type) for key, value in self._documents.items(kind)}

    def find(self, key: str) -> _T | None:
        return self._records.get(key)

    def all(self) -> list[_T]:
        return [self._records[key] for key in sorted(self._records)]

    def put(self, key: str, record: _T) -> None:
        self._documents.put(self._kind, key, record)
        self._records = {**self._records, key: record}

    def remove(self, key: str) -> None:
        self._documents.delete(self._kind, key)
        self._records = {other: record for other, record in self._records.items() if other != key}


class Accounts:
    """Who there is. Every change is one step: whole, or refused.

    Args:
        catalog (Catalog): Where they are kept.
        admin (str): Name of the built-in user.
        password (str): The password to give the built-in user; empty leaves it as it is.
        on_admin_password: Called when the built-in user was given another password.
    """

    def __init__(
        self, catalog: Catalog, admin: str, password: str, on_admin_password: Callable[[], None]
    ) -> None:
        self._lock = threading.RLock()
        self._on_admin_password = on_admin_password
        self.admin = admin
        self.users = _Table(catalog, ACCOUNTS, User)
        self.roles = _Table(catalog, "authn-role", Role)
        self.clusters = _Table(catalog, "authn-cluster", Cluster)
        self._nobody = hash_password("")
        self.roles.put(ADMIN_ROLE, Role(ADMIN_ROLE, "AuthN administrator", admin=True))
        if password and self.set_admin(password):
            on_admin_password()

    def set_admin(self, password: str) -> bool:
        """Make the built-in user, or give it this password; False if it has this password already."""
        old = self.users.find(self.admin)
        if old is not None and is_password(password, old.password):
            self.users.put(self.admin, User(self.admin, old.password, [ADMIN_ROLE], old.serial))
            return False
        self.users.put(self.admin, User(self.admin, hash_password(password), [ADMIN_ROLE], _serial()))
        return True

    # ---- users

    def check_password(self, name: str, password: str) -> User | None:
        """The user of this name and password; takes as long when there is none of the name."""
        user = self.users.find(name)
        matches = is_password(password, user.password if user is not None else self._nobody)
        return user if matches else None

    def user(self, name: str) -> User:
        """A user.

        Raises:
            LocalError: 404, there is none.
        """
        user = self.users.find(name)
        if user is None:
            raise missing(f'user "{name}" does not exist')
        return user

    def roles_of(self, user: User) -> list[Role]:
        """The roles that the user has; those that were removed since are left out."""
        return [role for role in map(self.roles.find, user.roles) if role is not None]

    def add_user(self, name: str, password: str, roles: list[str]) -> None:
        """Add a user.

        Raises:
            LocalError: 400 without name or password, 404 for an unknown role, 409 if there is one.
        """
        action = f"add user {name}"
        if not name or "/" in name or not password.strip():
            raise failed(action, "invalid credentials", 400)
        kept = hash_password(password)
        with self._lock:
            if self.users.find(name) is not None:
                raise failed(action, f"AuthN: user {name} already exists", 409)
            self.users.put(name, User(name, kept, self._known(action, roles), _serial()))

    def change_user(self, name: str, password: str, roles: list[str]) -> None:
        """Give a user another password, other roles; what is empty stays as it is.

        A password takes the worth of all tokens that were issued before.

        Raises:
            LocalError: 404 for an unknown user or role, 403 for other roles of the built-in user.
        """
        action = f"update user {name}"
        if self.users.find(name) is None:
            raise failed(action, f'user "{name}" does not exist', 404)
        kept = hash_password(password) if password else ""
        with self._lock:
            user = self.users.find(name)
            if user is None:
                raise failed(action, f'user "{name}" does not exist', 404)
            known = self._known(action, roles) or user.roles
            if name == self.admin and ADMIN_ROLE not in known:
                raise failed(action, f'cannot take the role "{ADMIN_ROLE}" from built-in "{name}"', 403)
            serial = _serial() if kept else user.serial
            self.users.put(name, User(name, kept or user.password, known, serial))
            if kept and name == self.admin:
                self._on_admin_password()

    def remove_user(self, name: str) -> None:
        """Remove a user; the user's tokens are worth nothing from now on.

        Raises:
            LocalError: 403 for the built-in one, 404 if there is none.
        """
        with self._lock:
            if name == self.admin:
                raise failed(f"delete user {name}", f'cannot remove built-in "{name}" account', 403)
            if self.users.find(name) is None:
                raise failed(f"delete user {name}", f'user "{name}" does not exist', 404)
            self.users.remove(name)

    def _known(self, action: str, roles: list[str]) -> list[str]:
        for name in roles:
            if self.roles.find(name) is None:
                raise failed(action, f'role "{name}" does not exist', 404)
        return list(dict.fromkeys(roles))

    # ---- roles

    def role(self, name: str) -> Role:
        """A role, with the aliases of its clusters.

        Raises:
            LocalError: 404, there is none.
        """
        role = self.roles.find(name)
        if role is None:
            raise missing(f'role "{name}" does not exist')
        if role.clusters is None:
            return role
        named = [
            ClusterMask(id=mask.id, alias=self._alias(mask.id), perm=mask.perm) for mask in role.clusters
        ]
        return msgspec.structs.replace(role, clusters=named)

    def _alias(self, cluster_id: str) -> str:
        cluster = self.clusters.find(cluster_id)
        return (cluster.alias or "") if cluster is not None else ""

    def add_role(self, role: Role) -> None:
        """Add a role.

        Raises:
            LocalError: 400 without a name, or with a mask that is no number; 409 if there is one.
        """
        action = f"add role {role.name}"
        if not role.name or "/" in role.name:
            raise failed(action, "role name is undefined", 400)
        _check_masks(action, role)
        with self._lock:
            if self.roles.find(role.name) is not None:
                raise failed(action, f"AuthN: role {role.name} already exists", 409)
            self.roles.put(role.name, _without_aliases(role))

    def change_role(self, name: str, role: Role) -> None:
        """Change a role: what is empty stays as it is, a list takes the place of the one before.

        Raises:
            LocalError: 404 if there is none, 403 for the built-in one, 400 for a mask that is no number.
        """
        action = f"update role {name}"
        _check_masks(action, role)
        with self._lock:
            old = self.roles.find(name)
            if old is None:
                raise failed(action, f'role "{name}" does not exist', 404)
            if name == ADMIN_ROLE:
                raise failed(action, f'cannot change built-in "{name}" role', 403)
            given = _without_aliases(role)
            self.roles.put(
                name,
                Role(
                    name,
                    given.desc or old.desc,
                    given.clusters if given.clusters is not None else old.clusters,
                    given.buckets if given.buckets is not None else old.buckets,
                    given.admin or old.admin,
                ),
            )

    def remove_role(self, name: str) -> None:
        """Remove a role.

        Raises:
            LocalError: 403 for the built-in one, 404 if there is none.
        """
        with self._lock:
            if name == ADMIN_ROLE:
                raise failed(f"delete role {name}", f'cannot remove built-in "{name}" role', 403)
            if self.roles.find(name) is None:
                raise failed(f"delete role {name}", f'role "{name}" does not exist', 404)
            self.roles.remove(name)

    # ---- clusters

    def find_clusters(self, name: str) -> dict[str, Cluster]:
        """Every cluster, or the one of this ID or alias.

        Raises:
            LocalError: 404, there is none of this name.
        """
        if not name:
            return {cluster.id: cluster for cluster in self.clusters.all()}
        found = self._find_cluster(name)
        if found is None:
            raise missing(f"AuthN: cluster {name} does not exist")
        return {found.id: found}

    def _find_cluster(self, name: str) -> Cluster | None:
        by_id = self.clusters.find(name)
        return by_id or next((found for found in self.clusters.all() if found.alias == name), None)

    def add_cluster(self, cluster: Cluster) -> None:
        """Register a cluster, and make the roles that come with it.

        Raises:
            LocalError: 400 without an ID, 409 if the ID or the alias is taken.
        """
        action = f"add cluster {cluster.id}"
        if not cluster.id or "/" in cluster.id:
            raise failed(action, "cluster ID is undefined", 400)
        with self._lock:
            for name in filter(None, (cluster.id, cluster.alias)):
                if self._find_cluster(name) is not None:
                    raise failed(action, f"cluster {cluster.id}[{name}] already registered", 409)
            self.clusters.put(cluster.id, Cluster(cluster.id, cluster.alias or "", cluster.urls or []))
            label = f"{cluster.id}[{cluster.alias}]" if cluster.alias else cluster.id
            for kind, (desc, mask) in ROLE_MASKS.items():
                name = f"{kind}-{cluster.alias or cluster.id}"
                masks = [ClusterMask(id=cluster.id, perm=str(mask))]
                self.roles.put(name, Role(name, desc.format(label), masks))

    def change_cluster(self, name: str, cluster: Cluster) -> None:
        """Change alias or URLs; what is empty stays as it is.

        Raises:
            LocalError: 404 if there is none, 409 if another cluster has the alias.
        """
        action = f"update cluster {name}"
        with self._lock:
            old = self._find_cluster(name)
            if old is None:
                raise failed(action, f"AuthN: cluster {name} does not exist", 404)
            taken = self._find_cluster(cluster.alias) if cluster.alias else None
            if taken is not None and taken.id != old.id:
                raise failed(action, f"cluster {taken.id}[{cluster.alias}] already registered", 409)
            self.clusters.put(old.id, Cluster(old.id, cluster.alias or old.alias, cluster.urls or old.urls))

    def remove_cluster(self, name: str) -> None:
        """Forget a cluster, with the roles that came with it.

        Raises:
            LocalError: 404 if there is none.
        """
        with self._lock:
            found = self._find_cluster(name)
            if found is None:
                raise failed(f"delete cluster {name}", f"AuthN: cluster {name} does not exist", 404)
            for kind in ROLE_MASKS:
                self.roles.remove(f"{kind}-{found.alias or found.id}")
            self.clusters.remove(found.id)


def _serial() -> str:
    return secrets.token_hex(8)


def _without_aliases(role: Role) -> Role:
    clusters = role.clusters and [ClusterMask(id=mask.id, perm=mask.perm) for mask in role.clusters]
    return msgspec.structs.replace(role, clusters=clusters)


def _check_masks(action: str, role: Role) -> None:
    for mask in (*(role.clusters or ()), *(role.buckets or ())):
        bits = whole_number(mask.perm)
        if bits is None or bits >= 2**64:
            raise failed(action, f"invalid permissions {mask.perm[:40]!r}: expecting a decimal number", 400)
    for bucket in role.buckets or ():
        if not isinstance(bucket.bck.get("name"), str) or not bucket.bck["name"]:
            raise failed(action, "bucket name is missing", 400)
