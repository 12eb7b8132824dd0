"""Options of the server, from the command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from aistore.local.admin import DEFAULT_PORT, NAME_VARIABLE, PASSWORD_VARIABLE, Admin, take_admin
from aistore.local.config_file import arguments_of
from aistore.local.errors import LocalClusterError
from aistore.local.s3.keys import ACCESS_VARIABLE, SECRET_VARIABLE, Keys, make_keys
from aistore.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
MAX_TARGETS = 64
PROGRAM = "python -m aistore.local"

_DESCRIPTION = """\
A single-machine AIStore: one proxy and N targets in one process, with the real wire protocol.
Prints the endpoint for clients when it is ready; Ctrl-C stops it."""

_EXAMPLES = """\
examples:
  python -m aistore.local                                       data is gone at the end
  python -m aistore.local --dir ./ais-data --targets 2          data is kept
  python -m aistore.local --config ais.toml --access-log -      options from a file, requests on stdout
  python -m aistore.local fsck --dir ./ais-data [--repair]      check a folder that no server has open

  ais.toml:   dir = "/srv/ais"
              port = 51080
              quota = "200GiB"
"""


class Options(NamedTuple):
    """What the server was asked for; see `--help` for the meaning of each."""

    dir: Path | None = None
    port: int = 8080
    host: str = "127.0.0.1"
    targets: int = 1
    quota: int | None = None
    fsync: bool = False
    max_connections: int = 4096
    promote_dir: Path = Path("/var/lib/ais/promote")
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tls_self_signed: bool = False
    auth: bool = False
    no_auth: bool = False
    auth_port: int = DEFAULT_PORT
    admin: Admin = Admin()
    s3_keys: Keys | None = None
    etl_memory: int | None = None
    etl_direct_put: bool = False
    allow_open_etl: bool = False
    access_log: str = ""
    child: bool = False


def parse_size(text: str, *, kilo: int = 1000) -> int:
    """Bytes from `1048576`, `64MiB` or `10GB`; a `KB` has `kilo` bytes, a `KiB` always 1024.

    Raises:
        ValueError: Not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size: expecting bytes, or a number with KB, MiB, GB, ...")
    number, power, binary = found.groups()
    return int(float(number) * (1024 if binary else kilo) ** _POWERS[power.lower()])


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expecting 0 (any free port) to 65535")
    return int(text)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expecting a folder, not an empty text")
    return Path(text)


def _host(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expecting an address or a name, not an empty text")
    return text


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expecting a number of at least 1")
    return int(text)


def _targets(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_TARGETS:
        raise argparse.ArgumentTypeError(f"{text!r}: expecting 1 to {MAX_TARGETS} targets")
    return int(text)


class _ChildParser(argparse.ArgumentParser):
    """A parser for a program that starts the server: an error is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise LocalClusterError(message)


def parse(argv: Sequence[str] | None = None, program: str = PROGRAM) -> Options:
    """Parse the arguments of `program`; if they are wrong, print the usage and exit.

    Raises:
        LocalClusterError: They are wrong, and `--child` is among them.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(program, _ChildParser if "--child" in arguments else argparse.ArgumentParser)
    given = vars(parser.parse_args(_from_file(parser, arguments) + arguments))
    del given["config"]
    try:
        keys = make_keys(given.pop("s3_access_key"), given.pop("s3_secret_key"))
    except ValueError as err:
        parser.error(str(err))
    options = Options(**given, s3_keys=keys, admin=take_admin(os.environ))
    if options.tls_key and not options.tls_cert:
        parser.error("--tls-key needs --tls-cert")
    if options.tls_client_ca and not (options.tls_cert or options.tls_self_signed):
        parser.error("--tls-client-ca needs --tls-cert or --tls-self-signed")
    if options.tls_cert and options.tls_self_signed:
        parser.error("--tls-cert and --tls-self-signed exclude each other")
    if options.auth and options.no_auth:
        parser.error("--auth and --no-auth exclude each other")
    if options.etl_memory is not None and not sys.platform.startswith("linux"):
        parser.error("--etl-memory: only Linux limits the memory of a process")
    return options


def _from_file(parser: argparse.ArgumentParser, arguments: list[str]) -> list[str]:
    """The arguments that the file named by `--config` stands for."""
    only = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    only.add_argument("--config", type=Path)
    path = only.parse_known_args(arguments)[0].config
    if path is None:
        return []
    known = vars(parser.parse_args([])).keys() - {"config", "child"}
    try:
        return arguments_of(path, known)
    except ValueError as err:
        parser.error(str(err))


def _parser(program: str, kind: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = kind(
        prog=program,
        description=_DESCRIPTION,
        epilog=_EXAMPLES.replace(PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_data(parser.add_argument_group("data"))
    _add_network(parser.add_argument_group("network"))
    _add_access(parser.add_argument_group("access"))
    add = parser.add_argument_group("operation").add_argument
    add("--config", type=Path, metavar="FILE", help="read options from a TOML or JSON file; those here win")
    add(
        "--access-log",
        default="",
        metavar="FILE",
        help="append a line of JSON for each request, - for standard output (default: none)",
    )
    add(
        "--etl-memory",
        type=_size,
        metavar="SIZE",
        help="memory that each process of an ETL may take, e.g. 2GiB; Linux only (default: no limit)",
    )
    add(
        "--etl-direct-put",
        action="store_true",
        help="have ETL classes put results to the targets that they belong to, as on a cluster",
    )
    add(
        "--allow-open-etl",
        action="store_true",
        help="with --auth, start ETLs that are commands: they may answer every program of this machine",
    )
    add("--version", action="version", version=__version__)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


def _add_data(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--dir", type=_folder, metavar="DIR", help="folder, reopened with all it holds (default: temporary)")
    add(
        "--quota",
        type=_size,
        metavar="SIZE",
        help="bytes all objects may take up, e.g. 10GiB (default: the disk's)",
    )
    add(
        "--fsync",
        action="store_true",
        help="flush each write to the device: safe from power failures, slower",
    )
    add(
        "--promote-dir",
        type=Path,
        default=Path("/var/lib/ais/promote"),
        metavar="DIR",
        help="the only folder files may be promoted from (default: /var/lib/ais/promote)",
    )


def _add_network(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--port", type=_port, default=8080, help="the proxy's port, 0 for any free one (default: 8080)")
    add(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only)",
    )
    add(
        "--targets",
        type=_targets,
        default=1,
        metavar="N",
        help="number of targets, each on a free port (default: 1)",
    )
    add("--max-connections", type=_count, default=4096, metavar="N", help="at a time (default: 4096)")
    add("--tls-cert", type=Path, metavar="FILE", help="certificate chain (PEM): serve https")
    add("--tls-key", type=Path, metavar="FILE", help="its private key (PEM), if that is not in the same file")
    add(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="demand client certificates signed by this authority",
    )
    add(
        "--tls-self-signed",
        action="store_true",
        help="serve https with a certificate of its own, made in the data folder (tls/server.pem)",
    )


def _add_access(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--auth",
        action="store_true",
        help="demand tokens of an AuthN service, which is served too; its built-in user has the name "
        f"${NAME_VARIABLE} (default: admin) and the password ${PASSWORD_VARIABLE} (default: made up, in a "
        "file of the data folder)",
    )
    add(
        "--no-auth",
        action="store_true",
        help="open a folder that was used with --auth to everyone, which is refused otherwise",
    )
    add(
        "--auth-port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="N",
        help=f"the AuthN service's port, 0 for any free one (default: {DEFAULT_PORT})",
    )
    # The environment keeps the secret out of the list of processes; taken from there, no process that this
    # one starts inherits it.
    add(
        "--s3-access-key",
        metavar="KEY",
        default=os.environ.pop(ACCESS_VARIABLE, ""),
        help=f"accept only S3 requests signed with this key (default: ${ACCESS_VARIABLE}, or any request)",
    )
    add(
        "--s3-secret-key",
        metavar="SECRET",
        default=os.environ.pop(SECRET_VARIABLE, ""),
        help=f"and its secret (default: ${SECRET_VARIABLE}, which other users can't see)",
    )
