"""The Model Context Protocol server: its tools, called by a client over standard input and output."""

import asyncio
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

pytest.importorskip("mcp")

SURFACE = Path(__file__).resolve().parents[2] / "data" / "api" / "surface.json"


@pytest.fixture
def call(endpoint):
    """Call tools of a server of its own, in one session."""

    def run(*calls, endpoint=endpoint):
        return asyncio.run(_session(endpoint, calls))

    return run


async def _session(endpoint, calls):
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    server = StdioServerParameters(
        command=sys.executable, args=["-m", "aistore.mcp.server"], env={"AIS_ENDPOINT": endpoint}
    )
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()
        if not calls:
            return (await session.list_tools()).tools
        answers = []
        for name, arguments in calls:
            answer = await asyncio.wait_for(session.call_tool(name, arguments), 60)
            text = answer.content[0].text
            answers.append(
                f"failed: {text}" if answer.model_dump(by_alias=True)["isError"] else json.loads(text)
            )
        return answers


def test_tools_are_those_of_2_0_and_only_read(call):
    recorded = json.loads(SURFACE.read_text())["mcp_tools"]
    tools = {tool.name: tool for tool in call()}
    assert sorted(tools) == sorted(recorded)
    for name, tool in tools.items():
        properties = tool.model_dump(by_alias=True)["inputSchema"]["properties"]
        wanted = {param["name"]: (param["type"], param.get("default")) for param in recorded[name]["params"]}
        assert {key: (value["type"], value.get("default")) for key, value in properties.items()} == wanted
        assert tool.annotations.model_dump(by_alias=True)["readOnlyHint"]
        assert tool.description


def test_cluster(call, client):
    health, info, performance, ready = call(
        ("ais_cluster_health", {}),
        ("ais_cluster_info", {}),
        ("ais_cluster_performance", {}),
        ("ais_is_ready", {}),
    )
    smap = client.cluster().get_info()
    assert (health["status"], health["ready"], health["uuid"]) == ("healthy", True, smap.uuid)
    assert health["targets"]["count"] == len(smap.tmap) == len(health["targets"]["nodes"])
    assert health["primary_proxy"] == {
        "id": smap.proxy_si.daemon_id,
        "url": client.cluster().get_primary_url(),
    }
    assert set(info["tmap"]) == set(performance) == set(smap.tmap)
    assert ready == {"ready": True, "endpoint": ready["endpoint"]}


def test_buckets_and_objects(call, bucket):
    for number in range(3):
        bucket.object(f"a{number}").get_writer().put_content(b"x" * number)
    bucket.object("a1").get_writer().set_custom_props({"kind": "test"})
    buckets, summary, page, info, missing = call(
        ("ais_list_buckets", {}),
        ("ais_bucket_summary", {"bucket_name": bucket.name}),
        ("ais_list_objects", {"bucket_name": bucket.name, "prefix": "a", "limit": 2}),
        ("ais_object_info", {"bucket_name": bucket.name, "object_name": "a1"}),
        ("ais_object_info", {"bucket_name": bucket.name, "object_name": "gone"}),
    )
    assert {"name": bucket.name, "provider": "ais"} in buckets["buckets"]
    assert buckets["count"] == len(buckets["buckets"])
    assert (summary["bucket"], summary["provider"]) == (bucket.name, "ais")
    assert summary["summary"]
    assert page["objects"] == [{"name": "a0", "size": 0}, {"name": "a1", "size": 1}]
    assert page["count"] == 2
    assert info["properties"]["size"] == 1
    assert info["properties"]["custom_metadata"] == {"kind": "test"}
    assert missing.startswith("failed")
    assert "gone" in missing


@pytest.fixture
def copy(client):
    bucket = client.bucket(f"mcp-copy-{uuid.uuid4().hex[:8]}").create()
    yield bucket
    bucket.delete(missing_ok=True)


def test_jobs_and_etls(call, client, bucket, copy):
    bucket.object("a").get_writer().put_content(b"x")
    job_id = bucket.copy(copy)
    client.job(job_id).wait(timeout=60)
    jobs, running, status, etls, details, logs = call(
        ("ais_list_jobs", {}),
        ("ais_running_jobs", {}),
        ("ais_job_status", {"job_id": job_id}),
        ("ais_list_etls", {}),
        ("ais_etl_details", {"etl_name": "no-such-etl"}),
        ("ais_etl_logs", {"etl_name": "no-such-etl"}),
    )
    assert {"id": job_id, "error": "", "finished": True, "aborted": False} in jobs["jobs"]
    assert running["count"] == len(running["jobs"])
    assert (status["id"], status["finished"]) == (job_id, True)
    assert [snapshot["id"] for snapshot in status["snapshots"]]
    assert etls == {"count": len(etls["etls"]), "etls": etls["etls"]}
    assert details["error"]
    assert logs["error"]


def test_a_cluster_that_is_not_there(call):
    health, ready = call(("ais_cluster_health", {}), ("ais_is_ready", {}), endpoint="http://127.0.0.1:1")
    assert (health["status"], health["ready"]) == ("unhealthy", False)
    assert ready["ready"] is False


def test_missing_package_names_the_extra():
    code = "import sys; sys.modules['mcp'] = None\n"
    code += "try: import aistore.mcp.server\nexcept ImportError as err: print(err)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'aistore[mcp]'" in done.stdout
