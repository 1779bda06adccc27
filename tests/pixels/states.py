"""Images and presentation states for tests, and what is seen of them."""

import io
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomweb.dicom.part10 import read_file
from dicomweb.dicom.presentation_states import GRAYSCALE
from dicomweb.dicom.rendering import Rendering
from dicomweb.pixels.image import read_image_pixel
from dicomweb.pixels.presentation_state import State
from dicomweb.pixels.render import Source, render_frame
from tests.builders import a_data_set, a_file

RAMP = np.arange(256, dtype="<u2").reshape(16, 16)


def an_item(**attributes: Any) -> Dataset:
    """An item of a sequence; lists of items become sequences."""
    item = Dataset()
    for keyword, value in attributes.items():
        is_items = isinstance(value, list) and bool(value) and isinstance(value[0], Dataset)
        setattr(item, keyword, Sequence(value) if is_items else value)
    return item


def a_table(entries: list[int], first: int = 0, bits: int = 8) -> Dataset:
    """An item of a LUT sequence."""
    item = an_item(LUTDescriptor=[len(entries), first, bits])
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    item["LUTDescriptor"].VR = "US"
    return item


def a_reference(instance: str = "1.2.3.1.1", frames: int | list[int] | None = None) -> Dataset:
    """An item of a Referenced Image Sequence."""
    item = an_item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=instance)
    if frames is not None:
        item.ReferencedFrameNumber = frames
    return item


def an_image(pixels: NDArray[Any] = RAMP, **attributes: Any) -> Dataset:
    """An image of 8 bits in words, whose levels are its values, when nothing else is said."""
    said = {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "BitsStored": 8, "HighBit": 7}
    return a_data_set(**(said | {"PixelData": pixels.astype("<u2").tobytes()} | attributes))


def a_state(**attributes: Any) -> Dataset:
    """A grayscale presentation state of that image, which shows it as it is; attributes replace or add, None removes."""
    said: dict[str, Any] = {
        "SOPClassUID": GRAYSCALE,
        "SOPInstanceUID": "1.2.3.9.1",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.9",
        "Modality": "PR",
        "PatientID": "P1",
        "ReferencedSeriesSequence": [an_item(SeriesInstanceUID="1.2.3.1", ReferencedImageSequence=[a_reference()])],
        "PresentationLUTShape": "IDENTITY",
    }
    return an_item(**{keyword: value for keyword, value in (said | attributes).items() if value is not None})


def seen(image: Dataset, state: Dataset | None, rendering: Rendering | None = None, frame: int = 1) -> NDArray[Any]:
    """What is seen of a frame with a presentation state: grey levels, or red, green and blue."""
    source = source_of(a_file(image), None if state is None else a_file(state), frame)
    return np.asarray(render_frame(source, rendering or Rendering()).image)


def source_of(image: bytes, state: bytes | None, frame: int = 1) -> Source:
    """A frame of one file, and the presentation state in another."""
    of_image, read_image = _opened(image)
    described = read_image_pixel(of_image, pydicom.dcmread(io.BytesIO(image)).file_meta.TransferSyntaxUID)
    assert described is not None
    size = described.native_frame_bits // 8
    raw = read_image("7FE00010")[(frame - 1) * size : frame * size]
    return Source(raw, frame, described, of_image, read_image, None if state is None else State(*_opened(state)))


def _opened(content: bytes) -> tuple[Any, Any]:
    instance = read_file(content, "iso8859_1")

    def read_bulk(path: str) -> bytes:
        value = instance.bulk.get(path)
        return content[value.start : value.start + value.length] if value else b""

    return instance.metadata, read_bulk
