"""A worker's hold on a batch: what it does when the time is short."""

from dicomweb.archive import Archive
from dicomweb.archive.jobs import RUNNING, Job, new_job_id
from dicomweb.errors import RemoteUnavailable
from dicomweb.jobs.watch import Outcome, Watch


def a_watch(archive: Archive, seconds: float, waits: tuple[float, ...]) -> Watch:
    job = archive.jobs.create(Job(new_job_id(), "DicomWebStowClient", {}, state=RUNNING))
    batch = archive.jobs.plan(job.job, 0, 2, {}, 0)
    return Watch(archive, job, batch, seconds, waits, [])


def test_a_wait_that_is_longer_than_the_time_leaves_the_rest_to_whoever_goes_on(archive: Archive) -> None:
    watch = a_watch(archive, 5, (0.01,))
    assert not watch.try_again(RemoteUnavailable("the remote server answered 503", wait_s=60))
    assert (watch.should_stop, watch.was_stopped, watch.is_unwanted) == (True, True, False)


def test_what_succeeds_again_does_not_end_a_row_of_failures(archive: Archive) -> None:
    watch = a_watch(archive, 5, (0.01, 0.01))
    for _ in range(2):
        watch.record(Outcome("1.2", "1.2.3", "1.2.3.4"))
        assert watch.try_again(RemoteUnavailable("cut"))
    watch.record(Outcome("1.2", "1.2.3", "1.2.3.4"))
    assert not watch.try_again(RemoteUnavailable("cut"))
    watch.record(Outcome("1.2", "1.2.3", "1.2.3.5"))
    assert watch.try_again(RemoteUnavailable("cut"))
