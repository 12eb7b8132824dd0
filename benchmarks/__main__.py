"""`python -m benchmarks`: measure and report."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report
from benchmarks.origins import ClusterOrigin, LocalOrigin, NginxOrigin, Origin
from benchmarks.report import Outcome
from benchmarks.row import MIB, OURS, Row
from benchmarks.rows import GROUPS, ROWS
from benchmarks.running import Task, measure
from benchmarks.worker.payload import content

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 20.0
_QUICK_SECONDS = 1.0
_TOTAL_SECONDS = 7 * 60  # of measuring, so that starting and preparing fit into 15 minutes
_QUICK_COUNT, _QUICK_SIZE = 1000, 32 * MIB


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the groups asked for; the exit status is 1 when nothing could be measured."""
    options = _parse(argv)
    # So that the servers end with it.
    signal.signal(signal.SIGTERM, lambda signum, _frame: sys.exit(128 + signum))
    rows = [row for row in ROWS if row.group in options.group and options.match in row.title]
    with ExitStack() as stack:
        origins = Origins(stack, options.origin)
        outcomes = _measure_all(rows, origins, options)
    report.print_table(outcomes)
    if options.json:
        report.write_json(options.json, outcomes)
    if options.report:
        command = "python -m benchmarks" + (" --quick" if options.quick else "")
        report.write_page(options.report, outcomes, command)
    if options.chart:
        report.write_chart(options.chart, outcomes)
    return 0 if any(f.wall for outcome in outcomes for f in outcome.figures.values()) else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("group", nargs="*", default=[], help=f"what to measure (default: all): {', '.join(GROUPS)}")
    add("--seconds", type=float, help=f"for each contender and group (default: {_SECONDS:.0f}, at most)")
    add("--quick", action="store_true", help="about 1 second each, and smaller data")
    add("--match", default="", metavar="TEXT", help="only rows whose title has this text")
    add("--only", action="append", default=[], metavar="NAME", help="only this contender; may be repeated")
    add(
        "--origin",
        choices=("nginx", "local", "cluster"),
        help="what to measure against (default: cluster "
        "when AIS_ENDPOINT is set, else nginx where it has what the row needs, else aistore.local)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures")
    add("--report", type=Path, metavar="FILE", help="write the page")
    add("--chart", type=Path, metavar="FILE", help="draw a PNG")
    options = parser.parse_args(argv)
    unknown = set(options.group) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}: expected {', '.join(GROUPS)}")
    options.group = options.group or list(GROUPS)
    if options.origin is None and os.environ.get("AIS_ENDPOINT"):
        options.origin = "cluster"
    if options.origin == "cluster" and not os.environ.get("AIS_ENDPOINT"):
        parser.error("--origin cluster needs AIS_ENDPOINT")
    return options


class Origins:
    """Servers, each started when the first row needs it.

    Args:
        stack: Stops them.
        wanted: The only one to use; None leaves it to the rows.
    """

    def __init__(self, stack: ExitStack, wanted: str | None) -> None:
        self._stack = stack
        self._wanted = wanted
        self._started: dict[str, Origin | str] = {}

    def find(self, row: Row) -> Origin | str:
        """Return the origin for a row, or why there is none."""
        names = [name for name in row.origins if self._wanted in (None, name) and name != "cluster"]
        if self._wanted == "cluster":
            # What no cluster has a part in is measured as always.
            names = ["cluster"] if "cluster" in row.origins else list(row.origins)
        why: Origin | str = f"not against {self._wanted}"
        for name in names:
            why = self.start(name)
            if isinstance(why, Origin):
                return why
        return why

    def start(self, name: str) -> Origin | str:
        """Return an origin by its name, or why there is none."""
        if name not in self._started:
            try:
                if name == "nginx":
                    self._started[name] = NginxOrigin(self._stack)
                elif name == "local":
                    self._started[name] = LocalOrigin(self._stack)
                else:
                    self._started[name] = ClusterOrigin(self._stack, os.environ["AIS_ENDPOINT"], [])
            except Exception as err:
                # One server that does not start costs the rows that need it, not the run.
                self._started[name] = _reason(err)
        return self._started[name]


def _measure_all(rows: list[Row], origins: Origins, options: argparse.Namespace) -> list[Outcome]:
    seconds = _QUICK_SECONDS if options.quick else options.seconds or _SECONDS
    budgets = _budgets(rows, seconds if not options.quick or not options.seconds else options.seconds)
    outcomes = []
    for number, row in enumerate(rows, 1):
        sys.stderr.write(f"[{number}/{len(rows)}] {row.group}: {row.title}\n")
        started = time.monotonic()
        try:
            outcome = _measure_row(row, origins, options, budgets[row.group])
        except Exception as err:
            outcome = Outcome(row, "", {}, _reason(err))
        outcomes.append(outcome)
        sys.stderr.write(f"    {time.monotonic() - started:.1f} s\n")
    return outcomes


def _reason(err: Exception) -> str:
    lines = str(err).splitlines() or [type(err).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"


def _budgets(rows: list[Row], seconds: float) -> dict[str, float]:
    """Share the time of each group among its rows, within the limit of the whole."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if not row.once:
            groups.setdefault(row.group, []).append(row)
    shares = {group: seconds / len(members) for group, members in groups.items()}
    total = sum(shares[row.group] * len(row.contenders) for members in groups.values() for row in members)
    scale = min(1.0, _TOTAL_SECONDS / total) if total else 1.0
    return {group: share * scale for group, share in shares.items()} | {
        row.group: shares.get(row.group, seconds) * scale for row in rows
    }


def _measure_row(row: Row, origins: Origins, options: argparse.Namespace, seconds: float) -> Outcome:
    args = dict(row.args)
    if options.quick:
        for name, most in (("count", _QUICK_COUNT), ("size", _QUICK_SIZE)):
            if name in args:
                args[name] = min(args[name], most)
    only = frozenset(options.only)
    if row.args.get("server"):
        task, where = _server_task(row, args, origins)
    elif row.origins:
        origin = origins.find(row)
        if not isinstance(origin, Origin):
            return Outcome(row, "", {}, origin)
        op, expected = origin.prepare(row, args)
        task, where = Task(row, op, expected=expected), origin.name
        if row.work == "direct_put" or (origin.keeps_puts and row.work in ("put", "put_file", "put_parts")):
            task.verify = lambda: _check_stored(origin, op)
    else:
        task, where = Task(row, {"name": row.work, **args}), ""
    return Outcome(row, where, measure(task, only, seconds))


def _check_stored(origin: Origin, op: dict[str, Any]) -> None:
    from benchmarks.running import ContenderError

    name = op.get("stored", op["object"])
    if origin.read(name) != content(op["size"], op["seed"]):
        raise ContenderError("what is stored is not what was put")
    origin.put(origin.bucket, name, b"")  # or the next contender would pass by what this one has put


def _server_task(row: Row, args: dict[str, Any], origins: Origins) -> tuple[Task, str]:
    """Let the contenders be servers: each is told its own endpoint."""
    own: dict[str, dict[str, Any]] = {}
    expected: dict[str, Any] = {}
    for contender, name in ((OURS, "local"), ("nginx", "nginx")):
        origin = origins.start(name)
        if isinstance(origin, Origin):
            own[contender], expected = origin.prepare(row, args)
        else:
            own[contender] = {"name": "missing"}
    return Task(row, {"seed": 7, **args}, own=own, expected=expected), "local"


if __name__ == "__main__":
    sys.exit(main())
