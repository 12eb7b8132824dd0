"""Control calls of recordings, made with this package's classes from what was sent."""

import json
import re
from urllib.parse import unquote

import msgspec
from recordings import plain, records, unmarked
from scripted import Answer, Request

from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.authn_client import AuthNClient
from aistore.sdk.bucket import Bucket
from aistore.sdk.cluster import Cluster
from aistore.sdk.dsort import Dsort
from aistore.sdk.enums import LogSeverity
from aistore.sdk.job import Job
from aistore.sdk.list_object_flag import ListObjectFlag

FILES = ("bucket", "list", "job", "cluster", "multiobj", "dsort", "authn", "https")
OTHER_ROOMS = (
    "Batch.",
    "MultipartUpload.",
    "Object.",
    "ObjectFileReader.",
    "ObjectFileWriter.",
    "ObjectReader.",
    "ObjectWriter.",
)


def chosen() -> list[dict]:
    """Select what is made here; names that are refused never leave this package."""
    return [
        record
        for name in FILES
        for record in records(name)
        if not record["api"].startswith(OTHER_ROOMS)
        and not record["request"]["path"].startswith("/v1/objects/")
        and record.get("response", {}).get("status")
        and not _refused(record)
    ]


def _refused(record: dict) -> bool:
    """Names of tests of bad input never leave this package: empty ones, `*`, `bucket/badname`."""
    _, _, collection, *names = record["request"]["path"].split("/")
    name = names[0] if record["api"] == "Bucket.info" and names else "/".join(names)
    return collection == "buckets" and bool(names) and not re.fullmatch(r"[\w.-]+", name)


def recorded_answer(record) -> Answer:
    response = record["response"]
    body = response["body"] or {}
    if "msgpack" in body:
        content = msgspec.msgpack.encode(plain(body["msgpack"]))
    elif "json" in body:
        content = json.dumps(plain(body["json"])).encode()
    else:
        content = unmarked(body.get("text", "")).encode()
    kept = ("Content-Type", "Hdr-Error") if record["request"]["method"] != "HEAD" else ()
    headers = {
        name: json.dumps(plain(value["json"])) if isinstance(value, dict) else unmarked(value)
        for name, value in response["headers"].items()
        if name in kept or name.startswith("Ais-")
    }
    return Answer(content, status=response["status"], headers=headers)


def recorded_json(record):
    body = record["request"]["body"]
    return plain(body["json"]) if body and "json" in body else None


def same(request: Request, record) -> bool:
    wanted = record["request"]
    query = sorted((key, unmarked(value)) for key, value in wanted["query"])
    sent = json.loads(request.body) if request.body else None
    return (
        request.method == wanted["method"]
        and unquote(request.path) == unquote(unmarked(wanted["path"]))
        and sorted(request.query) == query
        and sent == recorded_json(record)
    )


def bucket_of(record, client) -> Bucket:
    query = {key: unmarked(value) for key, value in record["request"]["query"]}
    return Bucket(record["request"]["path"].split("/")[3], client, query["provider"])


def _to_bucket(record, client) -> Bucket:
    provider, _, name = dict(record["request"]["query"])["bck_to"].strip("/").split("/")
    return Bucket(name, client, provider)


def _listing(record) -> dict:
    value = recorded_json(record)["value"]
    flags = [flag for flag in ListObjectFlag if int(value["flags"]) >> flag.value & 1]
    inventory = record["request"]["headers"].get("Ais-Inv-Name", "")
    if inventory:
        flags.remove(ListObjectFlag.NBI)
    return {
        "prefix": value["prefix"],
        "props": value["props"],
        "page_size": value["pagesize"],
        "uuid": value["uuid"],
        "continuation_token": value["continuation_token"],
        "flags": flags,
        "target": value["target"],
        "inventory_name": inventory,
        "start_after": value.get("start_after", ""),
    }


def play_bucket(record, client):
    bucket, value = bucket_of(record, client), (recorded_json(record) or {}).get("value") or {}
    verb = record["api"].split(".", 1)[1]
    if verb == "copy":
        return bucket.copy(
            _to_bucket(record, client),
            prefix_filter=value["prefix"],
            prepend=value["prepend"],
            ext=value.get("ext"),
            dry_run=value["dry_run"],
            force=value["force"],
            latest=value["latest-ver"],
            sync=value["synchronize"],
            num_workers=value.get("num-workers"),
        )
    if verb == "rename":
        return bucket.rename(_to_bucket(record, client).name)
    if verb == "create_inventory":
        return bucket.create_inventory(**value)
    if verb == "summary":
        return bucket.summary(prefix=value["prefix"], cached=value["cached"], present=value["present"])
    if verb == "info":
        query = dict(record["request"]["query"])
        prefix = "/".join(record["request"]["path"].split("/")[4:])
        return bucket.info(int(query["presence"]), query["bsumm_remote"] == "True", prefix)
    if verb in ("show_inventory", "destroy_inventory"):
        return getattr(bucket, verb)(recorded_json(record)["name"])
    if verb == "evict":
        return bucket.evict(dict(record["request"]["query"])["keep_bck_md"] == "True")
    if recorded_json(record) and recorded_json(record)["action"] == "list":
        return bucket.list_objects(**_listing(record))
    return getattr(bucket, verb)()


def play_group(record, client):
    value = recorded_json(record)["value"]
    group = bucket_of(record, client).objects(
        obj_names=value.get("objnames"), obj_template=value.get("template")
    )
    to_bck = value.get("tobck") and Bucket(value["tobck"]["name"], client, value["tobck"]["provider"])
    verb = record["api"].split(".")[1]
    if verb == "copy":
        return group.copy(
            to_bck,
            prepend=value["prepend"],
            continue_on_error=value["coer"],
            dry_run=value["dry_run"],
            force=value["force"],
            latest=value["latest-ver"],
            sync=value["synchronize"],
            num_workers=value.get("num-workers"),
        )
    if verb == "prefetch":
        return group.prefetch(
            value.get("blob-threshold"), value.get("num-workers"), value["latest-ver"], value["coer"]
        )
    if verb == "archive":
        return group.archive(
            value["archname"], value.get("mime", ""), to_bck, value["isbn"], value["aate"], value["coer"]
        )
    return getattr(group, verb)()


def play_job(record, client):
    body = recorded_json(record)
    args = body.get("value", body)
    job = Job(client, args["ID"], args["Kind"])
    verb = record["api"].split(".")[1]
    if verb in ("start", "abort"):
        return getattr(job, verb)()
    return job.status() if ["what", "status"] in record["request"]["query"] else job.get_details()


def play_cluster(record, client):
    cluster, query = Cluster(client), dict(record["request"]["query"])
    verb = record["api"].split(".")[1]
    if verb == "list_buckets":
        return cluster.list_buckets(query["provider"])
    if verb in ("list_jobs_status", "list_running_jobs"):
        body = recorded_json(record)
        return getattr(cluster, verb)(body["kind"], body["node"])
    if verb in ("get_cluster_logs", "get_node_log_archive"):
        node = unmarked(record["request"]["headers"]["Ais-Node-Id"])
        read = cluster.get_node_log if verb == "get_cluster_logs" else cluster.get_node_log_archive
        return read(node, LogSeverity(query["severity"]))
    return getattr(cluster, verb)()


def play_dsort(record, client):
    dsort = Dsort(client, unmarked(dict(record["request"]["query"]).get("uuid", "")))
    verb = record["api"].split(".")[1]
    if verb == "start":
        return dsort.start(recorded_json(record))
    return dsort.abort() if verb == "abort" else dsort.get_job_info()


def play_authn(record, client):
    authn = AuthNClient(client.base_url, token="a-token")
    kind, verb = record["api"].split(".")
    name = unquote(unmarked(record["request"]["path"].rsplit("/", 1)[-1]))
    body = recorded_json(record) or {}
    with authn:
        if verb == "login":
            return authn.login(name, body["password"], body["expires_in"])
        if verb in ("logout", "revoke"):
            authn.client.token = body["token"]
            return authn.logout() if verb == "logout" else authn.token_manager().revoke(body["token"])
        return {"ClusterManager": play_clusters, "RoleManager": play_roles, "UserManager": play_users}[kind](
            record, authn, verb, name, body
        )


def play_clusters(record, authn, verb, name, body):
    manager = authn.cluster_manager()
    if verb == "list":
        return manager.list()
    if verb == "update":
        return manager.update(name, body["alias"], body["urls"] or None)
    if verb == "delete":
        return manager.delete(name)
    if record["request"]["method"] == "POST" or verb == "register":
        return manager.register(body.get("alias", "alias"), [authn.client.base_url.removesuffix("/v1")])
    return manager.get(name)


def play_roles(record, authn, verb, name, body):
    manager = authn.role_manager()
    if record["request"]["method"] == "GET":
        if record["request"]["path"].startswith("/v1/clusters/"):
            return authn.cluster_manager().get(cluster_alias=name)
        return manager.list() if verb == "list" else manager.get(name)
    if verb == "delete":
        return manager.delete(name)
    for_bucket = (body["buckets"] or [None])[-1]
    permitted = for_bucket or body["clusters"][-1]
    perms = [AccessAttr(int(permitted["perm"]))]
    bucket_name = for_bucket["bck"]["name"] if for_bucket else None
    if verb == "create":
        return manager.create(body["name"], body["desc"], "alias", perms, bucket_name)
    return manager.update(name, body["desc"], "alias", perms, bucket_name)


def play_users(record, authn, verb, name, body):
    manager = authn.user_manager()
    if record["request"]["method"] == "GET":
        if record["request"]["path"].startswith("/v1/roles"):
            return authn.role_manager().get(name)
        return manager.list() if verb == "list" else manager.get(name)
    if verb == "delete":
        return manager.delete(name)
    roles = [role["name"] for role in body["roles"]]
    password = body.get("pass")
    if verb == "create":
        return manager.create(body["id"], roles, password)
    return manager.update(name, password, roles)


def play_any(record, client):
    request = record["request"]
    return client.request(
        request["method"].lower(), path=request["path"].removeprefix("/v1/"), params=dict(request["query"])
    )


PLAYERS = {
    "RequestClient": play_any,
    "Bucket": play_bucket,
    "ObjectIterator": lambda record, client: bucket_of(record, client).list_objects(**_listing(record)),
    "ObjectGroup": play_group,
    "Job": play_job,
    "Cluster": play_cluster,
    "Dsort": play_dsort,
    "AuthNClient": play_authn,
    "ClusterManager": play_authn,
    "RoleManager": play_authn,
    "UserManager": play_authn,
    "TokenManager": play_authn,
}


def before(record, request: Request) -> Answer:
    """Answer the requests that a call makes before or after the recorded one."""
    api, body = record["api"], recorded_json(record) or {}
    query = dict(record["request"]["query"])
    if api == "Bucket.summary":
        if json.loads(request.body)["value"]["uuid"]:
            return Answer(b'[{"name": "bucket"}]')
        return Answer(f'"{body["value"]["uuid"]}"'.encode(), status=202)
    if api == "Bucket.info":
        if "uuid" in query:
            return Answer(status=202, headers={"Ais-Xaction-Id": unmarked(query["uuid"])})
        return Answer(status=200, headers={"Ais-Bucket-Summ": "{}"})
    if request.path == "/v1/daemon":
        uuid = body.get("id") or record["request"]["path"].rsplit("/", 1)[-1]
        node = {"daemon_id": "p", "daemon_type": "proxy", "public_net": {"direct_url": "http://127.0.0.1:1"}}
        return Answer(json.dumps({"tmap": {}, "pmap": {}, "proxy_si": node, "uuid": uuid}).encode())
    if request.path == "/v1/clusters":
        return Answer()
    if request.path.startswith("/v1/clusters/"):
        permitted = (body.get("buckets") or [None])[-1]
        ids = (
            [permitted["bck"]["namespace"]["uuid"]]
            if permitted
            else [c["id"] for c in body.get("clusters") or ()]
        )
        name = (ids or [request.path.rsplit("/", 1)[-1]])[-1]
        return Answer(json.dumps({"clusters": {name: {"id": name}}}).encode())
    if request.path.startswith("/v1/roles/"):
        name = unquote(request.path.rsplit("/", 1)[-1])
        roles = body.get("roles") or [{**body, "name": name, "desc": body.get("desc", "")}]
        found = next(role for role in roles if role["name"] == name)
        return Answer(json.dumps(found).encode())
    if request.path.startswith("/v1/users/"):
        return Answer(json.dumps({"id": "user", "roles": None}).encode())
    raise AssertionError(f"unexpected {request}")
