"""nginx that looks like a cluster: a port that redirects, as a proxy, and one that serves a prepared tree.

It is fast enough not to hide the client. It sends no checksums, as it does not know them: what comparing
them costs shows with `--origin local` and on clusters. A PUT below `written/` gets the 200 of a cluster
once all of its body is there (the module for WebDAV responds with 201 or 204), and is not kept. It does not
stall bodies and does not hold responses open, as real clusters do: what those cost 2.0.0 shows only with
`AIS_ENDPOINT`.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.worker.payload import content

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONFIG = """
daemon off; master_process on; worker_processes 2; pid {root}/nginx.pid; error_log {root}/error.log error;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; server_tokens off;
  keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  open_file_cache max=10000 inactive=600s; open_file_cache_valid 600s;
  default_type application/octet-stream;
  map $request_body $page {{ default 0; "~\\"continuation_token\\": ?\\"(?<token>[a-z0-9]+)\\"" $token; }}
  map $is_args $join {{ "?" "&"; default "?"; }}
  upstream stored {{ server unix:{root}/stored.sock; keepalive 8; }}
  upstream pages {{ server unix:{root}/pages.sock; keepalive 8; }}
  server {{
    listen 127.0.0.1:{proxy};
    set $place "http://127.0.0.1:{target}$request_uri${{join}}pid=proxy&utm=dn0oq41acehi";
    location /v1/objects/ {{
      if ($request_method = GET) {{ return 301 $place; }}
      return 307 $place;
    }}
    location /v1/ml/ {{ return 307 $place; }}
    location = /v1/daemon {{ default_type application/json; alias {root}/smap.json; }}
    location /v1/buckets/ {{
      client_body_in_single_buffer on; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Page $page; proxy_buffers 256 16k; proxy_pass http://pages;
    }}
  }}
  server {{
    listen unix:{root}/stored.sock;
    location / {{ return 200; }}
  }}
  server {{
    listen unix:{root}/pages.sock;
    location / {{ root {root}/pages; default_type application/msgpack; rewrite ^ /$http_x_page break; }}
  }}
  server {{
    listen 127.0.0.1:{target};
    root {root}/tree;
    location ~ ^/v1/objects/[^/]+/written/ {{ rewrite ^ /stored last; }}
    location /v1/objects/ {{
      dav_methods PUT; create_full_put_path on;
      add_header Ais-Atime 1732170000000000000; add_header Ais-Version 1;
    }}
    location = /stored {{
      internal; proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://stored;
    }}
    location /v1/ml/moss/multipart {{ default_type "multipart/mixed; boundary={boundary}"; }}
    location /v1/ml/moss/ {{ default_type application/x-tar; }}
    location /s3/ {{ alias {root}/tree/v1/objects/; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""
_BOUNDARY = "8d5f1f7ac0b34fbd"
_PAGE = 10_000
_START_SECONDS = 10.0


class NginxError(RuntimeError):
    """nginx is not here, or does not start."""


class Nginx:
    """A running nginx with a prepared tree, as a context manager.

    Raises:
        NginxError: (on entering) It is not installed, or does not start.
    """

    def __init__(self) -> None:
        self.proxy_port, self.target_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self.root = Path()

    @property
    def pid(self) -> int:
        """The master process."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Nginx:
        binary = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if binary is None:
            raise NginxError("nginx is not installed: `make bench` installs it when it runs as root")
        self.root = Path(tempfile.mkdtemp(prefix="bench-nginx-"))
        for name in ("tree", "pages", "body"):
            (self.root / name).mkdir()
        values = {
            "root": self.root,
            "proxy": self.proxy_port,
            "target": self.target_port,
            "boundary": _BOUNDARY,
        }
        user = "user root;" if os.geteuid() == 0 else ""
        (self.root / "nginx.conf").write_text(_CONFIG.format(user=user, **values))
        (self.root / "smap.json").write_bytes(msgspec.json.encode(self._smap()))
        command = [binary, "-p", str(self.root), "-c", str(self.root / "nginx.conf")]
        log = (self.root / "stderr").open("wb")
        with log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.target_port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise NginxError(f"nginx did not start: {(self.root / 'stderr').read_text()[-500:]}")

    def _smap(self) -> dict[str, object]:
        proxy = _node("proxy", self.proxy_port)
        nodes = {"pmap": {"proxy": proxy}, "tmap": {"target": _node("target", self.target_port)}}
        made = {"uuid": "bench", "creation_time": "2026-11-21 00:00:00", "version": "3"}
        return {**nodes, "proxy_si": proxy, **made}

    # ------------------------------------------------------------ the tree

    def path(self, bucket: str, name: str) -> Path:
        """Return the file of an object."""
        return self.root / "tree" / "v1" / "objects" / bucket / name

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Store an object."""
        path = self.path(bucket, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def add_listing(self, names: Iterable[str], size: int) -> None:
        """Prepare the pages of every bucket's listing."""
        entries = [{"n": name, "s": size, "f": 64} for name in names]
        pages = range(0, max(1, len(entries)), _PAGE)
        for number, low in enumerate(pages):
            last = low + _PAGE >= len(entries)
            page = {
                "UUID": "lOxXn4bvW",
                "ContinuationToken": "" if last else str(number + 1),
                "Entries": entries[low : low + _PAGE],
                "Flags": 0,
            }
            (self.root / "pages" / str(number)).write_bytes(msgspec.msgpack.encode(page))

    def add_batch(self, bucket: str, names: list[str], size: int, *, multipart: bool) -> None:
        """Prepare the answer to a Get-Batch of all of `names` in a bucket of their own."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for number, name in enumerate(names):
                info = tarfile.TarInfo(f"{bucket}/{name}")
                info.size = size
                tar.addfile(info, io.BytesIO(content(size, number)))
        data = archive.getvalue()
        if multipart:
            listed = [{"objname": n, "bucket": bucket, "provider": "ais", "size": size} for n in names]
            data = _multipart(msgspec.json.encode({"uuid": "gbt-SrbkzvdhF", "out": listed}), data)
        path = self.root / "tree" / "v1" / "ml" / "moss" / bucket
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _node(kind: str, port: int) -> dict[str, object]:
    net = {
        "node_ip_addr": "127.0.0.1",
        "node_hostname": "127.0.0.1",
        "daemon_port": str(port),
        "direct_url": f"http://127.0.0.1:{port}",
    }
    nets = {"public_net": net, "intra_control_net": net, "intra_data_net": net}
    return {**nets, "daemon_type": kind, "daemon_id": kind, "flags": 0, "id_digest": len(kind)}


def _multipart(first: bytes, second: bytes) -> bytes:
    mark = f"--{_BOUNDARY}".encode()
    parts = []
    for name, body in (("metadata", first), ("archive", second)):
        head = f'Content-Disposition: form-data; name="{name}"'.encode()
        parts += [mark, b"\r\n", head, b"\r\n\r\n", body, b"\r\n"]
    return b"".join([*parts, mark, b"--\r\n"])


def _free_ports(count: int) -> list[int]:
    socks = [socket.socket() for _ in range(count)]
    try:
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]
    finally:
        for sock in socks:
            sock.close()
