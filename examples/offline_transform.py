"""Transform a whole bucket into another one, as people run it from cron; works on any cluster.

    python offline_transform.py SRC_BUCKET DST_BUCKET --etl my_etl.py:MyServer --endpoint http://host:port

Buckets are `name` or `provider://name`. Exit status: 0 all objects transformed, 1 some weren't (each is
named on stderr), 2 wrong arguments, 3 the cluster can't be used, 130 interrupted. The ETL is always removed.
"""

import argparse
import importlib.util
import sys
import time
import uuid
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aistore import Client
from aistore.sdk import Bucket
from aistore.sdk.errors import AISError
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.progress import ProgressUpdate

console = Console(stderr=True)


def load_class(spec: str) -> type[ETLServer]:
    """Load the class that `file.py:Class` names."""
    file, _, name = spec.partition(":")
    module_spec = (
        importlib.util.spec_from_file_location(Path(file).stem, file) if Path(file).is_file() else None
    )
    if not name or module_spec is None or module_spec.loader is None:
        raise argparse.ArgumentTypeError(f"want FILE.py:CLASS with an existing file, got {spec!r}")
    module_spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    module_spec.loader.exec_module(module)
    cls = getattr(module, name, None)
    if not (isinstance(cls, type) and issubclass(cls, ETLServer)):
        raise argparse.ArgumentTypeError(f"{file} has no ETLServer subclass called {name!r}")
    return cls


def extension(text: str) -> tuple[str, str]:
    """Read `OLD:NEW`."""
    old, sep, new = text.partition(":")
    if not sep or not old:
        raise argparse.ArgumentTypeError(f"want OLD:NEW, for instance py:json, got {text!r}")
    return old, new


def bucket(client: Client, text: str) -> Bucket:
    """Return the bucket that `name` or `provider://name` names."""
    provider, sep, name = text.rpartition("://")
    return client.bucket(name, provider=provider) if sep else client.bucket(name)


def transform(args: argparse.Namespace, etl_name: str, client: Client) -> bool:
    """Run one offline transform and follow it to its end; say whether every object made it."""
    src, dst = bucket(client, args.src), bucket(client, args.dst)
    total = sum(1 for _ in src.list_objects_iter(prefix=args.prefix, props="name"))
    job_id = src.transform(
        etl_name=etl_name,
        to_bck=dst,
        prefix_filter=args.prefix,
        prepend=args.prepend,
        ext=dict(args.ext) or None,
        dry_run=args.dry_run,
        num_workers=args.num_workers,
        cont_on_err=True,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{args.src} -> {args.dst}", total=total)

        def show(update: ProgressUpdate) -> None:
            bar.update(task, completed=update.objects)

        result = client.job(job_id).wait(timeout=args.timeout, progress=show)
    failed = client.etl(etl_name).view(job_id=job_id).obj_errors or []
    for error in failed:
        console.print(f"{error.obj_name}: {error.msg}", markup=False, highlight=False)
    if not result:
        console.print(f"job {job_id}: {result.error}", markup=False, highlight=False)
    done = "would be transformed" if args.dry_run else "transformed"
    console.print(f"{total - len(failed)} of {total} objects {done}", highlight=False)
    return bool(result) and not failed


def run(args: argparse.Namespace) -> int:
    """Start the ETL, transform with retries, and remove the ETL whatever happened."""
    client = Client(args.endpoint)
    etl = client.etl(f"offline-{uuid.uuid4().hex[:8]}")
    try:
        etl.init_class(dependencies=args.dependency, comm_type=args.comm_type)(args.etl)
        for attempt in range(args.retries + 1):
            if attempt:
                console.print(f"retry {attempt} of {args.retries}")
                time.sleep(min(2.0**attempt, 30.0))
            if transform(args, etl.name, client):
                return 0
        return 1
    finally:
        with etl:  # stops and deletes it
            pass


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("src", help="source bucket")
    parser.add_argument("dst", help="destination bucket; created when absent")
    parser.add_argument("--etl", required=True, type=load_class, metavar="FILE.py:CLASS")
    parser.add_argument("--endpoint", required=True, metavar="URL")
    parser.add_argument("--prefix", default="", help="only objects whose names start so")
    parser.add_argument("--prepend", default="", help="put this in front of every destination name")
    parser.add_argument("--ext", type=extension, action="append", default=[], metavar="OLD:NEW")
    parser.add_argument(
        "--dependency", action="append", default=[], metavar="PACKAGE", help="what the class imports"
    )
    parser.add_argument("--comm-type", default="hpush", choices=["hpush", "hpull", "ws"])
    parser.add_argument("--num-workers", type=int, default=0, help="workers a target (0: automatic)")
    parser.add_argument("--retries", type=int, default=2, help="runs after one with failures (default: 2)")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds a run may take (default: 3600)")
    parser.add_argument("--dry-run", action="store_true", help="transform, but store nothing")
    try:
        return run(parser.parse_args())
    except KeyboardInterrupt:
        return 130
    except (AISError, OSError, ValueError) as error:
        console.print(f"{type(error).__name__}: {error}", markup=False, highlight=False, style="red")
        return 3


if __name__ == "__main__":
    sys.exit(main())
