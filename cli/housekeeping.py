"""Housekeeping over the whole archive, by who has its bucket and its table: the one part of `cli/` that is no client.

`make housekeeping` comes here too, with the bucket and the table of `make run`.
"""

import os

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.errors import CommandFault
from cli.progress import STDERR
from dicomweb.archive import connect
from dicomweb.errors import DicomWebError
from dicomweb.jobs.housekeeping import housekeep
from dicomweb.settings import load

_RUN_S = 1.0  # seconds; a step of the progress line


def work(task: str, bucket: str, table: str) -> None:
    """Do a task for every study, and say what there was to do.

    Raises:
        CommandFault: no such task, bucket or table, or they cannot be reached.
    """
    told = Console(highlight=False)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    studies = changed = 0
    start = ""
    try:
        archive = connect(load({**os.environ, "DICOMWEB_BUCKET": bucket, "DICOMWEB_TABLE": table}))
        with Progress(*columns, console=STDERR, transient=True) as progress:
            bar = progress.add_task(f"{task} …", total=None)
            while True:
                run = housekeep(archive, task, start, _RUN_S)
                studies, changed, start = studies + run.studies, changed + run.changed, run.next
                for line in run.told:
                    told.print(line, markup=False, soft_wrap=True)
                if not start:
                    break
                progress.update(bar, description=f"{task}: {studies} studies, {changed} changed")
    except DicomWebError as error:
        raise CommandFault(f"{task}: {error}") from error
    told.print(f"{task}: {studies} studies, {changed} changed")
