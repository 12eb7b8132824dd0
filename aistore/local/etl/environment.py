"""The environment of an ETL's process: as on a real cluster, with as little as possible of this server's."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from aistore.sdk.const import AIS_ETL_SECRET

if TYPE_CHECKING:
    from aistore.local.etl.spec import EtlSpec

_INHERITED = {
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SYSTEMROOT", "PYTHONPATH"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES"),
}


def make_environment(
    spec: EtlSpec,
    target_url: str,
    secret: str,
    hosts: list[str],
    roots: list[str],
    tls: dict[str, str],
    python: str,
    workers: int,
) -> dict[str, str]:
    """The variables of one process.

    They come in the cluster's order: of the message's runtime, of the target, of the message's top level.

    Args:
        spec (EtlSpec): The ETL.
        target_url (str): `AIS_TARGET_URL`, with the secret that the process shows to the target.
        secret (str): What the target shows to the process.
        hosts (list[str]): Where results may be sent.
        roots (list[str]): Folders that objects' files are in.
        tls (dict[str, str]): Variables for talking to the target over https.
        python (str): The interpreter with the class's own packages, if it has any.
        workers (int): `NUM_WORKERS` of a class that does not set it.
    """
    env = {key: value for key, value in os.environ.items() if key in _INHERITED or key.startswith("LC_")}
    env["PYTHONUNBUFFERED"] = "1"
    env["PATH"] = _search_path(env.get("PATH", os.defpath), python)
    if python:
        # Python would look there before the class's own packages; the entries are handed on behind these.
        env.pop("PYTHONPATH", None)
    env.update(tls)
    if spec.command is None:
        env["NUM_WORKERS"] = str(workers)
    env.update(spec.env)
    env["AIS_TARGET_URL"] = target_url
    env["direct_put"] = "true" if spec.direct_put else "false"
    env["AIS_ETL_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(hosts))
    env["AIS_ETL_FQN_ROOTS"] = os.pathsep.join(root.replace(os.pathsep, f"\\{os.pathsep}") for root in roots)
    env.update(spec.late_env)
    env[AIS_ETL_SECRET] = secret
    return env


def default_workers(targets: int) -> int:
    """Return how many processes each target's server of a class has: together as many as there are cores.

    At least two, so that one that crashes does not end the ETL; at most six, the default of a cluster's pods.

    Args:
        targets (int): How many targets run here, each with a server of its own.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    return min(max(-(-cores // targets), 2), 6)


def _search_path(inherited: str, python: str) -> str:
    """PATH, with the programs that were installed with this Python, and first those of the class's own."""
    own = [str(Path(python).parent)] if python else []
    known = inherited.split(os.pathsep)
    added = [folder for folder in (*own, sysconfig.get_path("scripts")) if folder not in known]
    return os.pathsep.join(dict.fromkeys([*added, *known]))
