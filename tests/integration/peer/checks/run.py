"""Runs checks of the 2.0.0 package against a cluster, with that package's own interpreter.

Usage: run.py ENDPOINT PROMOTE_DIR AREA...

Each AREA is a module of this folder whose `check_*` functions take a `Context`. Prints a JSON object: the
package's version, what became of each check (null, or a traceback), and the public methods and properties
that were called.
"""

import functools
import importlib
import inspect
import json
import sys
import threading
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tenacity
from urllib3.util.retry import Retry

import aistore
from aistore import Client
from aistore.sdk.errors import AISError
from aistore.sdk.retry_config import RetryConfig

TRACED = (
    ("aistore.sdk.bucket", "Bucket"),
    ("aistore.sdk.client", "Client"),
    ("aistore.sdk.cluster", "Cluster"),
    ("aistore.sdk.job", "Job"),
    ("aistore.sdk.etl.etl", "Etl"),
    ("aistore.sdk.dsort.core", "Dsort"),
    ("aistore.sdk.batch.batch", "Batch"),
    ("aistore.sdk.multiobj.object_group", "ObjectGroup"),
    ("aistore.sdk.obj.object", "Object"),
    ("aistore.sdk.obj.object_reader", "ObjectReader"),
    ("aistore.sdk.obj.object_writer", "ObjectWriter"),
    ("aistore.sdk.obj.object_attributes", "ObjectAttributes"),
    ("aistore.sdk.obj.object_props", "ObjectProps"),
    ("aistore.sdk.obj.object_iterator", "ObjectIterator"),
    ("aistore.sdk.obj.multipart_upload", "MultipartUpload"),
    ("aistore.sdk.obj.obj_file.object_file", "ObjectFileReader"),
    ("aistore.sdk.obj.obj_file.object_file", "ObjectFileWriter"),
    ("aistore.sdk.authn.authn_client", "AuthNClient"),
    ("aistore.sdk.authn.cluster_manager", "ClusterManager"),
    ("aistore.sdk.authn.role_manager", "RoleManager"),
    ("aistore.sdk.authn.token_manager", "TokenManager"),
    ("aistore.sdk.authn.user_manager", "UserManager"),
)
THREADS = 6


class Context:
    """What a check works with: a client, buckets that go away at the end, a folder to promote files from."""

    def __init__(self, endpoint, promote_dir, area):
        self.endpoint = endpoint
        self.promote_dir = Path(promote_dir)
        self.area = area
        self.buckets = []

    @functools.cached_property
    def client(self):
        return Client(self.endpoint)

    def client_without_retries(self):
        once = tenacity.Retrying(stop=tenacity.stop_after_attempt(1), reraise=True)
        return Client(self.endpoint, retry_config=RetryConfig(http_retry=Retry(0), network_retry=once))

    def name(self, stem):
        return f"{stem}-{uuid.uuid4().hex[:8]}"

    def bucket(self, objects=()):
        """A bucket with objects: a mapping of names to bytes."""
        bucket = self.client.bucket(self.name(f"peer-{self.area}")).create()
        self.buckets.append(bucket)
        for name, data in dict(objects).items():
            bucket.object(name).get_writer().put_content(data)
        return bucket

    def clear(self):
        for bucket in self.buckets:
            bucket.delete(missing_ok=True)


def raises(expected, call, *args, **kwargs):
    """Call, and give the error that must come."""
    try:
        result = call(*args, **kwargs)
    except expected as err:
        return err
    raise AssertionError(f"no {expected.__name__} but {result!r}")


def absent(call, *args, **kwargs):
    """Call what must say that something isn't there; of a HEAD the package makes an error without a class."""
    assert raises(AISError, call, *args, **kwargs).status_code == 404


def trace(called):
    """Note every call of a public method and every look at a public property."""
    lock = threading.Lock()

    def noted(label, function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            with lock:
                called.add(label)
            return function(*args, **kwargs)

        return call

    for module, name in TRACED:
        kind = getattr(importlib.import_module(module), name)
        for key, value in list(vars(kind).items()):
            label = f"{name}.{key}"
            if key.startswith("_"):
                continue
            if isinstance(value, property):
                setter = value.fset and noted(label, value.fset)
                setattr(kind, key, property(noted(label, value.fget), setter))
            elif isinstance(value, staticmethod):
                setattr(kind, key, staticmethod(noted(label, value.__func__)))
            elif inspect.isfunction(value):
                setattr(kind, key, noted(label, value))


def _run(check, endpoint, promote_dir, area):
    context = Context(endpoint, promote_dir, area)
    try:
        check(context)
        return None
    except Exception:
        return traceback.format_exc()
    finally:
        context.clear()


def main(endpoint, promote_dir, *areas):
    called = set()
    trace(called)
    checks = {}
    for area in areas:
        for name, check in vars(importlib.import_module(area)).items():
            if name.startswith("check_"):
                checks[f"{area}.{name}"] = (check, area)
    with ThreadPoolExecutor(THREADS) as pool:
        running = {
            name: pool.submit(_run, check, endpoint, promote_dir, area)
            for name, (check, area) in checks.items()
        }
        results = {name: future.result() for name, future in running.items()}
    print(json.dumps({"version": aistore.__version__, "checks": results, "called": sorted(called)}))


if __name__ == "__main__":
    # The areas import this module by name.
    sys.modules["run"] = sys.modules["__main__"]
    main(*sys.argv[1:])
