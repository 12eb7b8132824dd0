"""TLS of the server: its certificate, made here when it is asked to, and whom it accepts (protocol/08)."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.options import Options

_FOLDER = "tls"
_DAYS = 3650
_LEAST_DAYS = 30
_DAY = 86400
_OPENSSL_SECONDS = 60

# No authority: whoever gets hold of the key can play this server, and sign for nobody else.
_REQUEST = """
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = {common_name}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
subjectAltName = {names}
"""


class KeyPair(NamedTuple):
    """A certificate and its private key (PEM)."""

    cert: Path
    key: Path


class ServerTls(NamedTuple):
    """What the server runs with.

    Attributes:
        pair: Its certificate; None for plain http.
        client_ca: Who must have signed client certificates; None accepts clients without one.
        ca_file: What clients can check a certificate made here with; None for one that was given.
        etl_pair: The client certificate of ETL servers, where clients must have one.
    """

    pair: KeyPair | None = None
    client_ca: Path | None = None
    ca_file: Path | None = None
    etl_pair: KeyPair | None = None

    @property
    def scheme(self) -> str:
        """Of every node's URL."""
        return "https" if self.pair is not None else "http"

    def settings(self) -> dict[str, Any]:
        """Settings of the HTTP server."""
        if self.pair is None:
            return {}
        return {
            "ssl_certfile": self.pair.cert,
            "ssl_keyfile": self.pair.key,
            "ssl_ca_certs": self.client_ca,
            "ssl_cert_reqs": ssl.CERT_REQUIRED if self.client_ca else ssl.CERT_NONE,
        }

    def etl_environment(self) -> dict[str, str]:
        """What ETL servers need for talking to a target over https."""
        if self.pair is None:
            return {}
        if self.ca_file is not None:
            env = {"AIS_CLIENT_CA": str(self.ca_file)}
        else:
            # The target is this very process: who it is needs no proof, and its certificate may name other
            # hosts.
            env = {"AIS_SKIP_VERIFY_CRT": "true"}
        if self.etl_pair is not None:
            env |= {"AIS_CRT": str(self.etl_pair.cert), "AIS_CRT_KEY": str(self.etl_pair.key)}
        return env


def prepare(options: Options, root: Path) -> ServerTls:
    """What the options ask for; certificates that are missing are made in the data folder.

    Raises:
        LocalClusterError: A file can't be used, or a certificate can't be made.
    """
    folder = root / _FOLDER
    pair = ca_file = None
    if options.tls_self_signed:
        pair = _self_signed(folder, "server", "serverAuth", server_names(options.host))
        ca_file = pair.cert
    elif options.tls_cert is not None:
        pair = KeyPair(options.tls_cert, options.tls_key or options.tls_cert)
    if pair is None:
        return ServerTls()
    named = {"certificate": pair.cert, "key": pair.key, "client authority": options.tls_client_ca}
    for what, path in named.items():
        if path is not None:
            _check_readable(what, path)
    client_ca, etl_pair = options.tls_client_ca, None
    if client_ca is not None:
        etl_pair = _self_signed(folder, "etl", "clientAuth", ["etl.aistore.local"])
        client_ca = _bundle(folder / "clients.pem", [client_ca, etl_pair.cert])
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # Without this the terminal would be asked for a passphrase.
        context.load_cert_chain(*pair, password=_refuse_passphrase)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except ssl.SSLError as err:
        files = ", ".join(dict.fromkeys(str(path) for path in (*pair, options.tls_client_ca) if path))
        raise LocalClusterError(
            f"the TLS certificate, key or client authority can't be used ({files}): {err.reason or err}"
        ) from err
    return ServerTls(pair, client_ca, ca_file, etl_pair)


def _check_readable(what: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as err:
        raise LocalClusterError(
            f"the TLS {what} can't be used: {str(path)!r}: {err.strerror or err}"
        ) from err


def _refuse_passphrase() -> str:
    raise LocalClusterError("the TLS key is encrypted: expecting one without a passphrase")


def server_names(host: str) -> list[str]:
    """The names that a server on this address is reached by."""
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared only
    own = socket.gethostname() if host in everywhere else host
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", own]))


def _bundle(path: Path, parts: Sequence[Path]) -> Path:
    try:
        path.write_text("\n".join(part.read_text() for part in parts))
    except (OSError, UnicodeDecodeError) as err:
        raise LocalClusterError(f"the TLS client authority can't be used: {err}") from err
    return path


def _self_signed(folder: Path, stem: str, usage: str, names: Sequence[str]) -> KeyPair:
    """The pair of an earlier start while it lasts, else a new one. Only this user can read the keys."""
    pair = KeyPair(folder / f"{stem}.pem", folder / f"{stem}.key")
    note = f"names: {', '.join(names)}"
    if _is_usable(pair, note):
        return pair
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = _make(Path(scratch), usage, names)
        expires = int(time.time()) + _DAYS * _DAY
        made.cert.write_text(f"{note}\nexpires: {expires}\n{made.cert.read_text()}")
        # First the key: a certificate without its key would be taken for usable.
        made.key.replace(pair.key)
        made.cert.replace(pair.cert)
    return pair


def _is_usable(pair: KeyPair, note: str) -> bool:
    with contextlib.suppress(OSError, ValueError, UnicodeDecodeError, ssl.SSLError):
        first, second, *_ = pair.cert.read_text().splitlines()
        expires = int(second.removeprefix("expires: "))
        # Raises where they don't fit, as after a crash between the two.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*pair)
        return first == note and expires - time.time() > _LEAST_DAYS * _DAY
    return False


def _make(scratch: Path, usage: str, names: Sequence[str]) -> KeyPair:
    pair = KeyPair(scratch / "cert.pem", scratch / "key.pem")
    config = scratch / "openssl.cnf"
    alternatives = ", ".join(f"{_kind(name)}:{name}" for name in names)
    config.write_text(_REQUEST.format(common_name=names[0], usage=usage, names=alternatives))
    key, cert, request = str(pair.key), str(pair.cert), str(config)
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    days = str(_DAYS)
    _openssl("req", "-new", "-x509", "-sha256", "-days", days, "-config", request, "-key", key, "-out", cert)
    return pair


def _kind(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP"


def _openssl(*arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise LocalClusterError(
            "a certificate can't be made: the program `openssl` is not on this machine (install it, or give "
            "a certificate with --tls-cert and --tls-key)"
        )
    try:
        subprocess.run(
            [program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_OPENSSL_SECONDS,
            umask=0o077,
        )
    except subprocess.CalledProcessError as err:
        detail = err.stderr.decode("utf-8", "replace").strip()
        raise LocalClusterError(f"a certificate can't be made: openssl {arguments[0]}: {detail}") from err
    except (OSError, subprocess.TimeoutExpired) as err:
        raise LocalClusterError(f"a certificate can't be made: {err}") from err
