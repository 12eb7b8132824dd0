"""Closed standard streams, limits of time, and Ctrl-C before a command begins."""

import shlex
import socket
import subprocess
import sys

import pytest

from aistore.cli.session import Session


@pytest.fixture
def shell(aistore):
    """Give what runs a command line with redirections, and returns exit code, output and errors."""

    def run(arguments, redirection):
        done = subprocess.run(
            ["bash", "-c", f"{shlex.join(aistore.command(*arguments))} {redirection}"],
            env=aistore.env,
            cwd=aistore.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    ("redirection", "words"),
    [("<&-", "standard input is closed"), ("0>/dev/null", "Bad file descriptor")],
)
def test_an_input_that_cannot_be_read_changes_nothing(shell, bucket, uri, put, redirection, words):
    put("o", b"precious")
    code, _, errors = shell(("put", "-", f"{uri}/o"), redirection)
    assert (code, words in errors) == (1, True), errors
    assert bucket.object("o").get_reader().read_all() == b"precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", "/dev/stdin", "{uri}/o"),
        ("cp", "/dev/stdin", "{uri}/o"),
        ("etl", "run", "shout.py:Shout", "-"),
        ("batch", "{uri}", "--names", "-", "--to", "out"),
        ("auth", "login", "--password-stdin", "jane", "--auth-endpoint", "http://127.0.0.1:9"),
    ],
)
def test_so_do_other_commands_that_read_it(aistore, shell, bucket, uri, put, arguments):
    (aistore.folder / "shout.py").write_text(
        "from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer\n"
        "class Shout(HTTPMultiThreadedServer):\n"
        "    def transform(self, data, *_):\n"
        "        return data.upper()\n"
    )
    put("o", b"precious")
    code, output, errors = shell([word.format(uri=uri) for word in arguments], "<&-")
    assert code == 1, (output, errors)
    assert "closed" in errors or "/dev/stdin" in errors
    assert bucket.object("o").get_reader().read_all() == b"precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ("cat", "{uri}/o"),
        ("cat", "{uri}/empty"),
        ("get", "{uri}/o", "-"),
        ("get", "{uri}/empty", "-"),
        ("get", "{uri}/o", "/dev/stdout"),
        ("ls", "{uri}"),
        ("ls", "--json", "{uri}"),
        ("head", "{uri}/o"),
        ("batch", "{uri}", "o", "--to", "-"),
        ("cluster", "info"),
        ("bucket", "info", "{uri}"),
        ("completion", "bash"),
        ("--help",),
        ("--version",),
    ],
)
def test_results_that_cannot_be_written_are_an_error(shell, uri, put, arguments):
    put("o", b"content")
    put("empty", b"")
    code, _, errors = shell([word.format(uri=uri) for word in arguments], ">&-")
    assert code == 1
    assert "standard output is closed" in errors or "/dev/stdout" in errors


def test_what_uses_no_stream_needs_none(aistore, shell, bucket, uri):
    (aistore.folder / "f").write_bytes(b"content")
    assert shell(("put", "f", f"{uri}/o"), "<&- >&- 2>&-")[0] == 0
    assert bucket.object("o").get_reader().read_all() == b"content"
    assert shell(("get", f"{uri}/o", "g"), "<&- >&- 2>&-")[0] == 0
    assert (aistore.folder / "g").read_bytes() == b"content"
    assert shell(("rm", f"{uri}/nothing"), "2>&-")[0] == 3


def test_an_empty_input_is_an_empty_object_but_no_password(shell, bucket, uri, put):
    put("o", b"old")
    assert shell(("put", "-", f"{uri}/o"), "</dev/null")[0] == 0
    assert bucket.object("o").get_reader().read_all() == b""
    login = ("auth", "login", "--password-stdin", "jane", "--auth-endpoint", "http://127.0.0.1:9")
    code, _, errors = shell(login, "</dev/null")
    assert (code, "has no password" in errors) == (2, True)


@pytest.fixture
def silent():
    """Give the endpoint of a server that takes connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_limit_for_the_whole_command(aistore, silent):
    done = aistore.process("--max-time", "0.5", "--endpoint", silent, "ls", "ais://b")
    assert done.returncode == 124
    assert done.stderr.strip() == b"aistore: stopped: not done in 0.5 s (--max-time)"


@pytest.mark.parametrize(("timeout", "total"), [(0.5, 0.5), (60, 30), (None, 30)])
def test_a_short_time_out_is_not_tried_again_for_long(timeout, total):
    client = Session(endpoint="http://127.0.0.1:9", timeout=timeout).client.cluster().client
    for one in (client, client.clone("http://127.0.0.1:9/v1")):
        assert one._retry_manager.budget.total == total


def test_nor_is_a_server_that_does_not_respond(aistore, silent):
    done = aistore.process("--timeout", "0.2", "--endpoint", silent, "ls", "ais://b")
    assert done.returncode == 5


def test_a_limit_that_is_kept_says_nothing(aistore, uri):
    assert aistore.process("--max-time", "50", "ls", uri).returncode == 0


INTERRUPTED = """
import builtins, os, signal, sys
sys.argv = ["aistore", "--version"]
import aistore.cli
plain = builtins.__import__

def interrupted(name, *args):
    if name == {name!r}:
        os.kill(os.getpid(), signal.SIGINT)
    return plain(name, *args)

builtins.__import__ = interrupted
sys.exit(aistore.cli.main())
"""


@pytest.mark.parametrize("name", ["click", "aistore.cli.app", "aistore.cli.command"])
def test_ctrl_c_while_modules_are_loaded(aistore, name):
    code = INTERRUPTED.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], env=aistore.env, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_while_the_interpreter_ends(aistore):
    code = (
        "import atexit, os, signal, sys; sys.argv = ['aistore', '--version']; import aistore.cli; "
        "atexit.register(os.kill, os.getpid(), signal.SIGINT); sys.exit(aistore.cli.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=aistore.env, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
