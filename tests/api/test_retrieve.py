import gzip
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from dicomweb.dicom.multipart import Part, read_parts
from tests.api.test_store import post
from tests.builders import PYDICOM_FILES, a_body, a_data_set, a_file, a_series
from tests.dicom.test_multipart import Memory

SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.1"
INSTANCE = f"{SERIES}/instances/1.2.3.1.1"
JPEG_FRAMES = [b"\xff\xd8one\xff\xd9\0", b"\xff\xd8two\xff\xd9\0"]


def parts_of(answer: Response) -> list[Part[Memory]]:
    match = re.fullmatch(r'multipart/related; type="[^"]+"; boundary=(\w+)', answer.headers["content-type"])
    assert match, answer.headers["content-type"]
    parts = list(read_parts([answer.content], match[1], Memory))
    assert not any(part.fault for part in parts)
    return parts


def contents(answer: Response) -> list[bytes]:
    return [part.content.content for part in parts_of(answer)]


def a_jpeg_file() -> bytes:
    ds = a_data_set(NumberOfFrames=2, BitsAllocated=8, PixelData=encapsulate(JPEG_FRAMES))
    ds["PixelData"].VR = "OB"
    return a_file(ds, transfer_syntax=JPEGBaseline8Bit)


@pytest.mark.parametrize("accept", ["", "*/*", 'multipart/related; type="application/dicom"; transfer-syntax=*'])
def test_a_study_comes_back_as_it_was_sent_in_instance_order(client: TestClient, accept: str) -> None:
    files = a_series(3)
    post(client, a_body(reversed(files)))
    for path in ("/dicom-web/studies/1.2.3", SERIES):
        answer = client.get(path, headers={"Accept": accept})
        assert contents(answer) == files
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_one_instance_can_come_alone(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    answer = client.get(INSTANCE, headers={"Accept": "application/dicom"})
    assert (answer.content, answer.headers["content-type"]) == (a_file(), "application/dicom")


def test_what_cannot_be_transcoded_is_406_and_names_the_stored_syntax(client: TestClient) -> None:
    post(client, a_body([a_jpeg_file()]))
    wanted = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
    answer = client.get(INSTANCE, headers={"Accept": wanted})
    assert answer.status_code == 406
    assert JPEGBaseline8Bit in answer.json()["Message"]


def test_native_frames(client: TestClient) -> None:
    pixels = np.arange(48, dtype="<u2")
    post(client, a_body([a_file(NumberOfFrames=3, PixelData=pixels.tobytes())]))
    answer = client.get(f"{INSTANCE}/frames/3,1")
    assert contents(answer) == [pixels[32:].tobytes(), pixels[:16].tobytes()]
    headers = parts_of(answer)[0].headers
    assert headers["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert headers["content-location"] == f"http://testserver{INSTANCE}/frames/3"
    single = client.get(f"{INSTANCE}/frames/2", headers={"Accept": "application/octet-stream"})
    assert single.content == pixels[16:32].tobytes()


def test_frames_of_a_big_endian_file_are_little_endian(client: TestClient) -> None:
    pixels = np.arange(16, dtype=np.uint16)
    ds = a_data_set(PixelData=pixels.astype(">u2").tobytes())
    post(client, a_body([a_file(ds, transfer_syntax=ExplicitVRBigEndian)]))
    assert contents(client.get(f"{INSTANCE}/frames/1")) == [pixels.astype("<u2").tobytes()]
    assert contents(client.get(f"{INSTANCE}/bulkdata/7FE00010")) == [pixels.astype("<u2").tobytes()]


@pytest.mark.parametrize(
    "accept",
    [
        "multipart/related; type=application/octet-stream; transfer-syntax=*",  # OHIF
        'multipart/related; type="*/*"',  # dicomweb-client
        'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50',
        'multipart/related; type="image/jls", multipart/related; type="image/jpeg"',
        "",
    ],
)
def test_encapsulated_frames_come_as_they_are_stored(client: TestClient, accept: str) -> None:
    post(client, a_body([a_jpeg_file()]))
    answer = client.get(f"{INSTANCE}/frames/1,2", headers={"Accept": accept})
    assert contents(answer) == JPEG_FRAMES
    assert parts_of(answer)[0].headers["content-type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"


def test_frames_that_cannot_be_decoded_are_406_and_name_the_stored_syntax(client: TestClient) -> None:
    post(client, a_body([a_jpeg_file()]))
    answer = client.get(
        f"{INSTANCE}/frames/1", headers={"Accept": 'multipart/related; type="application/octet-stream"'}
    )
    assert answer.status_code == 406
    assert JPEGBaseline8Bit in answer.json()["Message"]


@pytest.mark.parametrize(
    ("frames", "status"), [("0", 400), ("x", 400), ("1,,2", 400), ("-1", 400), ("2", 404), ("1,9", 404)]
)
def test_frames_that_are_not_there(client: TestClient, frames: str, status: int) -> None:
    post(client, a_body([a_file()]))
    answer = client.get(f"{INSTANCE}/frames/{frames}")
    assert (answer.status_code, bool(answer.json()["Message"])) == (status, True)


def test_every_bulk_data_uri_leads_to_its_bytes(client: TestClient) -> None:
    file = (PYDICOM_FILES / "test_files/CT_small.dcm").read_bytes()
    post(client, a_body([file]))
    study = client.get("/dicom-web/studies").json()[0]["0020000D"]["Value"][0]
    (document,) = client.get(f"/dicom-web/studies/{study}/metadata").json()
    uris = {tag: attribute["BulkDataURI"] for tag, attribute in document.items() if "BulkDataURI" in attribute}
    assert "7FE00010" in uris
    for uri in uris.values():
        answer = client.get(uri, headers={"Accept": "application/octet-stream"})
        assert answer.status_code == 200
        assert answer.content in file
        assert contents(client.get(uri)) == [answer.content]


def test_bulk_data_that_are_not_there(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    assert client.get(f"{INSTANCE}/bulkdata/00091001").status_code == 404


def test_metadata_at_three_levels(client: TestClient) -> None:
    post(client, a_body(a_series(3)))
    for path, count in (("/dicom-web/studies/1.2.3", 3), (SERIES, 3), (INSTANCE, 1)):
        answer = client.get(f"{path}/metadata", headers={"Accept": "application/dicom+json"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
        assert len(answer.json()) == count


def test_metadata_are_gzipped_for_those_who_take_it(client: TestClient) -> None:
    post(client, a_body(a_series(2)))
    zipped = client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "gzip"})
    plain = client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "identity"})
    assert (zipped.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert zipped.json() == plain.json()
    assert gzip.compress(plain.content)


@pytest.mark.parametrize("path", ["", "/series/1.2.3.1", "/series/1.2.3.1/instances/1.2.3.1.1"])
def test_what_was_deleted_is_gone(client: TestClient, path: str) -> None:
    post(client, a_body([a_file()]))
    url = f"/dicom-web/studies/1.2.3{path}"
    assert client.delete(url).status_code == 204
    assert (client.get(url).status_code, client.get(f"{url}/metadata").status_code) == (410, 410)
    assert client.delete(url).status_code == 410


def test_wado_uri(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    for more in ("", "&studyUID=1.2.3&seriesUID=1.2.3.1", "&studyUID=1.2.3"):
        answer = client.get(f"/wado?requestType=WADO&objectUID=1.2.3.1.1{more}&contentType=application%2Fdicom")
        assert (answer.content, answer.headers["content-type"]) == (a_file(), "application/dicom")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("requestType=WADO", 400),
        ("requestType=X&objectUID=1.2.3.1.1", 400),
        ("requestType=WADO&objectUID=abc", 400),
        ("requestType=WADO&objectUID=9.9", 404),
        ("requestType=WADO&objectUID=1.2.3.1.1&studyUID=9.9", 404),
        ("requestType=WADO&objectUID=1.2.3.1.1&contentType=image/bmp", 406),
    ],
)
def test_bad_wado_uri_requests(client: TestClient, query: str, status: int) -> None:
    post(client, a_body([a_file()]))
    assert client.get(f"/wado?{query}").status_code == status


@pytest.mark.parametrize("path", ["", "/frames/1", "/bulkdata/7FE00010"])
def test_who_has_it_already_is_told_so(client: TestClient, path: str) -> None:
    post(client, a_body([a_file()]))
    etag = client.get(f"{INSTANCE}{path}").headers["etag"]
    answer = client.get(f"{INSTANCE}{path}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_wado_uri_does_not_pretend_to_encode(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    answer = client.get("/wado?requestType=WADO&objectUID=1.2.3.1.1&transferSyntax=1.2.840.10008.1.2.4.50")
    assert (answer.status_code, "1.2.840.10008.1.2.1" in answer.json()["Message"]) == (406, True)


def test_a_series_in_several_syntaxes_names_them_all(client: TestClient) -> None:
    post(client, a_body([a_jpeg_file(), a_file(SOPInstanceUID="1.2.3.1.2")]))
    wanted = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90'
    message = client.get(SERIES, headers={"Accept": wanted}).json()["Message"]
    assert JPEGBaseline8Bit in message
    assert "1.2.840.10008.1.2.1" in message
