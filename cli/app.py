"""Store, search and retrieve from the command line; mend an archive of one's own.

Exit codes: 0 all done, 1 some failed, 2 wrong usage or no answer, 130 interrupted.
"""

import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli import retrieve as retrieving
from cli import search as searching
from cli import store as storing
from cli.errors import CommandFault, InvalidArgument
from cli.outcomes import Summary
from cli.progress import STDERR, bytes_bar
from cli.sending import Limits
from cli.service import StudiesService

_FAILED, _WRONG, _INTERRUPTED = 1, 2, 130
_MB = 1024 * 1024

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

Url = Annotated[str, typer.Option(envvar="DICOMWEB_URL", help="the server's Studies Service", show_default=False)]
Headers = Annotated[list[str], typer.Option("--header", metavar="'NAME: VALUE'", help="sent with every request")]
User = Annotated[str, typer.Option(metavar="NAME:PASSWORD", envvar="DICOMWEB_USER", help="Basic authentication")]
Timeout = Annotated[float, typer.Option(min=0.1, help="seconds without a byte after which a request is given up")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="requests at a time")]


@app.command()
def store(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="files, folders, ZIP files", show_default=False)],
    url: Url,
    batch_mb: Annotated[int, typer.Option(min=1, help="MiB in one request, unless one file is larger")] = 64,
    batch_count: Annotated[int, typer.Option(min=1, help="files in one request")] = 200,
    parallel: Parallel = 4,
    no_skip: Annotated[bool, typer.Option("--no-skip", help="send also what the server has")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="files that are no DICOM are failures")] = False,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="write the summary there, as JSON")] = None,
    header: Headers = [],  # noqa: B006 — typer copies it
    user: User = "",
    timeout: Timeout = 300,
) -> None:
    """Store DICOM files. Asked again, it goes on with what the server has not."""
    with _service(url, header, user, timeout, parallel) as service:
        plan = storing.Plan(paths, Limits(batch_mb * _MB, batch_count), parallel, not no_skip, strict)
        with STDERR.status("Looking for files …"):
            total = storing.total_bytes(paths)
        summary = Summary(service.url)
        fault: CommandFault | None = None
        try:
            with bytes_bar("Storing", total) as bar:
                storing.store(service, plan, summary, bar)
        except KeyboardInterrupt:
            summary.is_interrupted = True
        except CommandFault as error:
            fault = error
        _print_lines(summary.lines())
        if report:
            _write(report, summary.document() | ({"fault": str(fault)} if fault else {}))
    if fault:
        raise fault
    if summary.is_interrupted:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_FAILED if summary.failures else 0)


@app.command()
def search(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[studies|series|instances] [KEY=VALUE]...", help="as on the server: PatientName='Doe*'"
        ),
    ] = None,
    *,
    url: Url,
    limit: Annotated[int, typer.Option(min=0, help="rows at most; 0: all")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="DICOM JSON, one row a line")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="comma separated values, with a line of names")] = False,
    header: Headers = [],  # noqa: B006
    user: User = "",
    timeout: Timeout = 300,
) -> None:
    """Search for studies, series or instances."""
    if as_json and as_csv:
        raise InvalidArgument("--json and --csv: expected one of them")
    query = searching.parse(keys or [])
    form = searching.as_json if as_json else searching.as_csv if as_csv else searching.as_table
    with _service(url, header, user, timeout, 1) as service:
        form(searching.rows(service, query, limit, lambda text: _say(f"the server says: {text}")), query)


@app.command()
def retrieve(
    resource: Annotated[str, typer.Argument(metavar="STUDY[/SERIES[/INSTANCE]]", help="UIDs", show_default=False)],
    url: Url,
    to: Annotated[Path, typer.Option(file_okay=False, help="a folder; files are {study}/{series}/{instance}.dcm")],
    transfer_syntax: Annotated[str, typer.Option(help="a UID; *: as stored")] = "*",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="also what is in the folder already")] = False,
    parallel: Parallel = 4,
    header: Headers = [],  # noqa: B006
    user: User = "",
    timeout: Timeout = 300,
) -> None:
    """Retrieve DICOM files into a folder. Asked again, it goes on with what is missing there."""
    wanted = retrieving.parse(resource)
    with _service(url, header, user, timeout, parallel) as service:
        plan = retrieving.Plan(wanted, to, transfer_syntax, parallel, overwrite)
        result = retrieving.retrieve(service, plan)
        _print_lines(result.lines())
    if result.is_interrupted:
        raise typer.Exit(_INTERRUPTED)
    raise typer.Exit(_FAILED if result.missing else 0)


Bucket = Annotated[str, typer.Option(envvar="DICOMWEB_BUCKET", help="of the archive", show_default=False)]
Table = Annotated[str, typer.Option(envvar="DICOMWEB_TABLE", help="of its index", show_default=False)]


@app.command()
def reconcile(bucket: Bucket, table: Table) -> None:
    """Make index and objects of an archive agree, name what a crash left; with AWS credentials in the environment."""
    _housekeeping("reconcile", bucket, table)


@app.command()
def rebuild_index(bucket: Bucket, table: Table) -> None:
    """Make the index of an archive anew, of its objects alone; with AWS credentials in the environment."""
    _housekeeping("rebuild-index", bucket, table)


@app.command()
def user(
    name: Annotated[str, typer.Argument(help="of the user", show_default=False)],
    table: Table,
    role: Annotated[list[str], typer.Option(help="read, store, delete, admin; may be repeated")] = ["read"],  # noqa: B006
    label: Annotated[list[str], typer.Option(help="of studies that they may see; may be repeated; none: all")] = [],  # noqa: B006
    remove: Annotated[bool, typer.Option("--remove", help="forget them")] = False,
    password: Annotated[str, typer.Option(envvar="DICOMWEB_PASSWORD", help="asked for when left out")] = "",
) -> None:
    """Let somebody in, or no more; with AWS credentials in the environment."""
    from cli import users  # noqa: PLC0415 — no client of a server has to load boto3

    if remove:
        users.remove(table, name)
        return
    users.keep(
        table, name, password or typer.prompt("Password", hide_input=True, confirmation_prompt=True), role, label
    )


@app.command(name="users")
def list_users(table: Table) -> None:
    """Who is let in, with their roles and labels; with AWS credentials in the environment."""
    from cli import users  # noqa: PLC0415

    _print_lines(iter(users.lines(table)))


@app.command()
def hash_password() -> None:
    """A password as the setting RegisteredUsers has it."""
    from dicomweb.passwords import hash_password as hashed  # noqa: PLC0415

    _print_lines(iter([hashed(typer.prompt("Password", hide_input=True, confirmation_prompt=True))]))


def _housekeeping(task: str, bucket: str, table: str) -> None:
    from cli import housekeeping  # noqa: PLC0415 — no client of a server has to load boto3

    housekeeping.work(task, bucket, table)


@contextmanager
def _service(url: str, headers: list[str], user: str, timeout_s: float, connections: int) -> Iterator[StudiesService]:
    service = StudiesService(url, headers=headers, user=user, timeout_s=timeout_s, connections=connections)
    with closing(service), _interruptible(service):
        yield service


@contextmanager
def _interruptible(service: StudiesService) -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        # A second Ctrl-C leaves at once, whatever is under way.
        if service.retries.stop.is_set():
            os._exit(_INTERRUPTED)
        service.retries.stop.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_lines(lines: Iterator[str]) -> None:
    console = Console(highlight=False)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise InvalidArgument(f"--report {path}: cannot be written: {error.strerror}") from error


def _say(text: str) -> None:
    STDERR.print(text, markup=False, soft_wrap=True)


def main() -> None:
    """Run a command, and exit with its code."""
    # Of broken files; the outcome of each says what is wrong with it.
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    try:
        app()
    except CommandFault as error:
        _say(str(error))
        sys.exit(_WRONG)
