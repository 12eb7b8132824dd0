"""`python -m aistore.local fsck`: check a data folder against its catalog, and repair it."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aistore.local.check import LOST, Report, check_folder
from aistore.local.errors import LocalClusterError
from aistore.local.lockfile import FolderLock

CLEAN, REPAIRED, INCOMPLETE, DAMAGED, FAILED, UNFORESEEN = 0, 1, 3, 4, 8, 16

_DESCRIPTION = """\
Checks a data folder that no server has open: that the catalog can be read, that every object's file is there
with its size and checksum, and that there are no files that nothing refers to."""

_CODES = """\
exit codes:
  0   nothing is wrong
  1   something was wrong, and all of it was repaired
  2   the arguments are wrong
  3   the catalog was made again from the journal, but not all came back: objects without their bytes, files
      without a name (in DIR/lost+found), or a journal with gaps
  4   something is wrong (use --repair), or couldn't be repaired
  8   the folder can't be checked: it isn't there, can't be read, or a server has it open
  16  an error that was not foreseen; nothing was changed

--repair takes objects whose bytes are lost or wrong out of the catalog, makes a catalog that can't be
read again from the journal, and moves files that it takes away to DIR/lost+found. Nothing is deleted but
what a crash left half written. Files that can't be read are reported and stay as they are."""


def main(argv: Sequence[str], program: str = "python -m aistore.local fsck") -> int:
    """Check a folder as the arguments of `program` say; returns the exit code."""
    args = _parser(program).parse_args(argv)
    os.umask(0o077)
    try:
        if not args.dir.is_dir():
            raise LocalClusterError(f"there is no folder {str(args.dir)!r}")
        lock = FolderLock(args.dir)
        try:
            root = args.dir.resolve()
            report = check_folder(root, repair=args.repair, rebuild=args.rebuild, quick=args.quick)
        finally:
            lock.release()
        text = _as_json(report) if args.json else _as_text(report)
    except LocalClusterError as err:
        sys.stderr.write(f"fsck: {err}\n")
        return FAILED
    except Exception:  # noqa: BLE001 - its exit code must not be that of a repair
        traceback.print_exc()
        sys.stderr.write("fsck: an error that was not foreseen; nothing was changed\n")
        return UNFORESEEN
    _show(text)
    return exit_code(report)


def exit_code(report: Report) -> int:
    """Return the exit code for a report."""
    if not report.problems:
        return CLEAN
    has_gaps = any(problem.kind == "journal" for problem in report.problems)
    if not all(problem.repaired for problem in report.problems if problem.kind != "journal"):
        return DAMAGED
    if report.rebuilt and (report.unnamed or report.lost or has_gaps):
        return INCOMPLETE
    return DAMAGED if has_gaps else REPAIRED


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--repair", action="store_true", help="repair what is wrong")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="make the catalog again from the journal, also in place of one that can be read, and repair; "
        "uploads under way, ETLs, the records of jobs and accounts are lost",
    )
    parser.add_argument("--quick", action="store_true", help="compare sizes only, don't read the objects")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _show(text: str) -> None:
    """Print the report; a closed output is no failure of the check."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except (OSError, ValueError) as err:
        sys.stderr.write(f"fsck: the report can't be printed: {err}\n")


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
    if report.rebuilt:
        lines.append(
            f"{report.unnamed} files without a name, now in {LOST}; {report.lost} objects without their bytes"
        )
    verdict = f"{len(report.problems)} problems" if report.problems else "clean"
    lines.append(
        f"{verdict}: {report.buckets} buckets, {report.objects} objects, {report.bytes} bytes checked "
        f"in {report.dir}"
    )
    return "\n".join(lines) + "\n"
