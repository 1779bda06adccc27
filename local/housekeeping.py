"""`make housekeeping TASK=…`: a housekeeping task over the archive of `make run`, whether that is running or not."""

import os
import sys
from pathlib import Path

from cli.errors import CommandFault
from cli.housekeeping import work
from dicomweb.jobs.housekeeping import TASKS
from local.stack import LocalAws, StackError, local_aws, running_aws


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
    except (StackError, CommandFault) as error:
        sys.exit(str(error))


def _work(aws: LocalAws, task: str) -> None:
    outputs = aws.outputs()
    os.environ.update(aws.variables())
    work(task, outputs.bucket, outputs.table)


if __name__ == "__main__":
    main()
