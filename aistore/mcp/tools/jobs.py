"""Tools that look at jobs and ETLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aistore.mcp.tools.registry import reading_tool, to_json
from aistore.sdk.errors import SDKError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from aistore.sdk.client import Client
    from aistore.sdk.models.job import JobStatus

_LAST_LINES = 200


def register_job_tools(mcp: MCPServer, get_client: Callable[[], Client]) -> None:
    """Add the tools for jobs and ETLs.

    Args:
        mcp: The server.
        get_client: Returns the client to use.
    """
    _register_jobs(mcp, get_client)
    _register_etls(mcp, get_client)


def _register_jobs(mcp: MCPServer, get_client: Callable[[], Client]) -> None:
    @reading_tool(mcp)
    def ais_list_jobs(kind: str = "") -> str:
        """The jobs of a kind (empty: of all), running ones and those that have ended."""
        jobs = [_job(status) for status in get_client().cluster().list_jobs_status(job_kind=kind)]
        return to_json({"kind_filter": kind, "count": len(jobs), "jobs": jobs})

    @reading_tool(mcp)
    def ais_running_jobs() -> str:
        """The jobs that are running, each as kind[id]."""
        jobs = get_client().cluster().list_running_jobs()
        return to_json({"count": len(jobs), "jobs": jobs})

    @reading_tool(mcp)
    def ais_job_status(job_id: str) -> str:
        """State of a job, and what each target has done of it."""
        job = get_client().job(job_id=job_id)
        answer = _job(job.status())
        try:
            answer["snapshots"] = job.get_details().list_snapshots()
        except SDKError as err:
            answer["snapshots_error"] = str(err)
        return to_json(answer)


def _register_etls(mcp: MCPServer, get_client: Callable[[], Client]) -> None:
    @reading_tool(mcp)
    def ais_list_etls() -> str:
        """The ETLs that are running, with how much they have done."""
        etls = get_client().cluster().list_etls()
        return to_json({"count": len(etls), "etls": etls})

    @reading_tool(mcp)
    def ais_etl_details(etl_name: str, job_id: str = "") -> str:
        """Which objects an ETL failed on: inline, or in the offline job named by its id."""
        try:
            details = get_client().etl(etl_name).view(job_id)
        except Exception as err:  # noqa: BLE001 - as in 2.0.0, every failure is in the JSON
            return to_json({"name": etl_name, "error": str(err)})
        errors = [
            {"obj_name": error.obj_name, "message": error.msg, "error_code": error.ecode}
            for error in details.obj_errors or ()
        ]
        return to_json({"name": etl_name, "obj_errors": errors})

    @reading_tool(mcp)
    def ais_etl_logs(etl_name: str, target_id: str = "") -> str:
        """The last 200 lines that an ETL's server on each target, or on one, has written."""
        try:
            nodes = get_client().etl(etl_name).logs(target_id)
        except Exception as err:  # noqa: BLE001 - as in 2.0.0, every failure is in the JSON
            return to_json({"etl_name": etl_name, "error": str(err)})
        logs: dict[str, Any] = {}
        for node in nodes:
            lines = node.logs.splitlines()
            logs[node.target_id] = {
                "total_lines": len(lines),
                "last_200_lines": "\n".join(lines[-_LAST_LINES:]),
            }
        return to_json({"etl_name": etl_name, "logs": logs})


def _job(status: JobStatus) -> dict[str, Any]:
    return {
        "id": status.uuid,
        "error": status.err,
        "finished": status.end_time != 0,
        "aborted": status.aborted,
    }
