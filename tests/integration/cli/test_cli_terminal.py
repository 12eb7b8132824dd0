"""On a terminal: progress, Ctrl-C, questions, harmless names; and none of it in a pipe."""

import json
import os
import subprocess
import threading
import time

import pytest
from scripted import Answer, ScriptedServer
from terminal import Terminal

from aistore.sdk.errors import ErrETLNotFound

SIZE = 8 * 1024 * 1024
PROPS = {"Content-Length": str(SIZE), "Ais-Checksum-Type": "none"}
LISTING = {
    "UUID": "u",
    "ContinuationToken": "",
    "Flags": 0,
    "Entries": [{"n": f"dir/{number}", "s": SIZE} for number in range(3)],
}

SLOW_ETL = """
import time
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

class SlowStart(HTTPMultiThreadedServer):
    def __init__(self):
        time.sleep(60)
"""


class Stalled:
    """A cluster that sends half of each object, and the rest when it is told to."""

    def __init__(self):
        self.go_on = threading.Event()
        self.server = ScriptedServer(self.answer)

    def answer(self, request):
        if request.path.startswith("/v1/objects/"):
            return Answer(self.halves(), headers=PROPS)
        if request.method == "HEAD":
            return Answer(headers={"Ais-Bucket-Props": '{"checksum": {"type": "none"}}'})
        return Answer(json.dumps(LISTING).encode())

    def halves(self):
        yield b"x" * (SIZE // 2)
        self.go_on.wait(60)
        yield b"x" * (SIZE // 2)


@pytest.fixture
def stalled():
    """Give that cluster."""
    cluster = Stalled()
    yield cluster
    cluster.go_on.set()
    cluster.server.close()


@pytest.fixture
def slow(aistore, stalled):
    """Give the command, to be used with that cluster."""
    aistore.env["AIS_ENDPOINT"] = stalled.server.endpoint
    return aistore


def start(aistore, *arguments, **options):
    return Terminal(aistore.command(*arguments), cwd=aistore.folder, env=aistore.env, **options)


def parts(folder):
    return list(folder.rglob("*.part"))


def test_progress_is_shown_on_a_terminal(slow, stalled):
    with start(slow, "get", "ais://b/large") as terminal:
        terminal.wait_for("4.0/8.0 MiB")
        stalled.go_on.set()
        assert terminal.end() == 0
    assert b"ais://b/large -> large" in terminal.shown
    assert os.listdir(slow.folder) == ["large"]
    assert (slow.folder / "large").stat().st_size == SIZE


def test_progress_is_not_shown_in_a_pipe_or_when_not_wanted(slow, stalled):
    stalled.go_on.set()
    done = slow.run("get", "ais://b/large")
    assert done.stderr == b"ais://b/large -> large\n"
    with start(slow, "get", "-q", "ais://b/large") as terminal:
        assert terminal.end() == 0
    assert terminal.shown == b""


def test_progress_does_not_get_into_the_data(slow, stalled):
    """`aistore get ... - > file` on a terminal: the bar is on standard error."""
    with (slow.folder / "out").open("wb") as out:
        with start(slow, "get", "ais://b/large", "-", stdout=out) as terminal:
            terminal.wait_for("MiB")
            stalled.go_on.set()
            assert terminal.end() == 0
    assert (slow.folder / "out").read_bytes() == b"x" * SIZE


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "ais://b/large"),
        ("get", "-r", "ais://b/dir", "out"),  # workers hang in reads that do not end
        ("sync", "ais://b/dir", "out"),
    ],
    ids=" ".join,
)
def test_ctrl_c_leaves_nothing_half_written(slow, stalled, arguments):
    with start(slow, *arguments) as terminal:
        terminal.wait_for("4.0/8.0 MiB" if arguments[1] == "ais://b/large" else "12.0/24.0 MiB")
        assert parts(slow.folder)
        terminal.type("\x03")
        assert terminal.end(15) == 130
    assert b"Traceback" not in terminal.shown
    assert parts(slow.folder) == []
    assert [path for path in slow.folder.rglob("*") if path.is_file()] == []


def test_ctrl_c_keeps_what_a_download_that_resumes_has_got(slow, stalled):
    def answer(request):
        reply = Stalled.answer(stalled, request)
        reply.headers |= {"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": "0123456789abcdef"}
        return reply

    stalled.server.script = answer
    with start(slow, "get", "--resume", "ais://b/large") as terminal:
        terminal.wait_for("4.0/8.0 MiB")
        terminal.type("\x03")
        assert terminal.end(15) == 130
    (part,) = parts(slow.folder)
    assert 0 < part.stat().st_size <= SIZE // 2


def test_ctrl_c_during_an_upload_stores_nothing(aistore, bucket, uri):
    os.mkfifo(aistore.folder / "pipe")
    with start(aistore, "put", "pipe", f"{uri}/object") as terminal:
        with open(aistore.folder / "pipe", "wb") as pipe:
            pipe.write(b"x" * 300_000)
            pipe.flush()
            terminal.wait_for("KiB")
            terminal.type("\x03")
            assert terminal.end(15) == 130
    assert bucket.list_all_objects() == []


def test_questions(aistore, bucket, uri, put):
    put("d/a")
    put("d/b")
    with start(aistore, "rm", "-r", f"{uri}/d") as terminal:
        terminal.wait_for("Remove 2 objects")
        terminal.type("n\n")
        assert terminal.end() == 1
    assert len(bucket.list_all_objects()) == 2
    with start(aistore, "rm", "-r", f"{uri}/d") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert len(bucket.list_all_objects()) == 2
    with start(aistore, "rm", "-r", f"{uri}/d") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert bucket.list_all_objects() == []


def test_names_cannot_steer_the_terminal(aistore, uri, put):
    put("evil\x1b]0;title\x07\x1b[2J\nname")
    with start(aistore, "ls", uri) as terminal:
        assert terminal.end() == 0
    assert b"\x1b" not in terminal.shown
    assert b"\x07" not in terminal.shown
    assert b"evil\\x1b]0;title\\x07\\x1b[2J\\nname" in terminal.shown
    with start(aistore, "cat", f"{uri}/no\x1b[31msuch") as terminal:
        assert terminal.end() == 3
    assert b"\x1b" not in terminal.shown


def test_ctrl_c_while_an_etl_starts_leaves_no_etl(aistore, client):
    (aistore.folder / "slow.py").write_text(SLOW_ETL)
    with start(aistore, "etl", "init", "slow.py:SlowStart", "--env", "NUM_WORKERS=1") as terminal:
        deadline = time.monotonic() + 60
        while not client.cluster().list_etls(stages=["Initializing"]):
            assert time.monotonic() < deadline
        terminal.type("\x03")
        assert terminal.end(60) == 130
    with pytest.raises(ErrETLNotFound):
        client.etl("slow-start").view()


def complete(aistore, tmp_path, line, colons=True):
    """Return what bash offers for a line."""
    program = tmp_path / "bin/aistore"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {" ".join(aistore.command())} "$@"\n')
    program.chmod(0o755)
    script = f"""
        COMP_WORDBREAKS=$' "\\'><=;|&({":" if colons else ""}'
        compopt() {{ echo "option $2"; }}
        eval "$(aistore completion bash)" || exit 1
        complete -p aistore
        COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
        _aistore_completion aistore
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**aistore.env, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        cwd=aistore.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    first, *offered = done.stdout.splitlines()
    assert first.startswith("complete -o nosort -F _aistore_completion")
    return offered


def test_completion_in_bash(aistore, bucket, uri, put, tmp_path):
    put("dir/a")
    put("file")
    assert complete(aistore, tmp_path, "aistore buck") == ["bucket"]
    assert complete(aistore, tmp_path, "aistore bucket re") == ["rename"]
    assert "--long" in complete(aistore, tmp_path, "aistore ls --l")
    # Bash takes `ais` and `:` for words of their own.
    assert complete(aistore, tmp_path, f"aistore ls {uri[:-3]}") == ["option nospace", f"//{bucket.name}/"]
    assert complete(aistore, tmp_path, f"aistore ls {uri}/") == [
        "option nospace",
        f"//{bucket.name}/dir/",
        f"//{bucket.name}/file",
    ]
    assert complete(aistore, tmp_path, f"aistore rm {uri}/f", colons=False) == [f"{uri}/file"]
    assert complete(aistore, tmp_path, f"aistore bucket rm {bucket.name[:-3]}") == [bucket.name]
    aistore.env["AIS_ENDPOINT"] = "http://127.0.0.1:9"
    assert complete(aistore, tmp_path, f"aistore ls {uri}") == [""]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts_of_other_shells(aistore, shell):
    assert "_AISTORE_COMPLETE" in aistore("completion", shell)


def test_webdataset_reads_through_a_pipe(aistore, uri, put, tmp_path, monkeypatch):
    webdataset = pytest.importorskip("webdataset")
    from archives import tar_of

    for shard in range(2):
        put(f"s-{shard}.tar", tar_of([(f"{shard}{n}.txt", b"%d" % n) for n in range(5)]))
    monkeypatch.chdir(aistore.folder)
    for key in ("AIS_ENDPOINT", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(key, aistore.env[key])
    program = " ".join(aistore.command("get"))
    dataset = webdataset.WebDataset(f"pipe:{program} {uri}/s-{{0..1}}.tar -", shardshuffle=False)
    assert [sample["txt"] for sample in dataset] == [b"%d" % n for n in range(5)] * 2


def test_a_command_that_tries_again_and_again_says_so_once(aistore):
    failures = 0

    def answer(request):
        nonlocal failures
        failures -= 1
        return Answer(status=503) if failures >= 0 else Answer(b"[]")

    aistore.in_process = False  # elsewhere, tests have logging of their own
    server = ScriptedServer(answer)
    try:
        for count, options, expected in ((4, [], 1), (4, ["--quiet"], 0), (1, [], 0)):
            failures = count
            done = aistore.run(*options, "--endpoint", server.endpoint, "ls")
            assert done.returncode == 0
            assert done.stderr.decode().count("aistore: ") == expected
    finally:
        server.close()
