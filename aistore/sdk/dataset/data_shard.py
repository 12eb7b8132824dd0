"""Shards to read: a bucket of a cluster, with a prefix and an ETL."""

from __future__ import annotations

from dataclasses import dataclass

from aistore.sdk.client import Client
from aistore.sdk.provider import Provider


@dataclass
class DataShard:
    """Where shards are, and by which ETL they are transformed.

    Args:
        client_url: Endpoint of the cluster.
        bucket_name: Their bucket.
        provider: The bucket's provider. Default: `Provider.AIS`.
        prefix: Only objects whose names start with it. Default: all.
        etl_name: The ETL. Default: none.

    Attributes:
        client: A client of the cluster.
        bucket: The bucket.
    """

    client_url: str
    bucket_name: str
    provider: Provider | str = Provider.AIS
    prefix: str = ""
    etl_name: str | None = None

    def __post_init__(self) -> None:
        self.client = Client(self.client_url)
        self.bucket = self.client.bucket(self.bucket_name, provider=self.provider)
