"""A host that is killed at any of its writes: nothing acknowledged is lost, nothing half there stays, and counts are exact."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from dicomweb.archive import Archive, connect, keys, storage
from dicomweb.jobs.housekeeping import housekeep
from dicomweb.settings import load
from local.stack import LocalAws
from tests.builders import MULTIPART, a_body, a_file
from tests.stack.hosts import a_host, variables

STUDY = "1.2.911"
MOST_WRITES = 30


@pytest.fixture
def archive(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The archive of the local AWS, looked at past every host."""
    found = variables(aws)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(storage, "_IN_FLIGHT", timedelta(0))
    return connect(load(found))


@pytest.fixture
def steady(aws: LocalAws) -> Iterator[str]:
    """The URL of a host that is not killed."""
    with a_host(aws) as url:
        yield url


def a_study(*numbers: int) -> bytes:
    return a_body(
        [
            a_file(
                StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.{number % 2}", SOPInstanceUID=f"{STUDY}.1.{number}"
            )
            for number in numbers
        ]
    )


def store(url: str, *numbers: int) -> httpx.Response:
    return httpx.post(f"{url}/studies", content=a_study(*numbers), headers={"Content-Type": MULTIPART}, timeout=60)


def there(archive: Archive) -> set[str]:
    """The instances of the study, once index, counts and objects are known to say the same."""
    series = archive.index.series_of(STUDY)
    rows = [row for one in series for row in archive.index.instances_of(STUDY, one.series)]
    objects = {each.key for each in archive.storage.objects(keys.instance_folder(STUDY))}
    assert {row.object_key for row in rows} == objects
    study = archive.index.study(STUDY)
    counts = (study.series_count, study.instance_count) if study else (0, 0)
    assert counts == (len(series), len(rows))
    for one in series:
        assert one.instance_count == len([row for row in rows if row.series == one.series])
    return {row.instance.rpartition(".")[2] for row in rows}


def kill_at_every_write(
    aws: LocalAws, archive: Archive, request: Callable[[str], httpx.Response], check: Callable[[], None]
) -> int:
    """Kill the host of a request before and after each of its writes, mend the archive and check; how many there are."""
    for write in range(1, MOST_WRITES):
        for when in ("before", "after"):
            with a_host(aws, write, when) as url:
                try:
                    answer = request(url)
                except httpx.TransportError:
                    answer = None
            if answer is not None:
                assert answer.is_success, answer.text
                return write - 1
            mend(archive)
            check()
    raise AssertionError("it never ends")


def mend(archive: Archive) -> None:
    start = ""
    while start := housekeep(archive, "reconcile", start, 60).next:
        pass


def test_a_store(aws: LocalAws, archive: Archive, steady: str) -> None:
    assert store(steady, 1, 2).status_code == 200

    def afresh(url: str) -> httpx.Response:
        # What is mended would be there already for the next kill: it goes first.
        for number in (3, 4):
            httpx.delete(f"{steady}/studies/{STUDY}/series/{STUDY}.{number % 2}/instances/{STUDY}.1.{number}")
        return store(url, 3, 4)

    def check() -> None:
        assert {"1", "2"} <= there(archive)

    assert kill_at_every_write(aws, archive, afresh, check) >= 4
    assert there(archive) == {"1", "2", "3", "4"}
    for number in range(1, 5):
        path = f"{steady}/studies/{STUDY}/series/{STUDY}.{number % 2}/instances/{STUDY}.1.{number}"
        assert httpx.get(path, headers={"Accept": "application/dicom"}).status_code == 200
    assert httpx.delete(f"{steady}/studies/{STUDY}").status_code == 204


def test_a_delete(aws: LocalAws, archive: Archive, steady: str) -> None:
    def afresh(url: str) -> httpx.Response:
        assert store(steady, 1, 2, 3).status_code == 200
        return httpx.delete(f"{url}/studies/{STUDY}/series/{STUDY}.1", timeout=60)

    def check() -> None:
        assert "2" in there(archive)

    assert kill_at_every_write(aws, archive, afresh, check) >= 3
    assert there(archive) == {"2"}
    assert httpx.delete(f"{steady}/studies/{STUDY}").status_code == 204
