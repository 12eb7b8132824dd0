"""Every console example of docs/cli.md does what the page shows; `...` there stands for anything."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from aistore.local import LocalCluster

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    """Yield the commands of the page, each with the lines that it should write."""
    for block in BLOCK.findall(PAGE.read_text()):
        command, expected = "", []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, expected
                command, expected = line[2:], []
            elif line.startswith(">"):
                command += f"\n{line[2:]}"
            else:
                expected.append(line)
        yield command, expected


def script(commands):
    """Make a script that says which command wrote what."""
    steps = [f"echo '@@{number}'\n{command}\n" for number, command in enumerate(commands)]
    return "exec 2>&1\n" + "".join(steps) + "echo '@@end'\n"


def pattern(expected):
    lines = [re.escape(line).replace(r"\.\.\.", ".*").replace(r"\ ", " ") for line in expected]
    return re.sub(" +", " +", "\n".join(lines))


@pytest.fixture
def clusters():
    """Give the clusters of the page: the open one and the guarded one."""
    with LocalCluster(targets=1) as cluster, LocalCluster(auth=True) as guarded:
        yield cluster, guarded


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_example_of_the_page(aistore, clusters, tmp_path):
    cluster, guarded = clusters
    real = {
        "http://localhost:8080": cluster.endpoint,
        "http://localhost:8090": guarded.endpoint,
        "http://localhost:52001": guarded.auth_endpoint,
    }
    shown = list(examples())
    assert len(shown) > 60
    text = script(command for command, _ in shown)
    for written, url in real.items():
        text = text.replace(written, url)
    program = tmp_path / "bin/aistore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(aistore.command())} "$@"\n')
    program.chmod(0o755)
    (aistore.folder / "password.txt").write_text(guarded.admin[1])
    env = {**aistore.env, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    del env["XDG_CONFIG_HOME"]
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=aistore.folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )
    outputs = re.split(r"^@@(?:\d+|end)\n", done.stdout, flags=re.MULTILINE)[1:]
    assert len(outputs) == len(shown) + 1, done.stdout
    for (command, expected), output in zip(shown, outputs, strict=False):
        wanted = re.compile(pattern(expected), re.DOTALL)
        assert wanted.fullmatch(output.rstrip("\n")), f"$ {command}\n{output}\nexpected:\n{expected}"
    assert not re.search(r"Traceback", done.stdout)
