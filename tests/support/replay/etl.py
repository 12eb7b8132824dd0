"""Calls about ETLs, made with this package's classes from what was recorded."""

import json
from urllib.parse import parse_qsl, unquote

from recordings import plain, records

from aistore.sdk.bucket import Bucket
from aistore.sdk.cluster import Cluster
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.etl import Etl
from aistore.sdk.job import Job
from aistore.sdk.provider import Provider
from aistore.sdk.types import AggregatedJobSnap, ETLDetails, ETLInfo, ETLNodeLogs, JobStatus

_SERVERS = {"fl": "flask", "mt": "threaded"}
# Given by name, the rest is the environment of the server.
_NOT_ENVIRONMENT = ("ETL_CLASS_PAYLOAD", "PACKAGES", "OS_PACKAGES", "ETL_DIRECT_FQN")


def chains() -> list[list[dict]]:
    """Select the calls of the 2.0.0 package; each a request and those it was redirected to."""
    found: list[list[dict]] = []
    for row in [*records("etl-client"), *map(_as_row, records("etl-nok8s"))]:
        if found and "response" in found[-1][-1] and found[-1][-1]["response"]["status"] in (301, 307):
            found[-1].append(row)
        else:
            found.append([row])
    return [chain for chain in found if _is_made(chain)]


def _is_made(chain: list[dict]) -> bool:
    """Others were made by hand, got no answer, or have a message of which only a part was kept."""
    first = chain[0]
    by_hand = any("python-requests" in value for _, value in first["headers"])
    of_url = "get_url" in first["label"]
    return (not by_hand or of_url) and "response" in first and '"$more"' not in text_of(first["body"])


def _as_row(record: dict) -> dict:
    """Give an exchange of the other recording in the form of this one."""
    request, response = record["request"], record["response"]
    return {
        "where": record["where"],
        "label": record["api"],
        "method": request["method"],
        "path": request["path"],
        "query": "&".join(f"{key}={'' if value == '{{id:}}' else value}" for key, value in request["query"]),
        "headers": list(request["headers"].items()),
        "body": {"text": json.dumps(request["body"]["json"])} if request["body"] else {},
        "response": {
            "status": response["status"],
            "headers": list(response["headers"].items()),
            "body": {"text": json.dumps(plain(response["body"]["json"]))},
        },
    }


def text_of(body: dict) -> str:
    return body.get("text") or ""


def play(row: dict, client):
    """Make the call whose first request was recorded; return what it returned."""
    _, _, noun, *rest = row["path"].split("/")
    if noun == "etl":
        return _play_etl(row, client, rest)
    query = dict(parse_qsl(row["query"], keep_blank_values=True))
    body = json.loads(text_of(row["body"]) or "{}")
    if noun == "cluster":
        job = Job(client, body["ID"], body["Kind"])
        return job.status() if query["what"] == "status" else job.get_details()
    bucket = Bucket(rest[0], client, Provider(query["provider"]))
    if noun == "objects":
        return _play_object(row["method"], bucket.object(unquote("/".join(rest[1:]))), query)
    return _play_bucket(bucket, client, query, body)


def _play_etl(row: dict, client, rest: list[str]):
    if row["method"] == "PUT":
        return _init(row, client)
    if not rest:
        return Cluster(client).list_etls()
    name, *verbs = rest
    etl = Etl(client, name)
    if verbs[:1] == ["logs"]:
        return etl.logs(*verbs[1:])
    if verbs:
        return getattr(etl, verbs[0])()
    return etl.delete() if row["method"] == "DELETE" else etl.view(row["query"].removeprefix("uuid="))


def _init(row: dict, client):
    from etl_classes import CLASSES  # the servers and what they stand on

    message = json.loads(text_of(row["body"]))
    runtime = message["runtime"]
    env = {variable["name"]: variable["value"] for variable in runtime.get("env", ())}
    options = {
        "comm_type": message["communication"].removesuffix("://"),
        "init_timeout": message["init_timeout"],
        "obj_timeout": message["obj_timeout"],
        "direct_put": message["support_direct_put"],
        "direct_file_access": "ETL_DIRECT_FQN" in env,
        **{name: value for name, value in env.items() if name not in _NOT_ENVIRONMENT},
    }
    etl = Etl(client, message["name"])
    if "ETL_CLASS_PAYLOAD" not in env:
        return etl.init(runtime["image"], runtime.get("command"), **options)
    packages, os_packages = (env.get(name, "").split(",") for name in ("PACKAGES", "OS_PACKAGES"))
    start = etl.init_class(
        dependencies=[name for name in packages if name],
        os_packages=[name for name in os_packages if name],
        **options,
    )
    return start(CLASSES[_SERVERS.get(row["label"][:2], "fastapi"), False])


def _play_object(method: str, obj, query: dict[str, str]):
    pipeline = [name for name in query.get("etl_pipeline", "").split(",") if name]
    etl = None
    if "etl_name" in query:
        first = Etl(obj._client, query["etl_name"])
        for name in pipeline:
            first = first >> Etl(obj._client, name)
        args = query.get("etl_args")
        if args and args.startswith("{"):
            args = json.loads(args)
        etl = ETLConfig(first if pipeline else query["etl_name"], args)
    if method == "GET":
        return obj.get_reader(etl=etl, latest="latest-ver" in query).read_all()
    provider, _, bucket, name = query["object_to"].split("/", 3)
    return obj.copy(Bucket(bucket, obj._client, Provider(provider)).object(name), etl=etl)


def _play_bucket(bucket: Bucket, client, query: dict[str, str], body: dict):
    action, value = body["action"], body["value"]
    if action in ("create-bck", "destroy-bck"):
        return bucket.create() if action == "create-bck" else bucket.delete()
    if action == "list":
        return bucket.list_objects()
    if value.get("coer") and value["dry_run"]:
        source = bucket.objects(obj_names=value["objnames"]) if "objnames" in value else bucket
        return source.inspect(value["id"], etl_pipeline=value["pipeline"])
    options = {
        "timeout": value["request_timeout"],
        "prepend": value["prepend"],
        "ext": value.get("ext"),
        "dry_run": value["dry_run"],
        "num_workers": value.get("num-workers"),
        "etl_pipeline": value["pipeline"],
    }
    if action == "etl-listrange":
        to = value["tobck"]
        to_bck = Bucket(to["name"], client, Provider(to["provider"]))
        group = bucket.objects(obj_names=value["objnames"])
        return group.transform(to_bck, value["id"], continue_on_error=value["coer"], **options)
    provider, _, name = query["bck_to"].strip("/").split("/")
    return bucket.transform(
        value["id"],
        Bucket(name, client, Provider(provider)),
        prefix_filter=value["prefix"],
        cont_on_err=value.get("coer", False),
        **options,
    )


def is_understood(row: dict, result) -> bool:
    """Tell whether what a call returned is what the recorded answer says."""
    text = text_of(row["response"]["body"])
    match result:
        case [*items] if items and isinstance(items[0], ETLInfo):
            running = [etl for etl in json.loads(text) if etl["stage"] == "Running"]
            return [etl.id for etl in items] == [etl["id"] for etl in running]
        case [*items] if items and isinstance(items[0], ETLNodeLogs):
            return [log.target_id for log in items] == [log["target_id"] for log in json.loads(text)]
        case ETLDetails():
            failed = json.loads(text).get("obj_errors") or []
            return [error.obj_name for error in result.obj_errors or ()] == [e["obj_name"] for e in failed]
        case JobStatus():
            return result.end_time == json.loads(text)["end_time"]
        case AggregatedJobSnap():
            return set(result.root) == set(json.loads(text))
        case bytes():
            return result == text.encode()
        case str():
            return result == text
    return True
