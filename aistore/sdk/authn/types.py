"""What the AuthN service takes and returns."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator
from typing import Any

import msgspec

from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.const import NANOSECONDS_IN_SECOND
from aistore.sdk.models.base import Model, RootModel
from aistore.sdk.types import BucketModel

_HIDDEN = "'...'"  # instead of a secret


class TokenMsg(Model):
    """A token, as login returns it and revocation takes it."""

    token: str

    def __repr__(self) -> str:
        return f"TokenMsg(token={_HIDDEN})"


class LoginMsg(Model):
    """What login takes: the password, and for how long the token is valid (seconds)."""

    password: str
    expires_in: int | float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the duration in nanoseconds."""
        expires_in = None if self.expires_in is None else int(self.expires_in * NANOSECONDS_IN_SECOND)
        return {"password": self.password, "expires_in": expires_in}

    def __repr__(self) -> str:
        return f"LoginMsg(password={_HIDDEN}, expires_in={self.expires_in!r})"


class ClusterInfo(Model):
    """A registered cluster: id, alias, URLs."""

    id: str
    alias: str | None = None
    urls: list[str] = []  # noqa: RUF012 - each instance gets its own


class ClusterList(Model):
    """Registered clusters by id."""

    clusters: dict[str, ClusterInfo] = {}  # noqa: RUF012 - each instance gets its own


class ClusterPermission(Model):
    """What may be done in a cluster: its id, and permissions as a decimal number."""

    id: str
    perm: str

    def describe(self) -> str:
        """Return the names of the permissions, separated by commas."""
        return AccessAttr.describe(int(self.perm))

    def __str__(self) -> str:
        return f"ClusterPermission(id={self.id}, perm={self.describe()})"


class BucketPermission(Model):
    """What may be done in a bucket: its address, and permissions as a decimal number."""

    bck: BucketModel
    perm: str

    def describe(self) -> str:
        """Return the names of the permissions, separated by commas."""
        return AccessAttr.describe(int(self.perm))

    def __str__(self) -> str:
        return f"BucketPermission(bck={self.bck}, perm={self.describe()})"


class RoleInfo(Model):
    """A role: permissions under a name."""

    name: str
    desc: str
    clusters: list[ClusterPermission] | None = None
    buckets: list[BucketPermission] | None = None
    admin: bool = False

    def __str__(self) -> str:
        clusters = ", ".join(map(str, self.clusters or ()))
        buckets = ", ".join(map(str, self.buckets or ()))
        return (
            f"RoleInfo(name={self.name}, desc={self.desc}, clusters=[{clusters}], buckets=[{buckets}], "
            f"admin={self.admin})"
        )


class RolesList(RootModel[list[RoleInfo]]):
    """A list of roles."""

    root_type = list[RoleInfo]

    def __init__(self, root: list[RoleInfo] | None) -> None:
        super().__init__(root or [])  # the service says null for none

    def __len__(self) -> int:
        return len(self.root)

    def __iter__(self) -> Iterator[RoleInfo]:
        return iter(self.root)

    def __getitem__(self, item: int) -> RoleInfo:
        return self.root[item]

    def __str__(self) -> str:
        return "\n".join(map(str, self.root))


class UserInfo(Model):
    """A user: name and roles; the password only where one is being set."""

    id: str
    password: str | None = None
    roles: RolesList = msgspec.field(default_factory=lambda: RolesList([]))

    def dict(self, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON form: a password that is set is called `pass` there."""
        wire = self.model_dump(**kwargs)
        if self.password is not None:
            wire["pass"] = wire.pop("password")
        return wire

    def __repr__(self) -> str:
        password = None if self.password is None else _HIDDEN
        return f"UserInfo(id={self.id!r}, password={password}, roles={self.roles!r})"


class UserMap(RootModel[dict[str, UserInfo]]):
    """Users by name."""

    root_type = dict[str, UserInfo]

    def __init__(self, root: dict[str, UserInfo] | None) -> None:
        super().__init__(root or {})

    def __len__(self) -> int:
        return len(self.root)

    def __iter__(self) -> Iterator[str]:
        return iter(self.root)

    def __getitem__(self, item: str) -> UserInfo:
        return self.root[item]

    def items(self) -> ItemsView[str, UserInfo]:
        """Return names with users."""
        return self.root.items()

    def __str__(self) -> str:
        return "\n".join(map(str, self.root.values()))
