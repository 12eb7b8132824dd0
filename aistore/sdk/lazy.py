"""What programs expect to find in a module or package that does not import it: loaded when it is asked for.

Programs know names from the modules of the 2.0.0 package that imported them, and their tests put others in
their place there. Importing all of them for that would make this package slow to import.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The module that has a name; one that begins with a dot is below `aistore.sdk`.
_HOMES = {
    "AISSource": ".ais_source",
    "ActionMsg": ".types",
    "Batch": ".batch.batch",
    "BsummCtrlMsg": ".types",
    "Bucket": ".bucket",
    "BucketDetails": ".obj.object",
    "BucketEntry": ".types",
    "BucketList": ".types",
    "BucketModel": ".types",
    "CONST1": ".hrw",
    "CONST2": ".hrw",
    "ChunkedEncodingError": "requests.exceptions",
    "Cluster": ".cluster",
    "ColdGetConf": ".retry_config",
    "CopyBckMsg": ".types",
    "CreateNBIMsg": ".types",
    "DatasetConfig": ".dataset.dataset_config",
    "Dsort": ".dsort",
    "ETLConfig": ".etl.etl_config",
    "ETLServer": ".etl.webserver.base_etl_server",
    "Etl": ".etl.etl",
    "FLTPresence": ".enums",
    "GOLDEN_RATIO": ".hrw",
    "HttpError": ".models.failure",
    "InvalidBckProvider": ".errors",
    "Job": ".job",
    "ListObjectFlag": ".list_object_flag",
    "ListObjectsMsg": ".types",
    "MASK": ".hrw",
    "MossResp": ".batch.types",
    "MultipartDecoder": ".batch.multipart.multipart_decoder",
    "NBIInfo": ".types",
    "Namespace": ".types",
    "Object": ".obj.object",
    "ObjectAttributes": ".obj.object_attributes",
    "ObjectClient": ".obj.object_client",
    "ObjectGroup": ".multiobj",
    "ObjectIterator": ".obj.object_iterator",
    "ObjectProps": ".obj.object_props",
    "ObjectRange": ".multiobj",
    "Provider": ".provider",
    "ROTATION_BITS": ".hrw",
    "ReadTimeout": "requests.exceptions",
    "RequestClient": ".request_client",
    "RequestExecutor": ".request_executor",
    "Response": "requests",
    "ResumableStream": ".obj.obj_file.stream",
    "Retry": "urllib3",
    "RetryConfig": ".retry_config",
    "Retrying": "tenacity",
    "Session": "requests",
    "SessionManager": ".session_manager",
    "Smap": ".types",
    "TCBckMsg": ".types",
    "TarStreamExtractor": ".batch.extractor.tar_stream_extractor",
    "Timeout": ".errors",
    "TransformBckMsg": ".types",
    "UnexpectedHTTPStatusCode": ".errors",
    "convert_to_seconds": ".durations",
    "expand_braces": ".braces",
    "get_digest": ".hrw",
    "get_file_size": ".utils",
    "get_logger": ".utils",
    "is_valid_kind": ".xact_const",
    "validate_directory": ".utils",
    "validate_file": ".utils",
    "xoshiro256_hash": ".hrw",
}
_MODULES = frozenset({"json", "logging", "os", "requests", "time"})


def lazy_names(module: str, *names: str) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module that offers names of other modules without importing them.

    Args:
        module: Name of the module.
        names: What it offers: names with a home known here, modules, or `logger`, the module's own.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name == "logger":
            import logging

            return logging.getLogger(module)
        if name in _MODULES:
            return importlib.import_module(name)
        return getattr(importlib.import_module(_HOMES[name], "aistore.sdk"), name)

    return load


def lazy_modules(package: str) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package whose modules are imported when they are asked for.

    `import aistore` is enough for `aistore.sdk.errors.AISError` then, though it imports nothing else.

    Args:
        package: Name of the package.
    """

    def load(name: str) -> Any:
        path = f"{package}.{name}"
        try:
            if not name.startswith("_"):
                return importlib.import_module(path)
        except ModuleNotFoundError as err:
            if err.name != path:
                raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load


def lazy_exports(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package whose names and modules are loaded when they are first used.

    A package must not import its own modules while it is imported: a thread that imports such a module first
    waits for the package, and the thread that imports the package waits for the module.

    Args:
        package: Name of the package.
        modules: The module below the package that has each name.
    """
    submodule = lazy_modules(package)

    def load(name: str) -> Any:
        if name not in modules:
            return submodule(name)
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
