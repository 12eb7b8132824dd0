"""Importing this makes boto3 and botocore follow the redirects of a cluster's S3 interface.

A cluster's proxy answers S3 requests with a redirect to the target that has the object, which botocore takes
for a wrong region. The patch sends the request to where the answer says, signed anew for that host, and
leaves every other answer to botocore. It works whether botocore is imported before or after.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from urllib.parse import urljoin, urlsplit

logger = logging.getLogger(__name__)

_MODULE = "botocore.utils"
_REDIRECTOR = "S3RegionRedirector"
_METHOD = "redirect_from_error"
_PARAMETERS = ["self", "request_dict", "response", "operation"]
_STATUSES = (301, 302, 307)
_MAX_REDIRECTS = 4  # of one request
_COUNT = "ais_redirect_count"


def _follow(request_dict: Any, response: Any) -> bool:
    """Point the request at the location that its answer names, if it names one.

    Returns:
        Whether the request is to be sent again.
    """
    if not (isinstance(response, tuple) and len(response) == 2 and isinstance(request_dict, dict)):
        return False
    answer = response[0]
    if answer is None or answer.status_code not in _STATUSES:
        return False
    headers = {name.lower(): value for name, value in answer.headers.items()}
    redirects = request_dict["context"]["s3_redirect"]
    count = redirects.get(_COUNT, 0)
    if not headers.get("location") or count >= _MAX_REDIRECTS:
        return False
    origin = request_dict.get("url") or ""
    location = urljoin(origin, headers["location"])
    scheme = urlsplit(location).scheme
    if scheme not in {"http", "https"} or (scheme == "http" and urlsplit(origin).scheme == "https"):
        return False
    redirects[_COUNT] = count + 1
    request_dict["url"] = location
    logger.debug("redirected to %s", urlsplit(location).netloc)
    return True


def _ends_here(request_dict: Any, operation: Any) -> bool:
    """Return whether a request for a bucket's region has used its redirects up.

    botocore would send another such request to find the region, and so on without end.
    """
    redirects = request_dict["context"]["s3_redirect"]
    return bool(operation.name == "HeadBucket" and redirects.get(_COUNT, 0) >= _MAX_REDIRECTS)


def _wrap(original: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(original).parameters.values())
    names = [parameter.name for parameter in parameters[:-1]]
    if names != _PARAMETERS or parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        raise RuntimeError(
            f"this release of botocore is not supported: {original.__qualname__}{inspect.signature(original)}"
            f" should take ({', '.join(_PARAMETERS)}, **kwargs)"
        )

    @functools.wraps(original)
    def redirect_from_error(
        self: Any, request_dict: Any, response: Any, operation: Any, **kwargs: Any
    ) -> Any:
        try:
            if _follow(request_dict, response):
                return 0  # send again at once
            if _ends_here(request_dict, operation):
                return None
        except (
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ):  # what this does not understand is botocore's
            logger.debug("not a redirect of a cluster", exc_info=True)
        return original(self, request_dict, response, operation, **kwargs)

    return redirect_from_error


def _patch(module: ModuleType) -> None:
    for name, cls in list(vars(module).items()):
        if _REDIRECTOR in name and isinstance(cls, type) and _METHOD in vars(cls):
            original = vars(cls)[_METHOD]
            if not hasattr(original, "__wrapped__"):
                setattr(cls, _METHOD, _wrap(original))


class _PatchingFinder(importlib.abc.MetaPathFinder):
    """Finds `botocore.utils` as the other finders do, and has it patched once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and isinstance(spec.loader, importlib.abc.Loader):
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                _patch(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # this loader is of this module only
        return spec


if _MODULE in sys.modules:
    _patch(sys.modules[_MODULE])
else:
    sys.meta_path.insert(0, _PatchingFinder())
