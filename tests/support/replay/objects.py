"""Calls on objects, made with this package's classes from what was recorded."""

from urllib.parse import unquote

from recordings import body_bytes, records, unmarked

from aistore.sdk.archive_config import ArchiveConfig, ArchiveMode
from aistore.sdk.blob_download_config import BlobDownloadConfig
from aistore.sdk.bucket import Bucket
from aistore.sdk.obj.object import BucketDetails, Object
from aistore.sdk.provider import Provider

FILES = ("object", "multipart", "https", "authn")
# A part is one PUT of this package, not an append; a file is written when it is closed.
OTHER_CALLS = ("ObjectFileWriter.", "ObjectWriter.as_file")


def chosen() -> list[dict]:
    """Select the requests about one object, as far as their bodies are known."""
    return [
        record
        for name in FILES
        for record in records(name)
        if record["request"]["path"].startswith("/v1/objects/")
        and not record["request"]["path"].endswith("/")  # such a name is refused
        and not record["api"].startswith(OTHER_CALLS)
        and content_of(record["request"]["body"]) is not None
    ]


def content_of(body: dict | None) -> bytes | None:
    """Give the body that was sent; of a long one its beginning was kept, and its length."""
    if body and len(body.get("bin", {}).get("head64", "")) == 128:
        return bytes.fromhex(body["bin"]["head64"]).ljust(body["bin"]["len"], b"\0")
    if body and "$more" in str(body):
        return None
    return body_bytes(body)


def object_of(client, request: dict) -> Object:
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


def play(record: dict, client, tmp_path) -> None:
    """Make the call that was recorded."""
    request = record["request"]
    obj = object_of(client, request)
    query = {key: unmarked(value) for key, value in request["query"]}
    content = content_of(request["body"])
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
        case "Bucket.put_files":
            folder = tmp_path / "folder"
            folder.mkdir()
            (folder / obj.name).write_bytes(content)
            Bucket(obj.bucket_name, client, obj.bucket_provider).put_files(folder)
        case other:
            raise AssertionError(f"no call for {other}")
