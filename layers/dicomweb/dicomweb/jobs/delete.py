"""The job that deletes what is large: series after series."""

from contextlib import suppress
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import Job
from dicomweb.errors import NotFound
from dicomweb.jobs.watch import Add, Outcome, Watch
from dicomweb.transactions.delete import bury, delete_instances


def plan(archive: Archive, job: Job, add: Add) -> dict[str, Any]:
    """Each series is a batch."""
    study, series = job.request["Study"], job.request.get("Series", "")
    if not series:
        bury(archive, study)  # before its first series goes: it is deleted as a whole
    of_study = [row for row in archive.index.series_of(study) if series in ("", row.series)]
    for row in of_study:
        add(1, {"Study": study, "Series": row.series})
    return {"Study": study, "InstancesCount": str(sum(row.instance_count for row in of_study))}


def work(archive: Archive, _job: Job, batch: dict[str, Any], watch: Watch) -> None:
    """Delete a series; the outcome is that of the whole."""
    study, series = batch["Study"], batch["Series"]
    with suppress(NotFound):  # a worker before this one was at its end
        delete_instances(archive, study, series)
    watch.record(Outcome(study, series))
