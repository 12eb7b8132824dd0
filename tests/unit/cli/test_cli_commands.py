"""The commands as a whole: help, laziness, what a missing extra says."""

import io
import subprocess
import sys

import click
import pytest

from aistore.cli.app import COMMANDS, cli
from aistore.cli.command import CommonOption


def all_commands(command=cli, path=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from all_commands(command.get_command(context, name), (*path, name))
    yield pytest.param(command, id=" ".join(path) or "aistore")


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("command", list(all_commands()))
def test_every_command_has_help_and_examples(command):
    if command.name == "serve":  # its options and help are those of `python -m aistore.local`
        return
    text = command.get_help(click.Context(command, info_name=command.name))
    assert "Examples:" in text
    assert "aistore" in "".join(command.examples)
    assert all(len(line) <= 100 for line in text.splitlines()), text
    for param in command.params:
        if isinstance(param, click.Option) and not isinstance(param, CommonOption):
            assert param.help, f"{param.name} has no help"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_lines_of_help_of_lazy_commands_are_those_of_the_commands(name):
    command = cli.get_command(click.Context(cli), name)
    assert command.name == name
    if isinstance(command, click.Group) or name in ("ls", "get", "put", "cp", "mv", "rm", "sync", "batch"):
        return  # these say more
    assert command.help.splitlines()[0].startswith(COMMANDS[name].removesuffix(".").split(",")[0])


def test_help_loads_neither_the_sdk_nor_rich_nor_any_command():
    """What makes `aistore --help` quick; its time is a figure of docs/cli.md."""
    code = (
        "import sys; before = set(sys.modules); from aistore.cli.app import run; run(['--help']); "
        "print(*sorted(set(sys.modules) - before), sep='\\n', file=sys.stderr)"
    )
    done = python(code)
    assert done.stdout.startswith("Usage: aistore")
    loaded = set(done.stderr.split())
    heavy = ("aistore.sdk", "aistore.local", "rich", "requests", "urllib3", "msgspec", "asyncio", "ssl")
    assert not [name for name in loaded if name.startswith((*heavy, "aistore.cli.commands"))]
    assert len(loaded) < 120


def test_importing_aistore_does_not_load_the_command_line():
    done = python(
        "import sys, aistore; print([m for m in sys.modules if 'click' in m or 'aistore.cli' in m])"
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_extra_is_named():
    done = python(
        "import sys; sys.modules['click'] = None; from aistore.cli import main; sys.exit(main())", "ls"
    )
    assert done.returncode == 1
    assert done.stderr == "aistore: the command line needs the extra 'cli': pip install 'aistore[cli]'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Commands:"),
        (["bucket"], "Commands:"),
        (["bucket", "evict", "ais://b"], "is no remote bucket"),
        (["bucket", "create", "s3://b"], "a cloud's buckets are made there"),
        (["lss"], "there is no command 'lss'. Did you mean ls?"),
        (["ls", "--lnog"], "No such option"),
        (["bucket", "crate", "b"], "Did you mean create?"),
        (["get"], "Missing argument"),
        (["ls", "foo"], "'foo' is not a URI"),
        (["ls", "foo://b"], "unknown provider 'foo'"),
        (["get", "ais://b"], "names no object"),
        (["get", "-r", "ais://b", "-"], "-r excludes"),
        (["get", "--range", "x", "ais://b/o", "-"], "--range 'x': expected A-B"),
        (["cp", "a", "b"], "neither is a URI"),
        (["mv", "a", "b"], "neither is a URI"),
        (["sync", "a", "b"], "one of the two must be a URI"),
        (["sync", "ais://a", "ais://b"], "one of the two must be a URI"),
        (["mv", "ais://b/o", "ais://b/o"], "are the same object"),
        (["cp", "-r", "ais://b/a", "ais://b/a/c"], "are in each other"),
        (["bucket", "rm", "ais://b"], "There is no terminal to ask on: add --yes"),
        (["put", "-", "a", "ais://b"], "- stands alone"),
        (["batch", "ais://b", "--to", "x"], "no names"),
        (["etl", "run", "x.py", "y"], "expected FILE:CLASS"),
        (["ls", "--timeout", "-1"], "--timeout"),
        (["auth", "login", "x"], "which cluster is the token for?"),
    ],
)
def test_wrong_usage_is_told_before_any_request(arguments, words, capsys, monkeypatch, tmp_path):
    from aistore.cli import app

    monkeypatch.setattr("aistore.cli.interrupt.install", lambda: None)
    monkeypatch.setattr("aistore.cli.session.Session.start_logging", lambda self: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if arguments[:1] != ["auth"]:
        monkeypatch.setenv("AIS_ENDPOINT", "http://127.0.0.1:1")
    assert app.run(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
