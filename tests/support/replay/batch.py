"""Get-Batch requests of recordings, made with this package's classes."""

import base64

from recordings import records

from aistore.sdk.batch.batch import Batch
from aistore.sdk.provider import Provider


def chosen() -> list[dict]:
    """Select the requests all of whose entries were kept."""
    return [
        record
        for name in ("batch", "https")
        for record in records(name)
        if record["request"]["path"].startswith("/v1/ml/moss")
        and not any("$more" in str(entry) for entry in record["request"]["body"]["json"]["in"])
    ]


class _Bucket:
    namespace = None

    def __init__(self, name: str, provider: str) -> None:
        self.name, self.provider = name, Provider(provider)


def batch_of(client, record: dict) -> Batch:
    request = record["request"]
    asked = request["body"]["json"]
    path = request["path"].removeprefix("/v1/ml/moss").strip("/")
    provider = dict(request["query"]).get("provider")
    batch = Batch(
        client,
        bucket=_Bucket(path, provider) if path else None,
        output_format=asked["mime"],
        cont_on_err=asked["coer"],
        only_obj_name=asked["onob"],
        streaming_get=asked["strm"],
    )
    for entry in asked["in"]:
        place = {} if path == entry["bucket"] else {"bck": entry["bucket"], "provider": entry["provider"]}
        opaque = base64.b64decode(entry["opaque"]) if "opaque" in entry else None
        rest = {key: entry[key] for key in ("archpath", "start", "length") if key in entry}
        batch.add(entry["objname"], opaque=opaque, **place, **rest)
    return batch
