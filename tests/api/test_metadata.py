import base64
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive, connect
from dicomweb.archive.storage import Storage
from dicomweb.errors import InvalidSettings
from dicomweb.settings import Settings
from tests.builders import a_body, a_data_set, a_file, a_series
from tests.transactions.test_store import store

STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/1.2.3.1"
INSTANCE = f"{SERIES}/instances/1.2.3.1.1"
XML = 'multipart/related; type="application/dicom+xml"'
LEVELS = pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE])


def a_client(archive: Archive, **section: Any) -> TestClient:
    """A server with other settings over the same archive."""
    settings = Settings.model_validate({"Bucket": "archive", "Table": "index", "DicomWeb": section})
    return TestClient(make_app(connect(settings)), raise_server_exceptions=False)


def parts_of(answer: Any) -> list[bytes]:
    boundary = answer.headers["content-type"].rpartition("boundary=")[2]
    return [part.partition(b"\r\n\r\n")[2][:-2] for part in answer.content.split(f"--{boundary}".encode())[1:-1]]


@pytest.fixture
def no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading an object is a fault."""

    def fail(*_: object) -> None:
        raise AssertionError("an object was read")

    for name in ("read", "read_range", "open"):
        monkeypatch.setattr(Storage, name, fail)


@LEVELS
def test_metadata_in_xml_have_a_part_for_each_instance(archive: Archive, client: TestClient, path: str) -> None:
    store(archive, *a_series(3))
    answer = client.get(f"{path}/metadata", headers={"Accept": XML})
    roots = [ET.fromstring(part) for part in parts_of(answer)]  # noqa: S314 — our own
    assert answer.headers["content-type"].startswith(XML)
    assert [root.find("*[@tag='00080018']/*").text for root in roots] == [  # type: ignore[union-attr]
        f"1.2.3.1.{number}" for number in (range(1, 2) if path == INSTANCE else range(1, 4))
    ]


def test_one_instance_is_one_xml_document_for_who_asks_for_it(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(1))
    answer = client.get(f"{INSTANCE}/metadata", headers={"Accept": "application/dicom+xml"})
    assert answer.headers["content-type"] == "application/dicom+xml"
    assert ET.fromstring(answer.content).tag.endswith("NativeDicomModel")  # noqa: S314
    assert client.get(f"{SERIES}/metadata", headers={"Accept": "application/dicom+xml"}).status_code == 406


@LEVELS
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_includefield_reduces_metadata(archive: Archive, client: TestClient, path: str, coding: str) -> None:
    store(archive, *a_series(2))
    answer = client.get(f"{path}/metadata?includefield=PatientID,00280010", headers={"Accept-Encoding": coding})
    assert list(answer.json()[0]) == ["00080016", "00080018", "00100020", "0020000D", "0020000E", "00280010"]
    assert answer.headers.get("content-encoding", "identity") == coding


@LEVELS
def test_unknown_fields_are_refused_by_name(archive: Archive, client: TestClient, path: str) -> None:
    store(archive, *a_series(1))
    answer = client.get(f"{path}/metadata?includefield=PatientNmae")
    assert answer.status_code == 400
    assert "PatientNmae" in answer.json()["Message"]


@LEVELS
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_who_has_it_already_gets_304_without_an_object_being_read(
    archive: Archive, client: TestClient, path: str, coding: str, request: pytest.FixtureRequest
) -> None:
    store(archive, *a_series(2))
    first = client.get(f"{path}/metadata", headers={"Accept-Encoding": coding})
    request.getfixturevalue("no_objects")
    headers = {"Accept-Encoding": coding, "If-None-Match": first.headers["etag"]}
    answer = client.get(f"{path}/metadata", headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.headers["last-modified"].endswith("GMT")


def test_another_representation_has_another_etag(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(2))
    asked = [
        ({}, ""),
        ({"Accept-Encoding": "identity"}, ""),
        ({"Accept": XML}, ""),
        ({"Accept": "application/json"}, ""),
        ({"X-Forwarded-Host": "elsewhere"}, ""),
        ({}, "?includefield=PatientID"),
    ]
    etags = {client.get(f"{SERIES}/metadata{query}", headers=headers).headers["etag"] for headers, query in asked}
    etags.add(client.get(f"{STUDY}/metadata").headers["etag"])
    assert len(etags) >= 6
    assert sum(etag.endswith('-gzip"') for etag in etags) >= 2


def test_the_etag_changes_with_the_series(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(2))
    before = client.get(f"{STUDY}/metadata").headers["etag"]
    store(archive, *a_series(3)[2:])
    answer = client.get(f"{STUDY}/metadata", headers={"If-None-Match": before})
    assert (answer.status_code, len(answer.json())) == (200, 3)


def test_gzip_refused_by_name_is_not_sent_to_who_takes_anything_else(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(1))
    answer = client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "gzip;q=0, *"})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_study_of_several_series_is_one_array(archive: Archive, client: TestClient, coding: str) -> None:
    store(archive, *a_series(2, series="1.2.3.2", SeriesNumber=1), *a_series(2, series="1.2.3.1", SeriesNumber=2))
    for _ in range(2):  # made, and as stored
        answer = client.get(f"{STUDY}/metadata", headers={"Accept-Encoding": coding})
        assert [each["00080018"]["Value"][0] for each in answer.json()] == [
            "1.2.3.2.1", "1.2.3.2.2", "1.2.3.1.1", "1.2.3.1.2"
        ]  # fmt: skip
    elsewhere = {"Accept-Encoding": coding, "X-Forwarded-Host": "elsewhere"}
    uris = [each["7FE00010"]["BulkDataURI"] for each in client.get(f"{STUDY}/metadata", headers=elsewhere).json()]
    assert all(uri.startswith("http://elsewhere/dicom-web/studies/") for uri in uris)


@pytest.mark.parametrize("path", [STUDY, SERIES])
def test_main_dicom_tags_are_those_of_the_rows(archive: Archive, path: str, no_objects: None) -> None:
    store(archive, *a_series(2, SeriesDescription="Axial", StudyDescription="Knee"))
    client = a_client(archive, StudiesMetadata="MainDicomTags", SeriesMetadata="MainDicomTags")
    documents = client.get(f"{path}/metadata").json()
    assert [each["00200013"]["Value"] for each in documents] == [[1], [2]]
    for tag, value in (("00081030", "Knee"), ("0008103E", "Axial"), ("00100020", "P1")):
        assert [each[tag]["Value"] for each in documents] == [[value]] * 2
    assert "7FE00010" not in documents[0]


def test_an_instance_has_all_its_metadata_in_every_mode(archive: Archive) -> None:
    store(archive, *a_series(1))
    client = a_client(archive, StudiesMetadata="MainDicomTags", SeriesMetadata="MainDicomTags")
    assert "7FE00010" in client.get(f"{INSTANCE}/metadata").json()[0]


def test_extra_main_dicom_tags_are_among_them(archive: Archive) -> None:
    extra = {"Instance": ["SliceThickness"]}
    settings = {"Bucket": "archive", "Table": "index", "ExtraMainDicomTags": extra}
    own = connect(Settings.model_validate({**settings, "DicomWeb": {"SeriesMetadata": "MainDicomTags"}}))
    store(own, *a_series(1, SliceThickness="2.50"))
    (document,) = TestClient(make_app(own)).get(f"{SERIES}/metadata").json()
    assert document["00180050"]["Value"] == ["2.50"]


def test_extrapolated_tags_are_what_most_of_the_first_three_have(archive: Archive) -> None:
    thickness = ["1", "2", "1", "9", "9", "9"]
    kvp = ["80", "100", "120", "80", "80", "80"]
    files = [
        a_file(SOPInstanceUID=f"1.2.3.1.{number}", InstanceNumber=number, SliceThickness=thick, KVP=volts)
        for number, (thick, volts) in enumerate(zip(thickness, kvp, strict=True), 1)
    ]
    store(archive, *reversed(files))
    client = a_client(
        archive, SeriesMetadata="Extrapolate", SeriesMetadataExtrapolatedTags=["SliceThickness", "KVP", "PatientID"]
    )
    documents = client.get(f"{SERIES}/metadata").json()
    assert [each["00180050"]["Value"] for each in documents] == [["1"]] * 6
    assert not any("00180060" in each for each in documents)  # no value has a majority
    assert documents[0]["00100020"]["Value"] == ["P1"]


def test_a_studys_extrapolated_tags_come_from_its_first_instances(archive: Archive) -> None:
    store(archive, *a_series(2, series="1.2.3.1", SeriesNumber=1, KVP="80", Laterality="L"))
    store(archive, *a_series(2, series="1.2.3.2", SeriesNumber=2, KVP="120", Laterality="R"))
    client = a_client(
        archive,
        StudiesMetadata="Extrapolate",
        StudiesMetadataExtrapolatedTags=["KVP"],
        SeriesMetadataExtrapolatedTags=["SliceThickness", "AcquisitionNumber"],
    )
    documents = client.get(f"{STUDY}/metadata").json()
    assert [each["00180060"]["Value"] for each in documents] == [["80"]] * 4


@pytest.mark.parametrize("option", ["StudiesMetadataExtrapolatedTags", "SeriesMetadataExtrapolatedTags"])
@pytest.mark.parametrize("name", ["SliceThikness", "00091001", "PixelData", "RequestAttributesSequence.Modality"])
def test_what_cannot_be_extrapolated_stops_the_start(archive: Archive, option: str, name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{option}: '{name}'"):
        a_client(archive, **{option: [name]})


def test_binary_values_are_inside_when_the_setting_says_so(archive: Archive) -> None:
    store(archive, *(a_file(a_binary(syntax), transfer_syntax=syntax) for syntax in SYNTAXES))
    client = a_client(archive, OtherBinaryMode="InlineBinary")
    documents = client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "identity"}).json()
    assert len(documents) == len(SYNTAXES)
    for document in documents:
        item = document["00081140"]["Value"][0]
        assert base64.b64decode(document["00091001"]["InlineBinary"]) == b"\1\0\2\0"  # OW, little endian
        assert base64.b64decode(item["00091002"]["InlineBinary"]) == b"abcd"
        assert "BulkDataURI" not in document["00091001"]
        assert document["00091003"]["BulkDataURI"]  # over a megabyte
        assert document["7FE00010"]["BulkDataURI"]
    parts = parts_of(client.get(f"{SERIES}/metadata", headers={"Accept": XML}))
    assert all(b"<InlineBinary>AQACAA==</InlineBinary>" in part for part in parts)
    (document,) = client.get(f"{SERIES}/instances/{SYNTAXES[ExplicitVRBigEndian]}/metadata").json()
    assert document["00091001"]["InlineBinary"] == "AQACAA=="


SYNTAXES = {
    ExplicitVRLittleEndian: "1.2.3.1.1",
    ExplicitVRBigEndian: "1.2.3.1.2",
    DeflatedExplicitVRLittleEndian: "1.2.3.1.3",
}


def a_binary(syntax: Any) -> Dataset:
    ds = a_data_set(SOPInstanceUID=SYNTAXES[syntax])
    # pydicom writes OW as it is given.
    ds.add_new(0x00091001, "OW", b"\0\1\0\2" if syntax == ExplicitVRBigEndian else b"\1\0\2\0")
    ds.ReferencedImageSequence = Sequence([Dataset()])
    ds.ReferencedImageSequence[0].add_new(0x00091002, "OB", b"abcd")
    ds.add_new(0x00091003, "OB", bytes(1024 * 1024 + 2))
    return ds


def test_what_is_stored_by_http_can_be_had_in_xml_and_json_alike(client: TestClient) -> None:
    client.post(
        STUDY,
        content=a_body(a_series(1)),
        headers={"Content-Type": "multipart/related; type=application/dicom; boundary=a-boundary"},
    )
    (document,) = json.loads(client.get(f"{STUDY}/metadata", headers={"Accept": "application/json"}).text)
    (part,) = parts_of(client.get(f"{STUDY}/metadata", headers={"Accept": XML}))
    assert len(ET.fromstring(part)) == len(document)  # noqa: S314
