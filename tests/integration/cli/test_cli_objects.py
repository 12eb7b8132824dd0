"""ls, put, get, cat, head, cp, mv and rm on a cluster."""

import json
import os

import pytest
from archives import tar_of

from aistore._files import Part, is_part

ODD_NAMES = ["with space", "-dash", "new\nline", "q?x#y%25", "esc\x1b[31mred", "dir/é 猫", "a&b;c"]
ODD_NAMES += ["raw\udcff/x\udc80"]


def names(bucket, prefix=""):
    return sorted(entry.name for entry in bucket.list_objects_iter(prefix=prefix, props="name"))


def test_ls(aistore, bucket, uri, put):
    for name in ("a.txt", "dir/x", "dir/sub/y", "dirt"):
        put(name, b"x" * 1500)
    assert uri in aistore("ls").split()
    assert aistore("ls", uri).splitlines() == ["a.txt", "dir/", "dirt"]
    assert aistore("ls", f"{uri}/dir/").splitlines() == ["dir/sub/", "dir/x"]
    assert aistore("ls", "-r", f"{uri}/dir").splitlines() == ["dir/sub/y", "dir/x", "dirt"]
    assert aistore("ls", "--uri", f"{uri}/a").splitlines() == [f"{uri}/a.txt"]
    assert aistore("ls", "--limit", 2, "-r", uri).splitlines() == ["a.txt", "dir/sub/y"]
    line = aistore("ls", "-l", f"{uri}/a.txt").split()
    assert line[0] == "1.5KiB"
    assert line[-1] == "a.txt"
    assert aistore("ls", "-l", "--bytes", f"{uri}/a.txt").split()[0] == "1500"
    records = [json.loads(line) for line in aistore("ls", "--json", "-r", uri).splitlines()]
    assert records[0] == {"name": "a.txt", "uri": f"{uri}/a.txt", "size": 1500}
    assert aistore.fails("ls", f"{uri}/nope", code=3) == f"aistore: nothing begins with {uri}/nope\n"
    assert "does not exist" in aistore.fails("ls", "ais://no-such-bucket", code=3)


def test_names_of_every_kind_come_and_go(aistore, bucket, uri):
    """What `ls` prints can be given to every other command."""
    for name in ODD_NAMES:
        path = aistore.folder / os.path.basename(name)
        path.write_bytes(os.fsencode(name))
        aistore("put", "--", path.name, f"{uri}/{name}")
        path.unlink()
    assert names(bucket) == sorted(ODD_NAMES)
    listed = [json.loads(line)["uri"] for line in aistore("ls", "-r", "--json", uri).splitlines()]
    assert sorted(listed) == sorted(f"{uri}/{name}" for name in ODD_NAMES)
    assert aistore("cat", *(f"{uri}/{name}" for name in ODD_NAMES)) == "".join(ODD_NAMES)
    aistore("get", "-r", uri, "back")
    for name in ODD_NAMES:
        assert (aistore.folder / "back" / name).read_bytes() == os.fsencode(name)
    aistore("rm", *(f"{uri}/{name}" for name in ODD_NAMES))
    assert names(bucket) == []


def test_put_names_objects_as_a_user_expects(aistore, bucket, uri):
    (aistore.folder / "photos/sub").mkdir(parents=True)
    (aistore.folder / "cat.jpg").write_bytes(b"cat")
    (aistore.folder / "photos/dog.jpg").write_bytes(b"dog")
    (aistore.folder / "photos/sub/owl.jpg").write_bytes(b"owl")
    (aistore.folder / "photos/notes.txt").write_bytes(b"txt")
    aistore("put", "cat.jpg", uri)
    aistore("put", "cat.jpg", f"{uri}/one/")
    aistore("put", "cat.jpg", f"{uri}/tom.jpg")
    aistore("put", "cat.jpg", "photos/dog.jpg", f"{uri}/two/")
    assert names(bucket) == ["cat.jpg", "one/cat.jpg", "tom.jpg", "two/cat.jpg", "two/dog.jpg"]
    assert "add -r" in aistore.fails("put", "photos", uri, code=2)
    aistore("put", "-r", "--exclude", "*.txt", "photos", f"{uri}/three")
    assert names(bucket, "three") == ["three/dog.jpg", "three/sub/owl.jpg"]
    assert aistore("put", "-r", "-n", "photos", f"{uri}/four").count("->") == 3
    first = json.loads(aistore("put", "-rn", "--json", "photos", f"{uri}/four").splitlines()[0])
    assert first == {"path": "photos/dog.jpg", "uri": f"{uri}/four/dog.jpg"}
    assert names(bucket, "four") == []
    assert "several files" in aistore.fails("put", "cat.jpg", "photos/dog.jpg", f"{uri}/x", code=2)
    assert "would both become" in aistore.fails("put", "cat.jpg", "./cat.jpg", uri, code=2)
    assert "no such file" in aistore.fails("put", "nope", uri, code=3)


def test_standard_input_and_output(aistore, bucket, uri):
    data = os.urandom(3_000_000)
    aistore("put", "-", f"{uri}/blob", input=data)
    assert bucket.object("blob").get_reader().read_all() == data
    assert aistore.run("get", f"{uri}/blob", "-").stdout == data
    assert aistore.run("cat", f"{uri}/blob").stdout == data
    assert "give the object one" in aistore.fails("put", "-", uri, input=b"x", code=2)


def test_get(aistore, uri, put):
    put("dir/a.txt", b"0123456789")
    aistore("get", f"{uri}/dir/a.txt")
    assert (aistore.folder / "a.txt").read_bytes() == b"0123456789"
    (aistore.folder / "sub").mkdir()
    aistore("get", f"{uri}/dir/a.txt", "sub")
    aistore("get", f"{uri}/dir/a.txt", "sub/b.txt")
    assert sorted(os.listdir(aistore.folder / "sub")) == ["a.txt", "b.txt"]
    assert aistore("get", "--range", "2-4", f"{uri}/dir/a.txt", "-") == "234"
    assert aistore("cat", "--range", "-3", f"{uri}/dir/a.txt") == "789"
    assert "no such folder" in aistore.fails("get", f"{uri}/dir/a.txt", "nope/", code=3)
    assert "not exist" in aistore.fails("get", f"{uri}/nope", code=3).replace("doesn't", "does not")
    assert not (aistore.folder / "nope").exists()


def test_a_part_of_an_archive(aistore, uri, put):
    put("shard.tar", tar_of([("a/0.txt", b"zero"), ("a/1.txt", b"one")]))
    assert aistore("ls", "--archive", f"{uri}/shard.tar").splitlines() == [
        "shard.tar/a/0.txt",
        "shard.tar/a/1.txt",
    ]
    assert aistore("cat", "--archpath", "a/1.txt", f"{uri}/shard.tar") == "one"
    aistore("get", "--archpath", "a/0.txt", f"{uri}/shard.tar")
    assert (aistore.folder / "0.txt").read_bytes() == b"zero"


def test_a_stopped_download_goes_on(aistore, bucket, uri, put):
    data = os.urandom(2_000_000)
    put("large", data)
    path = aistore.folder / "large"
    part = part_of(bucket.object("large"), path)
    with part.open() as file:
        file.write(data[:1_500_000])
    done = aistore.run("get", "--resume", f"{uri}/large")
    assert b"going on at byte 1,500,000 of 2,000,000" in done.stderr
    assert path.read_bytes() == data
    assert os.listdir(aistore.folder) == ["large"]

    # A part that is not the beginning of the object is found out, and does not come back.
    with part.open() as file:
        file.write(b"x" * 1_000_000)
    path.unlink()
    assert "the cluster has" in aistore.fails("get", "--resume", f"{uri}/large", code=1)
    assert os.listdir(aistore.folder) == []
    aistore("get", "--resume", f"{uri}/large")
    assert path.read_bytes() == data


def part_of(obj, path):
    """Return what a stopped download leaves."""
    props = obj.head("size,checksum,version")
    return Part(path, f"{obj.uname}\0{props.size}\0{props.checksum_value}\0{props.obj_version}")


@pytest.mark.parametrize(
    "command", [("get", "--resume", "large"), ("get", "large"), ("get", "-r", ""), ("sync", "")]
)
def test_no_part_stays_beside_a_finished_download(aistore, bucket, uri, put, command):
    """The object was overwritten after the download stopped, or the file comes in another way."""
    put("large", b"old")
    put("other", b"other")
    with part_of(bucket.object("large"), aistore.folder / "large").open() as file:
        file.write(b"ol")
    with part_of(bucket.object("other"), aistore.folder / "elsewhere").open() as file:
        file.write(b"o")
    put("large", b"new")
    *words, name = command
    aistore(*words, f"{uri}/{name}", str(aistore.folder) if not name else "large")
    assert (aistore.folder / "large").read_bytes() == b"new"
    left = {name for name in os.listdir(aistore.folder) if is_part(name)}
    assert len(left) == 1  # of the file that is not there yet
    with part_of(bucket.object("other"), aistore.folder / "elsewhere").open() as file:
        file.seek(0)
        assert file.read() == b"o"


def test_head(aistore, bucket, uri, put):
    put("a", b"12345")
    bucket.object("a").get_writer().set_custom_props({"label": "cat"})
    shown = json.loads(aistore("head", "--json", f"{uri}/a"))
    assert shown["uri"] == f"{uri}/a"
    assert shown["size"] == 5
    assert shown["custom"]["label"] == "cat"
    assert "custom.label" in aistore("head", f"{uri}/a")
    aistore.fails("head", f"{uri}/nope", code=3)


def test_cp_and_mv_within_the_cluster(aistore, client, bucket, uri, put):
    for name in ("d/a", "d/b/c", "dx"):
        put(name, name.encode())
    aistore("cp", f"{uri}/d/a", f"{uri}/copy/")
    aistore("cp", f"{uri}/d/a", f"{uri}/other")
    assert aistore("cat", f"{uri}/copy/a", f"{uri}/other") == "d/ad/a"
    aistore("cp", "-r", f"{uri}/d", f"{uri}/e")
    assert names(bucket, "e") == ["e/a", "e/b/c"]
    aistore("mv", f"{uri}/other", f"{uri}/moved")
    aistore("mv", "-r", f"{uri}/e/", f"{uri}/f/")
    assert names(bucket) == ["copy/a", "d/a", "d/b/c", "dx", "f/a", "f/b/c", "moved"]
    second = client.bucket(f"{bucket.name}-2")
    try:
        aistore("cp", "-r", uri, f"ais://{second.name}/below/")
        assert names(second) == [f"below/{name}" for name in names(bucket)]
    finally:
        second.delete(missing_ok=True)
    aistore.fails("cp", f"{uri}/nope", f"{uri}/x", code=3)
    aistore.fails("cp", "-r", f"{uri}/nope", f"{uri}/x", code=3)


def test_cp_and_mv_between_here_and_there(aistore, bucket, uri):
    (aistore.folder / "d/sub").mkdir(parents=True)
    (aistore.folder / "d/a").write_bytes(b"a")
    (aistore.folder / "d/sub/b").write_bytes(b"b")
    aistore("cp", "-r", "d", f"{uri}/d")
    aistore("cp", "d/a", uri)
    assert names(bucket) == ["a", "d/a", "d/sub/b"]
    aistore("cp", f"{uri}/a", "here")
    aistore("mv", "-r", f"{uri}/d", "back")
    assert (aistore.folder / "back/sub/b").read_bytes() == b"b"
    assert names(bucket) == ["a"]
    aistore("mv", "here", f"{uri}/there")
    assert not (aistore.folder / "here").exists()
    assert names(bucket) == ["a", "there"]


def test_rm(aistore, bucket, uri, put):
    for name in ("a", "ab", "a/1", "a/2", "b/x.tmp", "b/y"):
        put(name)
    assert "add --yes" in aistore.fails("rm", "-r", f"{uri}/a", code=2)
    assert aistore("rm", "-r", "-n", f"{uri}/a").splitlines() == [f"{uri}/a/1", f"{uri}/a/2"]
    assert json.loads(aistore("rm", "-n", "--json", f"{uri}/a")) == {"uri": f"{uri}/a"}
    aistore("rm", "-r", "--yes", f"{uri}/a")
    assert names(bucket) == ["a", "ab", "b/x.tmp", "b/y"]
    aistore("rm", "-ry", "--include", "*.tmp", uri)
    assert names(bucket) == ["a", "ab", "b/y"]
    aistore("rm", f"{uri}/a", f"{uri}/ab")
    aistore.fails("rm", f"{uri}/a", code=3)
    aistore.fails("rm", "-ry", f"{uri}/nope", code=3)


@pytest.mark.parametrize("reader", ["head -c 5", "true"])
def test_a_reader_that_has_seen_enough_is_no_error(aistore, uri, put, reader):
    import shlex
    import subprocess

    put("large", b"y\n" * 2_000_000)
    line = f"{shlex.join(aistore.command('cat', f'{uri}/large'))} | {reader}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=aistore.env, cwd=aistore.folder, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].strip() in ("141", "y141")


def test_streams_that_cannot_be_written(aistore, uri, put):
    import shlex
    import subprocess

    put("a", b"x" * 100_000)
    cat = shlex.join(aistore.command("cat", f"{uri}/a"))
    for redirection, code, words in (
        (">/dev/full", "1", "No space left"),
        (">&-", "1", "standard output is closed"),
        ("2>&-", "0", ""),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{cat} {redirection}; echo code $?"],
            env=aistore.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.endswith(f"code {code}\n"), done
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_folders_are_told_from_objects(aistore, uri, put):
    put("d/a")
    for arguments in (("get", f"{uri}/d"), ("rm", f"{uri}/d"), ("cp", f"{uri}/d", f"{uri}/e")):
        assert "is a folder: add -r" in aistore.fails(*arguments, code=3)
    assert "named without -r" in aistore.fails("get", "-r", f"{uri}/d/a", "x", code=3)


def test_profiles(aistore, endpoint, uri, tmp_path):
    path = tmp_path / "config/aistore/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'[profiles.here]\nendpoint = "{endpoint}"\n[profiles.gone]\nendpoint = "http://gone:1"\n'
    )
    nowhere = {"AIS_ENDPOINT": ""}
    assert uri in aistore("--profile", "here", "ls", env=nowhere).split()
    assert uri in aistore("ls", "--profile", "here", env=nowhere).split()
    assert uri in aistore("ls", env={**nowhere, "AIS_PROFILE": "here"}).split()
    assert "profiles there: gone, here" in aistore.fails("ls", "--profile", "nope", code=2)
    done = aistore.run("ls", "--profile", "gone")
    assert f"AIS_ENDPOINT={endpoint} comes before the profile's http://gone:1".encode() in done.stderr
    assert done.returncode == 0


def test_a_missing_cluster_is_one_line_and_exit_code_5(aistore):
    env = {"AIS_ENDPOINT": "http://127.0.0.1:9"}
    error = aistore.fails("ls", code=5, env=env)
    assert error.count("\n") == 1
    assert "aistore serve" in error
    assert "which cluster?" in aistore.fails("ls", code=2, env={"AIS_ENDPOINT": ""})
