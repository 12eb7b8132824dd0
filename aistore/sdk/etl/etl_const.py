"""Names and defaults of ETLs."""

from __future__ import annotations

# Stages of an ETL
ETL_STAGE_INIT = "Initializing"
ETL_STAGE_RUNNING = "Running"
ETL_STAGE_ABORTED = "Aborted"

# How a target talks to the ETL server: it puts the object, the server gets it, or over a websocket
ETL_COMM_HPUSH = "hpush"
ETL_COMM_HPULL = "hpull"
ETL_COMM_WS = "ws"
ETL_COMM_OPTIONS = [ETL_COMM_HPUSH, ETL_COMM_HPULL, ETL_COMM_WS]

DEFAULT_ETL_COMM = ETL_COMM_HPUSH
DEFAULT_ETL_TIMEOUT = "5m"
DEFAULT_ETL_OBJ_TIMEOUT = "45s"

# Python versions that there is a runtime image for
ETL_SUPPORTED_PYTHON_VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

# Command of an image that has a FastAPI application named `fastapi_app` in `fastapi_server.py`
FASTAPI_CMD = [
    "uvicorn",
    "fastapi_server:fastapi_app",
    "--host",
    "0.0.0.0",  # noqa: S104 - inside the pod
    "--port",
    "8000",
    "--workers",
    "4",
    "--no-access-log",
]
