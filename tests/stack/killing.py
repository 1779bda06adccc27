"""Kill a process at each of its writes, and look at what it leaves of one study."""

from collections.abc import Callable
from typing import Any

import httpx

from dicomweb.archive import Archive, keys
from dicomweb.jobs.housekeeping import housekeep
from local.stack import LocalAws
from tests.builders import MULTIPART, a_body, a_file
from tests.stack.hosts import a_host

STUDY = "1.2.911"
MOST_WRITES = 30

Attempt = Callable[[int, str], bool]
"""Something done by a process that is killed "before" or "after" its n-th write; whether it lived to the end."""


def files(*numbers: int) -> list[bytes]:
    """Instances of the study, in two series."""
    return [
        a_file(StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.{number % 2}", SOPInstanceUID=f"{STUDY}.1.{number}")
        for number in numbers
    ]


def path(number: int) -> str:
    return f"/studies/{STUDY}/series/{STUDY}.{number % 2}/instances/{STUDY}.1.{number}"


def store(http: httpx.Client, *numbers: int) -> httpx.Response:
    return http.post("/studies", content=a_body(files(*numbers)), headers={"Content-Type": MULTIPART})


def forget(http: httpx.Client, *numbers: int) -> None:
    """What one attempt has stored would be there already for the next: it goes first."""
    for number in numbers:
        assert http.delete(path(number)).status_code in (204, 404, 410)


def kill_at_every_write(attempt: Attempt, check: Callable[[], None]) -> int:
    """Have an attempt killed before and after each of its writes, and check; how many it makes when it lives."""
    for write in range(1, MOST_WRITES):
        for when in ("before", "after"):
            if attempt(write, when):
                return write - 1
            check()
    raise AssertionError("it never ends")


def by_a_host(aws: LocalAws, request: Callable[[httpx.Client], httpx.Response]) -> Attempt:
    """A request to a host that is killed."""

    def attempt(write: int, when: str) -> bool:
        with a_host(aws, write, when) as url, httpx.Client(base_url=url, timeout=60) as http:
            try:
                answer = request(http)
            except httpx.TransportError:
                return False
        assert answer.is_success, answer.text
        return True

    return attempt


def mend(archive: Archive) -> list[str]:
    """What there was to mend."""
    told, start = list[str](), ""
    while True:
        run = housekeep(archive, "reconcile", start, 60)
        told += run.told
        if not (start := run.next):
            return told


def there(archive: Archive) -> set[int]:
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
    return {int(row.instance.rpartition(".")[2]) for row in rows}


def seen(http: httpx.Client) -> set[int]:
    """The instances that a user agent finds, once each is known to come whole, and every answer to count them all."""

    def get(path: str) -> Any:
        return http.get(path).raise_for_status().json()

    found = sorted(each["00080018"]["Value"][0] for each in get(f"/studies/{STUDY}/instances"))
    numbers = {int(uid.rpartition(".")[2]) for uid in found}
    for number in numbers:
        answer = http.get(path(number), headers={"Accept": "application/dicom"})
        assert (answer.status_code, [answer.content]) == (200, files(number))
    assert sorted(each["00080018"]["Value"][0] for each in get(f"/studies/{STUDY}/metadata")) == found
    (study,) = get(f"/studies?StudyInstanceUID={STUDY}")
    series = get(f"/studies/{STUDY}/series")
    assert study["00201208"]["Value"] == [len(found)] == [sum(each["00201209"]["Value"][0] for each in series)]
    assert study["00201206"]["Value"] == [len(series)] == [len({number % 2 for number in numbers})]
    return numbers
