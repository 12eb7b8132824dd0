"""ETLs on the wire: how one is started, what the cluster says about it."""

from typing import Any

from aistore.sdk.models.base import Model


class EnvVar(Model):
    """An environment variable of an ETL server."""

    name: str
    value: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"name": self.name, "value": self.value}


class ETLRuntimeSpec(Model):
    """What an ETL server runs: container image, command, environment."""

    image: str
    command: list[str] | None = None
    env: list[EnvVar] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, without what is not set."""
        return self.model_dump(exclude_none=True)


class InitETLArgs(Model):
    """What every way to start an ETL has: name, communication type, time limits, direct put."""

    name: str
    comm_type: str
    init_timeout: str | None
    obj_timeout: str | None
    direct_put: bool = False

    def _common(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "communication": f"{self.comm_type}://",
            "init_timeout": self.init_timeout,
            "obj_timeout": self.obj_timeout,
            "support_direct_put": self.direct_put,
        }


class ETLSpecMsg(InitETLArgs, kw_only=True):
    """Starts an ETL from an image and a command."""

    runtime: ETLRuntimeSpec

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self._common(), "runtime": self.runtime.as_dict()}


class PodSpecMsg(InitETLArgs, kw_only=True):
    """Starts an ETL from a whole Kubernetes pod specification (`Etl.init_spec`), base64 in `spec`."""

    spec: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self._common(), "spec": self.spec}


class ETLInfo(Model):
    """A line of the list of ETLs."""

    id: str = ""
    xaction_id: str = ""
    stage: str = ""
    obj_count: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


class ETLInitMsg(Model):
    """How an ETL was started, as the cluster kept it."""

    name: str
    communication: str
    init_timeout: str | None = None
    obj_timeout: str | None = None
    code: bytes | None = None
    dependencies: bytes | None = None
    chunk_size: int = 0
    runtime: str | ETLRuntimeSpec | None = None
    spec: str | None = None


class ETLObjError(Model):
    """An object that an ETL could not transform."""

    obj_name: str
    msg: str
    ecode: int


class ETLDetails(Model):
    """How an ETL was started and which objects failed."""

    init_msg: ETLInitMsg
    obj_errors: list[ETLObjError] | None = None


class ETLNodeLogs(Model):
    """Logs of an ETL's server on one target."""

    target_id: str = ""
    logs: str = ""
