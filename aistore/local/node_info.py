"""What nodes tell about themselves: memory, load, capacity, counters (protocol/12)."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from aistore.version import __version__

if TYPE_CHECKING:
    from aistore.local.nodes import Node
    from aistore.local.state import State

SOFTWARE_VERSION = "5.0."
_HEALTHY = 6
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROXY_COUNTERS = ("get", "put", "head", "del", "lst", "append", "ren")

# Names as on a cluster; a local one counts fewer things.
METRIC_KINDS = {
    f"{prefix}{kind}.n": "counter" for kind in (*_PROXY_COUNTERS, "post", "patch") for prefix in ("", "err.")
}
METRIC_KINDS |= {f"{kind}.ns.total": "total" for kind in (*_PROXY_COUNTERS, "post", "patch")}
METRIC_KINDS |= {"get.size": "size", "put.size": "size", "up.ns.time": "special", "state.flags": "gauge"}


def _memory() -> dict[str, int]:
    """Bytes by name from the kernel's table; zeros where there is none."""
    found = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                name, _, rest = line.partition(":")
                found[name] = int(rest.split()[0]) * 1024
    except OSError:
        pass
    return found


def _process() -> tuple[int, int, int]:
    """(virtual size, resident size, shared) of this process."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            size, resident, shared = file.read().split()[:3]
    except OSError:
        return 0, 0, 0
    return int(size) * _PAGE, int(resident) * _PAGE, int(shared) * _PAGE


def sysinfo(state: State, node: Node) -> dict[str, Any]:
    """Memory and load of the machine, and this process's part."""
    memory = _memory()
    total, available = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    size, resident, shared = _process()
    times = os.times()
    user, system = int(times.user * 1000), int(times.system * 1000)
    elapsed = max(1e-3, (time.time_ns() - state.started) / 1e9)
    percent = 100 * (times.user + times.system) / elapsed
    one, five, fifteen = os.getloadavg()
    info: dict[str, Any] = {
        "mem_used": resident,
        "mem_avail": available,
        "pct_mem_used": 100 * resident / total if total else 0.0,
        "pct_cpu_used": percent,
        "load_avg": {"One": one, "Five": five, "Fifteen": fifteen},
        "cpu_util": min(100, round(100 * one / (os.cpu_count() or 1))),
        "mem": {
            "Total": total,
            "Used": total - memory.get("MemFree", 0),
            "Free": memory.get("MemFree", 0),
            "BuffCache": memory.get("Buffers", 0) + memory.get("Cached", 0),
            "ActualFree": available,
            "ActualUsed": total - available,
            "SwapTotal": memory.get("SwapTotal", 0),
            "SwapFree": memory.get("SwapFree", 0),
            "SwapUsed": memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
        },
        "proc": {
            "CPU": {
                "User": user,
                "System": system,
                "Total": user + system,
                "LastTime": 0,
                "Percent": percent,
            },
            "Mem": {"Size": size, "Resident": resident, "Share": shared},
        },
    }
    if not node.is_proxy:
        disk = shutil.disk_usage(state.root)
        info |= {
            "fs_used": str(disk.used),
            "fs_capacity": str(disk.total),
            "pct_fs_used": _percent(disk.used, disk.total),
        }
    return info


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


def capacity(state: State, node: Node) -> dict[str, Any]:
    """Space of a target's mountpath; a proxy has none."""
    if node.is_proxy:
        return _capacity(None, 0, 0)
    disk = shutil.disk_usage(state.root)
    mountpath = {
        "mountpath_label": "",
        "fs": {"Fs": "local", "FsType": "local", "FsID": "0,0"},
        "disks": ["local"],
        "used": str(disk.used),
        "avail": str(disk.free),
        "pct_used": _percent(disk.used, disk.total),
    }
    return _capacity({state.store.files.mountpath(node.index): mountpath}, disk.used, disk.free)


def _capacity(mountpaths: dict[str, Any] | None, used: int, available: int) -> dict[str, Any]:
    percent = _percent(used, used + available)
    return {
        "mountpaths": mountpaths,
        "cs_err": "",
        "total_used": str(used),
        "total_avail": str(available),
        "pct_max": percent,
        "pct_avg": percent,
        "pct_min": percent,
    }


def disk(state: State, node: Node) -> dict[str, Any]:
    """Utilisation of a target's disks; the local cluster doesn't measure it."""
    idle = {"RBps": 0, "Ravg": 0, "WBps": 0, "Wavg": 0, "Util": 0}
    return {"AllDiskStats": {"local": idle}, **capacity(state, node)}


def mountpaths(state: State, node: Node) -> dict[str, Any]:
    """The one mountpath of a target."""
    return {"available": [state.store.files.mountpath(node.index)], "waiting_dd": [], "disabled": []}


def tracker(state: State, node: Node) -> dict[str, int]:
    """Counters of a node."""
    counters = {"state.flags": _HEALTHY, "up.ns.time": time.time_ns() - state.started}
    return dict(sorted((counters | state.stats.node(node.id)).items()))


def node_stats(state: State, node: Node, host: str) -> dict[str, Any]:
    """Identity, counters and capacity of a node, for a client that reaches this machine as `host`."""
    return {
        "snode": node.as_dict(host, in_map=False),
        "tracker": tracker(state, node),
        "capacity": capacity(state, node),
    }


def node_status(state: State, node: Node, cluster: dict[str, Any], host: str) -> dict[str, Any]:
    """Everything about a node."""
    return {
        "status": "",
        "deployment": "dev",
        "ais_version": SOFTWARE_VERSION,
        "build_time": f"aistore.local {__version__}",
        "k8s_pod_name": "",
        **node_stats(state, node, host),
        "cluster": cluster,
        "sys_info": sysinfo(state, node),
        "smap_version": str(state.nodes.version),
    }
