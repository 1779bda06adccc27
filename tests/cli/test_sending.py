"""Batches on their way, against a server that misbehaves."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from cli.errors import Refused, Unreachable
from cli.outcomes import Summary
from cli.progress import Bar
from cli.sending import Limits, batches
from cli.sources import Identified, Source
from cli.store import Plan, store
from cli.store_answer import NOT_SAID
from local.stack import free_port
from tests.builders import a_file, a_series
from tests.cli.fake_server import FakeServer, all_stored, quick_client, serving_asgi

Answer = Callable[[int, list[str], int], tuple[int, Any, dict[str, str]] | None]
BUSY, CANNOT = 0xA700, 0xC000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight files of one series, 1.2.3.1.1 to 1.2.3.1.8."""
    for number, content in enumerate(a_series(8), 1):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    return tmp_path


def stored(folder: Path, answer: Answer, limits: Limits | None = None) -> tuple[Summary, FakeServer]:
    """What became of the folder's files, and what the server was sent."""
    server = FakeServer(answer)
    with serving_asgi(server) as url, quick_client(url) as service:
        return stored_by(folder, service, limits), server


def stored_by(folder: Path, service: Any, limits: Limits | None = None) -> Summary:
    summary = Summary(service.url)
    plan = Plan([folder], limits or Limits(), parallel=1)
    with Progress(disable=True) as progress:
        store(service, plan, summary, Bar(progress, "", 0))
    return summary


def comments(summary: Summary) -> set[str]:
    return {failure.comment for failure in summary.failures}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_the_server_could_not_take_is_sent_again(folder: Path, status: int) -> None:
    summary, server = stored(folder, lambda number, uids, _: (status, {}, {}) if number < 3 else all_stored(uids))
    assert (summary.stored, summary.failures) == (8, [])
    assert len(server.requests) == 3


def test_the_server_says_how_long_to_wait(folder: Path) -> None:
    summary, _ = stored(
        folder, lambda number, uids, _: (503, {}, {"Retry-After": "1"}) if number == 1 else all_stored(uids)
    )
    assert summary.document()["seconds"] >= 1


def test_a_server_that_never_recovers_fails_every_file_with_what_it_said(folder: Path) -> None:
    summary, server = stored(folder, lambda *_: (503, {"Message": "closed for today"}, {}))
    assert len(server.requests) == 4
    assert len(summary.failures) == 8
    assert comments(summary) == {"503 Service Unavailable: closed for today"}


def test_only_instances_that_failed_for_resources_are_sent_again(folder: Path) -> None:
    reasons = {"1.2.3.1.2": BUSY, "1.2.3.1.5": BUSY, "1.2.3.1.7": CANNOT}
    summary, server = stored(folder, lambda number, uids, _: all_stored(uids, reasons if number == 1 else {}))
    assert server.requests[1] == ["1.2.3.1.2", "1.2.3.1.5"]
    assert summary.stored == 7
    (failure,) = summary.failures
    assert (failure.file.instance, failure.reason) == ("1.2.3.1.7", CANNOT)
    assert failure.comment == "part 7: as told"


def test_instances_that_fail_for_resources_for_ever_fail_in_the_end(folder: Path) -> None:
    summary, server = stored(folder, lambda _, uids, __: all_stored(uids, {"1.2.3.1.2": BUSY}))
    assert [failure.reason for failure in summary.failures] == [BUSY]
    assert len(server.requests) == 4


def test_an_instance_that_the_answer_does_not_name_failed(folder: Path) -> None:
    summary, _ = stored(folder, lambda _, uids, __: all_stored(uids[:-2]))
    assert summary.stored == 6
    assert [failure.file.instance for failure in summary.failures] == ["1.2.3.1.7", "1.2.3.1.8"]
    assert comments(summary) == {NOT_SAID}


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"00081199": {"vr": "SQ"}}'])
def test_an_answer_that_says_nothing_stores_nothing(folder: Path, body: bytes) -> None:
    summary, _ = stored(folder, lambda *_: (200, body, {}))
    assert summary.stored == 0
    assert comments(summary) == {NOT_SAID}


@pytest.mark.parametrize(
    ("sequence", "item"),
    [
        ("0008119A", {}),  # Other Failures Sequence names no instance
        ("00081198", {"00081155": {"vr": "UI", "Value": ["6.6.6"]}}),  # of a UID that nobody sent
    ],
)
def test_failures_of_nobody_are_found_by_sending_each_file_alone(
    folder: Path, sequence: str, item: dict[str, Any]
) -> None:
    def answer(_: int, uids: list[str], __: int) -> tuple[int, Any, dict[str, str]]:
        body = all_stored([*(uid for uid in uids if uid != "1.2.3.1.4"), "1.2.3.9"])[1]
        if "1.2.3.1.4" in uids:
            body[sequence] = {"vr": "SQ", "Value": [item | {"00081197": {"vr": "US", "Value": [CANNOT]}}]}
        return 202, body, {}

    summary, server = stored(folder, answer)
    assert summary.stored == 7
    assert [(failure.file.instance, failure.reason) for failure in summary.failures] == [("1.2.3.1.4", CANNOT)]
    assert server.requests[1:] == [["1.2.3.1.4"]]


def test_a_batch_that_is_too_large_is_halved_and_those_after_it_are_smaller(folder: Path) -> None:
    size = len(a_file())
    limit = 3 * size
    summary, server = stored(
        folder,
        lambda _, uids, sent: (413, {}, {}) if sent > limit else all_stored(uids),
        Limits(most_bytes=5 * size),
    )
    assert (summary.stored, summary.failures) == (8, [])
    assert max(Counter(uid for uids in server.requests for uid in uids).values()) <= 4


def test_a_file_that_is_too_large_by_itself_says_so(folder: Path) -> None:
    (folder / "9.dcm").write_bytes(a_file(SOPInstanceUID="1.9", PixelData=bytes(200_000)))
    summary, _ = stored(
        folder, lambda _, uids, sent: (413, {"Message": "100 kB"}, {}) if sent > 100_000 else all_stored(uids)
    )
    assert summary.stored == 8
    (failure,) = summary.failures
    assert failure.file.instance == "1.9"
    assert failure.comment == "too large for the server, with 0.2 MiB by itself: 413 Request Entity Too Large: 100 kB"


def test_a_server_that_hangs_up_is_asked_again(folder: Path) -> None:
    summary, _ = stored(folder, lambda number, uids, _: None if number < 3 else all_stored(uids))
    assert (summary.stored, summary.failures) == (8, [])


def test_a_server_that_hangs_up_on_large_bodies_gets_smaller_ones(folder: Path) -> None:
    summary, _ = stored(folder, lambda _, uids, __: None if len(uids) > 2 else all_stored(uids))
    assert (summary.stored, summary.failures) == (8, [])


def test_a_server_that_always_hangs_up_fails_every_file(folder: Path) -> None:
    summary, _ = stored(folder, lambda *_: None)
    assert len(summary.failures) == 8
    assert all(comment.startswith("no answer after 4 attempts: ") for comment in comments(summary))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_lets_nobody_in_ends_the_run(folder: Path, status: int) -> None:
    with pytest.raises(Refused, match=f"{status} .*expected"):
        stored(folder, lambda *_: (status, {}, {}))


def test_a_url_where_nothing_listens_ends_the_run_at_once(folder: Path) -> None:
    with (
        quick_client(f"http://127.0.0.1:{free_port()}") as service,
        pytest.raises(Unreachable, match="expected the URL"),
    ):
        stored_by(folder, service)


def test_other_failures_of_a_whole_request_are_those_of_its_files(folder: Path) -> None:
    summary, _ = stored(folder, lambda *_: (400, {"Message": "boundary"}, {}))
    assert comments(summary) == {"400 Bad Request: boundary"}


def a_found(size: int, instance: str) -> Identified:
    return Identified(Source(f"{instance}.dcm", size), "1", "1", instance)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([4, 4, 4], [[4, 4], [4]]),  # no batch over the limit of bytes
        ([30, 1, 1], [[30], [1, 1]]),  # but for one file
        ([1, 1, 1, 1, 1], [[1, 1, 1], [1, 1]]),  # nor of files
        ([], []),
    ],
)
def test_batches_keep_to_both_limits(sizes: list[int], expected: list[list[int]]) -> None:
    files = [a_found(size, f"1.{number}") for number, size in enumerate(sizes)]
    made = batches(files, Limits(most_bytes=10, most_files=3))
    assert [[file.source.size for file in batch] for batch in made] == expected


def test_no_batch_has_an_instance_twice_and_what_has_no_uid_goes_alone() -> None:
    files = [a_found(1, "1.1"), a_found(1, ""), a_found(1, "1.2"), a_found(2, "1.1")]
    made = [[file.instance for file in batch] for batch in batches(files, Limits())]
    assert made == [[""], ["1.1", "1.2"], ["1.1"]]
