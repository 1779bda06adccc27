"""Orthanc searches, stores, retrieves and deletes at our host: what arrives are the same bytes."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pydicom
import pytest
from starlette.datastructures import URL
from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from dicomweb.dicom.orthanc_ids import orthanc_id
from dicomweb.dicom.uids import EXPLICIT_LITTLE, JPEG_LS
from tests.builders import MULTIPART, PYDICOM_FILES, a_body, a_file, a_series
from tests.conformance.conftest import serving_app
from tests.peers.conftest import Ours
from tests.peers.orthanc import Orthanc, an_orthanc

STUDY = "1.2.3"
FILES = [*a_series(3), *a_series(2, series="1.2.3.2", Modality="MR")]
COMPRESSED = [
    (PYDICOM_FILES / "test_files" / name).read_bytes()
    for name in ("JPEG2000.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm")
]
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def digests(files: Iterable[bytes]) -> list[str]:
    return sorted(hashlib.sha256(file).hexdigest() for file in files)


def study_of(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True).StudyInstanceUID)


def syntax_of(file: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True).file_meta.TransferSyntaxUID)


def store(ours: Ours, files: Iterable[bytes]) -> None:
    answer = httpx.post(f"{ours.url}/studies", content=a_body(files), headers={"Content-Type": MULTIPART}, timeout=60)
    assert answer.status_code == 200, answer.text


def retrieved(ours: Ours, study: str, transfer_syntax: str = "*") -> list[bytes]:
    """The files of a study, by default as they are stored."""
    rows = httpx.get(f"{ours.url}/studies/{study}/instances").json()
    accept = {"Accept": f"application/dicom; transfer-syntax={transfer_syntax}"}
    return [httpx.get(row["00081190"]["Value"][0], headers=accept).raise_for_status().content for row in rows]


def values(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """What Orthanc makes of an attribute in the rows of a search."""
    return [attribute.get("Value") for row in rows for attribute in row.values() if attribute["Name"] == name]


@pytest.mark.parametrize(
    ("uri", "arguments", "count"),
    [
        ("/studies", {}, 1),
        ("studies", {"PatientName": "doe*", "StudyDate": "20240101-20241231"}, 1),
        ("/studies", {"00100020": "P1", "ModalitiesInStudy": "MR"}, 1),
        ("/studies", {"PatientID": "P2"}, 0),
        ("/series", {"Modality": "CT"}, 1),
        ("/studies/1.2.3/series", {}, 2),
        ("/instances", {"limit": "2", "offset": "1"}, 2),
        ("/studies/1.2.3/series/1.2.3.1/instances", {"includefield": "Rows"}, 3),
        ("/studies/1.2.4/series", {}, 0),
    ],
)
def test_a_search_has_its_rows(ours: Ours, orthanc: Orthanc, uri: str, arguments: dict[str, str], count: int) -> None:
    store(ours, FILES)
    answer = orthanc.ask("ours", "qido", Uri=uri, Arguments=arguments)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()) == count


def test_a_search_has_its_attributes(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, [a_file(PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100", AccessionNumber="")])
    arguments = {"PatientName": "müller^j*", "includefield": "StudyDescription"}
    rows = orthanc.ask("ours", "qido", Uri="/studies", Arguments=arguments).json()
    assert values(rows, "PatientName") == ["Müller^Jörg"]
    assert values(rows, "StudyInstanceUID") == [STUDY]
    assert values(rows, "NumberOfStudyRelatedInstances") in ([1], [None])  # 1.7 leaves numbers out
    assert values(rows, "AccessionNumber") == [None]


@pytest.mark.parametrize("level", ["", "/series/1.2.3.1", "/series/1.2.3.1/instances/1.2.3.1.2"])
@pytest.mark.parametrize("headers", [{}, {"Accept": "application/dicom+json"}, {"Accept": "application/json"}])
def test_get_of_metadata_in_json(ours: Ours, orthanc: Orthanc, level: str, headers: dict[str, str]) -> None:
    store(ours, FILES)
    path = f"/studies/{STUDY}{level}/metadata"
    answer = orthanc.ask("ours", "get", Uri=path, HttpHeaders=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == httpx.get(ours.url + path, headers=headers).headers["content-type"]
    assert answer.json() == httpx.get(ours.url + path).json()


def test_get_of_metadata_in_xml(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, FILES)
    headers = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    answer = orthanc.ask("ours", "get", Uri=f"/studies/{STUDY}/metadata", HttpHeaders=headers)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
    boundary = answer.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = [part.partition(b"\r\n\r\n")[2] for part in answer.content.split(b"--" + boundary)[1:-1]]
    uids = [
        ET.fromstring(part).findtext("{*}DicomAttribute[@keyword='SOPInstanceUID']/{*}Value")  # noqa: S314
        for part in parts
    ]
    assert uids == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3", "1.2.3.2.1", "1.2.3.2.2"]


def test_get_with_arguments(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, FILES)
    answer = orthanc.ask("ours", "get", Uri=f"studies/{STUDY}/metadata", Arguments={"includefield": "Rows"})
    assert all("00280010" in each and "00280011" not in each for each in answer.json())


def test_get_of_a_picture(ours: Ours, orthanc: Orthanc) -> None:
    # As its web page shows the first image of a series.
    store(ours, FILES)
    path = f"/studies/{STUDY}/series/1.2.3.1/instances/1.2.3.1.1/rendered"
    answer = orthanc.ask("ours", "get", Uri=path)
    assert (answer.headers["content-type"], answer.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert answer.content == httpx.get(ours.url + path).content


def test_get_of_what_is_not_there_is_404(orthanc: Orthanc) -> None:
    answer = orthanc.ask("ours", "get", Uri="/studies/1.2.4/metadata")
    assert answer.status_code == 404


@pytest.mark.parametrize("server", ["ours", "sized"])
@pytest.mark.parametrize("synchronous", [True, False])
def test_a_study_is_stored(ours: Ours, orthanc: Orthanc, server: str, synchronous: bool) -> None:
    for file in FILES:
        orthanc.store(file)
    study = orthanc_id("P1", STUDY)
    answer = orthanc.ask(server, "stow", Resources=[study], Synchronous=synchronous)
    assert answer.status_code == 200, answer.text
    sent = answer.json() if synchronous else orthanc.job(answer)["Content"]
    assert sent["InstancesCount"] == "5"
    assert digests(retrieved(ours, STUDY)) == digests(FILES)
    headers = ours.last("POST").headers
    assert headers["accept"] == "application/dicom+json"
    assert ("content-length" in headers) == (server == "sized")
    assert (headers.get("transfer-encoding") == "chunked") == (server == "ours")


@pytest.mark.parametrize("server", ["ours", "sized"])
def test_compressed_instances_of_several_studies_are_stored_in_one_request(
    ours: Ours, orthanc: Orthanc, server: str
) -> None:
    answer = orthanc.ask(server, "stow", Resources=[orthanc.store(file) for file in COMPRESSED])
    assert answer.status_code == 200, answer.text
    assert len([request for request in ours.requests if request.method == "POST"]) == 1
    stored = [file for content in COMPRESSED for file in retrieved(ours, study_of(content))]
    assert digests(stored) == digests(COMPRESSED)


def test_an_instance_that_is_named_four_times_is_stored_once(ours: Ours, orthanc: Orthanc) -> None:
    # Orthanc sends it as often, and wants as many items in the answer.
    instance = orthanc.store(a_file())
    levels = [orthanc_id("P1"), orthanc_id("P1", STUDY), orthanc_id("P1", STUDY, "1.2.3.1"), instance]
    answer = orthanc.ask("ours", "stow", Resources=levels)
    assert (answer.status_code, answer.json()["InstancesCount"]) == (200, "4"), answer.text
    assert digests(retrieved(ours, STUDY)) == digests([a_file()])


def test_what_is_stored_already_is_a_success(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, FILES)
    answer = orthanc.ask("ours", "stow", Resources=[orthanc.store(file) for file in FILES])
    assert answer.status_code == 200, answer.text
    assert digests(retrieved(ours, STUDY)) == digests(FILES)


def test_a_conflict_is_a_failure_to_orthanc_and_the_others_are_stored(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, FILES[:1])
    other = a_file(SOPInstanceUID="1.2.3.1.1", PatientName="Roe^Richard")
    for file in (other, *FILES[1:]):
        orthanc.store(file)
    answer = orthanc.ask("ours", "stow", Resources=[orthanc_id("P1", STUDY)], Synchronous=False)
    assert orthanc.job(answer)["State"] == "Failure"
    assert digests(retrieved(ours, STUDY)) == digests(FILES)


@pytest.mark.parametrize("server", ["any-syntax", "no-syntax"])
@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{"Study": STUDY}], FILES),
        ([{"Study": STUDY, "Series": "1.2.3.2"}], FILES[3:]),
        ([{"Study": STUDY, "Series": "1.2.3.1", "Instance": "1.2.3.1.2"}], FILES[1:2]),
        (
            [
                {"Study": STUDY, "Series": "1.2.3.2"},
                {"Study": STUDY, "Series": "1.2.3.1", "Instance": "1.2.3.1.1"},
            ],
            [FILES[0], *FILES[3:]],
        ),
    ],
)
def test_what_is_retrieved_are_the_same_bytes(
    ours: Ours, orthanc: Orthanc, server: str, resources: list[dict[str, str]], expected: list[bytes]
) -> None:
    store(ours, FILES)
    answer = orthanc.ask(server, "retrieve", Resources=resources)
    assert answer.status_code == 200, answer.text
    assert int(answer.json()["ReceivedInstancesCount"]) == len(expected)
    assert digests(orthanc.files().values()) == digests(expected)
    assert ours.last("GET").headers["accept"] == (AS_STORED if server == "any-syntax" else "*/*")


@pytest.mark.parametrize("content", COMPRESSED, ids=study_of)
def test_compressed_files_are_retrieved_as_stored(ours: Ours, orthanc: Orthanc, content: bytes) -> None:
    store(ours, [content])
    answer = orthanc.ask("any-syntax", "retrieve", Resources=[{"Study": study_of(content)}], Synchronous=False)
    job = orthanc.job(answer)
    assert (job["State"], job["Content"]["ReceivedInstancesCount"]) == ("Success", "1")
    assert digests(orthanc.files().values()) == digests([content])


@pytest.mark.parametrize("content", COMPRESSED, ids=study_of)
def test_compressed_files_are_decoded_for_who_names_no_syntax(ours: Ours, orthanc: Orthanc, content: bytes) -> None:
    store(ours, [content])
    answer = orthanc.ask("no-syntax", "retrieve", Resources=[{"Study": study_of(content)}])
    assert answer.status_code == 200, answer.text
    received = orthanc.files().values()
    assert [syntax_of(file) for file in received] == [EXPLICIT_LITTLE]
    assert digests(received) == digests(retrieved(ours, study_of(content), EXPLICIT_LITTLE))


def test_a_transfer_syntax_can_be_asked_for(ours: Ours, orthanc: Orthanc) -> None:
    store(ours, [a_file(Rows=16, Columns=16, PixelData=bytes(512))])
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'
    answer = orthanc.ask("ours", "retrieve", Resources=[{"Study": STUDY}], HttpHeaders={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert [syntax_of(file) for file in orthanc.files().values()] == [JPEG_LS]


def test_a_redirect_to_what_is_large_is_followed(ours: Ours, tmp_path: Path) -> None:
    # As Lambda answers what is over its limit; the password stays with who asked for it.
    async def redirects(scope: Scope, receive: Receive, send: Send) -> None:
        await RedirectResponse(f"{URL(ours.url).replace(path=scope['path'])}", 307)(scope, receive, send)

    store(ours, FILES)
    with serving_app(redirects) as url:
        server = {"Url": url, "Username": "alice", "Password": "secret"}
        with an_orthanc(tmp_path, {"redirects": server}) as orthanc:
            answer = orthanc.ask("redirects", "retrieve", Resources=[{"Study": STUDY}])
            assert answer.status_code == 200, answer.text
            assert digests(orthanc.files().values()) == digests(FILES)
    assert "authorization" not in ours.last("GET").headers


@pytest.mark.parametrize("missing", ["never stored", "deleted"])
def test_a_retrieve_of_what_is_not_there_is_a_failure_to_orthanc(ours: Ours, orthanc: Orthanc, missing: str) -> None:
    if missing == "deleted":
        store(ours, FILES)
        httpx.delete(f"{ours.url}/studies/{STUDY}").raise_for_status()
    answer = orthanc.ask("ours", "retrieve", Resources=[{"Study": STUDY}])
    assert answer.status_code == 500
    assert orthanc.instances() == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", FILES),
        ("/series/1.2.3.2", FILES[3:]),
        ("/series/1.2.3.1/instances/1.2.3.1.2", FILES[1:2]),
    ],
)
def test_wado_is_a_retrieve_as_a_job(ours: Ours, orthanc: Orthanc, path: str, expected: list[bytes]) -> None:
    # Without `Synchronous` it is a job, other than the rest.
    store(ours, FILES)
    job = orthanc.job(orthanc.ask("ours", "wado", Uri=f"/studies/{STUDY}{path}"))
    assert (job["State"], int(job["Content"]["ReceivedInstancesCount"])) == ("Success", len(expected))
    assert digests(orthanc.files().values()) == digests(expected)


@pytest.mark.parametrize(
    ("resource", "left"),
    [
        ({"Level": "Study", "StudyInstanceUID": STUDY}, []),
        ({"Level": "Series", "StudyInstanceUID": STUDY, "SeriesInstanceUID": "1.2.3.1"}, FILES[3:]),
        (
            {
                "Level": "Instance",
                "StudyInstanceUID": STUDY,
                "SeriesInstanceUID": "1.2.3.1",
                "SOPInstanceUID": "1.2.3.1.1",
            },
            FILES[1:],
        ),
    ],
)
def test_delete_of_each_level(ours: Ours, orthanc: Orthanc, resource: dict[str, str], left: list[bytes]) -> None:
    store(ours, FILES)
    answer = orthanc.ask("ours", "delete", **resource)
    assert (answer.status_code, answer.json()) == (200, {}), answer.text
    assert digests(retrieved(ours, STUDY)) == digests(left)


def test_a_patient_goes_there_and_back(ours: Ours, orthanc: Orthanc) -> None:
    """A patient goes to our host, is forgotten by Orthanc, found by a search, and fetched again."""
    for file in FILES:
        orthanc.store(file)
    assert orthanc.ask("ours", "stow", Resources=[orthanc_id("P1")]).status_code == 200
    orthanc.delete_all()
    rows = orthanc.ask("ours", "qido", Uri="/studies", Arguments={"PatientID": "P1"}).json()
    found = [{"Study": uid} for uid in values(rows, "StudyInstanceUID")]
    assert orthanc.ask("ours", "retrieve", Resources=found).status_code == 200
    assert digests(orthanc.files().values()) == digests(FILES)
