"""An ETL class as text, to be sent to a cluster, and back again in the pod.

The class is pickled by value together with everything of the user's own that it refers to: what is defined
in the main script or a notebook, and modules that do not belong to an installed distribution. Installed
packages are referred to by name and must be there in the pod (`dependencies`).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import sys
import sysconfig
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType

if TYPE_CHECKING:
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

# Linux limits one string of a process's environment to 32 pages (MAX_ARG_STRLEN), "ETL_CLASS_PAYLOAD=" and
# NUL included.
PAYLOAD_VARIABLE = "ETL_CLASS_PAYLOAD"
PAYLOAD_LIMIT = 32 * 4096 - len(PAYLOAD_VARIABLE) - 2


class UnpicklableClass(InvalidArgument, TypeError):  # noqa: N818 - named for what it says
    """An ETL class that cannot be sent: the text names the attribute or global name at fault."""


def check_class(cls: object) -> type[ETLServer]:
    """Return the class if it is an ETL server's.

    Raises:
        InvalidArgumentType: It is not a subclass of `ETLServer`.
    """
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

    if not isinstance(cls, type) or not issubclass(cls, ETLServer):
        name = getattr(cls, "__name__", None) or type(cls).__name__
        raise InvalidArgumentType(
            f"{name} is not a subclass of ETLServer: derive it from FastAPIServer, "
            "HTTPMultiThreadedServer or FlaskServer"
        )
    return cls


def serialize_class(cls: type[ETLServer], encoding: str = "utf-8") -> str:
    """Return an ETL class as text: standard base64 of its pickle by value.

    Args:
        cls: A subclass of `ETLServer`.
        encoding: Encoding of the text.

    Raises:
        InvalidArgumentType: It is not a subclass of `ETLServer`.
        UnpicklableClass: It refers to something that cannot be pickled.
    """
    check_class(cls)
    return base64.b64encode(pickle_by_value(cls)).decode(encoding)


def deserialize_class(payload: str) -> type[ETLServer]:
    """Return the class of a payload; runs code of whoever made it.

    Raises:
        InvalidArgument: The text is not a payload.
        InvalidArgumentType: What it holds is not an ETL server class.
    """
    import cloudpickle

    try:
        data = base64.b64decode(payload.strip(), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidArgument(f"{PAYLOAD_VARIABLE} is not base64: {exc}") from None
    if not data:
        raise InvalidArgument(f"{PAYLOAD_VARIABLE} is empty")
    return check_class(cloudpickle.loads(data))


def pickle_by_value(cls: type) -> bytes:
    """Pickle a class, and the user's own modules that it refers to, by value.

    Raises:
        UnpicklableClass: Naming what cannot be pickled.
    """
    with _own_modules_by_value(cls):
        data, error = _dumps(cls)
        if error is not None:
            raise UnpicklableClass(_explain(cls, error)) from error
    return data


def check_payload_size(cls: type, payload: str) -> None:
    """Refuse a payload that does not fit into an environment variable.

    Raises:
        InvalidArgument: With the parts of the class that make it large.
    """
    if len(payload) <= PAYLOAD_LIMIT:
        return
    with _own_modules_by_value(cls):
        sizes = sorted(((len(_dumps(value)[0]), label) for label, value in _parts(cls)), reverse=True)
    largest = ", ".join(f"{label} ({size:,} bytes)" for size, label in sizes[:3])
    raise InvalidArgument(
        f"class {cls.__name__} is {len(payload):,} bytes long as text, and an environment variable holds "
        f"{PAYLOAD_LIMIT:,}. "
        f"Largest parts: {largest}. Load large data in __init__, from a file, an object or a package in "
        "`dependencies`"
    )


# ---------------------------------------------------------------- which modules go by value


@contextlib.contextmanager
def _own_modules_by_value(cls: type) -> Iterator[None]:
    import cloudpickle

    before = set(cloudpickle.list_registry_pickle_by_value())
    added = [module for module in _own_modules(cls) if module.__name__ not in before]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _own_modules(cls: type) -> list[ModuleType]:
    """Find the user's own modules that the class leads to, through bases and global names."""
    found: dict[str, ModuleType] = {}
    seen: set[str] = set()
    pending = [sys.modules.get(base.__module__) for base in cls.__mro__]
    while pending:
        module = pending.pop()
        if module is None or module.__name__ in seen:
            continue
        seen.add(module.__name__)
        own = is_own_module(module)
        if own:
            found[module.__name__] = module
        if own or module.__name__ == "__main__":
            pending += [_module_of(value) for value in list(vars(module).values())]
    return list(found.values())


def _module_of(value: Any) -> ModuleType | None:
    if isinstance(value, ModuleType):
        return value
    try:
        name = getattr(value, "__module__", None)
    except Exception:  # noqa: BLE001 - a proxy of something that is not there
        return None
    return sys.modules.get(name) if isinstance(name, str) else None


def is_own_module(module: ModuleType) -> bool:
    """Say whether a module is the user's own source, not installed and not of the standard library."""
    name = module.__name__
    top = name.partition(".")[0]
    if name == "__main__" or top in sys.stdlib_module_names or top == "aistore":
        return False  # the main module goes by value anyway
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return False
    return not file.startswith(_installed_prefixes()) and top not in _editable_packages()


@functools.cache
def _installed_prefixes() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib") if paths.get(key))


@functools.cache
def _editable_packages() -> frozenset[str]:
    """Top-level names of installed distributions, also of those installed in place."""
    import importlib.metadata

    return frozenset(importlib.metadata.packages_distributions())


# ---------------------------------------------------------------- what is at fault


def _parts(cls: type) -> Iterator[tuple[str, Any]]:
    """List what a class consists of: its attributes, and the global names that its methods use."""
    seen: set[str] = set()
    for name, value in list(vars(cls).items()):
        if name in {"__dict__", "__weakref__", "__abstractmethods__", "_abc_impl", "__module__", "__doc__"}:
            continue
        yield f"attribute {name}", value
        for label, used in _free_names(value):
            if label not in seen:
                seen.add(label)
                yield label, used


def _free_names(value: Any) -> Iterator[tuple[str, Any]]:
    function = getattr(value, "__func__", value)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    names = set(code.co_names)
    for const in code.co_consts:
        names.update(getattr(const, "co_names", ()))
    scope = getattr(function, "__globals__", {})
    for name in sorted(names & scope.keys()):
        yield f"global name {name}", scope[name]
    for name, cell in zip(code.co_freevars, getattr(function, "__closure__", None) or (), strict=False):
        with contextlib.suppress(ValueError):  # a cell that is not filled yet
            yield f"variable {name} of the enclosing function", cell.cell_contents


def _dumps(value: Any) -> tuple[bytes, Exception | None]:
    """Pickle a value; what its own code raises is returned."""
    import cloudpickle

    try:
        return cloudpickle.dumps(value), None
    except Exception as exc:  # noqa: BLE001 - pickling runs the user's code
        return b"", exc


def _explain(cls: type, error: Exception) -> str:
    # Attributes are tried first when nothing that they use is at fault, so global names come before them.
    for label, value in sorted(_parts(cls), key=lambda part: part[0].startswith("attribute")):
        _, exc = _dumps(value)
        if exc is not None:
            kind = type(value).__name__
            return f"class {cls.__name__} cannot be sent: {label} ({kind}) cannot be pickled: {exc}"
    return f"class {cls.__name__} cannot be sent: {error}"


serialize_class.__module__ = "aistore.sdk.etl.webserver.utils"  # where pickles for the 2.0.0 package find it
