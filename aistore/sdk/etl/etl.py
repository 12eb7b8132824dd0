"""One ETL of a cluster: start it from an image or a class, look at it, stop it."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, List, TypeVar  # noqa: UP035 - see _LOGS

from aistore.sdk.const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    QPARAM_UUID,
    URL_PATH_ETL,
    URL_PATH_ETL_LOGS,
)
from aistore.sdk.errors import AISError, InvalidArgument, InvalidArgumentType
from aistore.sdk.etl.class_check import check_unpickles
from aistore.sdk.etl.class_payload import PAYLOAD_VARIABLE, check_class, check_payload_size, serialize_class
from aistore.sdk.etl.etl_const import (
    DEFAULT_ETL_COMM,
    DEFAULT_ETL_OBJ_TIMEOUT,
    DEFAULT_ETL_TIMEOUT,
    ETL_COMM_OPTIONS,
    ETL_COMM_WS,
    ETL_SUPPORTED_PYTHON_VERSIONS,
)
from aistore.sdk.etl.inline_timeout import forget_timeout
from aistore.sdk.lazy import lazy_names
from aistore.sdk.types import EnvVar, ETLDetails, ETLNodeLogs, ETLRuntimeSpec, ETLSpecMsg, PodSpecMsg
from aistore.sdk.utils import convert_to_seconds

if TYPE_CHECKING:
    from aistore.sdk.request_client import RequestClient

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_LENGTH = range(6, 33)
_ENV_NAME = re.compile(r"[^=\x00]+")

# A start that fails is reported by the server at the end of `init_timeout`; a client that waits no longer
# than that gives up first and never learns the cause.
_GRACE_SECONDS = 30.0


class _ServerLimit(int):
    """Seconds that the server was told; as a `float`, which is how long the transport waits, some more."""

    def __float__(self) -> float:
        return int(self) + _GRACE_SECONDS


_Class = TypeVar("_Class", bound=type)

# Programs' tests compare `res_model` with this, and `List[X]` differs from `list[X]`.
_LOGS = List[ETLNodeLogs]  # noqa: UP006


class Etl:
    """An ETL of a cluster, by name; nothing is sent until a method is called.

    As a context manager it is stopped and deleted at the end.

    Args:
        client: Sends the requests.
        name: 6 to 32 characters: lower-case letters, digits and dashes, a letter or digit at both ends.

    Raises:
        InvalidArgument: The name is not of that form.
    """

    def __init__(self, client: RequestClient, name: str) -> None:
        self.validate_etl_name(name)
        self._client = client
        self._name = name
        self._pipeline: list[str] = []

    @property
    def name(self) -> str:
        """Name of the ETL."""
        return self._name

    @property
    def pipeline(self) -> list[str]:
        """Names of the ETLs that run after this one, in order."""
        return self._pipeline

    def __rshift__(self, other: Etl) -> Etl:
        """Return a pipeline: this ETL, then the other one; both stay as they are."""
        if not isinstance(other, Etl):
            raise InvalidArgumentType(
                f"an ETL can be followed by another Etl only, not by {type(other).__name__}"
            )
        combined = Etl(self._client, self._name)
        combined._pipeline = [*self._pipeline, other.name, *other.pipeline]
        return combined

    def __enter__(self) -> Etl:
        return self

    def __exit__(self, _exc_type: object, _exc_value: object, _traceback: object) -> None:
        for end in (self.stop, self.delete):
            try:
                end()
            except AISError:  # already stopped, or never started
                continue

    def __repr__(self) -> str:
        return f"Etl({' >> '.join([self._name, *self._pipeline])})"

    # ---- start

    def init(
        self,
        image: str,
        command: list[str] | str | None = None,
        comm_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        direct_put: bool = False,
        direct_file_access: bool = False,
        **kwargs: Any,
    ) -> str:
        """Start an ETL from a container image.

        Args:
            image: Image to run.
            command: Command to run in it; text is split at white space. Default: the image's own.
            comm_type: `hpush`, `hpull` or `ws`.
            init_timeout: How long the start may take, such as `5m`, `1m30s`, `100ms`.
            obj_timeout: How long one object may take.
            direct_put: Have the server send results to their destination itself.
            direct_file_access: Have the server pass the path of an object's file to `transform`, not its
                bytes.
            kwargs: Environment of the server: names and values.

        Returns:
            Id of the ETL's job.

        Raises:
            InvalidArgument: An argument cannot be right; nothing was sent.
        """
        self._check_start(comm_type, obj_timeout)
        if not image:
            raise InvalidArgument("image must be the name of a container image")
        env = [_env_var(name, value) for name, value in kwargs.items()]
        if direct_file_access:
            env.append(EnvVar(name="ETL_DIRECT_FQN", value="true"))
        if isinstance(command, str):
            command = command.split()
        message = ETLSpecMsg(
            name=self._name,
            comm_type=comm_type,
            init_timeout=init_timeout,
            obj_timeout=obj_timeout,
            direct_put=direct_put,
            runtime=ETLRuntimeSpec(image=image, command=command or None, env=env or None),
        )
        return self._start_with(message, init_timeout)

    def init_class(
        self,
        *,
        dependencies: list[str] | None = None,
        os_packages: list[str] | None = None,
        comm_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        direct_put: bool = True,
        direct_file_access: bool = False,
        **kwargs: Any,
    ) -> Callable[[_Class], _Class]:
        """Start an ETL from a class, as a decorator: `@etl.init_class(dependencies=["pillow"])`.

        The class is sent by value, together with what it uses of the main script, a notebook and modules of
        yours that are not installed. It is checked first: it must be picklable, load in a new process
        (`AIS_ETL_CHECK=false` skips that) and fit into an environment variable.

        Args:
            dependencies: What to install with pip.
            os_packages: What to install with the system's package manager.
            comm_type: `hpush`, `hpull` or `ws`.
            init_timeout: How long the start may take, such as `5m`, `1m30s`, `100ms`.
            obj_timeout: How long one object may take.
            direct_put: Have the server send results to their destination itself.
            direct_file_access: Pass the path of an object's file to `transform`, not its bytes.
            kwargs: Environment of the server: names and values.

        Returns:
            A decorator that starts the ETL and returns the class.

        Raises:
            InvalidArgumentType: The class is not a subclass of `ETLServer`.
            InvalidArgument: The class cannot be sent, or an argument cannot be right; nothing was sent.
        """
        env = {
            **_package_list("PACKAGES", dependencies),
            **_package_list("OS_PACKAGES", os_packages),
            **kwargs,
        }

        def decorator(cls: _Class) -> _Class:
            self._check_start(comm_type, obj_timeout)
            convert_to_seconds(init_timeout)
            image = _runtime_image()
            _check_can_talk(check_class(cls), comm_type)
            payload = serialize_class(cls)
            check_payload_size(cls, payload)
            check_unpickles(cls, payload)
            self.init(
                image=image,
                comm_type=comm_type,
                init_timeout=init_timeout,
                obj_timeout=obj_timeout,
                direct_put=direct_put,
                direct_file_access=direct_file_access,
                **{PAYLOAD_VARIABLE: payload, **env},
            )
            return cls

        return decorator

    def init_spec(
        self,
        template: str,
        communication_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        direct_put: bool = False,
    ) -> str:
        """Start an ETL from a Kubernetes pod specification (deprecated: use `init` or `init_class`).

        Args:
            template: The specification as YAML, such as those of `etl_templates`; `{communication_type}` is
                replaced.
            communication_type: `hpush`, `hpull` or `ws`.
            init_timeout: How long the start may take.
            obj_timeout: How long one object may take.
            direct_put: Have the server send results to their destination itself.

        Returns:
            Id of the ETL's job.
        """
        import warnings

        warnings.warn(
            "Etl.init_spec is deprecated: use Etl.init or Etl.init_class", DeprecationWarning, stacklevel=2
        )
        self._check_start(communication_type, obj_timeout)
        spec = template.replace("{communication_type}", communication_type)
        message = PodSpecMsg(
            name=self._name,
            comm_type=communication_type,
            init_timeout=init_timeout,
            obj_timeout=obj_timeout,
            direct_put=direct_put,
            spec=base64.b64encode(spec.encode()).decode(),
        )
        return self._start_with(message, init_timeout)

    # ---- look and steer

    def view(self, job_id: str = "") -> ETLDetails:
        """Return how the ETL was started and which objects failed.

        Args:
            job_id: Id of an offline transform, for the objects that failed in it. Default: inline requests.

        Raises:
            ErrETLNotFound: There is no such ETL.
        """
        details: ETLDetails = self._client.request_deserialize(
            HTTP_METHOD_GET,
            path=f"{URL_PATH_ETL}/{self._name}",
            res_model=ETLDetails,
            params={QPARAM_UUID: job_id},
        )
        return details

    def start(self) -> None:
        """Start the ETL again after it was stopped."""
        self._client.request(
            HTTP_METHOD_POST,
            path=f"{URL_PATH_ETL}/{self._name}/start",
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )

    def stop(self) -> None:
        """Stop the ETL; offline transforms in progress are aborted."""
        self._client.request(
            HTTP_METHOD_POST,
            path=f"{URL_PATH_ETL}/{self._name}/stop",
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )

    def delete(self) -> None:
        """Stop the ETL and forget it."""
        forget_timeout(self._client, self._name)
        self._client.request(
            HTTP_METHOD_DELETE,
            path=f"{URL_PATH_ETL}/{self._name}",
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )

    def logs(self, target_id: str = "") -> list[ETLNodeLogs]:
        """Return what the ETL's servers wrote, per target; bytes that are not UTF-8 are replaced.

        Args:
            target_id: Only the server of that target.
        """
        path = f"{URL_PATH_ETL}/{self._name}/{URL_PATH_ETL_LOGS}"
        nodes: list[ETLNodeLogs] = self._client.request_deserialize(
            HTTP_METHOD_GET,
            path=f"{path}/{target_id}" if target_id else path,
            res_model=_LOGS,
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )
        return [ETLNodeLogs(target_id=node.target_id, logs=_log_text(node.logs)) for node in nodes]

    @staticmethod
    def validate_etl_name(name: str) -> None:
        """Check a name.

        Raises:
            InvalidArgument: It is not 6 to 32 lower-case letters, digits and dashes with a letter or digit
                at both ends.
        """
        if not isinstance(name, str) or len(name) not in _NAME_LENGTH or not _NAME.fullmatch(name):
            raise InvalidArgument(
                f"ETL name {name!r} is invalid: use 6 to 32 lower-case letters, digits and dashes, "
                "with a letter or digit at both ends"
            )

    def _check_start(self, comm_type: str, obj_timeout: str) -> None:
        if comm_type not in ETL_COMM_OPTIONS:
            raise InvalidArgument(
                f"communication type {comm_type!r} is none of {', '.join(ETL_COMM_OPTIONS)}"
            )
        convert_to_seconds(obj_timeout)

    def _start_with(self, message: ETLSpecMsg | PodSpecMsg, init_timeout: str) -> str:
        forget_timeout(self._client, self._name)
        response = self._client.request(
            HTTP_METHOD_PUT,
            path=URL_PATH_ETL,
            json=message.as_dict(),
            timeout=_ServerLimit(convert_to_seconds(init_timeout)),
        )
        text: str = response.text
        return text


def _env_var(name: str, value: Any) -> EnvVar:
    text = str(value)
    if not _ENV_NAME.fullmatch(name) or "\x00" in text:
        raise InvalidArgument(f"{name!r} cannot be an environment variable with the value given")
    return EnvVar(name=name, value=text)


def _package_list(variable: str, packages: Iterable[str] | None) -> dict[str, str]:
    if not packages:
        return {}
    if isinstance(packages, str):
        raise InvalidArgumentType(f"{variable}: expected a list of package names, not the text {packages!r}")
    return {variable: ",".join(packages)}


def _runtime_image() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in ETL_SUPPORTED_PYTHON_VERSIONS:
        raise InvalidArgument(
            f"there is no runtime image for Python {version}: use one of "
            f"{', '.join(ETL_SUPPORTED_PYTHON_VERSIONS)}"
        )
    return f"aistorage/runtime_python:{version}"


def _check_can_talk(cls: type, comm_type: str) -> None:
    if comm_type != ETL_COMM_WS:
        return
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

    if not issubclass(cls, FastAPIServer):
        raise InvalidArgument(f"comm_type 'ws' needs a FastAPIServer, {cls.__name__} is not one")
    if cls.transform is ETLServer.transform:
        raise InvalidArgument(f"comm_type 'ws' needs transform(), {cls.__name__} has transform_stream() only")


def _log_text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace")
    except binascii.Error:
        return encoded


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "ETLServer")
