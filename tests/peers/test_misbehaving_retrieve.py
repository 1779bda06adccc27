"""A remote server whose answers to a retrieve are cut, wrong, or not what was asked for."""

import gzip
import io
import zipfile

import pytest

from tests.builders import BOUNDARY, MULTIPART, a_body, a_file, a_series
from tests.peers.misbehaving import (
    Behaviour,
    Misbehaving,
    after_reading,
    answers,
    answers_json,
    head,
    html,
    parts,
    rows,
)
from tests.peers.ourselves import Peer

STUDY, SERIES = "1.2.3", "1.2.3.1"
UIDS = [f"{SERIES}.{number}" for number in (1, 2, 3)]
PATHS = [(SERIES, uid) for uid in UIDS]
FILES = a_series(3)
WANTED = {"Resources": [{"Study": STUDY}]}
ALL = f"/dicom-web/studies/{STUDY}"


def retrieved(remote: Misbehaving) -> list[str]:
    """What was asked for beside searches: instances by their numbers, and all of the study."""
    targets = [request.target for request in remote.requests if "?" not in request.target]
    return ["all" if target == ALL else target.rpartition(".")[2] for target in targets]


def cut(body: bytes, size: int) -> Behaviour:
    """A retrieve that ends before it is complete."""
    return after_reading(head(200, {"Content-Type": MULTIPART, "Content-Length": str(len(body))}), body[:size])


BODY = a_body(FILES)
IN_SECOND = BODY.index(b"--" + BOUNDARY.encode(), 100) + 400
BEFORE_END = BODY.index(f"\r\n--{BOUNDARY}--".encode())


@pytest.mark.parametrize(("size", "rest"), [(10, ["1", "2", "3"]), (IN_SECOND, ["2", "3"]), (BEFORE_END, ["3"])])
@pytest.mark.parametrize("is_delimited", [True, False], ids=["shorter than said", "of no length"])
def test_what_came_before_a_cut_stays_and_the_rest_alone_is_asked_for_again(
    peer: Peer, remote: Misbehaving, size: int, rest: list[str], is_delimited: bool
) -> None:
    whole = cut(BODY, size) if is_delimited else after_reading(head(200, {"Content-Type": MULTIPART}), BODY[:size])
    singles = [parts(FILES[int(number) - 1]) for number in rest]
    remote.behaves(rows(*PATHS), rows(), whole, *singles)
    answer = peer.ask("retrieve", WANTED)
    assert sorted(peer.instances()) == UIDS
    assert retrieved(remote) == ["all", *rest]
    assert answer.json()["ReceivedInstancesCount"] == "3"


def single(file: bytes, **headers: str) -> Behaviour:
    return answers(200, file, "application/dicom", **headers)


def a_zip(*files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.dcm", file)
    return content.getvalue()


@pytest.mark.parametrize("length", [300, 500, len(FILES[0]) - 32])  # the last one ends before the pixel data
@pytest.mark.parametrize("knows", [True, False])
def test_a_single_file_that_is_cut_is_not_stored(peer: Peer, remote: Misbehaving, length: int, knows: bool) -> None:
    head_ = head(200, {"Content-Type": "application/dicom", "Content-Length": str(len(FILES[0]))})
    search = [rows(PATHS[0]), rows()] if knows else [answers(501)]
    remote.behaves(*search, after_reading(head_, FILES[0][:length]), single(FILES[0]))
    answer = peer.ask("retrieve", WANTED)
    assert answer.status_code == 200
    assert (peer.job()["Retries"], peer.outcomes()[0]["Attempts"]) == (1, 2)
    peer.store(FILES[0])  # the same bytes: nothing else was stored before


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(404),
        answers(501),
        answers(400),
        html(),
        answers_json({"a": 1}),
        answers_json([[]]),
        answers_json([{"00080018": 5}]),
        answers_json([{"00080018": {"vr": "UI", "Value": 5}}]),
        answers_json([{"00080018": {"vr": "UI", "Value": "1.2"}}]),
        answers_json([{"0020000E": {"vr": "UI", "Value": [SERIES]}}]),
        answers_json([{}]),
        answers_json(None),
        answers_json("x"),
        answers_json([{"x": {"vr": "UI"}}]),
        answers(200, b"[" * 100_000, "application/json"),
        answers(200, b"", "application/json"),
        answers(204),
    ],
)
def test_a_server_that_cannot_search_is_asked_for_the_whole(
    peer: Peer, remote: Misbehaving, behaviour: Behaviour
) -> None:
    remote.behaves(behaviour, parts(*FILES))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, retrieved(remote)) == (200, ["all"]), answer.text
    assert sorted(peer.instances()) == UIDS
    assert len(peer.outcomes()) == 3


def test_a_server_that_ignores_limit_and_offset_is_asked_for_the_whole(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(rows(*PATHS[:2]), rows(*PATHS[:2]), parts(*FILES))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, retrieved(remote)) == (200, ["all"]), answer.text
    assert sorted(peer.instances()) == UIDS


def test_all_of_a_cut_study_is_asked_for_again_where_a_listing_may_not_be_all(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(rows(*PATHS[:1]), rows(*PATHS[:1]), cut(BODY, IN_SECOND), parts(*FILES))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, retrieved(remote)) == (200, ["all", "all"]), answer.text
    assert sorted(peer.instances()) == UIDS


def test_a_server_that_gives_a_few_rows_at_a_time_is_asked_until_there_are_no_more(
    peer: Peer, remote: Misbehaving
) -> None:
    remote.behaves(rows(PATHS[0]), rows(PATHS[1]), rows(PATHS[2]), rows(), parts(*FILES))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, peer.job()["InstancesSucceeded"]) == (200, 3)
    offsets = [request.target.partition("offset=")[2] for request in remote.requests[:4]]
    assert offsets == ["0", "1", "2", "3"]


def test_a_study_that_is_always_cut_at_the_same_place_ends_as_a_failure(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(answers(501), cut(BODY, IN_SECOND))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, "cut the connection off" in answer.text) == (502, True)
    assert list(peer.instances()) == UIDS[:1]


OTHER_STUDY = a_file(
    StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1", PatientName="DOE^JANE"
)
NOT_ASKED = a_file(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=f"{SERIES}.9")


def part(content: bytes, *headers: str) -> bytes:
    lines = "".join(f"{each}\r\n" for each in headers or ("Content-Type: application/dicom",))
    return f"--{BOUNDARY}\r\n{lines}\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def multipart(*pieces: bytes, content_type: str = MULTIPART) -> Behaviour:
    return answers(200, b"".join(pieces), content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        'multipart/related; type="application/dicom"',
        f'Multipart/Related;boundary="{BOUNDARY}"',
        f"multipart/related; boundary={BOUNDARY}; type=application/dicom; start=x",
        "",
        "application/octet-stream",
    ],
)
def test_parts_are_found_by_whatever_header_a_server_gives_them(
    peer: Peer, remote: Misbehaving, content_type: str
) -> None:
    remote.behaves(rows(*PATHS), rows(), answers(200, BODY, content_type))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, retrieved(remote)) == (200, ["all"]), answer.text
    assert sorted(peer.instances()) == UIDS


@pytest.mark.parametrize(
    "answered",
    [
        multipart(BODY, content_type="multipart/related; boundary=another"),
        multipart(content_type=MULTIPART),
        multipart(END),
        multipart(b"no parts at all"),
        multipart(part(b"no DICOM", "Content-Type: text/plain"), END),
        multipart(part(b"no DICOM"), END),
        multipart(part(FILES[0][:200]), END),
        multipart(part(OTHER_STUDY), END),
        multipart(part(FILES[0], "Content-Type: image/jpeg"), END),
        multipart(part(FILES[0] + b"\r\ngarbage"), END),
        multipart(part(FILES[0], "Content-Length: 7"), END),
        multipart(BODY, content_type="text/html"),
        multipart(BODY, content_type="application/dicom+json"),
        html(),
        answers_json([]),
        answers(204),
        answers(206),
        answers(200, a_zip(), "application/zip"),
        answers(200, b"PK\3\4 no ZIP", "application/zip"),
        answers(200, a_zip(OTHER_STUDY, b"x"), "application/zip"),
        answers(200, b"\0" * 200, "application/dicom"),
    ],
)
def test_an_answer_without_the_files_is_a_failure_and_nothing_of_it_is_stored(
    peer: Peer, remote: Misbehaving, answered: Behaviour
) -> None:
    for wanted in ({"Study": STUDY}, {"Study": STUDY, "Series": SERIES, "Instance": UIDS[0]}):
        remote.behaves(*([] if "Instance" in wanted else [answers(501)]), answered)
        assert peer.ask("retrieve", {"Resources": [wanted]}).status_code == 502
        assert peer.instances() == {}
        assert [each["Status"] for each in peer.outcomes()] == ["Failure"]


@pytest.mark.parametrize(
    "answered",
    [
        parts(FILES[0], OTHER_STUDY, FILES[1], FILES[2]),
        parts(FILES[0], b"no DICOM", FILES[1], b"", FILES[2]),
        multipart(
            b"preamble\r\n",
            part(FILES[0]),
            part(b"", "Content-Type: text/plain"),
            part(FILES[1]),
            part(FILES[2]),
            END,
            b"more",
        ),
        multipart(
            part(b"", "Content-Type: text/plain"), part(FILES[0]), part(FILES[1]), b"garbage\r\n", part(FILES[2]), END
        ),
        parts(*FILES, *FILES),
        parts(FILES[2], FILES[1], FILES[0]),
        answers(200, a_zip(*FILES, OTHER_STUDY, b"README"), "application/zip"),
        answers(200, gzip.compress(BODY), MULTIPART, Content_Encoding="gzip"),
        answers(206, BODY, MULTIPART),
    ],
)
def test_what_is_of_the_study_is_stored_once_and_what_is_not_is_not(
    peer: Peer, remote: Misbehaving, answered: Behaviour
) -> None:
    remote.behaves(rows(*PATHS), rows(), answered, single(FILES[1]))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, answer.json()["ReceivedInstancesCount"]) == (200, "3")
    assert sorted(peer.instances()) == UIDS


def test_an_instance_that_was_not_asked_for_does_not_take_the_place_of_the_one_that_was(
    peer: Peer, remote: Misbehaving
) -> None:
    remote.behaves(parts(NOT_ASKED))
    answer = peer.ask("retrieve", {"Resources": [{"Study": STUDY, "Series": SERIES, "Instance": UIDS[0]}]})
    assert answer.status_code == 502
    outcomes = {each["SOPInstanceUID"]: each.get("Reason", "") for each in peer.outcomes()}
    assert outcomes == {f"{SERIES}.9": "", UIDS[0]: "the server answered with another instance"}


def test_an_instance_that_comes_with_two_contents_is_stored_as_it_came_first(peer: Peer, remote: Misbehaving) -> None:
    other = a_series(1, PatientName="DOE^JOHN")[0]
    remote.behaves(rows(*PATHS), rows(), parts(FILES[0], other, FILES[1], FILES[2]))
    assert peer.ask("retrieve", WANTED).status_code == 200
    assert (
        peer.http.get(
            f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{UIDS[0]}", headers={"Accept": "application/dicom"}
        ).content
        == FILES[0]
    )


@pytest.mark.parametrize(
    ("rest", "status", "reason"),
    [
        ([single(FILES[2])], 200, ""),
        ([answers(404)], 502, "the server has it no more"),
        ([html()], 502, "text/html"),
    ],
)
def test_instances_that_a_search_names_and_a_retrieve_lacks_are_asked_for_alone(
    peer: Peer, remote: Misbehaving, rest: list[Behaviour], status: int, reason: str
) -> None:
    remote.behaves(rows(*PATHS), rows(), parts(*FILES[:2]), *rest)
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, retrieved(remote)) == (status, ["all", "3"])
    assert sorted(peer.instances()) == UIDS[: 3 if status == 200 else 2]
    assert reason in {each["SOPInstanceUID"]: each.get("Reason", "") for each in peer.outcomes()}[UIDS[2]]


def test_instances_that_a_retrieve_has_and_a_search_did_not_name_are_stored_too(
    peer: Peer, remote: Misbehaving
) -> None:
    remote.behaves(rows(*PATHS[:1]), rows(), parts(*FILES))
    assert peer.ask("retrieve", WANTED).json()["ReceivedInstancesCount"] == "3"


def test_a_study_of_one_instance_may_come_as_a_file(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(rows(PATHS[0]), rows(), single(FILES[0]))
    assert peer.ask("retrieve", WANTED).status_code == 200
    assert sorted(peer.instances()) == UIDS[:1]


def test_a_study_that_is_not_there_is_a_failure(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(rows(), answers(404))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, "no such resource" in answer.text) == (502, True)


def test_one_instance_that_cannot_be_retrieved_fails_alone(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(rows(*PATHS), rows(), answers(500), answers(500), answers(500), single(FILES[1]), single(FILES[2]))
    answer = peer.ask("retrieve", WANTED)
    assert (answer.status_code, sorted(peer.instances())) == (502, UIDS[1:])
    assert (peer.job()["InstancesSucceeded"], peer.job()["InstancesFailed"]) == (2, 1)


def test_a_server_that_answers_no_more_is_not_asked_for_each_instance(peer: Peer, remote: Misbehaving) -> None:
    paths = [(SERIES, f"{SERIES}.{number}") for number in range(1, 21)]
    remote.behaves(rows(*paths), rows(), parts(*FILES), answers(500))
    assert peer.ask("retrieve", WANTED).status_code == 502
    assert len(retrieved(remote)) == 1 + 3 + 4
    assert (peer.job()["InstancesSucceeded"], peer.job()["InstancesFailed"]) == (3, 17)
    attempts = [each["Attempts"] for each in peer.outcomes()]
    assert attempts == [1, 1, 1, 3, 3, 3, 3, 3, *[0] * 12]
