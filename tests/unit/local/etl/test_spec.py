"""What an ETL may be started from."""

from __future__ import annotations

import base64
import sys

import pytest

from aistore.local.errors import LocalError
from aistore.local.etl.spec import PAYLOAD, parse_init

IMAGE = f"aistorage/runtime_python:3.{sys.version_info.minor}"
ENV = [{"name": PAYLOAD, "value": "gASV"}]


def message(**changes):
    return {"name": "my-etl", "runtime": {"image": IMAGE, "env": ENV}, **changes}


def test_a_class_with_defaults():
    spec = parse_init(message())
    assert spec.communication == "hpush://"
    assert (spec.init_timeout, spec.obj_timeout) == (45.0, 10.0)
    assert not spec.direct_put
    assert spec.command is None
    assert spec.env == ((PAYLOAD, "gASV"),)
    assert spec.message["runtime"]["image"] == IMAGE


def test_a_command_runs_whatever_the_image():
    spec = parse_init(
        message(runtime={"image": "any/image:1", "command": ["python", "x.py"]}, init_timeout="1m30s")
    )
    assert spec.command == ("python", "x.py")
    assert spec.init_timeout == 90


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "ab"}, "too short"),
        ({"name": "a" * 33}, "too long"),
        ({"name": "Bad_Name!"}, r"can only contain \[a-z0-9-\]"),
        ({"communication": "hpush"}, "unknown comm-type"),
        ({"communication": "io://"}, "unknown comm-type"),
        ({"communication": "ws://"}, "WebSocket without direct put"),
        ({"init_timeout": "5 parsecs"}, "init_timeout"),
        ({"runtime": {}}, "runtime.image must be specified"),
        ({"runtime": None}, "runtime.image must be specified"),
        ({"runtime": {"image": "any/image:1"}}, "no containers"),
        ({"runtime": {"image": IMAGE}}, PAYLOAD),
        ({"runtime": {"image": "aistorage/runtime_python:3.1", "env": ENV}}, "pickled by Python 3.1"),
        ({"runtime": {"image": "x", "command": "text"}}, "list of strings"),
        ({"env": [{"value": "x"}]}, "env must be"),
        ({"env": [{"name": "A=B", "value": "x"}]}, "env must be"),
        ({"env": [{"name": "A", "value": "x\0"}]}, "NUL"),
        (
            {"runtime": {"image": IMAGE, "env": [{"name": PAYLOAD, "value": "x" * (1 << 18)}]}},
            "load it in __init__",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(changes, expected):
    with pytest.raises(LocalError, match=expected) as caught:
        parse_init(message(**changes))
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_only_an_object_is_a_message(value):
    with pytest.raises(LocalError):
        parse_init(value)


POD = """
apiVersion: v1
kind: Pod
metadata: {annotations: {communication_type: "hpull://", wait_timeout: 2m, support_direct_put: "true"}}
spec:
  containers:
    - image: any
      command: [python]
      args: [server.py]
      env: [{name: A, value: b}]
      readinessProbe: {httpGet: {path: /ready, port: default}}
"""


def test_a_pod_whose_command_can_run_here():
    spec = parse_init({"name": "my-etl", "spec": base64.b64encode(POD.encode()).decode()})
    assert spec.command == ("python", "server.py")
    assert spec.env == (("A", "b"),)
    assert spec.communication == "hpull://"
    assert spec.init_timeout == 120
    assert spec.direct_put
    assert spec.health_path == "/ready"


@pytest.mark.parametrize("pod", ["", "kind: Service", "kind: Pod\nspec: {containers: []}", "[", "kind: Pod"])
def test_other_pods_are_refused(pod):
    with pytest.raises(LocalError):
        parse_init({"name": "my-etl", "spec": base64.b64encode(pod.encode()).decode() or "IA=="})
