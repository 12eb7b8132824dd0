"""Bucket properties: the defaults, and what may be changed to what (protocol/02)."""

from __future__ import annotations

import copy
import secrets
import time
from typing import TYPE_CHECKING, Any

from aistore.local.errors import InvalidRequest, LocalError
from aistore.local.limits import check_properties
from aistore.local.numbers import whole_number
from aistore.wire.checksums import CHECKSUM_TYPES

if TYPE_CHECKING:
    from aistore.local.catalog import Props

ALL_ACCESS = str(2**64 - 1)
_LOCAL_BID = 1 << 63
_MIRROR_RANGE = range(2, 33)

DEFAULTS: Props = {
    "backend_bck": {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}},
    "write_policy": {"data": "immediate", "md": "immediate"},
    "provider": "ais",
    "Renamed": "",
    "checksum": {
        "type": "xxhash2",
        "validate_cold_get": False,
        "validate_warm_get": False,
        "validate_obj_move": False,
        "enable_read_range": False,
    },
    "extra": {"aws": {}, "gcp": {}, "oci": {}},
    "rate_limit": {
        "backend": {"interval": "1m", "max_tokens": 1000, "enabled": False, "num_retries": 3},
        "frontend": {"interval": "1m", "max_tokens": 1000, "enabled": False, "burst_size": 375},
    },
    "ec": {
        "compression": "never",
        "bundle_multiplier": 2,
        "burst_buffer": 512,
        "objsize_limit": 262144,
        "data_slices": 2,
        "parity_slices": 2,
        "enabled": False,
        "disk_only": False,
    },
    "chunks": {"objsize_limit": "0B", "max_monolithic_size": "1TiB", "chunk_size": "1GiB"},
    "mirror": {"copies": 2, "burst_buffer": 512, "enabled": False},
    "lru": {"dont_evict_time": "2h0m", "capacity_upd_time": "10m", "batch_size": 32768, "enabled": False},
    "access": ALL_ACCESS,
    "features": "0",
    "bid": "0",
    "created": "0",
    "versioning": {"enabled": True, "validate_warm_get": False, "synchronize": False},
}

_SETTABLE = {"backend_bck", "versioning", "checksum", "lru", "mirror", "chunks", "ec", "access", "rate_limit"}
_SETTABLE |= {"features", "write_policy", "extra", "force"}


def new_props(provider: str) -> Props:
    """Properties of a new bucket."""
    props = copy.deepcopy(DEFAULTS)
    props["provider"] = provider
    props["bid"] = str(_LOCAL_BID | secrets.randbits(40))
    props["created"] = str(time.time_ns())
    return props


def reset_props(props: Props) -> Props:
    """Back to the defaults; the bucket stays the same one."""
    fresh = copy.deepcopy(DEFAULTS)
    for key in ("provider", "bid", "created"):
        fresh[key] = props[key]
    return fresh


def merge_props(props: Props, changes: Any, targets: int) -> Props:
    """A copy of `props` with changes.

    Raises:
        InvalidRequest: An unknown property, one of the wrong type, or one that a machine with this many
            targets, each with one mountpath, can't honour.
    """
    if changes is None:
        return props
    if not isinstance(changes, dict):
        raise _invalid(f"expecting an object, got {type(changes).__name__}")
    merged = copy.deepcopy(props)
    for key, value in changes.items():
        if key not in _SETTABLE:
            raise _invalid(f"cmn.BpropsToSet.ReadObject: found unknown field: {key}")
        if key == "force" or value is None:
            continue
        if key == "backend_bck":
            _check_backend(value)
        elif key in {"access", "features"}:
            merged[key] = _mask(key, value)
        else:
            merged[key] = _merge(key, merged[key], value)
    _check(merged, changes, targets)
    check_properties(merged, "the properties of a bucket")
    return merged


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(f"invalid set-bucket-props request (msg=actm[set-bprops]): {detail}")


def _mask(key: str, value: Any) -> str:
    text = str(value)
    mask = whole_number(text)
    if isinstance(value, bool) or mask is None or mask >= 2**64:
        raise _invalid(f"{key}: expecting a decimal number as a string, got {value!r}")
    return str(mask)


def _merge(path: str, old: Any, new: Any) -> Any:
    if isinstance(old, dict) and path != "extra":
        if not isinstance(new, dict):
            raise _invalid(f"{path}: expecting an object, got {new!r}")
        merged = dict(old)
        for key, value in new.items():
            if key not in old:
                raise _invalid(f"{path}: found unknown field: {key}")
            if value is not None:
                merged[key] = _merge(f"{path}.{key}", old[key], value)
        return merged
    if isinstance(old, bool) != isinstance(new, bool) or not isinstance(new, (type(old), str, int)):
        raise _invalid(f"{path}: expecting a value like {old!r}, got {new!r}")
    return new


def _check_backend(value: Any) -> None:
    provider = value.get("provider", "") if isinstance(value, dict) else ""
    if provider and provider != "ais":
        raise LocalError(
            f"{provider.upper()} backend is missing in the cluster configuration", tcode="ErrMissingBackend"
        )


def too_few_mountpaths(copies: int) -> InvalidRequest:
    """More copies than a target has disks."""
    return InvalidRequest(
        f"number of copies ({copies}) exceeds the number of mountpaths: each target has one"
    )


def too_few_targets(data_slices: int, parity_slices: int, targets: int) -> LocalError:
    """Erasure coding, which one machine can't do."""
    required = data_slices + parity_slices + 1
    return LocalError(
        f"erasure coding requires at least {required} targets (have {targets} on one machine)",
        tcode="ErrNotEnoughTargets",
    )


def _check(props: Props, changes: dict[str, Any], targets: int) -> None:
    if "checksum" in changes:
        check_type(props["checksum"]["type"])
    mirror = props["mirror"]
    if mirror["copies"] and mirror["copies"] not in _MIRROR_RANGE:
        raise InvalidRequest(
            f"invalid mirror.copies: {mirror['copies']} (expected value in range [2, 32] or zero for default)"
        )
    if mirror["enabled"]:
        raise too_few_mountpaths(mirror["copies"])
    ec = props["ec"]
    if ec["enabled"]:
        raise too_few_targets(ec["data_slices"], ec["parity_slices"], targets)
    if "write_policy" in changes:
        for key in ("data", "md"):
            if props["write_policy"][key] not in {"", "immediate", "delayed", "never"}:
                raise InvalidRequest(
                    f"invalid write policy {props['write_policy'][key]!r} (write_policy.{key})"
                )


def check_type(kind: str) -> None:
    """Refuse an unknown checksum type.

    Raises:
        InvalidRequest: Names the types there are.
    """
    if kind not in CHECKSUM_TYPES:
        raise InvalidRequest(
            f'invalid checksum type "{kind}" (expecting {" or ".join(CHECKSUM_TYPES)})',
        )
