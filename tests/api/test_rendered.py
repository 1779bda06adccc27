"""Rendered resources, thumbnails and pictures of the URI Service, as a user agent sees them."""

import io
import re
import struct
import tracemalloc
from typing import Any

import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image, ImageCms
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import MPEG4HP41, EncapsulatedPDFStorage, ExplicitVRLittleEndian, JPEG2000Lossless

from dicomweb.archive import Archive
from tests.api.test_store import post
from tests.builders import a_body, a_data_set, a_file, a_series

STUDY, SERIES = "/dicom-web/studies/1.2.3", "/dicom-web/studies/1.2.3/series/1.2.3.1"
INSTANCE = f"{SERIES}/instances/1.2.3.1.1"
WADO = "/wado?requestType=WADO&objectUID=1.2.3.1.1"
PNG, JPEG = {"Accept": "image/png"}, {"Accept": "image/jpeg"}


def store(client: TestClient, *files: bytes) -> None:
    assert post(client, a_body(files)).status_code == 200


def picture_of(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def rendered(client: TestClient, path: str = f"{INSTANCE}/rendered") -> NDArray[np.uint8]:
    answer = client.get(path, headers=PNG)
    assert answer.status_code == 200, answer.text
    return picture_of(answer.content)


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def lut(first: int, bits: int, *entries: int, vr: str = "US") -> Dataset:
    ds = Dataset()
    ds.add_new("LUTDescriptor", "US", [len(entries), first & 0xFFFF, bits])
    ds.add_new("LUTData", vr, list(entries) if vr == "US" else np.array(entries, "<u2").tobytes())
    return ds


def grey(values: NDArray[Any], bits: int = 16, **attributes: Any) -> dict[str, Any]:
    """Attributes of a monochrome image of these values."""
    frames = values.shape[:-2]
    return {
        "Rows": values.shape[-2], "Columns": values.shape[-1], "PixelData": values.tobytes(),
        "BitsAllocated": values.dtype.itemsize * 8, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
        **({"NumberOfFrames": frames[0]} if frames else {}),
        **attributes,
    }  # fmt: skip


def colour(values: NDArray[Any], interpretation: str, **attributes: Any) -> dict[str, Any]:
    bits = values.dtype.itemsize * 8
    return {
        **grey(values[..., 0], bits), "SamplesPerPixel": 3, "PhotometricInterpretation": interpretation,
        "PlanarConfiguration": 0, "PixelData": values.tobytes(), **attributes,
    }  # fmt: skip


RAMP = np.array([[0, 100, 200, 300]], "<u2")
SIGNED = np.array([[-1000, 0, 40, 3000]], "<i2")
RGB = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], "u1")
YBR = np.array([[[76, 85, 255], [150, 44, 21], [29, 255, 107], [128, 128, 128]]], "u1")
PALETTE: dict[str, Any] = {
    f"{name}PaletteColorLookupTable{part}": value
    for name, data in (("Red", [255, 0, 0, 7]), ("Green", [0, 255, 0, 8]), ("Blue", [0, 0, 255, 9]))
    for part, value in (("Descriptor", [4, 0, 8]), ("Data", bytes(data)))
}
PALETTE_16: dict[str, Any] = {
    f"{name}PaletteColorLookupTable{part}": value
    for name, data in (("Red", [65535, 0, 0, 1799]), ("Green", [0, 65535, 0, 2056]), ("Blue", [0, 0, 65535, 2313]))
    for part, value in (("Descriptor", [4, 100, 16]), ("Data", np.array(data, "<u2").tobytes()))
}
COLOURS = [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 8, 9]]]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (grey(RAMP), [[0, 85, 170, 255]]),  # no window: the range of the frame
        (grey(RAMP, WindowCenter=150, WindowWidth=301), [[0, 85, 170, 255]]),
        (grey(RAMP, WindowCenter=["150", "1"], WindowWidth=["201", "2"]), [[0, 64, 191, 255]]),  # the first window
        (grey(RAMP, WindowCenter=100, WindowWidth=0), [[0, 85, 170, 255]]),  # one that cannot be is none
        (grey(RAMP, WindowCenter=150, WindowWidth=200, VOILUTFunction="LINEAR_EXACT"), [[0, 64, 191, 255]]),
        (grey(RAMP, WindowCenter=150, WindowWidth=200, VOILUTFunction="SIGMOID"), [[12, 69, 186, 243]]),
        (grey(RAMP, PhotometricInterpretation="MONOCHROME1"), [[255, 170, 85, 0]]),
        (grey(SIGNED, WindowCenter=40, WindowWidth=400), [[0, 102, 128, 255]]),
        (grey(SIGNED, RescaleIntercept=-1024, RescaleSlope=1, WindowCenter=-984, WindowWidth=400), [[0, 102, 128, 255]]),
        (grey(SIGNED, RescaleIntercept=0, RescaleSlope=2, WindowCenter=80, WindowWidth=800), [[0, 102, 128, 255]]),
        (grey(RAMP & 0xFFF, 12), [[0, 85, 170, 255]]),
        (grey(np.array([[0, 1, 2, 3]], "u1"), 8), [[0, 85, 170, 255]]),
        (grey(np.array([[-2, -1, 0, 1]], "i1"), 8), [[0, 85, 170, 255]]),
        (grey(np.array([[0, 10, 1000000, 3000000]], "<u4"), 32), [[0, 0, 85, 255]]),
        # Bits that are not stored are not seen (10 of 16 bits, with an overlay's bits above them).
        (grey(np.array([[0, 341 | 1 << 15, 682 | 1 << 12, 1023]], "<u2"), 10), [[0, 85, 170, 255]]),
        # Signed in 12 bits, without its sign in the bits above.
        (grey(np.array([[0xF00, 0xF55, 0xFAA, 0xFFF]], "<u2"), 12, PixelRepresentation=1), [[0, 85, 170, 255]]),
        (grey(RAMP, VOILUTSequence=Sequence([lut(0, 8, *range(256))])), [[0, 100, 200, 255]]),
        (grey(RAMP, VOILUTSequence=Sequence([lut(100, 8, *range(256), vr="OW")])), [[0, 0, 100, 200]]),
        (grey(SIGNED, VOILUTSequence=Sequence([lut(-1000, 16, *range(0, 65535, 256))])), [[0, 254, 254, 254]]),
        (
            grey(RAMP, ModalityLUTSequence=Sequence([lut(0, 16, *range(1000, 400, -2))]), WindowCenter=700, WindowWidth=601),
            [[255, 170, 85, 0]],
        ),
        (grey(RAMP, PixelPaddingValue=300), [[0, 128, 255, 255]]),
        (grey(np.array([[-2000, 0, 100, 200]], "<i2"), PixelPaddingValue=-2000), [[0, 0, 128, 255]]),
        (grey(np.array([[0, 1, 2, 3]], "u1"), 8, PhotometricInterpretation="PALETTE COLOR", **PALETTE), COLOURS),
        # 16 bits of entries, and a first value mapped that is not 0.
        (grey(np.array([[0, 101, 102, 999]], "<u2"), PhotometricInterpretation="PALETTE COLOR", **PALETTE_16), COLOURS),
        # An odd number of entries is padded.
        (grey(np.array([[0, 1, 2, 9]], "u1"), 8, PhotometricInterpretation="PALETTE COLOR", **{
            name: [3, 0, 8] if name.endswith("Descriptor") else value[:3] + b"\0" for name, value in PALETTE.items()
        }), [[*COLOURS[0][:3], COLOURS[0][2]]]),
        # Values below a supplemental palette are grey (PS3.3 C.7.6.19).
        (
            grey(np.array([[0, 99, 100, 101]], "<u2"), PixelPresentation="COLOR", **PALETTE_16),
            [[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0]]],
        ),
        (colour(RGB, "RGB"), RGB.tolist()),
        (colour(RGB, "RGB", PlanarConfiguration=1, PixelData=np.moveaxis(RGB, -1, 0).tobytes()), RGB.tolist()),
        (colour(RGB.astype("<u2") * 257, "RGB"), RGB.tolist()),
        (colour(RGB.astype("<u2") * 257 >> 4, "RGB", BitsStored=12, HighBit=11), RGB.tolist()),
        (colour(YBR, "YBR_FULL"), [[[254, 0, 0], [0, 255, 1], [0, 0, 254], [128, 128, 128]]]),
        # Two luminances, then the colour that both have.
        (
            grey(np.array([[0, 0]], "u1"), 8, SamplesPerPixel=3, PlanarConfiguration=0,
                 PhotometricInterpretation="YBR_FULL_422", PixelData=bytes([50, 200, 128, 128])),
            [[[50] * 3, [200] * 3]],
        ),
    ],
)  # fmt: skip
def test_pictures(client: TestClient, attributes: dict[str, Any], expected: Any) -> None:
    store(client, a_file(**attributes))
    difference = rendered(client).astype(int) - np.array(expected)
    assert np.abs(difference).max() <= 1, rendered(client).tolist()


def test_padding_of_signed_pixels_may_be_written_as_unsigned(client: TestClient) -> None:
    file = a_file(**grey(np.array([[-2000, 0, 100, 200]], "<i2")))
    store(client, with_element(file, 0x00280120, "US", struct.pack("<h", -2000)))
    assert rendered(client).tolist() == [[0, 0, 128, 255]]


def test_float_pixels(client: TestClient) -> None:
    ds = a_data_set(Rows=1, Columns=4, BitsAllocated=32, PixelData=None, WindowCenter=0.5, WindowWidth=1)
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.VOILUTFunction = "LINEAR_EXACT"
    ds.FloatPixelData = np.array([-1, 0.25, 0.75, np.nan], "<f4").tobytes()
    store(client, a_file(ds))
    assert rendered(client).tolist() == [[0, 64, 191, 0]]


def test_float_pixels_have_no_colour(client: TestClient) -> None:
    attributes = {
        "Rows": 1,
        "Columns": 1,
        "BitsAllocated": 32,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
    }
    pixels = np.zeros(3, "<f4").tobytes()
    store(client, a_file(**attributes, BitsStored=None, HighBit=None, PixelData=None, FloatPixelData=pixels))
    assert client.get(f"{INSTANCE}/rendered").status_code == 406
    assert client.get(f"{INSTANCE}/thumbnail").status_code == 200


def test_bitmaps_are_black_and_white(client: TestClient) -> None:
    frames = {"PixelData": bytes([0b10100110, 0b00000000]), "NumberOfFrames": 2, "Rows": 2, "Columns": 3}
    store(client, a_file(BitsAllocated=1, BitsStored=1, HighBit=0, **frames))
    assert rendered(client).tolist() == [[0, 255, 255], [0, 0, 255]]
    assert rendered(client, f"{INSTANCE}/frames/2/rendered").tolist() == [[0, 255, 0], [0, 0, 0]]


def test_each_frame_has_its_own_window_and_rescale(client: TestClient) -> None:
    def window(center: int) -> Dataset:
        return item(FrameVOILUTSequence=Sequence([item(WindowCenter=center, WindowWidth=100)]))

    per_frame = [window(50), window(1050)]
    shared = item(PixelValueTransformationSequence=Sequence([item(RescaleIntercept=0, RescaleSlope=10)]))
    frames = np.array([[[0, 5, 10]], [[100, 105, 110]]], "<u2")
    store(
        client,
        a_file(
            **grey(frames),
            PerFrameFunctionalGroupsSequence=Sequence(per_frame),
            SharedFunctionalGroupsSequence=Sequence([shared]),
        ),
    )
    for number in (1, 2):
        assert rendered(client, f"{INSTANCE}/frames/{number}/rendered").tolist() == [[0, 129, 255]]


def test_a_crop_has_the_contrast_of_the_whole(client: TestClient) -> None:
    store(client, a_file(**grey(np.arange(0, 160, 10, dtype="<u2").reshape(4, 4))))
    whole = rendered(client)
    assert rendered(client, f"{INSTANCE}/rendered?viewport=2,2,1,1,2,2").tolist() == whole[1:3, 1:3].tolist()
    assert (
        rendered(client, f"{WADO}&contentType=image/png&region=0.25,0.25,0.75,0.75").tolist()
        == whole[1:3, 1:3].tolist()
    )


@pytest.mark.parametrize(
    "ratio", [{"PixelSpacing": [2, 1]}, {"PixelAspectRatio": [2, 1]}, {"ImagerPixelSpacing": [2, 1]}]
)
def test_pixels_are_square_in_a_viewport(client: TestClient, ratio: dict[str, Any]) -> None:
    store(client, a_file(**grey(np.full((2, 4), 1, "<u2"), WindowCenter=0, WindowWidth=2, **ratio)))
    scaled = rendered(client, f"{INSTANCE}/rendered?viewport=8,8")
    assert scaled.shape == (8, 8)
    assert (scaled == 255).all()  # 4 x 2 pixels, each twice as high as wide, are a square
    assert rendered(client).shape == (2, 4)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "image/jpeg"), ("*/*", "image/jpeg"), ("image/*", "image/jpeg"), ("image/jpg", "image/jpeg"),
        ("image/png", "image/png"), ("image/gif", "image/gif"), ("image/webp", "image/webp"), ("image/jp2", "image/jp2"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "image/webp"),
        ("image/png;q=0.5, image/jpeg;q=0.4", "image/png"),
        ('multipart/related; type="image/png"', "multipart/related"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/rendered", "/frames/1/rendered"])
def test_media_types(client: TestClient, accept: str | None, content_type: str, path: str) -> None:
    store(client, a_file())
    answer = client.get(INSTANCE + path, headers={"Accept": accept} if accept else {"Accept": ""})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, content_type)
    if content_type != "multipart/related":
        assert Image.open(io.BytesIO(answer.content)).get_format_mimetype() == content_type


@pytest.mark.parametrize("accept", ["image/bmp", "application/dicom", "text/html", "video/mp4"])
def test_other_media_types_are_not_acceptable_and_those_that_are_are_named(client: TestClient, accept: str) -> None:
    store(client, a_file())
    answer = client.get(f"{INSTANCE}/rendered", headers={"Accept": accept})
    assert (answer.status_code, "image/jpeg, image/png, image/gif" in answer.json()["Message"]) == (406, True)


def parts_of(answer: Any) -> list[tuple[dict[str, str], bytes]]:
    boundary = re.search(r"boundary=([^;]+)", answer.headers["content-type"])
    assert boundary
    found = []
    for part in answer.content.split(f"--{boundary[1]}".encode())[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        found.append((dict(line.split(": ", 1) for line in head.decode().split("\r\n")), content))
    return found


def frames_file(**attributes: Any) -> bytes:
    return a_file(**grey(np.array([[[0, 1]], [[1, 0]], [[1, 1]]], "<u2"), WindowCenter=1, WindowWidth=1), **attributes)


def test_several_frames_come_as_parts(client: TestClient) -> None:
    store(client, frames_file())
    answer = client.get(f"{INSTANCE}/frames/3,1/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert [headers["Content-Location"].rpartition("/instances/")[2] for headers, _ in parts_of(answer)] == [
        "1.2.3.1.1/frames/3/rendered", "1.2.3.1.1/frames/1/rendered",
    ]  # fmt: skip
    assert [picture_of(content).tolist() for _, content in parts_of(answer)] == [[[255, 255]], [[0, 255]]]
    assert client.get(f"{INSTANCE}/frames/3,1/rendered").headers["content-type"].startswith("multipart/related")


def test_several_frames_as_a_gif_move(client: TestClient) -> None:
    store(client, frames_file(FrameTime=50))
    for path in ("/rendered", "/frames/1,2,3/rendered"):
        with Image.open(io.BytesIO(client.get(INSTANCE + path, headers={"Accept": "image/gif"}).content)) as moving:
            assert (moving.n_frames, moving.info["duration"]) == (3, 50)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keyword", "value", "duration"),
    [
        ("FrameTime", b"NaN ", 100), ("FrameTime", b"-5", 100), ("FrameTime", b"1e300 ", 218_450),
        ("FrameTime", b"0.1 ", 20), ("CineRate", b"0.001 ", 218_450), ("CineRate", b"20", 50), ("CineRate", b"often ", 100),
    ],
)  # fmt: skip
def test_a_frame_is_shown_for_a_time_that_a_gif_can_say(
    client: TestClient, keyword: str, value: bytes, duration: int
) -> None:
    vr = {"FrameTime": "DS", "CineRate": "IS"}[keyword]
    store(client, with_element(frames_file(), tag_for_keyword(keyword) or 0, vr, value))
    with Image.open(io.BytesIO(client.get(f"{INSTANCE}/rendered", headers={"Accept": "image/gif"}).content)) as moving:
        assert moving.info["duration"] == duration


def test_frames_that_are_the_same_are_shown_for_the_time_of_all(client: TestClient) -> None:
    store(client, a_file(**grey(np.zeros((20, 1, 1), "<u2"), FrameTime=60_000)))
    assert client.get(f"{INSTANCE}/rendered", headers={"Accept": "image/gif"}).status_code == 200


def test_one_picture_of_several_frames_is_the_first(client: TestClient) -> None:
    store(client, frames_file())
    assert rendered(client).tolist() == [[0, 255]]


def test_very_many_frames_are_not_looked_at_to_show_the_first(client: TestClient) -> None:
    bitmaps = {"PixelData": bytes(500_000), "NumberOfFrames": 4_000_000, "Rows": 1, "Columns": 1}
    store(client, a_file(BitsAllocated=1, BitsStored=1, HighBit=0, **bitmaps))
    tracemalloc.start()
    try:
        assert rendered(client).tolist() == [[0]]
        assert client.get(WADO).status_code == 200
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    for accept in ("image/gif", 'multipart/related; type="image/png"'):
        answer = client.get(f"{INSTANCE}/rendered", headers={"Accept": accept})
        assert (answer.status_code, "too many" in answer.json()["Message"]) == (406, True)


@pytest.mark.parametrize("path", [STUDY, SERIES])
def test_all_instances_of_a_study_come_as_parts_in_order(client: TestClient, path: str) -> None:
    store(client, *a_series(3))
    answer = client.get(f"{path}/rendered")
    assert [headers["Content-Location"].partition("/instances/1.2.3.1.")[2] for headers, _ in parts_of(answer)] == [
        f"{number}/frames/1/rendered" for number in (1, 2, 3)
    ]
    assert client.get(f"{path}/rendered", headers=JPEG).headers["content-type"] == "image/jpeg"


def test_what_has_no_picture_among_those_that_have_is_left_out(client: TestClient) -> None:
    broken = a_file(
        SOPInstanceUID="1.2.3.1.9",
        transfer_syntax=JPEG2000Lossless,
        PixelData=_encapsulated(b"\xff\x4f\xff\x51nothing"),
    )
    no_image = a_file(SOPInstanceUID="1.2.3.1.8", PixelData=None)
    store(client, a_file(), no_image)
    answer = client.get(f"{SERIES}/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert (answer.status_code, len(parts_of(answer))) == (200, 1)
    store(client, broken)
    answer = client.get(f"{SERIES}/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert (answer.status_code, len(parts_of(answer)), "1.2.3.1.9" in answer.headers["warning"]) == (206, 1, True)
    assert client.get(f"{SERIES}/instances/1.2.3.1.9/rendered").status_code == 406
    assert client.get(f"{SERIES}/instances/1.2.3.1.9/thumbnail").status_code == 200


def _encapsulated(content: bytes) -> bytes:
    return encapsulate([content + b"\0" * (len(content) % 2)])


def a_pdf(**attributes: Any) -> bytes:
    content = b"%PDF-1.7 od"
    ds = a_data_set(
        SOPClassUID=EncapsulatedPDFStorage, MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=content + b"\0",
        EncapsulatedDocumentLength=11, PixelData=None, **attributes,
    )  # fmt: skip
    return a_file(ds)


@pytest.mark.parametrize("path", [f"{INSTANCE}/rendered", f"{SERIES}/rendered", WADO])
@pytest.mark.parametrize("accept", ["*/*", "application/pdf", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_an_encapsulated_pdf_is_a_pdf(client: TestClient, path: str, accept: str) -> None:
    store(client, a_pdf())
    answer = client.get(path, headers={"Accept": accept})
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", b"%PDF-1.7 od")


def test_a_browser_can_show_a_pdf(client: TestClient) -> None:
    store(client, a_pdf())
    policy = client.get(f"{INSTANCE}/rendered").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" not in policy


@pytest.mark.parametrize("path", [f"{INSTANCE}/rendered", WADO])
@pytest.mark.parametrize("transfer_syntax", [ExplicitVRLittleEndian, MPEG4HP41])
def test_a_document_or_video_without_content_has_no_form(client: TestClient, path: str, transfer_syntax: str) -> None:
    ds = a_data_set(EncapsulatedDocument=b"", MIMETypeOfEncapsulatedDocument="application/pdf", PixelData=None)
    store(client, a_file(ds, transfer_syntax=transfer_syntax))
    assert client.get(path, headers={"Accept": "application/pdf, video/mp4"}).status_code == 406


def test_a_document_that_says_it_is_a_page_is_none(client: TestClient) -> None:
    store(
        client,
        a_file(
            a_data_set(MIMETypeOfEncapsulatedDocument="text/html", EncapsulatedDocument=b"<script>", PixelData=None)
        ),
    )
    answer = client.get(f"{INSTANCE}/rendered")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_video_is_video(client: TestClient) -> None:
    store(client, a_file(transfer_syntax=MPEG4HP41, PixelData=_encapsulated(b"mp4!")))
    answer = client.get(f"{INSTANCE}/rendered")
    assert (answer.headers["content-type"], answer.content) == ("video/mp4", b"mp4!")
    assert "media-src *" in answer.headers["content-security-policy"]
    part = client.get(f"{INSTANCE}/rendered", headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"p4")
    assert client.get(f"{INSTANCE}/rendered", headers=JPEG).status_code == 406


def a_report() -> bytes:
    title = item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Befund <b>")
    text = item(
        ValueType="TEXT", RelationshipType="CONTAINS", ConceptNameCodeSequence=Sequence([title]), TextValue="Größe"
    )
    ds = a_data_set(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", ValueType="CONTAINER", SpecificCharacterSet="ISO_IR 100", PixelData=None,
        ConceptNameCodeSequence=Sequence([title]), ContentSequence=Sequence([text]), ContinuityOfContent="SEPARATE",
    )  # fmt: skip
    return a_file(ds)


def test_a_report_is_a_page_or_text(client: TestClient) -> None:
    store(client, a_report())
    page = client.get(f"{INSTANCE}/rendered")
    assert (page.headers["content-type"], "Größe" in page.text, "<b>" in page.text) == (
        "text/html; charset=utf-8",
        True,
        False,
    )
    assert "sandbox" in page.headers["content-security-policy"]
    text = client.get(f"{INSTANCE}/rendered?charset=iso-8859-1", headers={"Accept": "text/plain"})
    assert "Größe".encode("latin1") in text.content
    listed = client.get(f"{INSTANCE}/rendered?charset=klingon,iso-8859-1;q=0.5", headers={"Accept": "text/plain"})
    assert listed.headers["content-type"] == "text/plain; charset=iso-8859-1"
    assert client.get(WADO).headers["content-type"] == "text/html; charset=utf-8"
    assert client.get(f"{INSTANCE}/rendered?charset=klingon").status_code == 406


@pytest.mark.parametrize("path", [f"{INSTANCE}/rendered", f"{SERIES}/rendered", f"{STUDY}/rendered"])
def test_what_has_no_form_is_said_to_have_none(client: TestClient, path: str) -> None:
    store(client, a_file(PixelData=None))
    answer = client.get(path)
    assert (answer.status_code, "1.2.3.1.1" in answer.json()["Message"]) == (406, True)


@pytest.mark.parametrize("deleted", [STUDY, SERIES, INSTANCE])
def test_no_thumbnail_stays_of_what_was_deleted(client: TestClient, archive: Archive, deleted: str) -> None:
    store(client, *a_series(2))
    for path in (STUDY, SERIES, INSTANCE, f"{INSTANCE}/frames/1"):
        assert client.get(f"{path}/thumbnail").status_code == 200
    assert len(list(archive.storage.objects("thumbnails/"))) == 4
    client.delete(deleted)
    assert list(archive.storage.objects("thumbnails/")) == []


def test_a_thumbnail_is_of_one_frame(client: TestClient) -> None:
    store(client, a_file())
    assert client.get(f"{INSTANCE}/frames/1,1/thumbnail").status_code == 400


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE, f"{INSTANCE}/frames/1"])
def test_thumbnails(client: TestClient, archive: Archive, path: str) -> None:
    store(client, a_file(**grey(np.tile(np.arange(512, dtype="<u2"), (1024, 1)))))
    first = client.get(f"{path}/thumbnail")
    assert (first.headers["content-type"], picture_of(first.content).shape) == ("image/jpeg", (256, 128))
    archive.storage.delete(["studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1.dcm"])
    again = client.get(f"{path}/thumbnail")
    assert again.content == first.content  # kept: the instance was not read
    assert client.get(f"{path}/thumbnail", headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_the_thumbnail_of_a_study_follows_it(client: TestClient) -> None:
    store(client, a_file(PixelData=None))
    icon = client.get(f"{STUDY}/thumbnail", headers=PNG)
    store(client, a_file(SOPInstanceUID="1.2.3.1.2"))
    assert client.get(f"{STUDY}/thumbnail", headers=PNG).content != icon.content


def test_a_thumbnail_shows_no_burned_in_letters(client: TestClient) -> None:
    store(client, a_file(**grey(np.tile(np.arange(512, dtype="<u2"), (512, 1))), BurnedInAnnotation="YES"))
    assert picture_of(client.get(f"{INSTANCE}/thumbnail").content).shape == (64, 64)


def test_what_has_no_picture_has_an_icon(client: TestClient) -> None:
    store(client, a_pdf())
    for path in (STUDY, SERIES, INSTANCE):
        answer = client.get(f"{path}/thumbnail?viewport=100,100", headers=PNG)
        assert picture_of(answer.content).shape == (100, 100)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{INSTANCE}/frames/0/rendered", 400), (f"{INSTANCE}/frames/2/rendered", 404),
        (f"{INSTANCE}/frames/a/rendered", 400), (f"{INSTANCE}/frames/2/thumbnail", 404),
        (f"{SERIES}/instances/9.9/rendered", 404), (f"{STUDY}/series/9.9/rendered", 404),
        ("/dicom-web/studies/9.9/rendered", 404), ("/dicom-web/studies/9.9/thumbnail", 404),
        (f"{STUDY}/series/9.9/thumbnail", 404), (f"{STUDY}/series/x/thumbnail", 400),
        (f"{INSTANCE}/rendered?viewport=1000000,1000000", 400), (f"{INSTANCE}/rendered?window=1,0,linear", 400),
        (f"{INSTANCE}/rendered?quality=-1", 400), (f"{INSTANCE}/rendered?viewport=9,9,99,99", 400),
        (f"{WADO}&frameNumber=0", 400), (f"{WADO}&frameNumber=2", 404), (f"{WADO}&rows=x", 400),
        (f"{WADO}&region=0,0,2,1", 400), (f"{WADO}&contentType=image/bmp", 406), (f"{WADO}&contentType=,", 400),
        (f"{WADO}&anonymize=maybe", 400), (f"{WADO}&transferSyntax=x", 400), (f"{WADO}&seriesUID=9.9", 404),
        (f"{WADO}&anonymize=yes&contentType=image/png", 406), (f"{WADO}&annotation=x", 400),
    ],
)  # fmt: skip
def test_bad_requests(client: TestClient, path: str, status: int) -> None:
    store(client, a_file())
    answer = client.get(path)
    assert (answer.status_code, "Message" in answer.json()) == (status, True)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"Rows": 400}, (404, 406)),  # more pixels than there are
        ({"Rows": 0}, (404, 406)),
        ({"NumberOfFrames": 16_000_000}, (404, 406)),
        ({"Rows": 65535, "Columns": 65535}, (404, 406)),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, (406,)),
        (grey(np.array([[0, 1]], "u1"), 8, PhotometricInterpretation="PALETTE COLOR", **PALETTE
              | {"RedPaletteColorLookupTableData": b"\0\0"}), (406,)),
        ({"PhotometricInterpretation": "CMYK"}, (406,)),
        ({"BitsStored": 99}, (404, 406)),
    ],
)  # fmt: skip
def test_images_that_lie(client: TestClient, attributes: dict[str, Any], status: tuple[int, ...]) -> None:
    store(client, a_file(**attributes))
    for path in (f"{INSTANCE}/frames/1/rendered", f"{INSTANCE}/rendered"):
        assert client.get(path).status_code in (*status, 406), client.get(path).text
    assert client.get(f"{INSTANCE}/thumbnail").status_code == 200


@pytest.mark.parametrize(("media_type", "columns"), [("image/webp", 16_384), ("image/jpeg", 65_535)])
def test_a_picture_larger_than_its_format_can_say_is_not_acceptable(
    client: TestClient, media_type: str, columns: int
) -> None:
    store(client, a_file(**grey(np.zeros((1, columns), "<u2"))))
    for accept in (media_type, f'multipart/related; type="{media_type}"'):
        answer = client.get(f"{INSTANCE}/rendered", headers={"Accept": accept})
        assert (answer.status_code, str(columns) in answer.json()["Message"]) == (406, True)
    assert rendered(client).shape == (1, columns)


def test_quality(client: TestClient) -> None:
    noise = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype("<u2")
    store(client, a_file(**grey(noise)))
    sizes = [len(client.get(f"{INSTANCE}/rendered?quality={quality}").content) for quality in (1, 50, 100)]
    assert sizes == sorted(set(sizes))
    assert len(client.get(f"{WADO}&imageQuality=1").content) == sizes[0]


def test_an_overlay_of_one_frame_is_on_that_frame_alone(client: TestClient) -> None:
    ds = a_data_set(**grey(np.zeros((3, 1, 2), "<u2")))
    for element, vr, value in (
        (0x10, "US", 1), (0x11, "US", 2), (0x15, "IS", "1"), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x51, "US", 2),
        (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", bytes([0b11, 0])),
    ):  # fmt: skip
        ds.add_new((0x6000, element), vr, value)
    store(client, a_file(ds))
    shown = [
        rendered(client, f"{INSTANCE}/frames/{number}/rendered?annotation=overlays").tolist() for number in (1, 2, 3)
    ]
    assert shown == [[[0, 0]], [[255, 255]], [[0, 0]]]


def test_overlays_are_shown_to_who_asks(client: TestClient) -> None:
    ds = a_data_set(**grey(np.zeros((2, 3), "<u2")))
    for element, vr, value in (
        (0x10, "US", 2), (0x11, "US", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 2]), (0x100, "US", 1), (0x102, "US", 0),
        (0x3000, "OW", bytes([0b1001, 0])),
    ):  # fmt: skip
        ds.add_new((0x6000, element), vr, value)
    store(client, a_file(ds))
    assert rendered(client).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert rendered(client, f"{INSTANCE}/rendered?annotation=overlays").tolist() == [[0, 255, 0], [0, 0, 255]]


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x60000015, "IS", b"many"), (0x60000051, "LO", b"none"), (0x60000050, "LO", b"a\\b "),
        (0x60000010, "SS", b"\xfe\xff"), (0x60000102, "LO", b"text"),
    ],
)  # fmt: skip
def test_overlays_that_cannot_be_do_no_harm(client: TestClient, tag: int, vr: str, value: bytes) -> None:
    ds = a_data_set(**grey(np.zeros((2, 2), "<u2")))
    for element, number in ((0x10, -2), (0x11, -2), (0x102, 0)):
        ds.add_new((0x6000, element), "SS", number)
    ds.add_new((0x6000, 0x50), "SS", [1, 1])
    ds.add_new((0x6000, 0x3000), "OW", b"\1\0")
    store(client, with_element(a_file(ds), tag, vr, value))
    assert client.get(f"{INSTANCE}/rendered?annotation=overlays").status_code == 200


def test_annotations_are_burned_in(client: TestClient) -> None:
    store(client, a_file(**grey(np.zeros((256, 256), "<u2"), KVP=120)))
    plain = rendered(client)
    for annotation, side in (("patient", slice(0, 128)), ("technique", slice(128, 256))):
        annotated = rendered(client, f"{INSTANCE}/rendered?annotation={annotation}") != plain
        assert (annotated.any(), annotated[:, side].sum()) == (True, annotated.sum())
    both = rendered(client, f"{WADO}&contentType=image/png&annotation=patient,technique") != plain
    assert both[:, :128].any()
    assert both[:, 128:].any()


def profile_in(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as picture:
        stored = picture.info.get("icc_profile")
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(stored))).strip() if stored else ""


def test_colour_profiles(client: TestClient) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    store(client, a_file(**colour(RGB, "RGB", ICCProfile=srgb)))
    for wanted, name in (
        ("", "sRGB"),
        ("yes", "sRGB"),
        ("no", ""),
        ("srgb", "sRGB"),
        ("adobergb", "Adobe"),
        ("rommrgb", "ROMM"),
    ):
        query = f"?iccprofile={wanted}" if wanted else ""
        found = profile_in(client.get(f"{INSTANCE}/rendered{query}", headers=PNG).content)
        assert found.startswith(name), wanted
        assert bool(found) is bool(name)
    # The same colour has other numbers in a wider space.
    assert rendered(client, f"{INSTANCE}/rendered?iccprofile=srgb").tolist() == RGB.tolist()
    assert rendered(client, f"{INSTANCE}/rendered?iccprofile=adobergb")[0, 0].tolist()[0] == pytest.approx(219, abs=2)


def test_head_and_validators(client: TestClient) -> None:
    store(client, a_file())
    for path in ("/rendered", "/frames/1/rendered", "/thumbnail"):
        answer = client.get(INSTANCE + path)
        assert client.head(INSTANCE + path).headers["etag"] == answer.headers["etag"]
        assert client.get(INSTANCE + path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    other = client.get(f"{INSTANCE}/rendered?window=1,2,linear")
    assert other.headers["etag"] != client.get(f"{INSTANCE}/rendered").headers["etag"]


def test_the_uri_service_gives_pictures_by_default(client: TestClient) -> None:
    store(client, frames_file())
    assert client.get(WADO).headers["content-type"] == "image/jpeg"
    png = client.get(f"{WADO}&contentType=image/png&frameNumber=2&windowCenter=1&windowWidth=1")
    assert picture_of(png.content).tolist() == [[255, 0]]
    listed = client.get(f"{WADO}&contentType=image/bmp,image/png")
    assert listed.headers["content-type"] == "image/png"
    assert client.get(f"{WADO}&contentType=application/dicom").headers["content-type"] == "application/dicom"
    assert client.get(f"{WADO}&transferSyntax=1.2.840.10008.1.2").headers["content-type"] == "application/dicom"


def test_anonymized_objects_hold_no_name_and_keep_together(client: TestClient) -> None:
    store(client, *a_series(2))
    files = [
        pydicom.dcmread(
            io.BytesIO(client.get(f"/wado?requestType=WADO&anonymize=yes&objectUID=1.2.3.1.{number}").content)
        )
        for number in (1, 2)
    ]
    assert files[0].StudyInstanceUID == files[1].StudyInstanceUID != "1.2.3"
    assert files[0].SOPInstanceUID != files[1].SOPInstanceUID
    assert (str(files[0].PatientName), files[0].PatientIdentityRemoved) == ("", "YES")
    store(client, a_file(SOPInstanceUID="1.2.3.1.7", BurnedInAnnotation="YES"))
    refused = client.get("/wado?requestType=WADO&anonymize=yes&objectUID=1.2.3.1.7")
    assert (refused.status_code, "BurnedInAnnotation" in refused.json()["Message"]) == (406, True)


def with_element(file: bytes, tag: int, vr: str, value: bytes) -> bytes:
    """A file with one more element, as nobody should write it, in its place."""
    ds = pydicom.dcmread(io.BytesIO(file))
    behind = [element for element in ds if element.tag > tag]
    for element in behind:
        del ds[element.tag]
    ds.pop(tag, None)
    head, tail = io.BytesIO(), DicomBytesIO()
    pydicom.dcmwrite(head, ds, enforce_file_format=True)
    tail.is_little_endian, tail.is_implicit_VR = True, False
    write_dataset(tail, Dataset({element.tag: element for element in behind}))
    made = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    return head.getvalue() + made + tail.getvalue()


@pytest.mark.parametrize("tag", [0x52009229, 0x52009230, 0x00283000, 0x00283010, 0x00480105, 0x00100010])
def test_what_is_no_sequence_or_name_is_left_out(client: TestClient, tag: int) -> None:
    store(client, with_element(a_file(**grey(RAMP)), tag, "LO", b"text"))
    assert rendered(client).tolist() == [[0, 85, 170, 255]]
    assert client.get(f"{INSTANCE}/rendered?annotation=patient,technique,overlays").status_code == 200
    assert client.get(f"{INSTANCE}/thumbnail").status_code == 200
