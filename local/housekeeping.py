"""`make housekeeping TASK=…`: a housekeeping task over the archive of `make run`, whether that is running or not."""

import os
import sys
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dicomweb.archive import connect
from dicomweb.errors import DicomWebError
from dicomweb.jobs.housekeeping import TASKS, housekeep
from dicomweb.settings import load
from local.stack import LocalAws, StackError, local_aws, running_aws

_RUN_S = 1.0  # a step of the progress line


def main() -> None:
    """Do the task that TASK names; exit 1 with a message when that is not possible."""
    task, data = os.environ.get("TASK", ""), Path(os.environ.get("DATA_DIR", ".data"))
    try:
        if task not in TASKS:
            raise StackError(f"TASK={task}: expected one of {', '.join(TASKS)}")
        if aws := running_aws(data):
            _work(aws, task)
            return
        with local_aws(data) as started:
            started.deploy()
            _work(started, task)
    except (StackError, DicomWebError) as error:
        sys.exit(str(error))


def _work(aws: LocalAws, task: str) -> None:
    outputs = aws.outputs()
    os.environ.update(aws.variables())
    archive = connect(load({**os.environ, "DICOMWEB_BUCKET": outputs.bucket, "DICOMWEB_TABLE": outputs.table}))
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    studies = changed = 0
    start = ""
    with Progress(*columns, transient=True) as progress:
        bar = progress.add_task(f"{task} …", total=None)
        while True:
            run = housekeep(archive, task, start, _RUN_S)
            studies, changed, start = studies + run.studies, changed + run.changed, run.next
            for line in run.told:
                progress.console.print(line, markup=False, highlight=False)
            if not start:
                break
            progress.update(bar, description=f"{task}: {studies} studies, {changed} changed")
    print(f"{task}: {studies} studies, {changed} changed")


if __name__ == "__main__":
    main()
