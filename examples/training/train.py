"""A trainer of two ranks with two workers each, which goes on from its last checkpoint however it ended.

The ranks take turns in one process, and their gradients are added up, as two machines would do it.
"""

import argparse
import json
import os
import warnings
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchdata.stateful_dataloader import StatefulDataLoader

from aistore import Client
from aistore.pytorch import AISBatchIterDataset, AISCheckpoint

RANKS = WORKERS = 2

Batch = tuple[list[str], torch.Tensor, torch.Tensor]


def collate(samples: list[tuple[str, bytes]]) -> Batch:
    """Make ids, pixels and labels of samples; a sample is a byte for the digit and one for each pixel."""
    values = torch.frombuffer(bytearray(b"".join(data for _, data in samples)), dtype=torch.uint8)
    table = values.view(len(samples), -1)
    return [name for name, _ in samples], table[:, 1:].float() / 16, table[:, 0].long()


def make_loader(client: Client, args: argparse.Namespace, rank: int) -> StatefulDataLoader:
    """Make what loads the share of a rank: members of the shards, in an order of their own each epoch."""
    dataset = AISBatchIterDataset(
        client.bucket(args.bucket),
        client,
        archive_members=True,
        shuffle=True,
        seed=1,
        rank=rank,
        world_size=RANKS,
        manifest=f"ais://{args.runs}/listing.json",  # one listing for all ranks, and for the next run
    )
    return StatefulDataLoader(
        dataset, batch_size=args.batch_size, collate_fn=collate, num_workers=WORKERS, timeout=60
    )


class Trainer:
    """The model, and where its training is."""

    def __init__(self, client: Client, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.args = args
        self.checkpoints = AISCheckpoint(client, f"ais://{args.runs}/{args.name}")
        self.loaders = [make_loader(client, args, rank) for rank in range(RANKS)]
        self.model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.2, momentum=0.9)
        self.epoch = self.step = 0

    def load(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        names = self.checkpoints.names()
        if not names:
            return
        with self.checkpoints.reader(names[-1]) as file:
            state = torch.load(file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step = state["epoch"], state["step"]
        for loader, loader_state in zip(self.loaders, state["loaders"], strict=True):
            loader.load_state_dict(loader_state)
        print(f"resumed from {names[-1]}: epoch {self.epoch}, step {self.step}")

    def save(self) -> None:
        """Write a checkpoint. Nobody sees it before it is complete."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "loaders": [loader.state_dict() for loader in self.loaders],
        }
        with self.checkpoints.writer(f"step-{self.step:06}.pt") as file:
            torch.save(state, file)

    def train(self) -> None:
        """Train the epochs that are left; every step is a line of the journal: its loss and its samples."""
        with Journal(Path(self.args.journal), self.step) as journal:
            for epoch in range(self.epoch, self.args.epochs):
                self.epoch = epoch
                for loader in self.loaders:
                    loader.dataset.set_epoch(epoch)
                for batches in zip_longest(*self.loaders):
                    present = [batch for batch in batches if batch is not None]
                    loss = self.learn(present)
                    self.step += 1
                    ids = [name for batch in present for name in batch[0]]
                    journal.add({"step": self.step, "epoch": epoch, "loss": loss, "ids": ids})
                    if self.step % self.args.checkpoint_every == 0:
                        self.save()

    def learn(self, batches: list[Batch]) -> float:
        """Take one step with a batch of each rank."""
        self.optimizer.zero_grad()
        total = 0.0
        for _, pixels, labels in batches:
            loss = nn.functional.cross_entropy(self.model(pixels), labels) / len(batches)
            loss.backward()
            total += loss.item()
        self.optimizer.step()
        return total


class Journal:
    """A file with a line for each step. What a killed trainer did after its last checkpoint is struck out."""

    def __init__(self, path: Path, steps: int) -> None:
        kept = path.read_text().splitlines(keepends=True)[:steps] if path.exists() else []
        path.write_text("".join(kept))
        self._file = path.open("a")

    def add(self, line: dict[str, Any]) -> None:
        """Add a step."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def main() -> None:
    """Train, from the last checkpoint on. The cluster is that of `AIS_ENDPOINT`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("journal", help="file for what was done")
    parser.add_argument("--name", default="run", help="of the run: checkpoints go below it (default: run)")
    parser.add_argument("--bucket", default="digits", help="bucket of the shards (default: digits)")
    parser.add_argument("--runs", default="runs", help="bucket of checkpoints and listing (default: runs)")
    parser.add_argument("--epochs", type=int, default=3, help="default: 3")
    parser.add_argument("--batch-size", type=int, default=32, help="samples of a rank's batch (default: 32)")
    parser.add_argument("--checkpoint-every", type=int, default=7, help="steps (default: 7)")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="'set_vital' is deprecated")  # torchdata calls it
    with Client() as client:
        trainer = Trainer(client, args)
        trainer.load()
        trainer.train()
        trainer.save()


if __name__ == "__main__":
    main()
