"""The servers that the work is done against, and the data prepared on them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.nginx import Nginx
from benchmarks.worker.payload import content

if TYPE_CHECKING:
    from contextlib import ExitStack

    from benchmarks.row import Row

_THREADS = 8


class Origin:
    """A server with data.

    Attributes:
        name: "nginx", "local" or "cluster".
        endpoint: URL of the proxy.
        bucket: Bucket of the objects.
        pids: Processes of the server, when they are on this machine.
        listing_size: How many entries the bucket listed has.
        keeps_puts: Whether objects of the rows that put can be read and compared afterwards.
    """

    name = ""
    keeps_puts = True
    listing_size = 100_000

    def __init__(self, endpoint: str, bucket: str, pids: list[int]) -> None:
        self.endpoint = endpoint
        self.bucket = bucket
        self.pids = pids
        self._made: set[str] = set()

    def prepare(self, row: Row, args: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Put what a row needs in its place.

        Args:
            row: The row.
            args: Its arguments, perhaps scaled down.

        Returns:
            What the drivers are told, and what `check` should answer.
        """
        op = {"name": row.work, "endpoint": self.endpoint, "bucket": self.bucket, **args}
        op["server_pids"] = self.pids
        if row.once:
            return op, {}
        if row.work in ("list", "list_objects"):
            return op | {"prefix": "train/", "props": "name,size"}, self._ensure_listing()
        if row.work in ("batch", "batch_build"):
            return self._ensure_batch(op)
        if row.group == "dataset":
            return self._ensure_dataset(op)
        size = args["size"]
        op["object"] = f"objects/{size}"
        expected = self._ensure_object(op["object"], size)
        if row.work.startswith("put"):
            op |= {"object": f"written/{row.work}/{size}", "seed": 7}
            return op, {}
        if args.get("via") == "direct":
            op["endpoint"] = self.direct(op["object"])
        op["direct"] = args.get("via") == "owner"
        if row.work in ("iterate", "props"):
            expected = {"size": size}
        elif row.work in ("head", "bucket_info"):
            expected = {}
        return op, expected

    def direct(self, name: str) -> str:
        """Return the URL of the target that has an object."""
        raise NotImplementedError

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Store an object."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """Read an object of the bucket."""
        raise NotImplementedError

    def _ensure_object(self, name: str, size: int) -> dict[str, Any]:
        data = content(size)
        if name not in self._made:
            self.put(self.bucket, name, data)
            self._made.add(name)
        return {"size": size, "sha256": hashlib.sha256(data).hexdigest()}

    def _ensure_listing(self) -> dict[str, Any]:
        names = [f"train/{number:06}.jpg" for number in range(self.listing_size)]
        if "listing" not in self._made:
            self.add_listing(names)
            self._made.add("listing")
        return {"count": len(names), "sha256": _digest(name.encode() for name in names)}

    def add_listing(self, names: list[str]) -> None:
        """Make a bucket listing have these names."""
        raise NotImplementedError

    def _ensure_batch(self, op: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        count, size, multipart = op["count"], op["size"], op.get("multipart", False)
        each = op.get("each", count)
        parts = []
        for low in range(0, count, each):
            names = [f"batch/{size}/{number:06}" for number in range(min(each, count - low))]
            parts.append((self.add_batch(names, size, multipart=multipart), names))
            if op.get("strategy") == "direct":
                self.add_members(parts[-1][0], names, size)
        op |= {"parts": parts, "multipart": multipart, "total": count * size}
        if op["name"] == "batch_build":
            return op, {
                "count": count,
                "sha256": _digest(name.encode() for _, names in parts for name in names),
            }
        got = (content(size, number) for _, names in parts for number in range(len(names)))
        return op, {"count": count, "size": count * size, "sha256": _digest(got)}

    def add_batch(self, names: list[str], size: int, *, multipart: bool) -> str:
        """Make the objects of a batch; return the bucket to ask for them."""
        raise NotImplementedError

    def add_members(self, bucket: str, names: list[str], size: int) -> None:
        """Have the objects of a batch one by one, too."""

    def _ensure_dataset(self, op: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Make the objects of a dataset: shards where there are `samples`, else plain ones."""
        raise NotImplementedError


def _shard(samples: int, size: int, number: int) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in range(samples):
            info = tarfile.TarInfo(f"{number:03}-{sample:06}.bin")
            info.size = size
            tar.addfile(info, io.BytesIO(content(size, sample)))
    return data.getvalue()


def _digest(pieces: Any) -> str:
    sha = hashlib.sha256()
    for piece in pieces:
        sha.update(piece)
    return sha.hexdigest()


class NginxOrigin(Origin):
    """nginx with a prepared tree."""

    name = "nginx"
    keeps_puts = False  # of the clients' PUT rows: see `nginx.py`

    def __init__(self, stack: ExitStack) -> None:
        self._nginx = stack.enter_context(Nginx())
        super().__init__(f"http://127.0.0.1:{self._nginx.proxy_port}", "bench", [self._nginx.pid])

    @property
    def target(self) -> str:
        """URL of the port that serves objects."""
        return f"http://127.0.0.1:{self._nginx.target_port}"

    def prepare(self, row: Row, args: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Put what a row needs in its place."""
        op, expected = super().prepare(row, args)
        if row.group == "etl":
            op["target_url"] = f"{self.target}/v1/objects/{self.bucket}"
            # A target joins the path of its own URL and that of the destination.
            if row.work == "direct_put":
                name = f"stored/{row.args['size']}"
                op |= {"sink": f"{self.target}/{name}", "stored": name, "seed": 0}
                self._nginx.put(self.bucket, name, b"")  # nginx answers 204 only where something was before
            expected = {}
        return op, expected

    def direct(self, name: str) -> str:
        """Return the URL of the port that serves objects."""
        return self.target

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write a file of the tree."""
        self._nginx.put(bucket, name, data)

    def read(self, name: str) -> bytes:
        """Read a file of the tree."""
        return self._nginx.path(self.bucket, name).read_bytes()

    def add_listing(self, names: list[str]) -> None:
        """Prepare the pages."""
        self._nginx.add_listing(names, 110_000)

    def add_batch(self, names: list[str], size: int, *, multipart: bool) -> str:
        """Prepare the answer; it is the same for every batch of so many objects of this size."""
        bucket = f"{'multipart' if multipart else 'tar'}-{len(names)}x{size}"
        if bucket not in self._made:
            self._nginx.add_batch(bucket, names, size, multipart=multipart)
            self._made.add(bucket)
        return bucket

    def add_members(self, bucket: str, names: list[str], size: int) -> None:
        """Write the objects."""
        for number, name in enumerate(names):
            self._nginx.put(bucket, name, content(size, number))


class ClusterOrigin(Origin):
    """A cluster, which gets a bucket for the time of the run."""

    name = "cluster"
    listing_size = 20_000  # every one of them has to be written first

    def __init__(self, stack: ExitStack, endpoint: str, pids: list[int]) -> None:
        from aistore import Client

        super().__init__(endpoint, f"bench-{uuid.uuid4().hex[:8]}", pids)
        self._client = stack.enter_context(Client(endpoint))
        self._bucket = self._client.bucket(self.bucket).create()
        stack.callback(self._bucket.delete, missing_ok=True)

    def direct(self, name: str) -> str:
        """Return the URL of the target that the proxy redirects to."""
        import requests

        url = f"{self.endpoint}/v1/objects/{self.bucket}/{name}?provider=ais"
        place = requests.get(url, allow_redirects=False, timeout=30).headers.get("Location", url)
        parts = urllib.parse.urlsplit(place)
        return f"{parts.scheme}://{parts.netloc}"

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write an object."""
        self._bucket.object(name).get_writer().put_content(data)

    def read(self, name: str) -> bytes:
        """Read an object."""
        data = self._bucket.object(name).get_reader().read_all()
        assert isinstance(data, bytes)
        return data

    def add_listing(self, names: list[str]) -> None:
        """Write an object for every name."""
        self._put_all((name, b"x") for name in names)

    def add_batch(self, names: list[str], size: int, *, multipart: bool) -> str:
        """Write the objects that are not there yet."""
        new = [(name, content(size, number)) for number, name in enumerate(names) if name not in self._made]
        self._put_all(new)
        self._made.update(name for name, _ in new)
        return self.bucket

    def _ensure_dataset(self, op: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        count, size, samples = op["count"], op["size"], op.get("samples", 0)
        op["prefix"] = prefix = f"dataset/{samples}-{count}x{size}/"
        names = [f"{prefix}{number:06}{'.tar' if samples else ''}" for number in range(count)]
        if prefix not in self._made:
            make = partial(_shard, samples) if samples else content
            self._put_all((name, make(size, number)) for number, name in enumerate(names))
            self._made.add(prefix)
        return op, {"count": count * (samples or 1), "size": count * (samples or 1) * size}

    def _put_all(self, objects: Any) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(lambda item: self.put(self.bucket, *item), objects):
                pass


class LocalOrigin(ClusterOrigin):
    """`aistore.local` with two targets."""

    name = "local"

    def __init__(self, stack: ExitStack) -> None:
        from aistore.local import LocalCluster

        cluster = stack.enter_context(LocalCluster(targets=2))
        assert cluster.pid is not None
        super().__init__(stack, cluster.endpoint, [cluster.pid])
