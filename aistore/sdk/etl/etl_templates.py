"""Kubernetes pod specifications of ready-made transformers, for `Etl.init_spec` (deprecated: use `Etl.init`).

Each has the place-holder `{communication_type}`, which `str.format` or `init_spec` replaces by `hpush`,
`hpull` or `ws`.
"""

from __future__ import annotations

_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations:
    communication_type: "{{communication_type}}://"
    wait_timeout: 5m
spec:
  containers:
    - name: server
      image: aistorage/{image}:latest
      imagePullPolicy: IfNotPresent
      ports:
        - name: default
          containerPort: 8000
      readinessProbe:
        httpGet:
          path: /health
          port: default
"""


def _pod(name: str) -> str:
    return _POD.format(name=f"transformer-{name.replace('_', '-')}", image=f"transformer_{name}")


HELLO_WORLD = _pod("hello_world")
ECHO = _pod("echo")
GO_ECHO = _pod("echo_go")
MD5 = _pod("md5")
HASH_WITH_ARGS = _pod("hash_with_args")
COMPRESS = _pod("compress")
FFMPEG = _pod("ffmpeg")
TAR2TF = _pod("tar2tf")
KERAS_TRANSFORMER = _pod("keras")
FACE_DETECTION_TRANSFORMER = _pod("face_detection")
TORCHVISION_TRANSFORMER = _pod("torchvision")
