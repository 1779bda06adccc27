"""Every file of pydicom, retrieved over a real socket in every way, is what pydicom says of the file itself."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from moto import mock_aws
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames
from pydicom.pixels import pixel_array  # type: ignore[attr-defined]

from dicomweb.dicom.uids import EXPLICIT_LITTLE, IMPLICIT_LITTLE, JPEG_2000_LOSSLESS, JPEG_LS, NATIVE, RLE
from dicomweb.pixels.capabilities import LOSSY_JPEG
from tests.builders import PYDICOM_FILES, an_archive, pydicom_files
from tests.conformance.conftest import serving
from tests.conformance.test_dicomweb_client import REFUSED
from tests.pixels.samples import PIXEL_KEYWORDS, dicom_files, header, image_files, values

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom warns of what is odd in its files

# Files of pydicom's data package that cannot be stored, and why; REFUSED has those of the wheel.
NOT_STORED = {
    "bad_sequence.dcm": "expected a UID",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "has no end: truncated",
}
# Images that have no decoded form, and what the server says.
NOT_DECODED = {"JPEG-lossy.dcm": "cannot be decoded", "JPEG2000-embedded-sequence-delimiter.dcm": "tiles"}
# Native pixels that pydicom does not read: NumberOfFrames is "1A".
NOT_READ = "badVR.dcm"
# Images that have no form in one of the encodings; the server says why in these words.
NO_SUCH_FORM = re.compile("transfer syntax .* holds|is too small to be encoded|has no form in transfer syntax")
OCTETS = 'multipart/related; type="application/octet-stream"'
DICOM = 'multipart/related; type="application/dicom"'
LOSSY_TOLERANCE = 5  # of 255; chroma samples are interpolated otherwise
MOST_ENCODED = 300_000  # bytes of pixels in an image that is encoded anew; larger ones take most of the time
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}


def stored_files() -> list[Path]:
    """Those that can be stored; all of pydicom's wheel, and the small ones of its data package."""
    files = dict.fromkeys([*pydicom_files(), *dicom_files()])
    return [
        path
        for path in files
        if str(path).removeprefix(f"{PYDICOM_FILES}/") not in REFUSED and path.name not in NOT_STORED
    ]


IMAGES = {
    path for path in stored_files() if path.name != NOT_READ and any(word in header(path) for word in PIXEL_KEYWORDS)
}


@dataclass(frozen=True)
class Stored:
    """A stored file."""

    path: Path
    url: str

    @property
    def ds(self) -> Dataset:
        return header(self.path)

    @property
    def transfer_syntax(self) -> str:
        return str(self.ds.file_meta.TransferSyntaxUID)

    @property
    def frame_count(self) -> int:
        return int(self.ds.get("NumberOfFrames") or 1)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One server for all files."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with mock_aws(), serving(an_archive()) as url, httpx.Client(base_url=url, timeout=60) as http:
            yield http


@pytest.fixture(scope="module", params=stored_files(), ids=lambda path: path.name)
def stored(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[Stored]:
    """One file at a time: some of them have the same UIDs."""
    path: Path = request.param
    answer = http.post("/studies", content=path.read_bytes(), headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["00081199"]["Value"]
    url = item["00081190"]["Value"][0]
    yield Stored(path, url)
    assert http.delete(url).status_code == 204


def test_bytes_are_as_stored(http: httpx.Client, stored: Stored) -> None:
    content = stored.path.read_bytes()
    assert get(http, stored.url, "application/dicom; transfer-syntax=*").content == content
    assert get_parts(http, stored.url, f"{DICOM}; transfer-syntax=*") == [content]


def test_every_bulk_data_uri_leads_to_the_bytes_of_its_element(http: httpx.Client, stored: Stored) -> None:
    (metadata,) = get(http, f"{stored.url}/metadata", "application/dicom+json").json()
    read = pydicom.dcmread(stored.path)  # anew: elements are raw until they are looked at
    count = 0
    for uri, vr, expected in bulk_values(metadata, read):
        found = b"".join(get_parts(http, uri, OCTETS + "; transfer-syntax=*"))
        assert found == expected, (uri, vr)
        count += 1
    assert count >= (stored.path in IMAGES)


def test_frames_are_as_stored(http: httpx.Client, stored: Stored) -> None:
    if stored.path not in IMAGES:
        assert http.get(f"{stored.url}/frames/1").status_code == (200 if stored.path.name == NOT_READ else 404)
        return
    found = get_frames(http, stored, f"{OCTETS}; transfer-syntax=*")
    assert found == list(stored_frames(stored.ds))


def test_frames_decoded_are_those_of_pydicom(http: httpx.Client, stored: Stored) -> None:
    if stored.path not in IMAGES or stored.transfer_syntax in NATIVE:
        pytest.skip("nothing to decode")
    url = f"{stored.url}/frames/{','.join(map(str, range(1, stored.frame_count + 1)))}"
    if reason := NOT_DECODED.get(stored.path.name):
        answer = http.get(url, headers={"Accept": OCTETS})
        assert (answer.status_code, reason in answer.json()["Message"]) == (406, True), answer.text
        return
    frames = get_parts(http, url, OCTETS)
    expected = pixels_of(stored.ds)
    found = np.frombuffer(b"".join(frames), expected.dtype.newbyteorder("<")).reshape(expected.shape)
    assert_alike(stored.ds, found, expected)


def test_in_explicit_vr_little_endian_everything_is_the_same(http: httpx.Client, stored: Stored) -> None:
    answer = http.get(stored.url, headers={"Accept": f"application/dicom; transfer-syntax={EXPLICIT_LITTLE}"})
    if reason := NOT_DECODED.get(stored.path.name):
        assert (answer.status_code, reason in answer.json()["Message"]) == (406, True), answer.text
        return
    assert answer.status_code == 200, answer.text
    result = pydicom.dcmread(io.BytesIO(answer.content))
    assert result.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE
    if stored.path in IMAGES:
        assert_alike(stored.ds, pixels_of(result), pixels_of(stored.ds))
    changed = {0x00280004, 0x00280006} if stored.transfer_syntax not in NATIVE else set()
    kept, found = (list(elements(ds, but=PIXELS | changed)) for ds in (stored.ds, result))
    if stored.transfer_syntax == IMPLICIT_LITTLE:  # it has no VRs: pydicom looks some up, and leaves others UN
        kept, found = ([place[:2] for place in each] for each in (kept, found))
    assert kept == found


def test_encoded_anew_pixels_are_the_same(http: httpx.Client, stored: Stored) -> None:
    if stored.path not in IMAGES or stored.path.name in NOT_DECODED:
        pytest.skip("no image to encode")
    if (expected := pixels_of(stored.ds)).nbytes > MOST_ENCODED:
        pytest.skip("large")
    for target in (JPEG_LS, JPEG_2000_LOSSLESS, RLE):
        answer = http.get(stored.url, headers={"Accept": f"application/dicom; transfer-syntax={target}"})
        if answer.status_code == 406:
            assert NO_SUCH_FORM.search(answer.json()["Message"]), answer.text
            continue
        assert answer.status_code == 200, answer.text
        result = pydicom.dcmread(io.BytesIO(answer.content))
        assert result.file_meta.TransferSyntaxUID == target
        assert_alike(stored.ds, pixels_of(result), expected)


@pytest.mark.parametrize(
    "path", [path for path in dicom_files() if path.name in NOT_STORED], ids=lambda path: path.name
)
def test_what_is_not_stored_says_why(http: httpx.Client, path: Path) -> None:
    answer = http.post("/studies", content=path.read_bytes(), headers={"Content-Type": "application/dicom"})
    assert (answer.status_code, NOT_STORED[path.name] in answer.text) == (409, True), answer.text


def get(http: httpx.Client, url: str, accept: str) -> httpx.Response:
    answer = http.get(url, headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


def get_parts(http: httpx.Client, url: str, accept: str) -> list[bytes]:
    """The contents of the parts of a multipart answer."""
    answer = get(http, url, accept)
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    _, *parts, end = (b"\r\n" + answer.content).split(b"\r\n--" + boundary)
    assert end.strip() == b"--"
    return [part.partition(b"\r\n\r\n")[2] for part in parts]


def get_frames(http: httpx.Client, stored: Stored, accept: str) -> list[bytes]:
    numbers = ",".join(str(number) for number in range(1, stored.frame_count + 1))
    return get_parts(http, f"{stored.url}/frames/{numbers}", accept)


def bulk_values(metadata: dict[str, Any], ds: Dataset) -> Iterator[tuple[str, str, bytes]]:
    """(URI, VR, bytes in little endian as pydicom reads them) of every bulk value."""
    for tag, attribute in metadata.items():
        if "BulkDataURI" in attribute:
            yield attribute["BulkDataURI"], attribute["vr"], value_bytes(ds, int(tag, 16), attribute["vr"])
        elif attribute["vr"] == "SQ":
            for item, nested in zip(attribute.get("Value", ()), ds[int(tag, 16)].value, strict=True):
                yield from bulk_values(item, nested)


def value_bytes(ds: Dataset, tag: int, vr: str) -> bytes:
    element: Any = ds.get_item(tag)
    value: bytes = element.value
    if isinstance(element, RawDataElement) and element.length == 0xFFFFFFFF:
        return b"".join(list(generate_fragments(value))[1:])  # the first is the offset table
    is_little = element.is_little_endian if isinstance(element, RawDataElement) else ds.original_encoding[1]
    width = {"OW": 2, "US": 2, "SS": 2, "OF": 4, "OL": 4, "UL": 4, "SL": 4, "FL": 4, "OD": 8, "OV": 8, "FD": 8}.get(
        vr, 1
    )
    if tag == 0x7FE00010 and ds.get("BitsAllocated", 0) > 16:
        width = ds.BitsAllocated // 8  # a sample is a word, whatever the VR is (PS3.5 §8.2)
    return value if is_little else np.frombuffer(value, f"V{width}").view(f">u{width}").astype(f"<u{width}").tobytes()


def stored_frames(ds: Dataset) -> Iterator[bytes]:
    """The frames as they are in the file, native ones in little endian."""
    count = int(ds.get("NumberOfFrames") or 1)
    value = next(ds[keyword].value for keyword in PIXEL_KEYWORDS if keyword in ds)
    if ds.file_meta.TransferSyntaxUID not in NATIVE:
        yield from generate_frames(value, number_of_frames=count)
        return
    if ds.BitsAllocated == 1:
        for frame in frames_of(ds):
            yield np.packbits(frame.ravel(), bitorder="little").tobytes()
        return
    if not ds.original_encoding[1]:
        width = {8: 2 if ds["PixelData"].VR == "OW" else 1}.get(ds.BitsAllocated, ds.BitsAllocated // 8)
        value = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
    size = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated // 8
    if ds.PhotometricInterpretation == "YBR_FULL_422":
        size = size * 2 // 3
    for start in range(0, size * count, size):
        yield value[start : start + size]


def frames_of(ds: Dataset) -> NDArray[Any]:
    pixels: NDArray[Any] = pixel_array(ds, raw=True)
    return pixels if int(ds.get("NumberOfFrames") or 1) > 1 else pixels[None]


def pixels_of(ds: Dataset) -> NDArray[Any]:
    """Pixels as pydicom decodes them; colour of a lossy JPEG as RGB, every other as it is."""
    pixels: NDArray[Any] = pixel_array(ds, raw=not is_colour_jpeg(ds))
    return pixels


def is_colour_jpeg(ds: Dataset) -> bool:
    return ds.file_meta.TransferSyntaxUID in LOSSY_JPEG and ds.SamplesPerPixel == 3


def assert_alike(source: Dataset, found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.shape == expected.shape
    if is_colour_jpeg(source):
        difference = np.abs(found.astype("i8") - expected.astype("i8"))
        assert (difference.max() <= LOSSY_TOLERANCE, difference.mean() < 0.5) == (True, True)
    else:
        assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")


def elements(ds: Dataset, but: set[int]) -> Iterator[Any]:
    return (place for place in values(ds) if place[1] not in but)


def test_there_are_files_of_both_packages() -> None:
    assert len(stored_files()) > 150
    assert len(IMAGES & set(image_files())) > 120
