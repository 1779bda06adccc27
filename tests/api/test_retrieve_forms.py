"""The forms in which instances, frames and bulk data are given: transfer syntaxes, packings, parts of them."""

import io
import zipfile
from collections.abc import Iterator

import boto3
import numpy as np
import pydicom
import pytest
from botocore.client import BaseClient
from fastapi.testclient import TestClient
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from dicomweb.archive import Archive
from tests.api.test_retrieve import INSTANCE, SERIES, a_jpeg_file, contents, parts_of
from tests.api.test_store import post
from tests.builders import a_body, a_data_set, a_file, a_series

STUDY = "/dicom-web/studies/1.2.3"
DICOM = 'multipart/related; type="application/dicom"'
PIXELS = np.random.default_rng(7).integers(0, 4096, (3, 64, 64), "<u2")


def an_image(transfer_syntax: str = ExplicitVRLittleEndian, number: int = 1, frames: int = 1) -> bytes:
    """A file of 64 x 64 pixels."""
    ds = a_data_set(SOPInstanceUID=f"1.2.3.1.{number}", InstanceNumber=number, Rows=64, Columns=64)
    ds.BitsStored, ds.HighBit = 12, 11
    ds.NumberOfFrames = frames
    ds.PixelData = PIXELS[:frames].tobytes()
    ds["PixelData"].VR = "OW"
    if transfer_syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        return a_file(ds, transfer_syntax=transfer_syntax)
    plain = pydicom.dcmread(io.BytesIO(a_file(ds)))
    plain.compress(transfer_syntax, generate_instance_uid=False)
    content = io.BytesIO()
    plain.save_as(content)
    return content.getvalue()


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


@pytest.fixture
def calls(archive: Archive) -> Iterator[list[str]]:
    """The names of the calls to AWS."""
    made: list[str] = []
    clients: list[BaseClient] = [archive.storage._client, archive.index.table._client]

    def note(event_name: str, **_: object) -> None:
        made.append(event_name.rpartition(".")[2])

    for client in clients:
        client.meta.events.register_first("before-send", note)
    yield made
    for client in clients:
        client.meta.events.unregister("before-send", note)


@pytest.mark.parametrize("stored", [ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (DICOM, ExplicitVRLittleEndian),  # the default (PS3.18 §8.7.3.5.2)
        ("*/*", ExplicitVRLittleEndian),
        ("application/dicom", ExplicitVRLittleEndian),
        (f"{DICOM}; transfer-syntax={RLELossless}", RLELossless),
        (f"{DICOM}; transfer-syntax={JPEG2000Lossless}", JPEG2000Lossless),
        (f"{DICOM}; transfer-syntax={JPEGLSLossless}", JPEGLSLossless),
        (f"{DICOM}; transfer-syntax={ImplicitVRLittleEndian}", ImplicitVRLittleEndian),
        (f"{DICOM}; transfer-syntax=1.2.3.4;q=0.9, {DICOM}; transfer-syntax={RLELossless};q=0.5", RLELossless),
    ],
)
def test_transfer_syntaxes(client: TestClient, stored: str, accept: str, expected: str) -> None:
    post(client, a_body([an_image(stored)]))
    answer = client.get(INSTANCE, headers={"Accept": accept})
    assert answer.status_code == 200
    (content,) = [answer.content] if accept == "application/dicom" else contents(answer)
    ds = read(content)
    assert ds.file_meta.TransferSyntaxUID == expected
    assert np.array_equal(ds.pixel_array, PIXELS[0])
    if accept != "application/dicom":
        assert parts_of(answer)[0].headers["content-type"] == f"application/dicom; transfer-syntax={expected}"


def test_any_transfer_syntax_is_the_stored_one(client: TestClient) -> None:
    files = [an_image(JPEG2000Lossless, 1), an_image(RLELossless, 2)]
    post(client, a_body(files))
    assert contents(client.get(STUDY, headers={"Accept": f"{DICOM}; transfer-syntax=*"})) == files
    alone = client.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert alone.content == files[0]


def test_what_cannot_be_transcoded_is_named_and_the_rest_is_given(client: TestClient) -> None:
    post(client, a_body([an_image(JPEG2000Lossless, 2), a_jpeg_file()]))
    answer = client.get(SERIES, headers={"Accept": DICOM})
    assert answer.status_code == 206
    assert [read(content).SOPInstanceUID for content in contents(answer)] == ["1.2.3.1.2"]
    assert "1.2.3.1.1" in answer.headers["warning"]
    assert answer.headers["warning"].startswith("299 ")
    alone = client.get(INSTANCE, headers={"Accept": DICOM})
    assert (alone.status_code, JPEGBaseline8Bit in alone.json()["Message"]) == (406, True)


def test_a_broken_frame_is_said_before_the_answer_begins(client: TestClient) -> None:
    ds = read(an_image(JPEG2000Lossless))
    ds.PixelData = encapsulate([ds.PixelData[20:400]])
    content = io.BytesIO()
    ds.save_as(content)
    post(client, a_body([content.getvalue(), an_image(JPEG2000Lossless, 2)]))
    assert client.get(SERIES, headers={"Accept": DICOM}).status_code == 206
    assert client.get(INSTANCE, headers={"Accept": DICOM}).status_code == 406
    frame = client.get(f"{INSTANCE}/frames/1", headers={"Accept": "application/octet-stream"})
    assert frame.status_code == 406
    assert client.get(f"{INSTANCE}/frames/1", headers={"Accept": "image/jp2"}).status_code == 200


def test_attributes_that_describe_no_pixels_do_not_matter_where_pixels_stay(client: TestClient) -> None:
    file = a_file(a_data_set(BitsStored=99, Rows=None), transfer_syntax=ImplicitVRLittleEndian)
    post(client, a_body([file]))
    (content,) = contents(client.get(INSTANCE, headers={"Accept": DICOM}))
    assert read(content).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read(content).BitsStored == 99


def test_a_file_that_is_not_what_it_says_is_refused_before_the_answer_begins(client: TestClient) -> None:
    ds = a_data_set(SOPInstanceUID="1.2.3.1.2", PixelData=encapsulate([b"\1\2\3\4"]))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    broken = a_file(ds, transfer_syntax=JPEGBaseline8Bit).replace(
        JPEGBaseline8Bit.encode(), b"1.2.840.10008.1.2.1\0\0\0"
    )
    post(client, a_body([an_image(), broken]))
    answer = client.get(SERIES, headers={"Accept": f"{DICOM}; transfer-syntax={ImplicitVRLittleEndian}"})
    assert (answer.status_code, "1.2.3.1.2" in answer.headers["warning"]) == (206, True)


def test_video_is_given_as_it_is(client: TestClient) -> None:
    ds = a_data_set(
        NumberOfFrames=50, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=encapsulate([b"\0\0\1\xb3" * 9])
    )
    ds["PixelData"].VR = "OB"
    file = a_file(ds, transfer_syntax=MPEG2MPML)
    post(client, a_body([file]))
    assert contents(client.get(INSTANCE)) == [file]
    assert client.get(INSTANCE, headers={"Accept": f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.1"}).status_code == 406
    video = client.get(f"{INSTANCE}/bulkdata/7FE00010", headers={"Accept": "video/mpeg2", "Range": "bytes=4-7"})
    assert (video.status_code, video.content) == (206, b"\0\0\1\xb3")
    assert client.get(f"{INSTANCE}/frames").status_code == 404


def test_an_instance_is_transcoded_once(client: TestClient, calls: list[str]) -> None:
    post(client, a_body([an_image(JPEG2000Lossless)]))
    first = client.get(INSTANCE, headers={"Accept": DICOM})
    calls.clear()
    second = client.get(INSTANCE, headers={"Accept": DICOM})
    assert contents(first) == contents(second)
    assert "PutObject" not in calls
    assert len(boto3.client("s3").list_objects_v2(Bucket="archive", Prefix="transcoded/")["Contents"]) == 1


@pytest.mark.parametrize("path", ["", "/series/1.2.3.1", "/series/1.2.3.1/instances/1.2.3.1.1"])
def test_zip(client: TestClient, path: str) -> None:
    files = a_series(3)
    post(client, a_body(files))
    answer = client.get(f"{STUDY}{path}", headers={"Accept": "application/zip"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        members = {name: archive.read(name) for name in archive.namelist()}
    expected = {f"1.2.3/1.2.3.1/1.2.3.1.{n}.dcm": file for n, file in enumerate(files, 1)}
    assert members == (expected if "instances" not in path else {"1.2.3/1.2.3.1/1.2.3.1.1.dcm": files[0]})


def test_a_zip_of_files_in_another_transfer_syntax(client: TestClient) -> None:
    post(client, a_body([an_image(JPEG2000Lossless)]))
    accept = f"application/zip; transfer-syntax={ExplicitVRLittleEndian}"
    with zipfile.ZipFile(io.BytesIO(client.get(STUDY, headers={"Accept": accept}).content)) as archive:
        assert np.array_equal(read(archive.read(archive.namelist()[0])).pixel_array, PIXELS[0])


@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_frames_as_pixels(client: TestClient, stored: str) -> None:
    post(client, a_body([an_image(stored, frames=3)]))
    accept = {"Accept": 'multipart/related; type="application/octet-stream"'}
    for path, numbers in (("frames", [0, 1, 2]), ("frames/3,1", [2, 0]), ("frames/2,2", [1, 1])):
        answer = client.get(f"{INSTANCE}/{path}", headers=accept)
        assert contents(answer) == [PIXELS[number].tobytes() for number in numbers]
        kind = f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
        assert {part.headers["content-type"] for part in parts_of(answer)} == {kind}
    alone = client.get(f"{INSTANCE}/frames/2", headers={"Accept": "application/octet-stream"})
    assert alone.content == PIXELS[1].tobytes()


def test_frames_are_pixels_by_default_and_as_stored_for_any_type(client: TestClient) -> None:
    file = an_image(RLELossless)
    post(client, a_body([file]))
    for accept in ("", "*/*"):
        assert contents(client.get(f"{INSTANCE}/frames/1", headers={"Accept": accept})) == [PIXELS[0].tobytes()]
    stored = client.get(f"{INSTANCE}/frames/1", headers={"Accept": 'multipart/related; type="*/*"'})
    assert parts_of(stored)[0].headers["content-type"] == f"image/dicom-rle; transfer-syntax={RLELossless}"


def test_neighbouring_frames_are_read_together(client: TestClient, calls: list[str]) -> None:
    post(client, a_body([an_image(RLELossless, frames=3)]))
    calls.clear()
    client.get(f"{INSTANCE}/frames/1,2,3", headers={"Accept": 'multipart/related; type="image/dicom-rle"'})
    assert calls == ["GetItem", "GetObject"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", (206, PIXELS[0].tobytes()[:4], "bytes 0-3/8192")),
        ("bytes=8190-", (206, PIXELS[0].tobytes()[-2:], "bytes 8190-8191/8192")),
        ("bytes=-2", (206, PIXELS[0].tobytes()[-2:], "bytes 8190-8191/8192")),
        ("bytes=8000-9999", (206, PIXELS[0].tobytes()[8000:], "bytes 8000-8191/8192")),
        ("bytes=8192-", (416, None, "bytes */8192")),
        ("bytes=-0", (416, None, "bytes */8192")),
        ("bytes=5-2", (200, PIXELS[0].tobytes(), None)),  # what makes no sense is ignored (RFC 9110 §14.2)
        ("bytes=0-1,4-5", (200, PIXELS[0].tobytes(), None)),
        ("items=0-1", (200, PIXELS[0].tobytes(), None)),
    ],
)
def test_ranges_of_bulk_data(client: TestClient, asked: str, expected: tuple[int, bytes | None, str | None]) -> None:
    post(client, a_body([an_image()]))
    headers = {"Accept": "application/octet-stream", "Range": asked}
    answer = client.get(f"{INSTANCE}/bulkdata/7FE00010", headers=headers)
    status, content, content_range = expected
    assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range)
    assert content is None or answer.content == content


def test_a_range_of_what_has_changed_is_everything(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    headers = {"Accept": "application/dicom; transfer-syntax=*", "Range": "bytes=128-131"}
    assert client.get(INSTANCE, headers=headers).content == b"DICM"
    assert client.get(INSTANCE, headers=headers | {"If-Range": '"other"'}).content == a_file()


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE])
@pytest.mark.parametrize("what", ["bulkdata", "pixeldata"])
def test_all_bulk_data_and_all_pixel_data(client: TestClient, path: str, what: str) -> None:
    ds = a_data_set(InstanceNumber=1)
    ds.private_block(0x0009, "ACME", create=True).add_new(0x01, "OB", b"\1\2\3\4")
    post(client, a_body([a_file(ds), an_image(RLELossless, 2, frames=2)]))
    answer = client.get(f"{path}/{what}", headers={"Accept": 'multipart/related; type="application/octet-stream"'})
    found = [
        (part.headers["content-type"].split(";")[0], part.headers["content-location"]) for part in parts_of(answer)
    ]
    first, second = (f"http://testserver{SERIES}/instances/1.2.3.1.{n}" for n in (1, 2))
    expected = [("application/octet-stream", f"{first}/bulkdata/00091001")] * (what == "bulkdata")
    expected += [("application/octet-stream", f"{first}/bulkdata/7FE00010")]
    expected += [("image/dicom-rle", f"{second}/frames/{n}") for n in (1, 2)] * (path != INSTANCE)
    assert found == expected
    for (_, url), content in zip(found, contents(answer), strict=True):
        assert contents(client.get(url, headers={"Accept": 'multipart/related; type="*/*"'})) == [content]


def test_no_bulk_data_at_all(client: TestClient) -> None:
    post(client, a_body([a_file(a_data_set(PixelData=None))]))
    assert client.get(f"{STUDY}/bulkdata").status_code == 404
    assert client.get(f"{STUDY}/pixeldata").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["", "/metadata", "/frames/1", "/frames", "/bulkdata/7FE00010", "/bulkdata", "/pixeldata"],
)
def test_head_is_get_without_a_body_and_everything_can_be_kept(client: TestClient, path: str) -> None:
    post(client, a_body([a_file()]))
    got, head = client.get(f"{INSTANCE}{path}"), client.head(f"{INSTANCE}{path}")
    assert (head.status_code, head.content) == (200, b"")

    def headers(answer: object) -> dict[str, str]:
        return {name: value.split("boundary")[0] for name, value in answer.headers.items()}  # type: ignore[attr-defined]

    assert headers(head) == headers(got)
    assert {"etag", "last-modified", "cache-control", "vary"} <= set(got.headers)
    assert ("immutable" in got.headers["cache-control"]) is path.startswith(("/frames", "/bulkdata/"))
    again = client.get(f"{INSTANCE}{path}", headers={"If-None-Match": f'W/{got.headers["etag"]}, "x"'})
    assert (again.status_code, again.headers["etag"]) == (304, got.headers["etag"])
    assert client.head(f"{INSTANCE}x{path}").status_code in (400, 404)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (f"{INSTANCE}/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*"),  # OHIF
        (INSTANCE, 'multipart/related; type="application/dicom"'),  # OHIF, of a SEG
        (
            f"{INSTANCE}/frames/1",
            'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80, '
            'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90, '
            'multipart/related; type="image/jpx", multipart/related; type="image/jpeg"; '
            "transfer-syntax=1.2.840.10008.1.2.4.50, "
            'multipart/related; type="application/octet-stream"; transfer-syntax=*',
        ),  # dicom-microscopy-viewer
        (f"{INSTANCE}/frames/1", 'multipart/related; type="*/*"'),  # dicomweb-client
        (f"{INSTANCE}/bulkdata/7FE00010", 'multipart/related; type="*/*"'),
        (INSTANCE, "text/html, image/gif, image/jpeg, */*; q=0.2"),  # dcm4che
        (INSTANCE, 'MULTIPART/RELATED;type="application/dicom;transfer-syntax=*"'),
        (f"{INSTANCE}/metadata", "application/dicom+json;q=0.8, application/json"),
        (f"{INSTANCE}/bulkdata/7FE00010", "*/*"),
    ],
)
def test_what_real_clients_ask_for(client: TestClient, path: str, accept: str) -> None:
    post(client, a_body([a_file()]))
    assert client.get(path, headers={"Accept": accept}).status_code == 200
    assert client.get(path, params={"accept": accept}, headers={"Accept": "image/png"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (INSTANCE, {"Accept": "@@@"}, 400),
        (INSTANCE, {"Accept": "image/png"}, 406),
        (STUDY, {"Accept": "application/dicom"}, 200),
        (f"{INSTANCE}/frames/{','.join(['1'] * 10_000)}", {}, 400),
        (f"{INSTANCE}/frames/1.5", {}, 400),
        (f"{INSTANCE}/frames/٣", {}, 400),
        (f"{INSTANCE}/bulkdata/x/y", {}, 404),
        ("/dicom-web/studies/1.2.3/series/1.2.9/instances/1.2.3.1.1", {}, 404),
        ("/dicom-web/studies/abc", {}, 400),
    ],
)
def test_bad_requests(client: TestClient, path: str, headers: dict[str, str], status: int) -> None:
    post(client, a_body([a_file()]))
    assert client.get(path, headers=headers).status_code == status


def test_bulk_data_of_wide_big_endian_pixels_are_little_endian(client: TestClient) -> None:
    pixels = np.arange(16, dtype="<u4")
    ds = a_data_set(BitsAllocated=32, BitsStored=32, HighBit=31, PixelData=pixels.astype(">u4").tobytes())
    post(client, a_body([a_file(ds, transfer_syntax=ExplicitVRBigEndian)]))
    for path in ("bulkdata/7FE00010", "pixeldata", "frames/1"):
        assert contents(client.get(f"{INSTANCE}/{path}")) == [pixels.tobytes()]


def test_compressed_frames_come_as_one_value_to_who_wants_one_part(client: TestClient) -> None:
    post(client, a_body([an_image(RLELossless, frames=2)]))
    headers = {"Accept": 'multipart/related; type="image/dicom-rle"'}
    joined = b"".join(contents(client.get(f"{INSTANCE}/frames/1,2", headers=headers)))
    alone = client.get(f"{INSTANCE}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"})
    assert alone.content == joined
    part = client.get(
        f"{INSTANCE}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream", "Range": "bytes=10-19"}
    )
    assert (part.status_code, part.content) == (206, joined[10:20])


@pytest.mark.parametrize("path", ["", "/frames/1", "/bulkdata/7FE00010", "/bulkdata"])
def test_one_etag_has_one_content(client: TestClient, path: str) -> None:
    post(client, a_body([a_file()]))
    first, second = (client.get(f"{INSTANCE}{path}") for _ in range(2))
    assert (first.headers["etag"], first.content) == (second.headers["etag"], second.content)
    elsewhere = client.get(f"{INSTANCE}{path}", headers={"Host": "other.example"})
    assert elsewhere.headers["etag"] != first.headers["etag"]


def test_bulk_data_in_the_transfer_syntax_they_are_in(client: TestClient) -> None:
    post(client, a_body([a_file()]))
    accept = f'multipart/related; type="application/octet-stream"; transfer-syntax={ExplicitVRLittleEndian}'
    for path in ("bulkdata/7FE00010", "bulkdata", "pixeldata"):
        assert client.get(f"{INSTANCE}/{path}", headers={"Accept": accept}).status_code == 200


def test_browsers_take_frames_as_pixels_too(client: TestClient) -> None:
    post(client, a_body([an_image(RLELossless)]))
    answer = client.get(f"{INSTANCE}/frames/1", headers={"Accept": "text/html,*/*;q=0.8"})
    assert contents(answer) == [PIXELS[0].tobytes()]


@pytest.mark.parametrize("stored", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize("accept", ["application/octet-stream", "*/*"])
def test_a_frame_is_read_once_however_often_it_is_asked_for(
    client: TestClient, calls: list[str], stored: str, accept: str
) -> None:
    post(client, a_body([an_image(stored, frames=3)]))
    numbers = [3, 1, 2] * 300
    calls.clear()
    answer = client.get(
        f"{INSTANCE}/frames/{','.join(map(str, numbers))}",
        headers={"Accept": f'multipart/related; type="{accept}"'},
    )
    assert calls == ["GetItem", "GetObject"]
    if stored == ExplicitVRLittleEndian or accept != "*/*":
        assert contents(answer) == [PIXELS[number - 1].tobytes() for number in numbers]
    assert [part.headers["content-location"].rpartition("/")[2] for part in parts_of(answer)] == list(map(str, numbers))


def a_broken_image() -> bytes:
    ds = read(an_image(JPEG2000Lossless))
    ds.PixelData = encapsulate([ds.PixelData[20:400]])
    content = io.BytesIO()
    ds.save_as(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("", 200),
        ("text/html, */*;q=0.8", 200),
        ('multipart/related; type="application/octet-stream", image/jp2;q=0.1', 200),
        ("application/octet-stream", 406),
        (f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}", 406),
        ("*/*, image/jp2;q=0, multipart/related;q=0", 406),
    ],
)
def test_a_broken_frame_comes_as_it_is_stored_to_who_takes_that(client: TestClient, accept: str, status: int) -> None:
    post(client, a_body([a_broken_image()]))
    answer = client.get(f"{INSTANCE}/frames/1", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 200:
        assert JPEG2000Lossless in answer.headers["content-type"] + answer.text


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("", "image/png", 406),
        ("", f"{DICOM}; transfer-syntax={JPEGBaseline8Bit}", 406),
        ("", DICOM, 406),  # known once it is decoded
        ("/frames/1", "application/octet-stream", 406),
        ("/frames/9", "", 404),
        ("/bulkdata/00091001", "", 404),
        ("/pixeldata", "", 304),
        ("", f"{DICOM}; transfer-syntax=*", 304),
        ("/frames/1", "*/*", 304),
        ("/metadata", "", 304),
    ],
)
def test_if_none_match_any_is_304_only_where_there_is_something(
    client: TestClient, path: str, accept: str, status: int
) -> None:
    post(client, a_body([a_broken_image()]))
    for ask in (client.get, client.head):
        answer = ask(f"{INSTANCE}{path}", headers={"Accept": accept, "If-None-Match": "*"})
        assert answer.status_code == status
        if status == 304:
            assert (answer.content, "etag" in answer.headers, "content-length" in answer.headers) == (b"", True, False)


def test_if_none_match_any_of_no_bulk_data_is_404(client: TestClient) -> None:
    post(client, a_body([a_file(a_data_set(PixelData=None))]))
    assert client.get(f"{STUDY}/bulkdata", headers={"If-None-Match": "*"}).status_code == 404


def test_pixel_data_that_are_too_short_name_the_frame_beyond_them(client: TestClient) -> None:
    post(client, a_body([a_file(NumberOfFrames=5, PixelData=bytes(32 * 3))]))
    expected = "frame 4 of 5 is beyond the pixel data, which have 96 bytes; expected 160"
    for path, accept in (("/frames/1", ""), ("/frames", ""), ("", f"{DICOM}; transfer-syntax={RLELossless}")):
        answer = client.get(f"{INSTANCE}{path}", headers={"Accept": accept})
        assert (answer.status_code, expected in answer.json()["Message"]) == (406 if path == "" else 404, True)


@pytest.mark.parametrize("path", [STUDY, SERIES])
def test_what_was_transcoded_is_found_by_one_list(client: TestClient, calls: list[str], path: str) -> None:
    post(client, a_body([an_image(JPEG2000Lossless, number) for number in range(1, 13)]))
    first = client.get(path, headers={"Accept": DICOM})
    calls.clear()
    second = client.get(path, headers={"Accept": DICOM})
    assert first.content == second.content
    assert sorted(set(calls)) == ["GetObject", "ListObjectsV2", "Query"]
    assert (calls.count("ListObjectsV2"), calls.count("GetObject")) == (1, 12)
