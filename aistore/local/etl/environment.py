"""The environment of an ETL's process: as on a real cluster, with as little as possible of this server's."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import aistore

if TYPE_CHECKING:
    from aistore.local.etl.spec import EtlSpec

_INHERITED = {
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SYSTEMROOT", "PYTHONPATH"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES"),
}


def make_environment(
    spec: EtlSpec, target_url: str, hosts: list[str], roots: list[str], tls: dict[str, str]
) -> dict[str, str]:
    """The variables of one process.

    They come in the cluster's order: of the message's runtime, of the target, of the message's top level.

    Args:
        spec (EtlSpec): The ETL.
        target_url (str): `AIS_TARGET_URL`, with the secret.
        hosts (list[str]): Where results may be sent.
        roots (list[str]): Folders that objects' files are in.
        tls (dict[str, str]): Variables for talking to the target over https.
    """
    env = {key: value for key, value in os.environ.items() if key in _INHERITED or key.startswith("LC_")}
    env["PYTHONUNBUFFERED"] = "1"
    paths = [path for path in (_source_folder(), env.get("PYTHONPATH", "")) if path]
    if paths:
        env["PYTHONPATH"] = os.pathsep.join(paths)
    env.update(tls)
    env.update(spec.env)
    env["AIS_TARGET_URL"] = target_url
    env["direct_put"] = "true" if spec.direct_put else "false"
    env["AIS_ETL_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(hosts))
    env["AIS_ETL_FQN_ROOTS"] = os.pathsep.join(root.replace(os.pathsep, f"\\{os.pathsep}") for root in roots)
    env.update(spec.late_env)
    return env


def _source_folder() -> str:
    """Where this package is imported from, unless every Python of this installation finds it."""
    folder = Path(next(iter(aistore.__path__))).resolve().parent
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    return "" if folder in installed or not folder.is_dir() or sys.flags.isolated else str(folder)
