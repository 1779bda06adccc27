"""Metadata and bulk data that come apart (PS3.18 §10.5.2) become the files they describe."""

import gzip
import io
import json
from typing import Any

import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydicom.dataset import Dataset

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.uids import NATIVE
from dicomweb.dicom.xml_model import to_xml
from dicomweb.dicom.xml_reader import read_xml
from dicomweb.errors import InvalidDicom
from dicomweb.pixels.encode import encode_frame
from dicomweb.pixels.image import ImagePixel
from tests.api.test_store import STORED, comments, post
from tests.builders import BOUNDARY, a_body, a_data_set, a_file, pydicom_files
from tests.conformance.test_dicomweb_client import REFUSED

JSON, XML = "application/dicom+json", "application/dicom+xml"
INSTANCE = "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
AS_STORED = {"Accept": "application/dicom; transfer-syntax=*"}

Bulk = tuple[str, str, bytes]  # Content-Location, Content-Type, content


def body_of(root: str, metadata: list[bytes], *bulk: Bulk) -> tuple[bytes, str]:
    parts = [(f"Content-Type: {root}", content) for content in metadata]
    parts += [(f"Content-Type: {kind}\r\nContent-Location: {location}", content) for location, kind, content in bulk]
    body = b"".join(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n" for head, content in parts)
    return body + f"--{BOUNDARY}--\r\n".encode(), f'multipart/related; type="{root}"; boundary={BOUNDARY}'


def document_of(**attributes: Any) -> DataSet:
    """The metadata of a small image, whose pixel data are at `pixels`."""
    ds = a_data_set(**attributes)
    document: DataSet = json.loads(ds.to_json(bulk_data_threshold=10**9))
    if "7FE00010" in document:
        document["7FE00010"] = {"vr": "OW", "BulkDataURI": "pixels"}
    return document


def store(client: TestClient, document: DataSet, *bulk: Bulk) -> Any:
    return post(client, *body_of(JSON, [json.dumps([document]).encode()], *bulk))


def stored_file(client: TestClient) -> Dataset:
    return pydicom.dcmread(io.BytesIO(client.get(INSTANCE, headers=AS_STORED).content))


PIXELS = np.arange(16, dtype="<u2").tobytes()
OCTETS = "application/octet-stream"


def test_json_and_its_pixels_are_a_file(client: TestClient) -> None:
    answer = store(client, document_of(PatientName="Größe^Ü"), ("pixels", OCTETS, PIXELS))
    assert (answer.status_code, len(answer.json()[STORED]["Value"])) == (200, 1)
    ds = stored_file(client)
    assert (ds.PixelData, str(ds.PatientName), ds.SpecificCharacterSet) == (PIXELS, "Größe^Ü", "ISO_IR 192")
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert ds["PixelData"].VR == "OW"


def test_xml_and_its_pixels_are_a_file(client: TestClient) -> None:
    metadata = to_xml(document_of(PatientName="Yamada^Tarou=山田^太郎"))
    assert post(client, *body_of(XML, [metadata], ("pixels", OCTETS, PIXELS))).status_code == 200
    ds = stored_file(client)
    assert (ds.PixelData, str(ds.PatientName)) == (PIXELS, "Yamada^Tarou=山田^太郎")


def test_several_instances_in_one_request(client: TestClient) -> None:
    documents = [document_of(SOPInstanceUID=f"1.2.3.1.{number}") for number in (1, 2)]
    for number, document in enumerate(documents):
        document["7FE00010"]["BulkDataURI"] = f"http://testserver/dicom-web/bulk/{number}"
    bulk = [(f"bulk/{number}", OCTETS, bytes([number]) * 32) for number in (0, 1)]  # relative to the service
    assert post(client, *body_of(JSON, [json.dumps(documents).encode()], *bulk)).status_code == 200
    assert stored_file(client).PixelData == bytes(32)
    apart = [to_xml(document_of(SOPInstanceUID=f"1.2.3.1.{number}")) for number in (3, 4)]
    assert post(client, *body_of(XML, apart, ("pixels", OCTETS, PIXELS))).status_code == 200
    assert len(client.get("/dicom-web/instances").json()) == 4


def picture(mode: str, **options: Any) -> bytes:
    file = io.BytesIO()
    gradient = np.arange(64, dtype="u1").reshape(8, 8) * 3
    values = gradient if mode == "L" else np.stack([gradient, gradient.T, 255 - gradient], -1)
    Image.fromarray(values).save(file, **options)
    return file.getvalue()


GREY_16 = ImagePixel(32, 32, 1, 16, 12, 11, 0, "MONOCHROME2", 0, 1, "1.2.840.10008.1.2.1")


def encoded(syntax: str) -> bytes:
    return encode_frame(np.arange(1024, dtype="<u2").reshape(32, 32), GREY_16, syntax)[0]


@pytest.mark.parametrize(
    ("media_type", "frame", "syntax", "expected"),
    [
        ("image/jpeg", picture("L", format="JPEG"), "1.2.840.10008.1.2.4.50", (8, 8, 1, 8, "MONOCHROME2")),
        ("image/jpeg", picture("RGB", format="JPEG"), "1.2.840.10008.1.2.4.50", (8, 8, 3, 8, "YBR_FULL_422")),
        (
            "image/jpeg", picture("RGB", format="JPEG", subsampling=0), "1.2.840.10008.1.2.4.50", (8, 8, 3, 8, "YBR_FULL"),
        ),
        ("image/jp2", picture("L", format="JPEG2000"), "1.2.840.10008.1.2.4.90", (8, 8, 1, 8, "MONOCHROME2")),
        (
            "image/jp2", picture("RGB", format="JPEG2000", irreversible=True, mct=1, quality_layers=[5]),
            "1.2.840.10008.1.2.4.91", (8, 8, 3, 8, "YBR_ICT"),
        ),
        ("image/jp2", encoded("1.2.840.10008.1.2.4.90"), "1.2.840.10008.1.2.4.90", (32, 32, 1, 12, "MONOCHROME2")),
        ("image/jls", encoded("1.2.840.10008.1.2.4.80"), "1.2.840.10008.1.2.4.80", (32, 32, 1, 12, "MONOCHROME2")),
    ],
)  # fmt: skip
def test_compressed_pixels_say_what_they_are(
    client: TestClient, media_type: str, frame: bytes, syntax: str, expected: tuple[Any, ...]
) -> None:
    document = {tag: value for tag, value in document_of().items() if not tag.startswith("0028")}
    answer = store(client, document, ("pixels", media_type, frame))
    assert answer.status_code == 200, comments(answer)
    ds = stored_file(client)
    found = (ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsStored, ds.PhotometricInterpretation)
    assert (ds.file_meta.TransferSyntaxUID, found) == (syntax, expected)
    assert client.get(f"{INSTANCE}/rendered").status_code == 200
    assert client.get(f"{INSTANCE}/frames/1", headers={"Accept": f"{media_type}; transfer-syntax=*"}).status_code == 200


def test_frames_with_one_location_are_one_image(client: TestClient) -> None:
    frames = [("pixels", "image/jpeg", picture("L", format="JPEG", quality=quality)) for quality in (10, 90, 50)]
    document = {tag: value for tag, value in document_of().items() if not tag.startswith("0028")}
    assert store(client, document, *frames).status_code == 200
    assert stored_file(client).NumberOfFrames == 3
    second = client.get(f"{INSTANCE}/frames/2", headers={"Accept": "image/jpeg; transfer-syntax=*"}).content
    assert second.rstrip(b"\0") == frames[1][2]


def test_what_the_metadata_say_of_pixels_is_not_changed(client: TestClient) -> None:
    document = document_of(Rows=8, Columns=8, BitsAllocated=8, BitsStored=8, HighBit=7, LossyImageCompression="00")
    assert store(client, document, ("pixels", "image/jpeg", picture("L", format="JPEG"))).status_code == 200
    assert (stored_file(client).LossyImageCompression, stored_file(client).Rows) == ("00", 8)


@pytest.mark.parametrize("media_type", ["application/pdf", "text/xml", "model/stl"])
def test_documents_are_encapsulated(client: TestClient, media_type: str) -> None:
    document = document_of(PixelData=None)
    document["00420011"] = {"vr": "OB", "BulkDataURI": "document"}
    assert store(client, document, ("document", media_type, b"%PDF odd")).status_code == 200
    ds = stored_file(client)
    assert (ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocumentLength) == (media_type, 8)
    assert client.get(f"{INSTANCE}/rendered").content == b"%PDF odd"


def test_other_bulk_data_and_inline_values(client: TestClient) -> None:
    document = document_of(PixelData=None)
    document["00091001"] = {"vr": "OB", "BulkDataURI": "private"}
    document["00090010"] = {"vr": "LO", "Value": ["ACME"]}
    document["00081140"] = {"vr": "SQ", "Value": [{"00420011": {"vr": "OB", "BulkDataURI": "private"}}, {}]}
    document["00660016"] = {"vr": "OF", "InlineBinary": "AACAPw=="}
    assert store(client, document, ("private", OCTETS, b"1234")).status_code == 200
    ds = stored_file(client)
    assert (ds[0x0009, 0x1001].value, ds[0x0008, 0x1140].value[0].EncapsulatedDocument) == (b"1234", b"1234")
    assert ds[0x0066, 0x0016].value == b"\0\0\x80?"


def test_metadata_alone_are_an_instance(client: TestClient) -> None:
    content = json.dumps(document_of(PixelData=None)).encode()
    assert post(client, content, JSON).status_code == 200
    assert stored_file(client).PatientID == "P1"


@pytest.mark.parametrize(
    ("document", "bulk", "says"),
    [
        (document_of(), [], "no part has the Content-Location 'pixels'"),
        (document_of(), [("other", OCTETS, PIXELS)], "no part has the Content-Location 'pixels'"),
        (document_of(PixelData=None), [("pixels", OCTETS, PIXELS)], "no metadata refer to the bulk data"),
        (document_of(), [("pixels", "image/png", b"\x89PNG")], "image/png, which is not taken; expected application/oct"),
        (document_of(), [("pixels", "image/gif", b"GIF89a")], "image/gif, which is not taken; expected application/oct"),
        (document_of(), [("pixels", "image/jpeg", b"no JPEG")], "no JPEG codestream"),
        (document_of(), [("pixels", "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.90", b"")], "not one of image/jpeg"),
        (document_of(), [("pixels", OCTETS, PIXELS)] * 2, "2 parts have the Content-Location of native pixel data"),
        (document_of(SOPInstanceUID=""), [("pixels", OCTETS, PIXELS)], "SOP Instance UID"),
        (document_of() | {"00200013": {"vr": "US", "Value": ["not a number"]}}, [("pixels", OCTETS, PIXELS)], "metadata"),
        (document_of() | {"00280010": {"vr": "US", "Value": [99999]}}, [("pixels", OCTETS, PIXELS)], "metadata"),
        (document_of() | {"00091001": {"vr": "OB", "InlineBinary": "*"}}, [("pixels", OCTETS, PIXELS)], "metadata"),
        (document_of() | {"00000100": {"vr": "US", "Value": [1]}}, [("pixels", OCTETS, PIXELS)], "(0000,0100)"),
        (document_of() | {"FFFEE000": {"vr": "LO", "Value": ["x"]}}, [("pixels", OCTETS, PIXELS)], "(FFFE,E000)"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_said(client: TestClient, document: DataSet, bulk: list[Bulk], says: str) -> None:
    answer = store(client, document, *bulk)
    assert answer.status_code in (202, 409)
    assert says in comments(answer)


def test_one_that_fails_is_named_and_the_others_are_stored(client: TestClient) -> None:
    bad = document_of(SOPInstanceUID="1.2.3.1.2")
    bad["7FE00010"]["BulkDataURI"] = "nowhere"
    answer = post(client, *body_of(JSON, [json.dumps([bad, document_of()]).encode()], ("pixels", OCTETS, PIXELS)))
    assert answer.status_code == 202
    assert answer.json()["00081198"]["Value"][0]["00081155"]["Value"] == ["1.2.3.1.2"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no XML", b"<NativeDicomModel>", b"<other/>",
        b"<NativeDicomModel><x/></NativeDicomModel>",
        b'<NativeDicomModel><DicomAttribute tag="X" vr="LO"/></NativeDicomModel>',
        b'<NativeDicomModel><DicomAttribute tag="00100010" vr="LO"><Value number="99999999999">x</Value></DicomAttribute></NativeDicomModel>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>'.encode("utf-16"),
        b"<NativeDicomModel>" + b'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 200
        + b"</Item></DicomAttribute>" * 200 + b"</NativeDicomModel>",
    ],
)  # fmt: skip
def test_xml_that_is_no_data_set_is_refused(client: TestClient, content: bytes) -> None:
    with pytest.raises(InvalidDicom):
        read_xml(content)
    assert post(client, *body_of(XML, [content])).status_code == 409


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b'{"00100010": 1}', b"\xff\xfe"])
def test_json_that_is_no_data_set_is_refused(client: TestClient, content: bytes) -> None:
    assert post(client, *body_of(JSON, [content])).status_code == 409


def test_the_answer_is_in_xml_to_who_asks(client: TestClient) -> None:
    answer = post(client, a_body([a_file()]), Accept=XML)
    assert answer.headers["content-type"] == XML
    assert read_xml(answer.content)["00081199"]["Value"][0]["00081155"]["Value"] == ["1.2.3.1.1"]


@pytest.mark.parametrize("accept", ["text/plain", "*/*", "nonsense", "application/dicom+json"])
def test_the_answer_is_json_to_everybody_else(client: TestClient, accept: str) -> None:
    assert post(client, a_body([a_file()]), Accept=accept).headers["content-type"] == JSON


def test_a_gzipped_body(client: TestClient) -> None:
    body = a_body([a_file()])
    for content in (gzip.compress(body), gzip.compress(body[:100]) + gzip.compress(body[100:])):
        assert post(client, content, **{"Content-Encoding": "gzip"}).status_code == 200
    assert post(client, gzip.compress(a_file()), "application/dicom", **{"Content-Encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize(
    "content",
    [gzip.compress(a_file())[:-20], a_file(), gzip.compress(bytes(80_000_000), 9)],
    ids=["cut", "none", "bomb"],
)
def test_a_gzip_that_is_none(client: TestClient, content: bytes) -> None:
    answer = post(client, content, "application/dicom", **{"Content-Encoding": "gzip"})
    assert answer.status_code in (400, 409)
    assert "gzip" in comments(answer) or "inflated" in comments(answer)


def _bulk_uris(document: DataSet) -> list[str]:
    found = [value["BulkDataURI"] for value in document.values() if "BulkDataURI" in value]
    items = [item for value in document.values() if value["vr"] == "SQ" for item in value.get("Value", ())]
    return found + [uri for item in items for uri in _bulk_uris(item)]


@pytest.mark.filterwarnings("ignore")  # pydicom warns of what is odd in its files
@pytest.mark.parametrize("kind", [JSON, XML])
def test_our_own_metadata_and_bulk_data_make_the_instances_again(client: TestClient, kind: str) -> None:
    """What is retrieved of every native file of the corpus is stored, and retrieved the same."""
    made = 0
    for path in pydicom_files():
        if path.stat().st_size > 200_000 or any(str(path).endswith(name) for name in REFUSED):
            continue
        answer = post(client, path.read_bytes(), "application/dicom")
        if answer.status_code != 200:
            continue
        url = answer.json()[STORED]["Value"][0]["00081190"]["Value"][0]
        (document,) = client.get(f"{url}/metadata").json()
        bulk = []
        for uri in dict.fromkeys(_bulk_uris(document)):
            part = client.get(uri, headers={"Accept": OCTETS})
            bulk.append((uri, part.headers["content-type"], part.content))
        if pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID not in NATIVE:
            client.delete(url)
            continue  # compressed frames come as parts, see above
        content = json.dumps([document]).encode() if kind == JSON else to_xml(document)
        assert client.delete(url).status_code == 204
        again = post(client, *body_of(kind, [content], *bulk))
        assert again.status_code == 200, (path, comments(again))
        (found,) = client.get(f"{url}/metadata").json()
        different = {tag for tag in document.keys() | found.keys() if document.get(tag) != found.get(tag)}
        # A name of nothing but separators has no form in XML.
        different -= {
            tag for tag in different if kind == XML and document.get(tag, {}).get("Value") == [{"Alphabetic": "^^^^"}]
        }
        assert different <= {"00080005"}, (path, [(document.get(tag), found.get(tag)) for tag in different])
        client.delete(url)
        made += 1
    assert made > 60
