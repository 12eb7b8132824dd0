"""What a token's bearer may do, as bits."""

from __future__ import annotations

from enum import IntFlag


class AccessAttr(IntFlag):
    """Permissions, and the usual sets of them."""

    GET = 1 << 0
    OBJ_HEAD = 1 << 1
    PUT = 1 << 2
    APPEND = 1 << 3
    OBJ_DELETE = 1 << 4
    OBJ_MOVE = 1 << 5
    PROMOTE = 1 << 6
    OBJ_UPDATE = 1 << 7
    BCK_HEAD = 1 << 8
    OBJ_LIST = 1 << 9
    PATCH = 1 << 10
    BCK_SET_ACL = 1 << 11
    LIST_BUCKETS = 1 << 12
    SHOW_CLUSTER = 1 << 13
    CREATE_BUCKET = 1 << 14
    DESTROY_BUCKET = 1 << 15
    MOVE_BUCKET = 1 << 16
    ADMIN = 1 << 17

    ACCESS_RO = GET | OBJ_HEAD | BCK_HEAD | OBJ_LIST
    ACCESS_RW = ACCESS_RO | PUT | APPEND | OBJ_DELETE | OBJ_MOVE
    CLUSTER_ACCESS_RO = LIST_BUCKETS | SHOW_CLUSTER
    CLUSTER_ACCESS_RW = CLUSTER_ACCESS_RO | CREATE_BUCKET | DESTROY_BUCKET | MOVE_BUCKET
    ACCESS_BUCKET_ADMIN = OBJ_UPDATE | PATCH | BCK_SET_ACL
    ACCESS_SU = (1 << 18) - 1

    def to_wire(self) -> str:
        """Return the form that models carry: the number as text."""
        return str(int(self))

    @staticmethod
    def describe(perms: int) -> str:
        """Return the names of the single permissions in `perms`, separated by commas."""
        single = (one for one in AccessAttr.__members__.values() if one.value.bit_count() == 1)
        return ",".join(str(one.name) for one in single if perms & one)
