"""Train on a local cluster, kill the trainer in the middle, resume it, and check every sample.

A second run is not killed: both must have seen the same samples in the same order, and learnt the same.
"""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from aistore import Client
from aistore.local import LocalCluster

TRAINER = Path(__file__).with_name("train.py")
SHARD = 50

Steps = list[dict[str, Any]]


def put_digits(client: Client, samples: int) -> list[str]:
    """Put scikit-learn's digits into tar shards; return the names of the samples."""
    bucket = client.bucket("digits").create()
    digits = load_digits()
    names = []
    for start in range(0, samples, SHARD):
        shard = f"shard-{start // SHARD:03}.tar"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(start, min(start + SHARD, samples)):
                content = bytes([digits.target[number], *digits.data[number].astype("uint8")])
                member = tarfile.TarInfo(f"{number:04}.digit")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                names.append(f"{shard}/{member.name}")
        bucket.object(shard).get_writer().put_content(buffer.getvalue())
    return names


def start_trainer(cluster: LocalCluster, journal: Path, *options: str) -> "subprocess.Popen[str]":
    """Start a trainer that writes its steps to a journal."""
    command = [sys.executable, str(TRAINER), str(journal), "--name", journal.stem, *options]
    return subprocess.Popen(command, env={**os.environ, "AIS_ENDPOINT": cluster.endpoint}, text=True)


def kill_at(trainer: "subprocess.Popen[str]", journal: Path, step: int) -> None:
    """Kill a trainer with SIGKILL when it has taken so many steps."""
    deadline = time.monotonic() + 300
    while steps_in(journal) < step:
        if trainer.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the trainer did not get to step {step} (exit code {trainer.returncode})")
        time.sleep(0.002)
    trainer.kill()
    if trainer.wait(60) != -signal.SIGKILL:
        raise SystemExit("the trainer ended before it was killed")
    print(f"killed after step {steps_in(journal)}")


def steps_in(journal: Path) -> int:
    """Return how many steps a journal has."""
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def finish(trainer: "subprocess.Popen[str]") -> None:
    """Wait for a trainer to end by itself."""
    if trainer.wait(300):
        raise SystemExit(f"the trainer ended with {trainer.returncode}")


def check(steps: Steps, names: list[str], epochs: int) -> None:
    """Check that every epoch had every sample once, each in an order of its own."""
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    orders = [
        [name for step in steps if step["epoch"] == epoch for name in step["ids"]] for epoch in range(epochs)
    ]
    for order in orders:
        assert sorted(order) == names, "a sample was lost or doubled"
    assert orders[0] != orders[1], "the order is the same in every epoch"


def mean_loss(steps: Steps, epoch: int) -> float:
    """Return the mean loss of the steps of an epoch."""
    losses = [step["loss"] for step in steps if step["epoch"] == epoch]
    return sum(losses) / len(losses)


def plot(path: Path, runs: dict[str, Steps], killed: int) -> None:
    """Draw the losses of the runs."""
    figure = Figure(figsize=(7, 4), layout="tight")
    axes = figure.subplots()
    for (name, steps), style in zip(runs.items(), ("-", "--"), strict=True):
        axes.plot([step["step"] for step in steps], [step["loss"] for step in steps], style, label=name)
    axes.axvline(killed, color="grey", linestyle=":", label="killed here")
    axes.set(xlabel="step", ylabel="loss", title="Digits on aistore.local: 2 ranks, 2 workers each")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train twice, once with an interruption, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dir", type=Path, default=Path(), help="folder of journals and plot (default: here)"
    )
    parser.add_argument("--samples", type=int, default=1797, help="how many digits (default: all 1797)")
    parser.add_argument("--epochs", type=int, default=3, help="default: 3")
    args = parser.parse_args()
    runs = {name: args.dir / f"{name}.jsonl" for name in ("killed", "whole")}
    for journal in runs.values():
        journal.unlink(missing_ok=True)
    started = time.monotonic()
    with LocalCluster(targets=2) as cluster, Client(cluster.endpoint) as client:
        names = put_digits(client, args.samples)
        client.bucket("runs").create()
        options = ("--epochs", str(args.epochs))
        half = args.epochs * args.samples // 64 // 2
        trainer = start_trainer(cluster, runs["killed"], *options)
        try:
            kill_at(trainer, runs["killed"], half)
            for journal in runs.values():  # the first resumes
                trainer = start_trainer(cluster, journal, *options)
                finish(trainer)
        finally:
            trainer.kill()
            trainer.wait()
    found = {
        name: [json.loads(line) for line in journal.read_text().splitlines()]
        for name, journal in runs.items()
    }
    for steps in found.values():
        check(steps, names, args.epochs)
    assert found["killed"] == found["whole"], "the resumed run went another way"
    plot(args.dir / "loss.png", found, half)
    first, last = (mean_loss(found["whole"], epoch) for epoch in (0, args.epochs - 1))
    print(f"{len(names)} samples, each once in each of {args.epochs} epochs; loss {first:.2f} -> {last:.2f}")
    print("the killed run is the same as the whole one, step for step")
    print(f"{args.dir / 'loss.png'}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
