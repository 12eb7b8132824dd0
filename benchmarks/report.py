"""The figures as a table on the terminal, as a page, as JSON and as a chart."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import BENCH
from benchmarks.obstacles import obstacle
from benchmarks.row import FLOOR, OURS, V200
from benchmarks.rows import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.row import Row
    from benchmarks.running import Figures

_WIDTH = 150  # of the table where there is no terminal to fit it to
_SHOWN, _WHY = 4, 70
MET, MISSED, ELSEWHERE, UNKNOWN = "met", "missed", "for clusters", "not measured"


_HOW = """
Every contender is a process of its own in an environment of its own; they take turns, so that what disturbs
the machine disturbs all. Figures are wall time / client CPU of one operation, the best round of each; for ETL
servers and `server:` rows the CPU is the server's. *Baseline* is the `aistore` 2.0.0 package unless the row
says otherwise, *floor* a bare socket loop that sends the same bytes and receives into a buffer that is there
already: no retries, no TLS, no error mapping. A goal is the most that ours may take of what the baseline
takes.

The server is nginx with a prepared tree (it looks like a cluster's proxy and target, and is fast enough not
to hide the client), or `aistore.local` where the row says so. Neither stalls a body for 500 ms or holds a
Get-Batch answer open for 100 ms, as real clusters do; goals that rest on that are for
`AIS_ENDPOINT=http://host:port make bench`, which measures any cluster.
"""

_QUICK = """
With `--quick` objects have at most 32 MiB, and there are at most 1,000 where a row has more (the listing is
whole); the rows keep the names of the full work. Rounds are short: single figures move by a fifth."""


@dataclass
class Outcome:
    """A row with its figures.

    Attributes:
        row: The row.
        origin: Where it was measured; "" when it needs no server.
        figures: By contender.
        skipped: Why it was not measured; "" when it was.
    """

    row: Row
    origin: str
    figures: dict[str, Figures]
    skipped: str = ""

    def ratio(self, kind: str) -> float | None:
        """Return what ours takes of what the baseline takes; None when one of them has no figure."""
        ours, base = self.figures.get(OURS), self.figures.get(self.row.baseline)
        if ours is None or base is None or not ours.wall or not base.wall:
            return None
        if kind == "memory":
            return ours.grown / base.grown if base.grown else None
        mine, theirs = min(getattr(ours, kind)), min(getattr(base, kind))
        return mine / theirs if theirs else None

    def verdicts(self) -> dict[str, str]:
        """Say for each goal whether it is met."""
        found = {}
        for kind, goal in self.row.goals.items():
            ratio = self.ratio(kind)
            if ratio is None:
                found[kind] = UNKNOWN
            elif self.row.for_clusters and self.origin != "cluster":
                found[kind] = ELSEWHERE
            else:
                found[kind] = MET if ratio <= goal else MISSED
        return found


def show_seconds(value: float) -> str:
    """Write a time as people do.

    Args:
        value: Seconds.
    """
    if value < 1e-3:
        return f"{value * 1e6:.1f} us" if value < 1e-4 else f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"


def _best(figures: Figures | None, kind: str) -> str:
    if figures is None:
        return ""
    if figures.excluded:
        return "-"
    values = getattr(figures, kind)
    return show_seconds(min(values)) if values else ""


def _goals(outcome: Outcome) -> list[str]:
    lines = []
    for kind, verdict in outcome.verdicts().items():
        ratio = outcome.ratio(kind)
        shown = "?" if ratio is None else f"{ratio:.2f}"
        lines.append(f"{kind} {shown} (goal {outcome.row.goals[kind]:.2g}) {verdict}")
    if not lines and (ratio := outcome.ratio("cpu")) is not None:
        lines.append(f"wall {outcome.ratio('wall'):.2f}, cpu {ratio:.2f} of {outcome.row.baseline}")
    return lines


def _others(outcome: Outcome) -> str:
    shown = []
    for name in outcome.row.others:
        figures = outcome.figures.get(name)
        if figures is not None and figures.wall:
            shown.append((min(figures.wall), f"{name} {_best(figures, 'wall')} / {_best(figures, 'cpu')}"))
    return "\n".join(text for _, text in sorted(shown)[:_SHOWN])


def print_table(outcomes: list[Outcome]) -> None:
    """Print the figures to the terminal.

    Args:
        outcomes: What was measured.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    for group in GROUPS:
        rows = [outcome for outcome in outcomes if outcome.row.group == group]
        if not rows:
            continue
        table = Table(title=f"{group}: best wall / CPU per operation", title_justify="left")
        for column in ("work", "ours", "baseline", "floor", "ours / baseline", "others"):
            table.add_column(column, overflow="fold")
        for outcome in rows:
            if outcome.skipped:
                table.add_row(outcome.row.title, "", "", "", f"not measured: {outcome.skipped}", "")
                continue
            goals = [
                f"[{'green' if line.endswith(MET) else 'red' if line.endswith(MISSED) else 'dim'}]{line}[/]"
                for line in _goals(outcome)
            ]
            table.add_row(
                outcome.row.title, *_cells(outcome), "\n".join(goals), _others(outcome) + _excluded(outcome)
            )
        console.print(table)


def _cells(outcome: Outcome) -> list[str]:
    cells = []
    for name in (OURS, outcome.row.baseline, FLOOR):
        figures = outcome.figures.get(name)
        wall, cpu = _best(figures, "wall"), _best(figures, "cpu")
        cells.append(f"{wall} / {cpu}" if wall and wall != "-" else wall)
    return cells


def _excluded(outcome: Outcome) -> str:
    lines = [f"{name} excluded: {f.excluded[:_WHY]}" for name, f in outcome.figures.items() if f.excluded]
    return ("\n" if _others(outcome) and lines else "") + "\n".join(lines)


# ------------------------------------------------------------ page


def write_page(path: Path, outcomes: list[Outcome], command: str) -> None:
    """Write the figures as a page.

    Args:
        path: File.
        outcomes: What was measured.
        command: The command that makes it.
    """
    verdicts = [verdict for outcome in outcomes for verdict in outcome.verdicts().values()]
    met, missed = verdicts.count(MET), verdicts.count(MISSED)
    lines = [
        "# Performance",
        "",
        f"Made by `{command}` (`make bench` sets everything up first)",
        f"on {dt.datetime.now(dt.timezone.utc).date().isoformat()}: {_machine()}.",
        "",
        *_HOW.strip().splitlines(),
        *(_QUICK.splitlines() if "--quick" in command else ()),
        "",
        f"Goals met: {met} of {met + missed} measured.",
        "",
    ]
    for group in GROUPS:
        rows = [outcome for outcome in outcomes if outcome.row.group == group]
        if rows:
            lines += _section(group, rows)
    path.write_text("\n".join(lines), encoding="utf-8")


def _section(group: str, rows: list[Outcome]) -> list[str]:
    lines = [
        f"## {group}",
        "",
        "| work | ours | baseline | floor | ours / baseline |",
        "|---|---|---|---|---|",
    ]
    for outcome in rows:
        row, base = outcome.row, ""
        if outcome.skipped:
            lines.append(f"| {row.title} | | | | not measured: {outcome.skipped} |")
            continue
        ours, theirs, floor = _cells(outcome)
        if row.baseline not in (V200, ""):
            base = f" ({row.baseline})"
        where = f" [{outcome.origin}]" if outcome.origin not in ("", "nginx") else ""
        goals = "; ".join(f"**{line}**" if line.endswith(MISSED) else line for line in _goals(outcome))
        lines.append(f"| {row.title}{where} | {ours} | {theirs}{base} | {floor} | {goals} |")
    notes = [f"* {o.row.title}: {o.row.note}." for o in rows if o.row.note]
    notes += [f"* {o.row.title}, in the way: {found}." for o in rows if (found := _obstacle(o))]
    details = [_detail(outcome) for outcome in rows if outcome.row.others and not outcome.skipped]
    details += [_rate(outcome) for outcome in rows if outcome.row.samples and not outcome.skipped]
    lines += ["", *notes, *([""] if notes else []), *details, *([""] if details else [])]
    return lines


def _obstacle(outcome: Outcome) -> str:
    if outcome.skipped or not any(line.endswith(MISSED) for line in _goals(outcome)):
        return ""
    return obstacle(outcome.row.title)


def _detail(outcome: Outcome) -> str:
    shown = []
    for name, figures in outcome.figures.items():
        if figures.wall:
            median = show_seconds(statistics.median(figures.wall))
            shown.append(f"{name} {_best(figures, 'wall')} (median {median}) / {_best(figures, 'cpu')}")
        elif figures.excluded:
            shown.append(f"{name} did not take part")
    return f"* {outcome.row.title}, everyone: {'; '.join(shown)}."


def _rate(outcome: Outcome) -> str:
    rates = [
        f"{name} {outcome.row.samples / min(figures.wall):,.0f}"
        for name, figures in outcome.figures.items()
        if figures.wall
    ]
    return f"* {outcome.row.title}, samples per second: {'; '.join(rates)}."


def _machine() -> str:
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}"


# ------------------------------------------------------------ JSON and chart


def write_json(path: Path, outcomes: list[Outcome]) -> None:
    """Write everything that was measured.

    Args:
        path: File.
        outcomes: What was measured.
    """
    rows = [
        {
            "group": outcome.row.group,
            "title": outcome.row.title,
            "origin": outcome.origin,
            "skipped": outcome.skipped,
            "baseline": outcome.row.baseline,
            "goals": outcome.row.goals,
            "ratios": {kind: outcome.ratio(kind) for kind in ("wall", "cpu", "memory")},
            "verdicts": outcome.verdicts(),
            "figures": {name: figures.as_dict() for name, figures in outcome.figures.items()},
        }
        for outcome in outcomes
    ]
    path.write_text(json.dumps({"machine": _machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8")


_PLOT = """
import json, sys
import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot
bars = json.load(sys.stdin)
figure, axes = pyplot.subplots(figsize=(9, 1 + 0.28 * len(bars)))
axes.barh([b["title"] for b in bars][::-1], [b["ratio"] for b in bars][::-1], color="tab:blue")
for place, bar in enumerate(bars[::-1]):
    if bar["goal"]:
        axes.plot([bar["goal"]] * 2, [place - 0.4, place + 0.4], color="tab:red")
axes.set_xscale("log")
axes.axvline(1, color="grey", linewidth=0.8)
axes.set_xlabel("ours / baseline (red: goal)")
figure.tight_layout()
figure.savefig(sys.argv[1], dpi=120)
"""


def write_chart(path: Path, outcomes: list[Outcome]) -> None:
    """Draw the ratios as a PNG, with the matplotlib of the contenders' environment.

    Args:
        path: File.
        outcomes: What was measured.
    """
    bars: list[dict[str, Any]] = []
    for outcome in outcomes:
        kind = "wall" if "wall" in outcome.row.goals or "cpu" not in outcome.row.goals else "cpu"
        ratio = outcome.ratio(kind)
        if ratio:
            title = f"{outcome.row.title} ({kind})"
            bars.append({"title": title, "ratio": ratio, "goal": outcome.row.goals.get(kind)})
    subprocess.run([str(BENCH), "-c", _PLOT, str(path)], input=json.dumps(bars).encode(), check=True)
