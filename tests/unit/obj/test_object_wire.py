"""What objects send is what the 2.0.0 package sent to a real cluster."""

import json
from urllib.parse import unquote

import pytest
from recordings import body_bytes, records, unmarked
from scripted import Answer, Request, scripted

from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.errors import AISError
from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.provider import Provider

# What 2.0.0 did and this package does not, each with its reason.
NOT_LIKE_2_0 = {
    ("ObjectFileWriter.write", "partNumber"): "a part is one PUT, not an append",
    ("ObjectFileWriter.flush", "append_handle"): "covered by ObjectWriter.append_content",
    ("Bucket.put_files", ""): "of the bucket",
    ("Dsort.start", ""): "of dSort",
}


def _is_ours(record: dict) -> bool:
    query = {key for key, _ in record["request"]["query"]}
    return not any(
        record["api"] == api and (not parameter or parameter in query) for api, parameter in NOT_LIKE_2_0
    )


def _is_whole(record: dict) -> bool:
    """Tell whether the recording has the body that was sent, and not only how it began."""
    return body_bytes(record["request"]["body"]) is not None


def _cases(name: str) -> list:
    return [
        pytest.param(record, id=f"{record['api']}-{record['n']}")
        for record in records(name)
        if _is_ours(record) and _is_whole(record) and not record["request"]["path"].endswith("/")
    ]


def _object(client, request: dict) -> Object:
    _, _, _, bucket, *name = request["path"].split("/")
    provider = Provider(dict(request["query"])["provider"])
    details = BucketDetails(bucket, provider, {"provider": provider.value}, f"{provider.value}/@#/{bucket}/")
    return Object(client, details, unquote("/".join(name)) or "unnamed")


def _reader(obj: Object, request: dict):
    query, headers = dict(request["query"]), request["headers"]
    options = {}
    if "archregx" in query:
        mode = ArchiveMode(query["archmode"]) if "archmode" in query else None
        options["archive_config"] = ArchiveConfig(query["archpath"], query["archregx"], mode)
    if "Ais-Blob-Download" in headers:
        options["blob_download_config"] = BlobDownloadConfig(
            headers.get("Ais-Blob-Chunk"), headers.get("Ais-Blob-Workers")
        )
    return obj.get_reader(latest="latest-ver" in query, byte_range=headers.get("Range"), **options)


def _play(record: dict, client, tmp_path) -> None:
    """Make the call that was recorded."""
    request = record["request"]
    obj = _object(client, request)
    query = {key: unmarked(value) for key, value in request["query"]}
    content = body_bytes(request["body"])
    action = (request["body"] or {}).get("json")
    upload = obj.multipart_upload()
    upload.upload_id = query.get("uploadId", "")
    part = upload.add_part(int(query["partNumber"])) if "partNumber" in query else None
    writer = part or obj.get_writer()
    file = tmp_path / "content"
    file.write_bytes(content or b"")
    match record["api"]:
        case "Object.head" | "Object.props" | "Object.get_reader":
            obj.head(query["props"])
        case "ObjectReader.head":
            obj.get_reader().head()
        case "ObjectReader.read_all" | "ObjectFileReader.read" | "ObjectReader.raw":
            _reader(obj, request).read_all()
        case "Object.delete":
            obj.delete()
        case "Object.copy":
            provider, _, bucket, name = query["object_to"].split("/", 3)
            details = BucketDetails(bucket, Provider(provider), {}, f"{provider}/@#/{bucket}/")
            latest, sync = query["latest-ver"] == "true", query["synchronize"] == "true"
            obj.copy(Object(client, details, name), latest=latest, sync=sync)
        case "Object.promote":
            value = action["value"]
            target = Object(client, obj._bck_details, value["obj"])
            flags = (value["rcr"], value["ovw"], value["dls"], value["notshr"])
            target.promote(action["name"], value["tid"], *flags)
        case "Object.blob_download":
            value = action["value"]
            target = Object(client, obj._bck_details, action["name"])
            target.blob_download(value.get("chunk-size"), value.get("num-workers"), value["latest-ver"])
        case "ObjectWriter.set_custom_props":
            writer.set_custom_props(action["value"], replace_existing="set-new-custom" in query)
        case "ObjectWriter.append_content":
            writer.append_content(content, query["append_handle"], query["append_type"] == "flush")
        case "ObjectWriter.put_content":
            writer.put_content(content)
        case "ObjectWriter.put_file":
            writer.put_file(file)
        case "MultipartUpload.create":
            upload.upload_id = ""
            assert upload.create().upload_id == unmarked(record["response"]["body"]["text"])
        case "MultipartUpload.complete":
            upload.parts = [part["part-number"] for part in action["value"]]
            upload.complete()
        case "MultipartUpload.abort":
            upload.abort()
        case other:
            raise AssertionError(f"no call for {other}")


@pytest.mark.parametrize("record", [*_cases("object"), *_cases("multipart")])
def test_request_is_the_recorded_one(record, tmp_path):
    wanted = record["request"]
    answer = record.get("response") or {}
    body = body_bytes(answer.get("body"))
    content = body_bytes(wanted["body"])

    def script(request: Request) -> Answer:
        if "utm" not in request.params:  # the proxy
            location = f"{server.endpoint}{request.target}{'&' if request.query else '?'}pid=P&utm=1"
            return Answer(status=301 if request.method == "GET" else 307, headers={"Location": location})
        headers = {
            name: unmarked(value)
            for name, value in answer["headers"].items()
            if name not in ("Content-Length", "Transfer-Encoding", "Connection")
        }
        if request.method == "HEAD" and "Content-Length" in answer["headers"]:
            headers["Content-Length"] = answer["headers"]["Content-Length"]
        status = answer["status"] if answer["status"] < 300 or answer["status"] >= 400 else 200
        return Answer(body or b"", status, headers)

    with scripted(script) as (server, client):
        if answer["status"] >= 400:
            with pytest.raises(AISError):
                _play(record, client, tmp_path)
        else:
            _play(record, client, tmp_path)
        sent = next(request for request in server.requests if "utm" in request.params)
    assert sent.method == wanted["method"]
    assert unquote(sent.path) == unquote(wanted["path"])
    assert [pair for pair in sent.query if pair[0] not in ("pid", "utm")] == [
        (key, unmarked(value)) for key, value in wanted["query"]
    ]
    if wanted["body"] and "json" in wanted["body"]:
        assert json.loads(sent.body) == json.loads(unmarked(json.dumps(wanted["body"]["json"])))
    else:
        assert sent.body == content
    for name in ("Range", "Ais-Blob-Chunk", "Ais-Blob-Download", "Ais-Blob-Workers"):
        assert sent.headers.get(name.lower()) == wanted["headers"].get(name)


def test_every_recorded_call_is_played_or_explained():
    explained = [
        record for name in ("object", "multipart") for record in records(name) if not _is_ours(record)
    ]
    assert {record["api"] for record in explained} == {api for api, _ in NOT_LIKE_2_0}
