"""`python -m aistore.local fsck`: check a data folder against its catalog, and repair it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aistore.local.check import Report, check_folder
from aistore.local.errors import LocalClusterError
from aistore.local.lockfile import FolderLock

CLEAN, REPAIRED, DAMAGED, FAILED = 0, 1, 4, 8

_DESCRIPTION = """\
Checks a data folder that no server has open: that the catalog can be read, that every object's file is there
with its size and checksum, and that there are no files that nothing refers to."""

_CODES = """\
exit codes:
  0  nothing is wrong
  1  something was wrong, and all of it was repaired
  4  something is wrong (use --repair), or couldn't be repaired
  8  the folder can't be checked: it isn't there, or a server has it open

--repair takes objects whose bytes are lost or wrong out of the catalog, makes a catalog that can't be
read again from the journal, and moves files that it takes away to DIR/lost+found. Nothing is deleted but
what a crash left half written."""


def main(argv: Sequence[str], program: str = "python -m aistore.local fsck") -> int:
    """Check a folder as the arguments of `program` say; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--repair", action="store_true", help="repair what is wrong")
    parser.add_argument("--quick", action="store_true", help="compare sizes only, don't read the objects")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    args = parser.parse_args(argv)
    try:
        if not args.dir.is_dir():
            raise LocalClusterError(f"there is no folder {str(args.dir)!r}")
        lock = FolderLock(args.dir)
        try:
            report = check_folder(args.dir.resolve(), repair=args.repair, quick=args.quick)
        finally:
            lock.release()
    except LocalClusterError as err:
        sys.stderr.write(f"fsck: {err}\n")
        return FAILED
    sys.stdout.write(_as_json(report) if args.json else _as_text(report))
    if not report.problems:
        return CLEAN
    return REPAIRED if all(problem.repaired for problem in report.problems) else DAMAGED


def _as_json(report: Report) -> str:
    return msgspec.json.encode(report).decode() + "\n"


def _as_text(report: Report) -> str:
    lines = []
    for problem in report.problems:
        state = "repaired" if problem.repaired else "NOT REPAIRED"
        about = " ".join(part for part in (problem.name, problem.file) if part)
        lines.append(f"{problem.kind}: {about}: {problem.detail} [{state}]")
    if report.leftovers:
        done = "removed" if report.repair else "the next start removes them"
        lines.append(f"{report.leftovers} files that a crash left half written ({done})")
    verdict = f"{len(report.problems)} problems" if report.problems else "clean"
    lines.append(
        f"{verdict}: {report.buckets} buckets, {report.objects} objects, {report.bytes} bytes checked "
        f"in {report.dir}"
    )
    return "\n".join(line.encode("utf-8", "replace").decode() for line in lines) + "\n"
