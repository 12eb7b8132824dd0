"""Object store packages: obstore over HTTP, boto3 and s3fs over S3. `op["client"]` names the package."""

from operation import Operation
from payload import content


def prepare(op):
    get, head, put = CLIENTS[op["client"]](op)
    match op["name"]:
        case "get" | "readinto":
            return Operation(get)
        case "head":
            return Operation(head)
        case "put":
            body = content(op["size"], op["seed"])
            return Operation(lambda: put(body))
    raise ValueError(f"{op['client']} has nothing for {op['name']!r}")


def obstore_client(op):
    import obstore
    from obstore.store import HTTPStore

    store = HTTPStore.from_url(
        f"{op['endpoint']}/v1/objects/{op['bucket']}", client_options={"allow_http": True, "timeout": "60s"}
    )
    name = op["object"]

    def head():
        obstore.head(store, name)

    def put(body):
        obstore.put(store, name, body, use_multipart=False)

    def get():
        return memoryview(obstore.get(store, name).bytes())

    return get, head, put


def boto3_client(op):
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=f"{op['endpoint']}/s3",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 0},
        ),
    )
    where = {"Bucket": op["bucket"], "Key": op["object"]}

    def head():
        client.head_object(**where)

    def put(body):
        client.put_object(**where, Body=body)

    def get():
        return client.get_object(**where)["Body"].read()

    return get, head, put


def s3fs_client(op):
    import s3fs

    files = s3fs.S3FileSystem(
        key="key",
        secret="secret",
        client_kwargs={"endpoint_url": f"{op['endpoint']}/s3", "region_name": "us-east-1"},
        use_listings_cache=False,
    )
    path = f"{op['bucket']}/{op['object']}"

    def head():
        files.invalidate_cache()
        files.info(path)

    def put(body):
        files.pipe(path, body)

    def get():
        return files.cat(path)

    return get, head, put


CLIENTS = {"obstore": obstore_client, "boto3": boto3_client, "s3fs": s3fs_client}
