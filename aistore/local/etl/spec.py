"""What an ETL is started from: the init message, checked (protocol-ml/02, section 2).

A local cluster has no containers. It runs a class that `init_class` sent (the image is the Python runtime's),
or a command that can be run on this machine; anything else is refused with an explanation.
"""

from __future__ import annotations

import base64
import binascii
import re
import sys
from typing import Any, NamedTuple

from aistore.local.errors import InvalidRequest, LocalError
from aistore.sdk.durations import convert_to_seconds
from aistore.sdk.errors import InvalidArgument

HPUSH, HPULL, WS = "hpush://", "hpull://", "ws://"

PAYLOAD = "ETL_CLASS_PAYLOAD"

_DEFAULT_INIT_TIMEOUT = "45s"
_DEFAULT_OBJ_TIMEOUT = "10s"
_NAME = re.compile(r"[a-z0-9-]*")
_NAME_LENGTH = range(6, 33)
_RUNTIME_IMAGE = re.compile(r"(?:.*/)?runtime_python(?::(?P<tag>[\w.-]+))?")
_ENV_NAME = re.compile(r"[^=\0]+")
# Linux limits one string of an environment to 32 pages.
_MAX_ENV = 32 * 4096 - 2


class EtlSpec(NamedTuple):
    """A checked init message.

    Attributes:
        name: Of the ETL.
        communication: `hpush://`, `hpull://` or `ws://`.
        init_timeout: Seconds until it must be ready.
        obj_timeout: Seconds that a transform of one object may take.
        direct_put: Whether it can send results to other targets by itself.
        command: What to run; None for a class.
        env: Variables, as (name, value).
        late_env: Variables that win over those that the target sets.
        health_path: Asked until it answers 200.
        message: The message as it is shown.
    """

    name: str
    communication: str
    init_timeout: float
    obj_timeout: float
    direct_put: bool
    command: tuple[str, ...] | None
    env: tuple[tuple[str, str], ...]
    late_env: tuple[tuple[str, str], ...]
    health_path: str
    message: dict[str, Any]


def parse_init(message: Any) -> EtlSpec:
    """Check an init message of either form.

    Raises:
        LocalError: What is wrong, or what a local cluster can't run and what it could instead.
    """
    if not isinstance(message, dict):
        raise InvalidRequest(f"invalid etl.InitMsg: expecting an object, got {message!r}")
    try:
        if message.get("spec") and not message.get("runtime"):
            return _from_pod(message)
        return _from_image(message)
    except LocalError as err:
        raise InvalidRequest(f"invalid etl.InitMsg: {err.message}", tcode=err.tcode) from err


def _from_image(message: dict[str, Any]) -> EtlSpec:
    name = _check_name(message)
    runtime = message.get("runtime") or {}
    if not isinstance(runtime, dict) or not runtime.get("image"):
        raise InvalidRequest(f'[etl="{name}"] runtime.image must be specified')
    image, command = str(runtime["image"]), _command(runtime.get("command"), name)
    env = _env(runtime.get("env"), name)
    if command is None:
        _check_runnable(image, dict(env), name)
    shown = {
        "communication": HPUSH,
        **message,
        "runtime": {**runtime, "env": runtime.get("env")},
        "resources": {},
    }
    shown["runtime"] = {key: value for key, value in shown["runtime"].items() if value is not None}
    return _make(message, name, command, env, _env(message.get("env"), name), "/health", shown)


def _make(
    message: dict[str, Any],
    name: str,
    command: tuple[str, ...] | None,
    env: tuple[tuple[str, str], ...],
    late_env: tuple[tuple[str, str], ...],
    health_path: str,
    shown: dict[str, Any],
) -> EtlSpec:
    communication = message.get("communication") or HPUSH
    if communication not in {HPUSH, HPULL, WS}:
        raise InvalidRequest(
            f'[etl="{name}"] unknown comm-type "{communication}" (use {HPUSH}, {HPULL} or {WS})'
        )
    direct_put = bool(message.get("support_direct_put"))
    if communication == WS and not direct_put:
        raise InvalidRequest("WebSocket without direct put is not supported yet: set support_direct_put")
    return EtlSpec(
        name=name,
        communication=communication,
        init_timeout=_seconds(message, "init_timeout", _DEFAULT_INIT_TIMEOUT),
        obj_timeout=_seconds(message, "obj_timeout", _DEFAULT_OBJ_TIMEOUT),
        direct_put=direct_put,
        command=command,
        env=env,
        late_env=late_env,
        health_path=health_path,
        message=shown,
    )


def _check_name(message: dict[str, Any]) -> str:
    name = message.get("name") or ""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(f'ETL name "{name}" is invalid: can only contain [a-z0-9-]')
    if len(name) not in _NAME_LENGTH:
        wrong = "too short" if len(name) < _NAME_LENGTH.start else "too long"
        raise InvalidRequest(f'ETL name "{name}" is {wrong}: 6 to 32 characters')
    return name


def _command(value: Any, name: str) -> tuple[str, ...] | None:
    if not value:
        return None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InvalidRequest(f'[etl="{name}"] command must be a list of strings')
    return tuple(value)


def _env(value: Any, name: str) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in value or ():
        key = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(key, str) or not _ENV_NAME.fullmatch(key):
            raise InvalidRequest(f'[etl="{name}"] env must be a list of {{"name", "value"}}, got {entry!r}')
        text = entry.get("value")
        text = "" if text is None else str(text)
        if "\0" in text:
            raise InvalidRequest(f'[etl="{name}"] the value of {key} has a NUL byte')
        size = len(f"{key}={text}".encode())
        if size > _MAX_ENV:
            raise InvalidRequest(
                f'[etl="{name}"] {key} is {size} bytes long; the system takes {_MAX_ENV} in a variable'
                + (": the class refers to large data, load it in __init__ instead" if key == PAYLOAD else "")
            )
        found.append((key, text))
    return tuple(found)


def _check_runnable(image: str, env: dict[str, str], name: str) -> None:
    runtime = _RUNTIME_IMAGE.fullmatch(image)
    if runtime is None:
        raise InvalidRequest(
            f'[etl="{name}"] image "{image}" can\'t be run: aistore.local has no containers. Send a class '
            "(Etl.init_class), or give the command that starts the server on this machine"
        )
    if PAYLOAD not in env:
        raise InvalidRequest(f'[etl="{name}"] image "{image}" needs a class in {PAYLOAD} (Etl.init_class)')
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    tag = runtime["tag"] or own
    if re.fullmatch(r"3\.\d+", tag) and tag != own:
        raise InvalidRequest(
            f'[etl="{name}"] the class was pickled by Python {tag}, this server runs Python {own}: pickled '
            "code is of one version only, run both with the same"
        )


def _seconds(message: dict[str, Any], key: str, default: str) -> float:
    value = message.get(key) or default
    try:
        seconds = convert_to_seconds(value)
    except InvalidArgument as err:
        raise InvalidRequest(f"{key}: {err}") from err
    return float(seconds or convert_to_seconds(default))


# ---- the deprecated form: a Kubernetes pod


def _from_pod(message: dict[str, Any]) -> EtlSpec:
    name = _check_name(message)
    pod = _decode_pod(str(message["spec"]), name)
    if pod.get("kind") != "Pod":
        raise InvalidRequest(
            f'[etl="{name}"] failed to parse pod spec: expecting kind Pod, got {pod.get("kind")!r}'
        )
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or len(containers) != 1 or not isinstance(containers[0], dict):
        raise InvalidRequest(f'[etl="{name}"] the pod must have exactly one container')
    container = containers[0]
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    command = _command([str(word) for word in words], name)
    env = _env(container.get("env"), name)
    if command is None:
        _check_runnable(str(container.get("image", "")), dict(env), name)
    probe = ((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path") or "/health"
    metadata = pod.get("metadata")
    annotations = (metadata.get("annotations") if isinstance(metadata, dict) else None) or {}
    merged = {"communication": annotations.get("communication_type"), **message}
    if str(annotations.get("support_direct_put", "")).lower() == "true":
        merged["support_direct_put"] = True
    merged.setdefault("init_timeout", annotations.get("wait_timeout"))
    return _make(merged, name, command, env, _env(message.get("env"), name), str(probe), dict(message))


def _decode_pod(text: str, name: str) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as err:
        raise InvalidRequest(
            f"a pod specification needs the package PyYAML: pip install 'aistore[etl]' ({err})"
        ) from err
    try:
        pod = yaml.safe_load(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, yaml.YAMLError) as err:
        raise InvalidRequest(f'[etl="{name}"] failed to parse pod spec: {err}') from err
    if not isinstance(pod, dict):
        raise InvalidRequest(f'[etl="{name}"] failed to parse pod spec: expecting an object')
    return pod
