"""The key pair that requests must be signed with."""

from __future__ import annotations

from typing import NamedTuple

ACCESS_VARIABLE = "AIS_LOCAL_S3_ACCESS_KEY"
SECRET_VARIABLE = "AIS_LOCAL_S3_SECRET_KEY"  # noqa: S105 - the name of a variable


class Keys(NamedTuple):
    """An access key and its secret, which does not show in a `repr`."""

    access: str
    secret: str

    def __repr__(self) -> str:
        return f"Keys({self.access!r}, '***')"


def make_keys(access: str, secret: str) -> Keys | None:
    """The pair, None when neither is given.

    Raises:
        ValueError: Only one of them is given, or the access key can't be told apart in a credential.
    """
    if not access and not secret:
        return None
    if not access or not secret:
        missing = "access" if not access else "secret"
        raise ValueError(f"the S3 {missing} key is missing: give both keys, or none to accept every request")
    if "/" in access or not access.isprintable() or not access.isascii():
        raise ValueError(f"S3 access key {access!r}: expecting printable ASCII without '/'")
    return Keys(access, secret)
