"""The table of S3 operations with boto3 as the client, unsigned keys accepted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import socket
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from wire import Wire

from aistore.local import LocalCluster
from aistore.local.s3 import signature

KEYS = ("AKIALOCAL", "local-secret-key")
MIB = 1 << 20


def _client(endpoint: str, keys: tuple[str, str] = ("any", "thing"), **config: Any) -> Any:
    options = {"retries": {"max_attempts": 1}, "connect_timeout": 10, "read_timeout": 20, **config}
    return boto3.client(
        "s3",
        endpoint_url=f"{endpoint}/s3",
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        config=Config(**options),
    )


@pytest.fixture(scope="module")
def s3(cluster: LocalCluster) -> Iterator[Any]:
    client = _client(cluster.endpoint)
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give an empty bucket."""
    name = f"b-{abs(hash(request.node.name)) % 10**9}"
    s3.create_bucket(Bucket=name)
    yield name
    while keys := [item["Key"] for item in s3.list_objects_v2(Bucket=name).get("Contents", [])]:
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": key} for key in keys]})
    s3.delete_bucket(Bucket=name)


def _md5(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def _code(call: Callable[..., Any], **kwargs: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(**kwargs)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# Buckets


def test_buckets(s3: Any, bucket: str) -> None:
    assert bucket in [item["Name"] for item in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert _code(s3.create_bucket, Bucket=bucket) == ("BucketAlreadyOwnedByYou", 409)
    with pytest.raises(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)
    assert _code(s3.head_bucket, Bucket="nosuch") == ("404", 404)
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="nosuch")
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    assert _code(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)


def test_bucket_in_a_region(s3: Any) -> None:
    s3.create_bucket(Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.delete_bucket(Bucket="abroad")
    assert _code(s3.delete_bucket, Bucket="abroad") == ("NoSuchBucket", 404)


@pytest.mark.parametrize(
    "call",
    [
        lambda s3, b: s3.get_bucket_acl(Bucket=b),
        lambda s3, b: s3.get_bucket_policy(Bucket=b),
        lambda s3, b: s3.get_bucket_tagging(Bucket=b),
        lambda s3, b: s3.get_bucket_lifecycle_configuration(Bucket=b),
        lambda s3, b: s3.list_object_versions(Bucket=b),
        lambda s3, b: s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"}),
        lambda s3, b: s3.get_object_tagging(Bucket=b, Key="o"),
        lambda s3, b: s3.put_object_tagging(Bucket=b, Key="o", Tagging={"TagSet": []}),
        lambda s3, b: s3.delete_object_tagging(Bucket=b, Key="o"),
        lambda s3, b: s3.get_object_acl(Bucket=b, Key="o"),
        lambda s3, b: s3.get_object(Bucket=b, Key="o", PartNumber=1),
        lambda s3, b: s3.put_object(Bucket=b, Key="p", Body=b"x", Tagging="a=b"),
        lambda s3, b: s3.get_object_attributes(Bucket=b, Key="o", ObjectAttributes=["ETag"]),
    ],
)
def test_what_is_not_implemented_says_so(s3: Any, bucket: str, call: Callable[..., Any]) -> None:
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    assert _code(lambda: call(s3, bucket)) == ("NotImplemented", 501)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


# Objects


@pytest.mark.parametrize(
    "key", ["o", "a/b c/d+e%f", "\u00fc\u2603/\U0001f600", "dir/", "/lead//in", "x" * 1024]
)
def test_put_get_head_delete(s3: Any, bucket: str, key: str) -> None:
    data = b"content of " + key.encode()
    assert s3.put_object(Bucket=bucket, Key=key, Body=data)["ETag"] == _md5(data)
    found = s3.get_object(Bucket=bucket, Key=key)
    assert (found["Body"].read(), found["ETag"]) == (data, _md5(data))
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"], head["Metadata"]) == (len(data), _md5(data), {})
    assert abs(head["LastModified"] - datetime.now(timezone.utc)) < timedelta(minutes=1)
    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert (listed["Key"], listed["Size"], listed["ETag"]) == (key, len(data), _md5(data))
    s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key=key)
    assert _code(s3.head_object, Bucket=bucket, Key=key) == ("404", 404)


def test_empty_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="o", Body=b"")
    found = s3.get_object(Bucket=bucket, Key="o")
    assert (found["Body"].read(), found["ETag"], found["ContentLength"]) == (b"", _md5(b""), 0)
    assert _code(s3.get_object, Bucket=bucket, Key="o", Range="bytes=0-") == ("InvalidRange", 416)


def test_names_that_are_refused(s3: Any, bucket: str) -> None:
    assert _code(s3.put_object, Bucket=bucket, Key="a/../b", Body=b"") == ("InvalidArgument", 400)


def test_metadata(s3: Any, bucket: str, cluster: LocalCluster) -> None:
    kept = {
        "ContentType": "text/csv",
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "en",
    }
    s3.put_object(Bucket=bucket, Key="o", Body=b"x", Metadata={"Some-Key": "v 1"}, **kept)
    for found in (s3.get_object(Bucket=bucket, Key="o"), s3.head_object(Bucket=bucket, Key="o")):
        assert found["Metadata"] == {"some-key": "v 1"}
        assert {name: found[name] for name in kept} == kept
    url = f"/v1/objects/{bucket}/o"
    wire = Wire(cluster.endpoint)
    assert "ais-custom-md" in wire.ok("HEAD", url).headers
    wire.ok("PATCH", url, {"action": "", "value": {"native": "yes"}})
    assert s3.head_object(Bucket=bucket, Key="o")["Metadata"] == {"some-key": "v 1", "native": "yes"}
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    found = s3.head_object(Bucket=bucket, Key="o")
    assert found["Metadata"] == {}
    assert found["ContentType"] == "application/octet-stream"
    assert _code(s3.put_object, Bucket=bucket, Key="o", Body=b"", Metadata={"k": "x" * 2100}) == (
        "MetadataTooLarge",
        400,
    )


def test_ranges(s3: Any, bucket: str) -> None:
    data = bytes(range(256)) * 4096
    s3.put_object(Bucket=bucket, Key="o", Body=data)
    for header, part in (
        ("bytes=0-0", data[:1]),
        ("bytes=10-19", data[10:20]),
        ("bytes=1000000-", data[1_000_000:]),
        ("bytes=-5", data[-5:]),
        (f"bytes=5-{len(data) * 2}", data[5:]),
    ):
        found = s3.get_object(Bucket=bucket, Key="o", Range=header)
        assert found["Body"].read() == part
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["ContentRange"].endswith(f"/{len(data)}")
        assert s3.head_object(Bucket=bucket, Key="o", Range=header)["ContentLength"] == len(part)
    for header in (f"bytes={len(data)}-", "bytes=-0"):
        assert _code(s3.get_object, Bucket=bucket, Key="o", Range=header) == ("InvalidRange", 416)
    for header in ("lines=1-2", "bytes=2-1", "bytes=0-1,4-5"):
        assert len(s3.get_object(Bucket=bucket, Key="o", Range=header)["Body"].read()) == len(data)


def test_conditional_reads(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="o", Body=b"x")["ETag"]
    for call in (s3.get_object, s3.head_object):
        call(Bucket=bucket, Key="o", IfMatch=tag)
        call(Bucket=bucket, Key="o", IfNoneMatch='"other"')
        assert _code(call, Bucket=bucket, Key="o", IfNoneMatch=tag)[1] == 304
        assert _code(call, Bucket=bucket, Key="o", IfMatch='"other"')[1] == 412
        later = datetime.now(timezone.utc) + timedelta(hours=1)
        assert _code(call, Bucket=bucket, Key="o", IfModifiedSince=later)[1] == 304
        call(Bucket=bucket, Key="o", IfUnmodifiedSince=later)


def test_conditional_writes(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="o", Body=b"1", IfNoneMatch="*")["ETag"]
    failed = ("PreconditionFailed", 412)
    assert _code(s3.put_object, Bucket=bucket, Key="o", Body=b"2", IfNoneMatch="*") == failed
    s3.put_object(Bucket=bucket, Key="o", Body=b"2", IfMatch=first)
    assert _code(s3.put_object, Bucket=bucket, Key="o", Body=b"3", IfMatch=first) == failed
    assert _code(s3.put_object, Bucket=bucket, Key="new", Body=b"3", IfMatch=first) == ("NoSuchKey", 404)
    assert _code(s3.delete_object, Bucket=bucket, Key="o", IfMatch=first) == failed
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"2"


def test_one_of_many_creators_wins(s3: Any, bucket: str) -> None:
    results: list[str] = []
    barrier = threading.Barrier(8)

    def create(body: bytes) -> None:
        barrier.wait(10)
        try:
            s3.put_object(Bucket=bucket, Key="once", Body=body, IfNoneMatch="*")
            results.append(body.decode())
        except ClientError as err:
            results.append(err.response["Error"]["Code"])

    threads = [threading.Thread(target=create, args=(b"%d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winners = [result for result in results if result != "PreconditionFailed"]
    assert len(results) == 8
    assert [s3.get_object(Bucket=bucket, Key="once")["Body"].read().decode()] == winners


def test_response_headers_can_be_overridden(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="o", Body=b"x", ContentDisposition="inline", ContentType="a/b")
    found = s3.get_object(
        Bucket=bucket, Key="o", ResponseContentType="c/d", ResponseContentDisposition="attachment"
    )
    assert (found["ContentType"], found["ContentDisposition"]) == ("c/d", "attachment")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums(s3: Any, bucket: str, algorithm: str) -> None:
    answer = s3.put_object(Bucket=bucket, Key="o", Body=b"data", ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"]
    wrong = base64.b64encode(bytes(len(base64.b64decode(answer[f"Checksum{algorithm}"])))).decode()
    assert _code(s3.put_object, Bucket=bucket, Key="o", Body=b"other", **{f"Checksum{algorithm}": wrong}) == (
        "BadDigest",
        400,
    )
    wrong = base64.b64encode(bytes(16)).decode()
    assert _code(s3.put_object, Bucket=bucket, Key="o", Body=b"other", ContentMD5=wrong) == ("BadDigest", 400)
    right = base64.b64encode(hashlib.md5(b"data").digest()).decode()
    s3.put_object(Bucket=bucket, Key="o", Body=b"data", ContentMD5=right)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"data"


@pytest.mark.parametrize(
    ("data", "checksum", "status"),
    [
        (b"hello trailer", zlib.crc32(b"hello trailer"), b"200"),
        (b"hello trailer", 1, b"400"),
    ],
)
def test_unsigned_trailers(
    s3: Any, cluster: LocalCluster, bucket: str, data: bytes, checksum: int, status: bytes
) -> None:
    """What boto3 sends over https."""
    value = base64.b64encode(checksum.to_bytes(4, "big"))
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, value)
    head = (
        f"PUT /s3/{bucket}/o HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        "Content-Encoding: aws-chunked\r\nx-amz-trailer: x-amz-checksum-crc32\r\n"
        f"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
        f"x-amz-decoded-content-length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(urlsplit(cluster.endpoint).netloc.split(":"), timeout=10) as sock:
        sock.sendall(head.encode() + body)
        assert sock.recv(4096).split()[1] == status
    if status == b"200":
        found = s3.get_object(Bucket=bucket, Key="o")
        assert found["Body"].read() == data
        assert "ContentEncoding" not in found


def test_payload_hash_is_verified(cluster: LocalCluster, bucket: str) -> None:
    headers = {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}
    answer = Wire(cluster.endpoint)("PUT", f"/s3/{bucket}/o", b"data", headers)
    assert answer.status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer.body


# Objects of the native API


def test_native_objects_get_their_tag(s3: Any, cluster: LocalCluster, bucket: str) -> None:
    wire = Wire(cluster.endpoint)
    for name in ("head", "get", "list"):
        wire.ok("PUT", f"/v1/objects/{bucket}/{name}", name.encode())
    tags = {item["Key"]: item["ETag"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert tags == {name: _md5(name.encode()) for name in ("get", "head", "list")}
    wire.ok("PUT", f"/v1/objects/{bucket}/head", b"other")
    assert s3.head_object(Bucket=bucket, Key="head")["ETag"] == _md5(b"other")
    wire.ok("PUT", f"/v1/objects/{bucket}/get", b"more")
    found = s3.get_object(Bucket=bucket, Key="get")
    assert (found["ETag"], found["Body"].read()) == (_md5(b"more"), b"more")
    s3.put_object(Bucket=bucket, Key="get", Body=b"mine", IfMatch=_md5(b"more"))
    assert wire.ok("GET", f"/v1/objects/{bucket}/get").body == b"mine"


def test_large_native_objects_have_a_tag_that_is_stable(s3: Any, cluster: LocalCluster, bucket: str) -> None:
    Wire(cluster.endpoint).ok("PUT", f"/v1/objects/{bucket}/o", bytes(2 * MIB))
    tag = s3.head_object(Bucket=bucket, Key="o")["ETag"]
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == tag
    assert s3.get_object(Bucket=bucket, Key="o", Range="bytes=0-9", IfMatch=tag)["ETag"] == tag


# Listing


def test_listing(s3: Any, bucket: str) -> None:
    names = ["a/1", "a/2", "b", "c/d/3", "c/e", "z \u00fc+%"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    for operation in ("list_objects", "list_objects_v2"):
        for size in (1, 2, 3, 100):
            pages = list(
                s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
            )
            assert [item["Key"] for page in pages for item in page.get("Contents", [])] == names
            pages = list(
                s3.get_paginator(operation).paginate(
                    Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
                )
            )
            assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["b", names[-1]]
            found = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
            assert found == ["a/", "c/"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix="c/", Delimiter="/", StartAfter="c/d")
    assert [item["Key"] for item in found["Contents"]] == ["c/e"]
    assert [item["Prefix"] for item in found["CommonPrefixes"]] == ["c/d/"]
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    assert "Owner" in s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]
    assert s3.list_objects(Bucket=bucket, Marker="b", MaxKeys=1)["Contents"][0]["Key"] == "c/d/3"
    assert _code(s3.list_objects_v2, Bucket=bucket, ContinuationToken="x") == ("InvalidArgument", 400)


def test_more_than_a_page(s3: Any, cluster: LocalCluster, bucket: str) -> None:
    wire = Wire(cluster.endpoint)
    for number in range(1005):
        wire.ok("PUT", f"/v1/objects/{bucket}/{number:04}", b"")
    first = s3.list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert [item["Key"] for item in rest["Contents"]] == ["1000", "1001", "1002", "1003", "1004"]


# Many at once, copies


def test_delete_many(s3: Any, bucket: str) -> None:
    keys = ["a", "b<&>", "c\u00fc", "d e"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys[:2], "none"]]}
    )
    assert [item["Key"] for item in answer["Deleted"]] == ["a", "b<&>", "none"]
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
    )
    assert "Deleted" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete/>",
        b"<Delete><Object/></Delete>",
        b"nonsense",
        b'<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
    ],
)
def test_bad_documents(cluster: LocalCluster, bucket: str, body: bytes) -> None:
    answer = Wire(cluster.endpoint)("POST", f"/s3/{bucket}?delete", body)
    assert answer.status == 400
    assert b"<Code>MalformedXML</Code>" in answer.body


def test_copy(s3: Any, bucket: str) -> None:
    tag = s3.put_object(
        Bucket=bucket, Key="src \u00fc", Body=b"data", Metadata={"a": "1"}, ContentType="a/b"
    )["ETag"]
    source = {"Bucket": bucket, "Key": "src \u00fc"}
    assert s3.copy_object(Bucket=bucket, Key="dst", CopySource=source)["CopyObjectResult"]["ETag"] == tag
    found = s3.get_object(Bucket=bucket, Key="dst")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"data", {"a": "1"}, "a/b")
    new = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}}
    s3.copy_object(Bucket=bucket, Key="dst", CopySource=source, **new)
    found = s3.head_object(Bucket=bucket, Key="dst")
    assert (found["Metadata"], found["ContentType"]) == ({"b": "2"}, "application/octet-stream")
    assert _code(s3.copy_object, Bucket=bucket, Key="src \u00fc", CopySource=source) == (
        "InvalidRequest",
        400,
    )
    s3.copy_object(Bucket=bucket, Key="src \u00fc", CopySource=source, **new)
    assert s3.head_object(Bucket=bucket, Key="src \u00fc")["Metadata"] == {"b": "2"}
    failed = ("PreconditionFailed", 412)
    assert _code(s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"y"') == failed
    assert (
        _code(s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfNoneMatch=tag) == failed
    )
    s3.copy_object(Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch=tag)
    missing = {"Bucket": bucket, "Key": "none"}
    assert _code(s3.copy_object, Bucket=bucket, Key="x", CopySource=missing) == ("NoSuchKey", 404)


# Multipart


def _upload(s3: Any, bucket: str, key: str, parts: dict[int, bytes], **kwargs: Any) -> tuple[str, list[Any]]:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **kwargs)["UploadId"]
    listed = []
    for number, data in parts.items():
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=data)
        assert answer["ETag"] == _md5(data)
        listed.append({"PartNumber": number, "ETag": answer["ETag"]})
    return upload, listed


def _complete(s3: Any, bucket: str, key: str, upload: str, parts: list[Any]) -> Any:
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def test_multipart(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="o", Body=b"old", Metadata={"old": "1"})
    parts = {1: b"a" * 1000, 5: b"b" * 100, 7: b"c"}
    upload, listed = _upload(s3, bucket, "o", parts, Metadata={"k": "v"}, ContentType="a/b")
    (found,) = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (found["Key"], found["UploadId"]) == ("o", upload)
    found = s3.list_parts(Bucket=bucket, Key="o", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"], part["ETag"]) for part in found] == [
        (number, len(data), _md5(data)) for number, data in parts.items()
    ]
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="o", UploadId=upload, PaginationConfig={"PageSize": 1}
    )
    assert [part["PartNumber"] for page in pages for part in page["Parts"]] == [1, 5, 7]
    joined = hashlib.md5(b"".join(hashlib.md5(data).digest() for data in parts.values())).hexdigest()
    for _ in range(2):
        # Sent again, as after an answer that was lost, the request is answered as before.
        assert _complete(s3, bucket, "o", upload, listed)["ETag"] == f'"{joined}-3"'
    found = s3.get_object(Bucket=bucket, Key="o")
    assert found["Body"].read() == b"".join(parts.values())
    assert (found["ETag"], found["Metadata"], found["ContentType"]) == (f'"{joined}-3"', {"k": "v"}, "a/b")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"] == f'"{joined}-3"'
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_the_last_of_equal_parts_counts(s3: Any, bucket: str) -> None:
    upload, first = _upload(s3, bucket, "o", {1: b"first"})
    again = s3.upload_part(Bucket=bucket, Key="o", UploadId=upload, PartNumber=1, Body=b"second")
    assert _code(lambda: _complete(s3, bucket, "o", upload, first)) == ("InvalidPart", 400)
    _complete(s3, bucket, "o", upload, [{"PartNumber": 1, "ETag": again["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"second"


def test_parts_that_are_not_listed_are_left_out(s3: Any, bucket: str) -> None:
    upload, listed = _upload(s3, bucket, "o", {1: b"1", 2: b"2", 3: b"3"})
    _complete(s3, bucket, "o", upload, [listed[0], listed[2]])
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"13"


def test_multipart_errors(s3: Any, bucket: str) -> None:
    upload, listed = _upload(s3, bucket, "o", {1: b"1", 2: b"2"})
    for parts, code in (
        (listed[::-1], "InvalidPartOrder"),
        ([*listed, {"PartNumber": 3, "ETag": '"x"'}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        assert _code(lambda parts=parts: _complete(s3, bucket, "o", upload, parts)) == (code, 400)
    for number in (0, 10_001):
        about = {"Bucket": bucket, "Key": "o", "UploadId": upload, "PartNumber": number}
        assert _code(s3.upload_part, Body=b"", **about) == ("InvalidArgument", 400)
    s3.abort_multipart_upload(Bucket=bucket, Key="o", UploadId=upload)
    missing = {"Bucket": bucket, "Key": "o", "UploadId": upload}
    for call in (s3.abort_multipart_upload, s3.list_parts):
        assert _code(call, **missing) == ("NoSuchUpload", 404)
    assert _code(s3.upload_part, Body=b"", PartNumber=1, **missing) == ("NoSuchUpload", 404)
    assert _code(lambda: _complete(s3, bucket, "o", upload, listed)) == ("NoSuchUpload", 404)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_part_copies(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="src", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="o")["UploadId"]
    about = {"Bucket": bucket, "Key": "o", "UploadId": upload, "CopySource": f"{bucket}/src"}
    listed = []
    for number, extra in enumerate(({"CopySourceRange": "bytes=2-4"}, {}), 1):
        answer = s3.upload_part_copy(PartNumber=number, **about, **extra)["CopyPartResult"]
        listed.append({"PartNumber": number, "ETag": answer["ETag"]})
    for given, code in (("bytes=5-10", ("InvalidRange", 416)), ("5-6", ("InvalidArgument", 400))):
        assert _code(s3.upload_part_copy, PartNumber=3, CopySourceRange=given, **about) == code
    _complete(s3, bucket, "o", upload, listed)
    assert s3.get_object(Bucket=bucket, Key="o")["Body"].read() == b"2340123456789"


def test_transfers_of_large_files(s3: Any, bucket: str) -> None:
    data = bytes(range(256)) * (10 * MIB // 256) + b"end"
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(data), bucket, "o", Config=config)
    assert s3.head_object(Bucket=bucket, Key="o")["ETag"].endswith('-3"')
    s3.copy({"Bucket": bucket, "Key": "o"}, bucket, "copy", Config=config)
    for key in ("o", "copy"):
        found = io.BytesIO()
        s3.download_fileobj(bucket, key, found, Config=config)
        assert found.getvalue() == data


def test_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    keys = ["a", "b/1", "b/2"]
    ids = {key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys}
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    assert {item["Key"]: item["UploadId"] for page in pages for item in page["Uploads"]} == ids
    found = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")["Uploads"]
    assert [item["Key"] for item in found] == keys[1:]
    for key, upload in ids.items():
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


# Signatures


@pytest.fixture(scope="module")
def locked() -> Iterator[LocalCluster]:
    """Give a cluster with keys."""
    with LocalCluster(s3_keys=KEYS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def signer(locked: LocalCluster) -> Iterator[Any]:
    client = _client(locked.endpoint, KEYS, signature_version="s3v4")
    client.create_bucket(Bucket="b")
    yield client
    client.close()


def test_signed_requests(signer: Any) -> None:
    for key in ("o", "a b/\u00fc+%&=~*'()!", "x//y"):
        signer.put_object(Bucket="b", Key=key, Body=b"data", Metadata={"k": "v  w"})
        assert signer.get_object(Bucket="b", Key=key, Range="bytes=0-1")["Body"].read() == b"da"
        signer.copy_object(Bucket="b", Key="copy", CopySource={"Bucket": "b", "Key": key})
        assert signer.list_objects_v2(Bucket="b", Prefix=key, Delimiter="/ +")["KeyCount"] == 1
        signer.delete_objects(Bucket="b", Delete={"Objects": [{"Key": key}]})


@pytest.mark.parametrize("changed", [False, True])
def test_signed_streams(signer: Any, locked: LocalCluster, changed: bool) -> None:
    """What the SDKs for other languages send over http: chunks and a trailer, each signed."""
    now = datetime.now(timezone.utc)
    date, scope = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}/us-east-1/s3/aws4_request"
    data = b"some data" * 1000
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    signed = {
        "host": urlsplit(locked.endpoint).netloc,
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x-amz-date": date,
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    key = signature.signing_key(KEYS[1], scope)
    headers = [(name, [value]) for name, value in signed.items()]
    canonical = signature.canonical_request(
        "PUT", "/s3/b/stream", "", headers, signed["x-amz-content-sha256"]
    )
    last = seed = signature.sign(key, date, scope, canonical)
    body = b""
    for chunk in (data[:4096], data[4096:], b""):
        last = signature.sign_chunk(key, date, scope, last, hashlib.sha256(chunk).hexdigest())
        body += f"{len(chunk):x};chunk-signature={last}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
    trailer = f"x-amz-checksum-crc32:{checksum}"
    last = signature.sign_trailer(key, date, scope, last, f"{trailer}\n".encode())
    body += f"{trailer}\r\nx-amz-trailer-signature:{last}\r\n\r\n".encode()
    credential = f"Credential={KEYS[0]}/{scope}, SignedHeaders={';'.join(signed)}, Signature={seed}"
    signed |= {"authorization": f"AWS4-HMAC-SHA256 {credential}", "content-encoding": "aws-chunked"}
    del signed["host"]
    if changed:
        body = body.replace(b"some data", b"same data", 1)
    answer = Wire(locked.endpoint)("PUT", "/s3/b/stream", body, signed)
    if changed:
        assert answer.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    else:
        assert answer.status == 200
        assert signer.get_object(Bucket="b", Key="stream")["Body"].read() == data


def test_wrong_keys(locked: LocalCluster, signer: Any) -> None:
    for keys, code in (((KEYS[0], "x"), "SignatureDoesNotMatch"), (("x", "y"), "InvalidAccessKeyId")):
        client = _client(locked.endpoint, keys)
        assert _code(client.list_buckets) == (code, 403)
        client.close()
    answer = Wire(locked.endpoint)("GET", "/s3")
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body
    # The native API has no keys.
    assert json.loads(Wire(locked.endpoint).ok("GET", "/v1/buckets").body) != []


def _fetch(url: str, data: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, method="GET" if data is None else "PUT")
    request.add_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read()


def test_presigned_urls(signer: Any) -> None:
    about = {"Bucket": "b", "Key": "signed \u00fc"}
    url = signer.generate_presigned_url("put_object", Params=about, ExpiresIn=60)
    assert _fetch(url, b"by url")[0] == 200
    url = signer.generate_presigned_url("get_object", Params={**about, "ResponseContentType": "a/b"})
    assert _fetch(url) == (200, b"by url")
    status, body = _fetch(url.replace("a%2Fb", "c%2Fd"))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    status, body = _fetch(url.partition("?")[0])
    assert (status, b"AccessDenied" in body) == (403, True)


def test_presigned_urls_without_keys(s3: Any, bucket: str) -> None:
    about = {"Bucket": bucket, "Key": "o"}
    for version in ("s3", "s3v4"):
        client = _client(s3.meta.endpoint_url.removesuffix("/s3"), signature_version=version)
        assert _fetch(client.generate_presigned_url("put_object", Params=about), b"data")[0] == 200
        assert _fetch(client.generate_presigned_url("get_object", Params=about)) == (200, b"data")
        client.close()


@pytest.mark.parametrize("version", [None, "s3", "s3v4"])
def test_presigned_urls_of_any_version(locked: LocalCluster, signer: Any, version: str | None) -> None:
    client = _client(locked.endpoint, KEYS, signature_version=version)
    about = {"Bucket": "b", "Key": "any \u00fc"}
    assert _fetch(client.generate_presigned_url("put_object", Params=about), b"data")[0] == 200
    about |= {"ResponseContentType": "a/b", "ResponseContentDisposition": "inline; x"}
    assert _fetch(client.generate_presigned_url("get_object", Params=about)) == (200, b"data")
    status, body = _fetch(client.generate_presigned_url("get_object", Params=about, ExpiresIn=-60))
    assert (status, b"<Error>" in body) == ((400 if b"Malformed" in body else 403), True)
    client.close()


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIS_LOCAL_S3_ACCESS_KEY", KEYS[0])
    monkeypatch.setenv("AIS_LOCAL_S3_SECRET_KEY", KEYS[1])
    with LocalCluster() as cluster:
        assert Wire(cluster.endpoint)("GET", "/s3").status == 403
        client = _client(cluster.endpoint, KEYS)
        assert client.list_buckets()["Buckets"] == []
        client.close()


def test_half_a_pair_of_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="secret key is missing"):
        LocalCluster(s3_keys=("a", ""))


# Besides


def test_targets_answer_too(s3: Any, cluster: LocalCluster, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="o", Body=b"x")
    smap = json.loads(Wire(cluster.endpoint).ok("GET", "/v1/daemon?what=smap").body)
    for node in smap["tmap"].values():
        client = _client(node["public_net"]["direct_url"])
        assert client.get_object(Bucket=bucket, Key="o")["Body"].read() == b"x"
        client.close()


def test_requests_are_counted(s3: Any, cluster: LocalCluster, bucket: str) -> None:
    def counts() -> dict[str, int]:
        tracker = json.loads(Wire(cluster.endpoint).ok("GET", "/v1/daemon?what=node_stats").body)["tracker"]
        return {
            name: int(tracker.get(name, 0)) for name in ("put.n", "get.n", "lst.n", "get.size", "put.size")
        }

    before = counts()
    s3.put_object(Bucket=bucket, Key="o", Body=b"12345")
    s3.get_object(Bucket=bucket, Key="o")["Body"].read()
    s3.list_objects_v2(Bucket=bucket)
    after = counts()
    assert [after[name] - before[name] for name in before] == [1, 1, 1, 5, 5]


def test_errors_are_xml(cluster: LocalCluster) -> None:
    wire = Wire(cluster.endpoint)
    for method, path, status, code in (
        ("GET", "/s3/nosuch", 404, b"NoSuchBucket"),
        ("GET", "/s3/b..d", 400, b"InvalidBucketName"),
        ("PUT", "/s3", 405, b"MethodNotAllowed"),
        ("POST", "/s3/b", 501, b"NotImplemented"),
        ("GET", "/s3/b/o?versionId=1", 404, b"NoSuchVersion"),
        ("GET", "/s3/b?list-type=3", 400, b"InvalidArgument"),
    ):
        answer = wire(method, path)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/xml")
        assert b"<Code>%s</Code>" % code in answer.body
