"""What describes the pixels of an instance (PS3.3 C.7.6.3, Image Pixel Module). Pure."""

from dataclasses import dataclass

from dicomweb.dicom.frames import native_frame_bits
from dicomweb.dicom.json_model import DataSet, first, text_of
from dicomweb.errors import CannotTranscode

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA = "PixelData", "FloatPixelData", "DoubleFloatPixelData"
_PIXEL_ELEMENTS = {"7FE00010": PIXEL_DATA, "7FE00008": FLOAT_PIXEL_DATA, "7FE00009": DOUBLE_FLOAT_PIXEL_DATA}
_FLOAT_BITS = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}  # PS3.3 C.7.6.24, C.7.6.25
_BITS_ALLOCATED = frozenset({1, 8, 16, 32, 64})
_MAX_SIDE = 0xFFFF  # pixels; Rows and Columns are US
_OVERLAY_GROUPS = [f"60{group:02X}" for group in range(0, 0x20, 2)]


@dataclass(frozen=True, slots=True)
class ImagePixel:
    """The attributes that say how the bytes of a frame become pixels.

    Attributes:
        keyword, vr: of the element that holds the pixels.
        has_embedded_overlay: bits that are not stored bits hold an overlay (PS3.3 C.9.2, retired).
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    photometric_interpretation: str
    planar_configuration: int
    frame_count: int
    transfer_syntax: str
    keyword: str = PIXEL_DATA
    vr: str = "OW"
    has_embedded_overlay: bool = False

    @property
    def decoded_frame_bytes(self) -> int:
        """What one decoded frame takes, each sample in whole bytes."""
        return self.rows * self.columns * self.samples_per_pixel * max(1, self.bits_allocated // 8)

    @property
    def native_frame_bits(self) -> int:
        """What one native frame takes as it is stored."""
        return native_frame_bits(
            self.rows, self.columns, self.samples_per_pixel, self.bits_allocated, self.photometric_interpretation
        )


def read_image_pixel(metadata: DataSet, transfer_syntax: str) -> ImagePixel | None:
    """The description of an instance's pixels; None when it has none.

    Args:
        metadata: the instance in the DICOM JSON Model; only groups 0028, 60xx and 7FE0 are read.
    Raises:
        CannotTranscode: an attribute is absent or cannot be.
    """
    holder = next((tag for tag in _PIXEL_ELEMENTS if len(metadata.get(tag, {})) > 1), None)
    if holder is None:
        return None
    keyword = _PIXEL_ELEMENTS[holder]
    bits_allocated = _number(metadata, "00280100", "BitsAllocated", _FLOAT_BITS.get(keyword))
    bits_stored = _number(metadata, "00280101", "BitsStored", _FLOAT_BITS.get(keyword))
    image = ImagePixel(
        rows=_number(metadata, "00280010", "Rows"),
        columns=_number(metadata, "00280011", "Columns"),
        samples_per_pixel=_number(metadata, "00280002", "SamplesPerPixel", 1),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=_number(metadata, "00280102", "HighBit", bits_stored - 1),
        pixel_representation=_number(metadata, "00280103", "PixelRepresentation", 0),
        photometric_interpretation=text_of(metadata, "00280004"),
        planar_configuration=_number(metadata, "00280006", "PlanarConfiguration", 0),
        frame_count=_number(metadata, "00280008", "NumberOfFrames", 1),
        transfer_syntax=transfer_syntax,
        keyword=keyword,
        vr=metadata[holder]["vr"],
        has_embedded_overlay=_has_embedded_overlay(metadata),
    )
    if fault := _fault(image):
        raise CannotTranscode(fault)
    return image


def _number(metadata: DataSet, tag: str, keyword: str, default: int | None = None) -> int:
    value = first(metadata, tag)
    if value is None and default is not None:
        return default
    if not isinstance(value, int):
        raise CannotTranscode(f"{keyword} is {value!r}, expected a whole number")
    return value


def _fault(image: ImagePixel) -> str:
    """What cannot be of an image; "" when all can."""
    expected = {
        f"Rows is {image.rows}, expected 1 to {_MAX_SIDE}": 0 < image.rows <= _MAX_SIDE,
        f"Columns is {image.columns}, expected 1 to {_MAX_SIDE}": 0 < image.columns <= _MAX_SIDE,
        f"SamplesPerPixel is {image.samples_per_pixel}, expected 1 or 3": image.samples_per_pixel in (1, 3),
        f"BitsAllocated is {image.bits_allocated}, expected {sorted(_BITS_ALLOCATED)}": image.bits_allocated
        in _BITS_ALLOCATED,
        f"BitsStored is {image.bits_stored}, expected 1 to BitsAllocated": 0
        < image.bits_stored
        <= image.bits_allocated,
        f"HighBit is {image.high_bit}, expected less than BitsAllocated": image.bits_stored - 1
        <= image.high_bit
        < image.bits_allocated,
        f"PixelRepresentation is {image.pixel_representation}, expected 0 or 1": image.pixel_representation in (0, 1),
        f"PlanarConfiguration is {image.planar_configuration}, expected 0 or 1": image.planar_configuration in (0, 1),
        f"NumberOfFrames is {image.frame_count}, expected at least 1": image.frame_count > 0,
        "PhotometricInterpretation is absent": bool(image.photometric_interpretation),
    }
    return next((fault for fault, holds in expected.items() if not holds), "")


def _has_embedded_overlay(metadata: DataSet) -> bool:
    return any(f"{group}0102" in metadata and f"{group}3000" not in metadata for group in _OVERLAY_GROUPS)
