"""Whole files: what comes out is the same image, and everything else of the file is kept."""

import io
import mmap
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array  # type: ignore[attr-defined]
from pydicom.sequence import Sequence

from dicomweb.dicom import part10
from dicomweb.dicom.uids import (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_2000_LOSSLESS,
    JPEG_LS,
    NATIVE,
    RLE,
)
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import CONTAINERS, ENCODED, LOSSY_JPEG
from dicomweb.pixels.encode import encode_frame
from dicomweb.pixels.transcode import transcode
from tests.builders import a_data_set, a_file
from tests.pixels.samples import (
    PIXEL_KEYWORDS,
    an_image,
    an_image_file,
    dicom_files,
    header,
    image_files,
    transcoded,
    values,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom warns of what is odd in its files

# Files that have no other form, with the reason; what is only broken for pydicom is left out.
BROKEN = {
    "JPEG-lossy.dcm": "cannot be decoded",
    "JPEG2000-embedded-sequence-delimiter.dcm": "tiles",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "truncated",
    "MR_truncated.dcm": "truncated",
    "rtplan_truncated.dcm": "truncated",
    "DICOMDIR-nooffset": "runs 24 bytes over its sequence",
    "meta_missing_tsyntax.dcm": "TransferSyntaxUID",
    "badVR.dcm": "NumberOfFrames is '1A'",
    "nested_priv_SQ.dcm": "BitsAllocated is None",
}
WHOLE = [path for path in dicom_files() if path.name not in BROKEN]
IMAGES = [path for path in image_files() if path.name not in BROKEN]
LOSSY_TOLERANCE = 5
NOISE = np.random.default_rng(2).integers(0, 4096, (40, 48)).astype("<u2")


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content), force=False)


def assert_same_pixels(source: Dataset, result: Dataset) -> None:
    is_colour_jpeg = source.file_meta.TransferSyntaxUID in LOSSY_JPEG and source.SamplesPerPixel == 3
    expected, found = (pixel_array(ds, raw=not is_colour_jpeg).astype("f8") for ds in (source, result))
    assert expected.shape == found.shape
    assert np.abs(expected - found).max() <= (LOSSY_TOLERANCE if is_colour_jpeg else 0)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_every_image_is_the_same_in_every_transfer_syntax(path: Path) -> None:
    source = header(path)
    for target in (EXPLICIT_LITTLE, *ENCODED):
        result = form_of(path, target)
        if isinstance(result, str):  # only what the table says; that a frame fails is in BROKEN
            assert "holds" in result or "too small" in result
        else:
            assert result.file_meta.TransferSyntaxUID == target
            assert_same_pixels(source, result)


def form_of(path: Path, target: str) -> Dataset | str:
    """A file in another transfer syntax, or why it has no such form."""
    try:
        return read(transcoded(path.read_bytes(), target))
    except CannotTranscode as reason:
        return str(reason)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_everything_else_is_kept(path: Path) -> None:
    source = header(path)
    syntax = source.file_meta.TransferSyntaxUID
    changed = {0x00280004, 0x00280006} if syntax not in NATIVE else set()
    for target in CONTAINERS:
        content = transcoded(path.read_bytes(), target)
        assert content[:128] == path.read_bytes()[:128]
        result = read(content)
        # An implicit VR is looked up: unknown ones are lost (PS3.5 A.1). Pixels have a test of their own.
        named = IMPLICIT_LITTLE not in (syntax, target)
        kept, found = (
            [place if named else (*place[:2], place[3]) for place in _kept(ds, changed)] for ds in (source, result)
        )
        if named or syntax == target:
            assert kept == found
        else:
            assert [place[:2] for place in kept] == [place[:2] for place in found]


def _kept(ds: Dataset, changed: set[int]) -> list[Any]:
    pixels = {0x7FE00008, 0x7FE00009, 0x7FE00010}
    return [place for place in values(ds) if place[1] not in pixels | changed]


@pytest.mark.parametrize(
    "path", [each for each in WHOLE if header(each).file_meta.TransferSyntaxUID in NATIVE], ids=lambda p: p.name
)
def test_there_and_back_keeps_every_byte_of_a_value(path: Path) -> None:
    explicit = transcoded(transcoded(path.read_bytes(), IMPLICIT_LITTLE), EXPLICIT_LITTLE)
    assert transcoded(transcoded(explicit, DEFLATED_LITTLE), EXPLICIT_LITTLE) == explicit
    implicit = transcoded(explicit, IMPLICIT_LITTLE)
    assert transcoded(transcoded(implicit, DEFLATED_LITTLE), IMPLICIT_LITTLE) == implicit


@pytest.mark.parametrize("path", [each for each in dicom_files() if each.name in BROKEN], ids=lambda path: path.name)
def test_what_has_no_other_form_says_why(path: Path) -> None:
    with pytest.raises(CannotTranscode, match=BROKEN[path.name]):
        transcoded(path.read_bytes(), RLE)


def test_the_same_transfer_syntax_is_the_same_file() -> None:
    for path in WHOLE[:20]:
        content = path.read_bytes()
        assert transcoded(content, header(path).file_meta.TransferSyntaxUID) == content


@pytest.mark.parametrize("target", [*sorted(CONTAINERS), *ENCODED])
def test_frames_of_every_encoding_are_found_again(target: str) -> None:
    frames = [NOISE + number for number in range(3)]
    native = an_image_file(NOISE, NumberOfFrames=3)
    ds = read(native)
    ds.PixelData = b"".join(frame.tobytes() for frame in frames)
    compressed = transcoded(a_file(ds), target)
    assert np.array_equal(pixel_array(read(compressed)), np.stack(frames))
    back = transcoded(compressed, EXPLICIT_LITTLE)
    assert back == transcoded(transcoded(a_file(ds), IMPLICIT_LITTLE), EXPLICIT_LITTLE)


def test_offset_tables_of_the_old_fragments_go() -> None:
    frames = [encode_frame(NOISE, an_image(NOISE), JPEG_LS)[0]] * 2
    content = an_image_file(
        NOISE, JPEG_LS, frames, NumberOfFrames=2, ExtendedOffsetTable=b"\0" * 16, ExtendedOffsetTableLengths=b"\1" * 16
    )
    for target in (EXPLICIT_LITTLE, RLE):
        result = read(transcoded(content, target))
        assert "ExtendedOffsetTable" not in result
        assert "ExtendedOffsetTableLengths" not in result
        assert pixel_array(result).shape == (2, *NOISE.shape)


def test_fragments_of_a_frame_are_joined_whatever_the_offset_table_says() -> None:
    frame = encode_frame(NOISE, an_image(NOISE), JPEG_LS)[0]
    half = len(frame) // 4 * 2
    pieces = [frame[:half], frame[half:] + b"\0" * (len(frame) % 2)]
    ds = read(an_image_file(NOISE, JPEG_LS, [frame], NumberOfFrames=2))
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(piece)) + piece for piece in pieces * 2)
    wrong_table = struct.pack("<HHIII", 0xFFFE, 0xE000, 8, 12345, 54321)
    ds.PixelData = wrong_table + items
    result = read(transcoded(a_file(ds, transfer_syntax=JPEG_LS), EXPLICIT_LITTLE))
    assert np.array_equal(pixel_array(result), np.stack([NOISE, NOISE]))


def test_attributes_follow_the_pixels() -> None:
    colour = np.random.default_rng(3).integers(0, 256, (33, 33, 3)).astype("u1")
    planes = read(
        an_image_file(colour, PlanarConfiguration=1, LossyImageCompression="01", LossyImageCompressionRatio="7")
    )
    planes.PixelData = colour.transpose(2, 0, 1).tobytes() + b"\0"
    content = a_file(planes)
    for target, photometric, vr in (
        (JPEG_2000_LOSSLESS, "YBR_RCT", "OB"), (JPEG_LS, "RGB", "OB"), (RLE, "RGB", "OB")
    ):  # fmt: skip
        result = read(transcoded(content, target))
        assert (result.PhotometricInterpretation, result.PlanarConfiguration) == (photometric, 0)
        assert (result["PixelData"].VR, result.LossyImageCompression, result.LossyImageCompressionRatio) == (
            vr,
            "01",
            7,
        )
        native = read(transcoded(transcoded(content, target), EXPLICIT_LITTLE))
        assert (native.PhotometricInterpretation, native["PixelData"].VR) == ("RGB", "OB")
        assert len(native.PixelData) == 33 * 33 * 3 + 1
        assert np.array_equal(pixel_array(native), colour)


def test_native_pixels_of_more_than_a_byte_are_words() -> None:
    assert (
        read(
            transcoded(
                an_image_file(NOISE, JPEG_LS, [encode_frame(NOISE, an_image(NOISE), JPEG_LS)[0]]), EXPLICIT_LITTLE
            )
        )["PixelData"].VR
        == "OW"
    )  # PS3.5 A.2


def test_a_native_icon_stays_and_a_compressed_one_becomes_native() -> None:
    icon = read(an_image_file(NOISE))
    for keyword in [each.keyword for each in icon if each.tag.group not in (0x28, 0x7FE0)]:
        delattr(icon, keyword)
    compressed = Dataset()
    compressed.update(icon)
    frame = encode_frame(NOISE, an_image(NOISE), JPEG_LS)[0]
    compressed.add_new(0x7FE00010, "OB", b"")
    compressed.PixelData = pydicom.encaps.encapsulate([frame])
    compressed["PixelData"].is_undefined_length = True
    ds = read(an_image_file(NOISE, JPEG_LS, [frame]))
    ds.IconImageSequence = Sequence([icon, compressed])
    content = a_file(ds, transfer_syntax=JPEG_LS)
    for target in (EXPLICIT_LITTLE, RLE):
        result = read(transcoded(content, target))
        assert [item.PixelData for item in result.IconImageSequence] == [NOISE.tobytes()] * 2
        assert np.array_equal(pixel_array(result), NOISE)


def test_values_are_not_judged() -> None:
    ds = a_data_set(PatientComments="x")
    ds.add_new(0x00091010, "LO", "ACME")
    ds.add_new(0x0009101F, "UN", b"\1\2\3\4")
    content = a_file(ds)
    odd = content.replace(b"Doe^Jane", b"\xff\xfe\\=^^\x1b$").replace(b"20240131", b"31.01.24")
    result = transcoded(transcoded(odd, IMPLICIT_LITTLE), DEFLATED_LITTLE)
    inflated = part10.inflate(result)
    for value in (b"\xff\xfe\\=^^\x1b$", b"31.01.24", b"\1\2\3\4", b"ACME"):
        assert value in inflated


def test_a_value_too_long_for_its_vr_becomes_unknown() -> None:
    ds = a_data_set()
    ds.add_new(0x00204000, "LT", "x" * 70_000)
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    implicit = a_file(ds, transfer_syntax=IMPLICIT_LITTLE)
    result = read(transcoded(implicit, EXPLICIT_LITTLE))
    assert len(result[0x00204000].value) == 70_000  # written as UN (PS3.5 §6.2.2)


def test_a_data_set_deflated_is_even_and_can_be_inflated() -> None:
    content = transcoded(an_image_file(NOISE), DEFLATED_LITTLE)
    _, start = part10.read_meta(content)
    assert len(content) % 2 == 0
    assert zlib.decompress(content[start:], -zlib.MAX_WBITS)


def test_a_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part10, "MAX_INFLATED", 1_000_000)
    content = transcoded(a_file(a_data_set(PatientComments="x" * 60_000, PixelData=b"\0" * 2_000_000)), DEFLATED_LITTLE)
    assert len(content) < 10_000
    with pytest.raises(CannotTranscode, match="inflates to more than"):
        transcoded(content, EXPLICIT_LITTLE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[:400], "cut off|truncated|not a DICOM file"),
        (lambda content: content[:-100], "truncated"),
        (lambda _: b"no DICOM file" * 20, "not a DICOM file"),
        (
            lambda content: content.replace(b"\x28\0\x10\0US\2\0\x28\0", b"\x28\0\x10\0US\2\0\xff\0"),
            "is beyond the pixel data",
        ),
    ],
)
def test_broken_files_are_refused(change: Any, reason: str) -> None:
    content = change(an_image_file(NOISE))
    with pytest.raises(CannotTranscode, match=reason):
        transcoded(content, RLE)


def test_frames_of_different_colour_are_refused() -> None:
    colour = np.zeros((32, 32, 3), "u1")
    frames = [a_jpeg_ls(colour, marker) for marker in (b"", b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0")]
    content = an_image_file(colour, JPEG_LS, frames, NumberOfFrames=2)
    with pytest.raises(CannotTranscode, match="frames are RGB and YBR_FULL"):
        transcoded(content, EXPLICIT_LITTLE)


def a_jpeg_ls(pixels: Any, marker: bytes) -> bytes:
    """A JPEG-LS codestream with another marker segment in front."""
    frame = encode_frame(pixels, an_image(pixels), JPEG_LS)[0]
    return frame[:2] + marker + frame[2:]


def test_a_large_file_is_never_in_memory_whole(tmp_path: Path) -> None:
    frame = np.zeros((512, 512), "<u2")
    ds = read(an_image_file(frame, NumberOfFrames=40))
    ds.PixelData = frame.tobytes() * 40
    path = tmp_path / "large.dcm"
    path.write_bytes(a_file(ds))
    for target in (IMPLICIT_LITTLE, RLE):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as source:
            assert max(len(chunk) for chunk in transcode(source, target)) <= 1024 * 1024


def test_big_endian_frames_of_odd_length() -> None:
    path = next(each for each in IMAGES if each.name == "SC_rgb_small_odd_big_endian.dcm")
    assert header(path).file_meta.TransferSyntaxUID == EXPLICIT_BIG
    for target in (EXPLICIT_LITTLE, RLE):
        assert_same_pixels(header(path), read(transcoded(path.read_bytes(), target)))


def test_objects_without_pixels_change_container() -> None:
    path = next(each for each in WHOLE if each.name == "test-SR.dcm")
    assert not any(keyword in header(path) for keyword in PIXEL_KEYWORDS)
    assert list(values(header(path))) == list(values(read(transcoded(path.read_bytes(), DEFLATED_LITTLE))))
    with pytest.raises(CannotTranscode, match="without pixel data"):
        transcoded(path.read_bytes(), RLE)
