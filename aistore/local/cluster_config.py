"""The cluster's configuration: shown, and stored when it is changed, as on a real cluster (protocol/12).

One machine has no use for most of it; what is set can be read back.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from aistore.local.errors import InvalidRequest
from aistore.local.limits import check_properties

if TYPE_CHECKING:
    from aistore.local.catalog import Catalog

Config = dict[str, Any]

_KIND = "config"
_KEY = "cluster"
_FIXED = {"uuid", "proxy", "net", "config_version", "lastupdate_time"}

DEFAULTS: Config = {
    "write_policy": {"data": "immediate", "md": "immediate"},
    "checksum": {
        "type": "xxhash2",
        "validate_cold_get": False,
        "validate_warm_get": False,
        "validate_obj_move": False,
        "enable_read_range": False,
    },
    "tcb": {"compression": "never", "bundle_multiplier": 2, "burst_buffer": 512},
    "tco": {"compression": "never", "bundle_multiplier": 2, "burst_buffer": 512},
    "arch": {"compression": "never", "bundle_multiplier": 2, "burst_buffer": 512},
    "lso": {
        "compression": "never",
        "bundle_multiplier": 1,
        "burst_buffer": 32,
        "walk_buffer": 128,
        "idle_time": "20s",
        "quiescent": "5s",
    },
    "rate_limit": {
        "backend": {"interval": "1m", "max_tokens": 1000, "enabled": False, "num_retries": 3},
        "frontend": {"interval": "1m", "max_tokens": 1000, "enabled": False, "burst_size": 375},
    },
    "keepalivetracker": {
        "proxy": {"name": "heartbeat", "interval": "10s", "factor": 3},
        "target": {"name": "heartbeat", "interval": "10s", "factor": 3},
        "num_retries": 3,
        "retry_factor": 4,
    },
    "rebalance": {
        "compression": "never",
        "bundle_multiplier": 2,
        "burst_buffer": 1024,
        "dest_retry_time": "2m",
        "enabled": True,
    },
    "log": {
        "level": "3",
        "max_size": "64MiB",
        "max_total": "512MiB",
        "flush_time": "1m",
        "stats_time": "3m",
        "to_stderr": False,
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
    "get_batch": {
        "compression": "never",
        "bundle_multiplier": 2,
        "burst_buffer": 512,
        "max_wait": "20s",
        "warmup_workers": -1,
        "max_soft_errs": 8,
        "max_gfn": 5,
    },
    "space": {
        "cleanupwm": 65,
        "lowwm": 75,
        "highwm": 90,
        "out_of_space": 95,
        "batch_size": 32768,
        "dont_cleanup_time": "2h0m",
    },
    "transport": {
        "max_header": 4096,
        "burst_buffer": 1024,
        "idle_teardown": "4s",
        "quiescent": "10s",
        "lz4_block": "256KiB",
        "lz4_frame_checksum": False,
    },
    "disk": {
        "disk_util_low_wm": 20,
        "disk_util_high_wm": 80,
        "disk_util_max_wm": 95,
        "iostat_time_long": "2s",
        "iostat_time_short": "100ms",
        "iostat_time_smooth": "8s",
    },
    "fshc": {"test_files": 4, "error_limit": 2, "io_err_limit": 10, "io_err_time": "10s", "enabled": True},
    "chunks": {"objsize_limit": "0B", "max_monolithic_size": "1TiB", "chunk_size": "1GiB"},
    "lru": {"dont_evict_time": "2h0m", "capacity_upd_time": "10m", "batch_size": 32768, "enabled": False},
    "mirror": {"copies": 2, "burst_buffer": 512, "enabled": False},
    "periodic": {"stats_time": "10s", "retry_sync_time": "2s", "notif_time": "30s"},
    "client": {"client_timeout": "10s", "client_long_timeout": "5m", "list_timeout": "5m"},
    "downloader": {"timeout": "1h0m"},
    "auth": {"client_auth_required": False},
    "backend": {},
    "uuid": "",
    "lastupdate_time": "",
    "proxy": {"primary_url": "", "original_url": "", "discovery_url": "", "non_electable": False},
    "net": {
        "l4": {"proto": "tcp", "sndrcv_buf_size": 131072},
        "http": {
            "server_crt": "server.crt",
            "server_key": "server.key",
            "client_ca_tls": "",
            "client_auth_tls": 0,
            "domain_tls": "",
            "idle_conn_time": "6s",
            "backend_idle_conn_time": "6s",
            "idle_conns_per_host": 32,
            "idle_conns": 256,
            "write_buffer_size": 0,
            "read_buffer_size": 0,
            "use_https": False,
            "skip_verify": False,
            "chunked_transfer": True,
        },
        "use_ipv6": False,
    },
    "timeout": {
        "cplane_operation": "2s",
        "max_keepalive": "5s",
        "max_host_busy": "20s",
        "startup_time": "1m",
        "join_startup_time": "3m",
        "send_file_time": "5m",
        "ec_streams_time": "10m",
        "object_md": "2h0m",
        "cold_get_conflict": "5s",
    },
    "memsys": {
        "min_free": "2GiB",
        "default_buf": "32KiB",
        "to_gc": "4GiB",
        "hk_time": "3m",
        "min_pct_total": 0,
        "min_pct_free": 0,
    },
    "features": "0",
    "config_version": "0",
    "versioning": {"enabled": True, "validate_warm_get": False, "synchronize": False},
    "resilver": {"enabled": True},
}


class ClusterConfig:
    """The configuration, kept across restarts.

    Args:
        catalog (Catalog): Where changes are kept.
        uuid (str): The cluster's.
    """

    def __init__(self, catalog: Catalog, uuid: str) -> None:
        self._catalog = catalog
        self._uuid = uuid
        stored = catalog.documents.get(_KIND, _KEY) or {"version": 0, "changes": {}}
        self.version: int = stored["version"]
        self._changes: Config = stored["changes"]

    def current(self, proxy_url: str) -> Config:
        """The whole configuration."""
        config = _merge(DEFAULTS, self._changes)
        config["uuid"] = self._uuid
        config["config_version"] = str(self.version)
        config["proxy"] = {**config["proxy"], "primary_url": proxy_url, "original_url": proxy_url}
        return config

    def change(self, values: Any, *, keep: bool = True) -> None:
        """Merge values into the configuration.

        Args:
            values: Nested, as the configuration is.
            keep (bool): Across restarts too.

        Raises:
            InvalidRequest: An unknown name, or a value of another type.
        """
        if not isinstance(values, dict):
            raise InvalidRequest(f"failed to unmarshal set-config: expecting an object, got {values!r}")
        for key in values:
            if key in _FIXED:
                raise InvalidRequest(f"cannot change {key!r} of a local cluster")
        _check(DEFAULTS, values, "")
        changes = _merge(self._changes, values)
        check_properties(changes, "the changes to the configuration")
        self._changes = changes
        self.version += 1
        if keep:
            self._catalog.documents.put(_KIND, _KEY, {"version": self.version, "changes": self._changes})

    def reset(self) -> None:
        """Back to the defaults."""
        self._changes = {}
        self.version += 1
        self._catalog.documents.put(_KIND, _KEY, {"version": self.version, "changes": {}})


def nested(pairs: dict[str, str]) -> Config:
    """Values of `a.b=c` pairs, typed as the defaults are.

    Raises:
        InvalidRequest: An unknown name, or a value of another type.
    """
    values: Config = {}
    for path, text in pairs.items():
        default: Any = DEFAULTS
        for key in path.split("."):
            if not isinstance(default, dict) or key not in default:
                raise InvalidRequest(f'unknown property "{path}"')
            default = default[key]
        *folders, last = path.split(".")
        place = values
        for key in folders:
            place = place.setdefault(key, {})
        place[last] = _typed(path, text, default)
    return values


def _typed(path: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.lower() not in {"true", "false"}:
            raise InvalidRequest(f"invalid value {text!r} of {path!r}: expecting true or false")
        return text.lower() == "true"
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError as err:
            raise InvalidRequest(f"invalid value {text!r} of {path!r}: expecting a number") from err
    return text


def _check(default: Config, values: Config, path: str) -> None:
    for key, value in values.items():
        name = f"{path}{key}"
        if key not in default:
            raise InvalidRequest(f'failed to unmarshal set-config: unknown property "{name}"')
        known = default[key]
        if isinstance(known, dict) and known and isinstance(value, dict):
            _check(known, value, f"{name}.")
        elif value is not None and type(value) is not type(known):
            raise InvalidRequest(
                f"failed to unmarshal set-config: {name}: expecting a value like {known!r}, got {value!r}"
            )


def _merge(base: Config, changes: Config) -> Config:
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        elif value is not None:
            merged[key] = value
    return merged
