"""Buckets on the wire: the control message, a bucket's address, summaries, inventories."""

from typing import Any

from aistore.sdk.models.base import Model, to_plain
from aistore.sdk.namespace import Namespace


class ActionMsg(Model):
    """A control message: what to do (`action`), to what (`name`), and how (`value`)."""

    action: str
    name: str = ""
    value: Any = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON body: all three keys, always."""
        return {"action": self.action, "name": self.name, "value": to_plain(self.value)}


class BucketModel(Model):
    """A bucket's address: name, provider and, outside the global one, namespace."""

    name: str
    provider: str
    namespace: Namespace | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, without a namespace that is not set."""
        return self.model_dump(exclude_none=True)

    def get_path(self) -> str:
        """Return `provider/@uuid#namespace/bucket/`, as query parameters name another bucket."""
        namespace = self.namespace or Namespace()
        return f"{self.provider}/{namespace.get_path()}/{self.name}/"


class BsummCtrlMsg(Model):
    """What a bucket summary counts: the job to ask (`uuid`), a name prefix, and which objects."""

    uuid: str
    prefix: str
    cached: bool
    present: bool


class CreateNBIMsg(Model):
    """How to make a bucket inventory."""

    name: str = ""
    names_per_chunk: int = 0
    force: bool = False
    prefix: str = ""
    props: str = ""
    flags: str = "0"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: only what differs from the defaults."""
        dumped = self.model_dump()
        return {name: value for name, value in dumped.items() if value and (name, value) != ("flags", "0")}


class NBIInfo(Model):
    """A bucket inventory: where it is, when it was made (nanoseconds), and how many names it holds."""

    bucket: str = ""
    name: str = ""
    obj_name: str = ""
    size: int = 0
    prefix: str = ""
    started: int = 0
    finished: int = 0
    ntotal: int = 0
    smap_ver: int = 0
    chunks: int = 0
    nat: int = 0
