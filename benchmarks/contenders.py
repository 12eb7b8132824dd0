"""Who takes part: which interpreter, which driver."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.row import CONNECTIONS, ETL_SERVER, FLOOR, OURS, V200

if TYPE_CHECKING:
    from benchmarks.row import Row

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / ".venv-peer" / "bin" / "python"
BENCH = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Contender:
    """A process to be started.

    Attributes:
        name: As it is shown.
        python: Interpreter of its environment.
        driver: Module in `worker/` that does the work.
        extra: What its driver is told besides the row's arguments.
    """

    name: str
    python: Path
    driver: str
    extra: dict[str, Any]

    @property
    def missing(self) -> str:
        """Why it cannot take part; "" when it can."""
        if self.python.exists():
            return ""
        return f"no environment {self.python.parent.parent.name}: `make bench` makes it"


_OWN = Path(sys.executable)
_KNOWN: dict[str, tuple[Path, str, dict[str, Any]]] = {
    OURS: (_OWN, "driver_sdk", {}),
    V200: (PEER, "driver_sdk", {}),
    FLOOR: (_OWN, "driver_wire", {}),
    "aiohttp": (BENCH, "driver_async", {"client": "aiohttp"}),
    "obstore.aio": (BENCH, "driver_async", {"client": "obstore"}),
    "obstore.import": (BENCH, "driver_import", {"code": "import obstore"}),
    "uvicorn": (_OWN, "driver_etl", {"kind": "uvicorn"}),
    "threads": (_OWN, "driver_etl", {"kind": "threads"}),
    "nginx": (_OWN, "driver_server", {}),
    ETL_SERVER: (_OWN, "driver_etl", {"name": "hpush", "kind": "fastapi", "threads": CONNECTIONS}),
    **{
        name: (BENCH, "driver_http", {"client": name})
        for name in ("requests", "urllib3", "http.client", "httpx", "pycurl")
    },
    **{name: (BENCH, "driver_store", {"client": name}) for name in ("obstore", "boto3", "s3fs")},
}


def find_contender(name: str, row: Row) -> Contender:
    """Return the contender of this name for a row.

    Args:
        name: One of `row.contenders`.
        row: The row.
    """
    python, driver, extra = _KNOWN[name]
    if row.group == "import" and row.work == "import":
        driver = "driver_import"
        extra = extra | ({"code": "pass"} if name == FLOOR else {})
    elif row.group == "dataset":
        driver = "driver_dataset"
    elif row.group == "etl" or name == ETL_SERVER:
        driver = "driver_etl"
    elif row.args.get("server"):
        driver = "driver_server"
    elif row.once:
        driver = "driver_bulk"
    return Contender(name, python, driver, extra)
