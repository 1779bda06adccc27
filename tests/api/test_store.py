"""Every bad body is a 4xx in JSON that says what was wrong; nothing is lost in silence."""

import json
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from pydicom.uid import CTImageStorage, MRImageStorage

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive, keys
from tests.builders import BOUNDARY, MULTIPART, a_body, a_file, a_series

STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def post(
    client: TestClient, body: bytes, content_type: str = MULTIPART, path: str = "/studies", **headers: str
) -> Response:
    answer: Response = client.post(f"/dicom-web{path}", content=body, headers={"Content-Type": content_type, **headers})
    return answer


def comments(response: Response) -> str:
    items = [item for tag in (FAILED, OTHER) for item in response.json().get(tag, {}).get("Value", [])]
    return " | ".join(item["00000902"]["Value"][0] for item in items)


def test_multipart_and_single_part_are_stored(client: TestClient) -> None:
    assert post(client, a_body(a_series(2))).status_code == 200
    answer = post(client, a_file(SOPInstanceUID="1.2.3.1.9"), "application/dicom")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert len(client.get("/dicom-web/instances").json()) == 3


def test_a_type_parameter_is_not_insisted_on(client: TestClient) -> None:
    assert post(client, a_body([a_file()]), f"multipart/related; boundary={BOUNDARY}").status_code == 200


def test_a_boundary_as_long_as_that_of_orthanc_is_taken(client: TestClient) -> None:
    boundary = "6f0f2f5b-64a0-4e5c-8b0e-0c6f5a0f7b11-6f0f2f5b-64a0-4e5c-8b0e-0c6f5a0f7b11"
    content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
    assert post(client, a_body([a_file()], boundary), content_type).status_code == 200


@pytest.mark.parametrize("path", ["/studies/1.2.3", "/studies/", "/studies/1.2.3/"])
def test_the_path_may_name_the_study_and_end_in_a_slash(client: TestClient, path: str) -> None:
    assert post(client, a_body([a_file()]), path=path).status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"", MULTIPART, 400, "the body is empty"),
        (b"", "application/dicom", 400, "the body is empty"),
        (a_body([]), MULTIPART, 400, "has no parts"),
        (a_body([a_file()]), 'multipart/related; type="application/dicom"', 400, "the boundary ''"),
        (a_body([a_file()]), "multipart/related; boundary=" + "x" * 201, 400, "1 to 200"),
        (
            a_body([a_file()]),
            "multipart/related; boundary=another",
            400,
            "boundary of its Content-Type asks for '--another'",
        ),
        (a_body([a_file()]), "multipart/mixed; boundary=a-boundary", 415, "expected multipart/related"),
        (a_body([a_file()]), 'multipart/related; type="image/jpeg"; boundary=a-boundary', 415, "application/dicom"),
        (a_file(), "", 415, "expected multipart/related"),
        (a_file(), "text/plain", 415, "expected multipart/related"),
    ],
)
def test_a_request_that_cannot_be_read(
    client: TestClient, body: bytes, content_type: str, status: int, says: str
) -> None:
    answer = post(client, body, content_type)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert says in answer.json()["Message"]
    assert answer.json()["HttpStatus"] == status


def test_an_unknown_coding_is_refused(client: TestClient) -> None:
    answer = post(client, a_body([a_file()]), **{"Content-Encoding": "br"})
    assert (answer.status_code, "expected identity or gzip" in answer.json()["Message"]) == (415, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (a_body([a_file()]).replace(b"\r\n", b"\n"), "CRLF"),
        (a_body([a_file()])[:-100], "truncated"),
        (a_body([a_file()], headers="Content-Type: application/dicom\r\nContent-Length: 100"), "no boundary follows"),
        (
            a_body([a_file()], headers="Content-Type: application/dicom\r\nContent-Length: 999999"),
            "no boundary follows",
        ),
        (a_body([a_file()], headers="Content-Type: text/plain"), "the part is text/plain; expected application/dicom"),
        (a_body([b"this is no DICOM file"]), "not a DICOM file"),
        (a_body([b""]), "the part is empty"),
        (a_body([a_file(StudyInstanceUID=None)]), "StudyInstanceUID"),
        (a_body([a_file()[:-1]]), "truncated"),
    ],
)
def test_a_part_that_cannot_be_stored(client: TestClient, body: bytes, says: str) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/dicom+json")
    assert says in comments(answer)
    assert client.get("/dicom-web/studies").json() == []


def test_a_study_of_another_uid_than_the_path(client: TestClient) -> None:
    answer = post(client, a_body([a_file()]), path="/studies/9.9")
    assert answer.status_code == 409
    assert answer.json()[FAILED]["Value"][0]["00081197"]["Value"] == [0x0110]
    assert "the request is for study 9.9" in comments(answer)


def test_bad_parts_are_named_and_good_ones_stored(client: TestClient) -> None:
    answer = post(client, a_body([a_file(), b"nonsense", a_file(SOPInstanceUID="1.2.3.1.2")]))
    assert answer.status_code == 202
    assert len(answer.json()[STORED]["Value"]) == 2
    assert "part 2: not a DICOM file" in comments(answer)


def test_a_file_that_names_another_sop_class_than_its_data_set_is_stored_unchanged_with_a_warning(
    client: TestClient,
) -> None:
    file = a_file().replace(CTImageStorage.encode(), MRImageStorage.encode(), 1)
    for _ in range(2):  # the same bytes again have the same answer
        answer = post(client, a_body([file, a_file(SOPInstanceUID="1.2.3.1.2")]))
        warned, plain = answer.json()[STORED]["Value"]
        assert (answer.status_code, warned["00081196"]["Value"]) == (202, [0xB007])
        assert f"(0002,0002) is {MRImageStorage}, SOP Class UID (0008,0016) is {CTImageStorage}" in str(warned)
        assert "00081196" not in plain
    url = warned["00081190"]["Value"][0]
    assert client.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).content == file


def test_a_cut_body_keeps_what_came_whole(client: TestClient) -> None:
    body = a_body(a_series(3))
    answer = post(client, body[: len(body) - 300])
    assert answer.status_code == 202
    assert len(answer.json()[STORED]["Value"]) == 2
    assert "part 3: the body ends inside the part" in comments(answer)


def test_the_response_is_valid_json_whatever_the_file_says(client: TestClient) -> None:
    answer = post(client, a_body([a_file().replace(b"1.2.3.1.1", b'1"2\n3.1.1')]))
    assert answer.status_code == 409
    assert json.loads(answer.content)


def test_a_single_part_that_the_user_agent_cuts_off_is_not_stored(archive: Archive) -> None:
    # The cut is between two elements: nothing in the file itself tells that it is not whole.
    cut = a_file()[:-44]
    messages = iter([{"type": "http.request", "body": cut, "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/dicom-web/studies",
        "query_string": b"",
        "headers": [(b"content-type", b"application/dicom")],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }
    anyio.run(make_app(archive), scope, receive, send)
    assert archive.index.studies(["1.2.3"]) == {}
    assert archive.storage.state(keys.instance_object("1.2.3", "1.2.3.1", "1.2.3.1.1")) is None
