"""Images for tests: files of others, arrays of ours, and codestreams that no encoder of ours makes."""

import base64
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomweb.dicom.uids import EXPLICIT_LITTLE
from dicomweb.pixels.image import ImagePixel, read_image_pixel
from dicomweb.pixels.transcode import transcode
from tests.builders import a_data_set, a_file, pydicom_files

LARGEST_FILE = 1_000_000  # bytes; the few above would take most of the time
_LARGE_FILES = Path(data_store.__file__).parent / "data"
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

ROWS, COLUMNS = np.mgrid[0:16, 0:16]
RAMP_16 = (ROWS * 257 + COLUMNS * 13).astype("<u2")
RAMP_12 = RAMP_16 % 4096
_RAMP_8 = (ROWS * 15 + COLUMNS).astype("u1")
RAMP_RGB = np.stack([_RAMP_8, _RAMP_8[::-1], 255 - _RAMP_8], -1)

HTJ2K_16 = base64.b64decode(
    "/0//UQApQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQkJCQ"
    "iIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAIAAAf+TwAAmWfYFB3QAAMAAEsAAEwDsAQd0AFjyA4d0AMAAE0AAE4A0/QCCdAAoiZIA"
    "w1QAwAAVEAAFYBhj/KpwAnUAghREEEH+wFKB7LYAwAArIAAWoIiIiIjnwKenp8J4AAACAAAAAAAAAP79kIB79kIB7LoA/9k="
)
HTJ2K_RGB = base64.b64decode(
    "/0//UQAvQAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAADBwEBBwEBBwEB/1AACAACAAAAA/9SAAwAAgABAQUEBEAB/1wAEyBQWFhYWFhY"
    "WFhYWFhYUFBQ/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAPUAAf+TwBKA4gAHdADAEoDoAAd0AMASgK8BB3QAAAAAwAlgBKD4AEd0AIcB"
    "B3QAwAlA4wAHdACgBMAi/gIHdADACSAEwPwScwDD4QAjVADACUARAMJ0AKAE4BAh/gBjVADACWAFSPCgC+QAYQjhwAAB7LYAwAkAqeJ0AKAFUIYGg+HA"
    "IQHstgDAFpwBbUAWmAAAAAAAAAAAAAGgBoAaKlStuwAAAAAAAAAoiqIoiqIEgIJIDHAGgBoqVK2+AAAAAAAAAAAAAAGgBoAaKlStuwDAE4Dn1PT08nc"
    "AoArwutZaa639gAB79gAB7LoA/9k="
)
JPEG_12 = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkK"
    "Cgr/wQALDAAQABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAACQ3/xAAbEAAABwEAAAAAAAAAAAAAAAAACA0pNEdS4//aAAgBAQAAPwCdhkSTbSEwrmtu"
    "QaAiSbaQmFc1tyF6AIkm2kJhXNbcg0BEk20hMK5rbkP/2Q=="
)
JPEG_LOSSLESS_16 = base64.b64decode(
    "/9j/xAAXAAEBAQEAAAAAAAAAAAAAAAAICQQQ/8MACxAAEAAQAQARAP/aAAgBAAAGAADtu3bt27du3bt27du3bQFAoFAoFAoFAoFAoFAoFAoFA0BQKBQK"
    "BQKBQKBQKBQKBQKBQNAUCgUCgUCgUCgUCgUCgUCgUDQFAoFAoFAoFAoFAoFAoFAoFA0BQKBQKBQKBQKBQKBQKBQKBQNAUCgUCgUCgUCgUCgUCgUCgUDQ"
    "FAoFAoFAoFAoFAoFAoFAoFA0BQKBQKBQKBQKBQKBQKBQKBQNAUCgUCgUCgUCgUCgUCgUCgUDQFAoFAoFAoFAoFAoFAoFAoFA0BQKBQKBQKBQKBQKBQKB"
    "QKBQNAUCgUCgUCgUCgUCgUCgUCgUDQFAoFAoFAoFAoFAoFAoFAoFA0BQKBQKBQKBQKBQKBQKBQKBQNAUCgUCgUCgUCgUCgUCgUCgUCD/2Q=="
)


@cache
def dicom_files() -> tuple[Path, ...]:
    """pydicom's test files, also those of its data package, that are not too large."""
    files = [*pydicom_files(), *sorted(_LARGE_FILES.glob("*.dcm"))]
    return tuple(path for path in files if path.read_bytes()[128:132] == b"DICM" and _is_small(path))


def image_files() -> list[Path]:
    """Those with pixels."""
    return [path for path in dicom_files() if any(word in header(path) for word in PIXEL_KEYWORDS)]


@cache
def header(path: Path) -> Dataset:
    """A file as pydicom reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's files are odd on purpose
        return pydicom.dcmread(path, force=False)


def _is_small(path: Path) -> bool:
    return path.stat().st_size <= LARGEST_FILE


def transcoded(source: bytes, transfer_syntax: str) -> bytes:
    """A file in another transfer syntax."""
    return b"".join(transcode(source, transfer_syntax))


def image_of(ds: Dataset, transfer_syntax: str) -> ImagePixel:
    """The description of a data set's pixels."""
    metadata: dict[str, Any] = {**ds.group_dataset(0x28).to_json_dict(), "7FE00010": {"vr": "OW", "BulkDataURI": "/"}}
    image = read_image_pixel(metadata, transfer_syntax)
    assert image is not None
    return image


def an_image(pixels: NDArray[Any], bits_stored: int = 0, **fields: Any) -> ImagePixel:
    """What describes pixels in Explicit VR Little Endian."""
    bits = pixels.dtype.itemsize * 8
    return replace(
        ImagePixel(
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=3 if pixels.ndim == 3 else 1,
            bits_allocated=bits,
            bits_stored=bits_stored or bits,
            high_bit=(bits_stored or bits) - 1,
            pixel_representation=int(pixels.dtype.kind == "i"),
            photometric_interpretation="RGB" if pixels.ndim == 3 else "MONOCHROME2",
            planar_configuration=0,
            frame_count=1,
            transfer_syntax=EXPLICIT_LITTLE,
            vr="OB" if bits == 8 else "OW",
        ),
        **fields,
    )


def an_image_file(
    pixels: NDArray[Any], transfer_syntax: str = EXPLICIT_LITTLE, frames: list[bytes] | None = None, **attributes: Any
) -> bytes:
    """A file with pixels: native ones, or the frames that are given."""
    image = an_image(pixels)
    ds = a_data_set(
        Rows=image.rows,
        Columns=image.columns,
        SamplesPerPixel=image.samples_per_pixel,
        BitsAllocated=image.bits_allocated,
        BitsStored=image.bits_stored,
        HighBit=image.high_bit,
        PixelRepresentation=image.pixel_representation,
        PhotometricInterpretation=image.photometric_interpretation,
    )
    if image.samples_per_pixel > 1:
        ds.PlanarConfiguration = 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.PixelData = encapsulate(frames) if frames else pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    ds["PixelData"].VR = "OB" if frames or image.bits_allocated == 8 else "OW"
    return a_file(ds, transfer_syntax=transfer_syntax)


def values(ds: Dataset, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], int, str, str]]:
    """Every value of a data set, as text in little endian, with its place; group lengths are none."""
    for element in ds:
        if element.tag.element == 0:
            continue
        if element.VR == "SQ":
            yield path, int(element.tag), "SQ", str(len(element.value))
            for number, item in enumerate(element.value):
                yield from values(item, (*path, int(element.tag), number))
        else:
            value = element.value
            if element.VR == "OW" and not ds.original_encoding[1]:  # pydicom leaves these as they are
                value = np.frombuffer(value, ">u2").astype("<u2").tobytes()
            yield path, int(element.tag), str(element.VR), repr(value)
