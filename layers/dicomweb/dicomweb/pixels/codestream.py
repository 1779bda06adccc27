"""What a compressed frame says of itself (ISO/IEC 10918-1 B.2, 14495-1 C.2, 15444-1 A and I). Pure.

A codec allocates what the codestream's own header asks for, so that header is compared with the data set's first.
"""

import struct
from dataclasses import dataclass

from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import JPEG, JPEG_2000_FAMILY, JPEG_LS_FAMILY
from dicomweb.pixels.image import ImagePixel

_MAX_TILES = 16_384  # of JPEG 2000; a decoder keeps some kilobytes for each
_SOI, _SOS, _EOI = 0xD8, 0xDA, b"\xff\xd9"
_SOF_BASELINE, _SOF_EXTENDED, _SOF_LOSSLESS, _SOF_JPEG_LS = 0xC0, 0xC1, 0xC3, 0xF7
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {_SOF_JPEG_LS}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_APP0, _APP14 = 0xE0, 0xEE
_RGB_IDS = (b"RGB", b"rgb")
_SOC_SIZ = b"\xff\x4f\xff\x51"
_SOT, _COD = 0xFF90, 0xFF52
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"

# Progressive and hierarchical JPEG are retired, and slow to decode on purpose; the others are told apart by the codec.
_PROCESSES = {
    **dict.fromkeys(JPEG, frozenset({_SOF_BASELINE, _SOF_EXTENDED, _SOF_LOSSLESS})),
    **dict.fromkeys(JPEG_LS_FAMILY, frozenset({_SOF_JPEG_LS})),
}
_ALL_PROCESSES = frozenset().union(*_PROCESSES.values())


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of a compressed frame.

    Attributes:
        precision: bits of a sample.
        is_lossless_jpeg: predictive (process 14), as Pillow cannot decode.
        has_rgb_components: components are named so.
        has_ybr_marker: JFIF, or Adobe with a colour transform.
        colour_untransformed: what a JPEG decoder takes the components for without being told: as they are.
        is_reversible: of JPEG-LS and JPEG 2000: nothing was lost.
        is_first_order: of a lossless JPEG: its predictor is the first, as in its own transfer syntax.
    """

    rows: int
    columns: int
    components: int
    precision: int
    is_lossless_jpeg: bool = False
    has_rgb_components: bool = False
    has_ybr_marker: bool = False
    colour_untransformed: bool = False
    is_subsampled: bool = False
    is_first_order: bool = False
    is_signed: bool = False
    is_reversible: bool = False
    has_colour_transform: bool = False
    is_jpeg_ls: bool = False
    is_jpeg_2000: bool = False


def parse_codestream(frame: bytes) -> Codestream:
    """The header of a frame that is compared with nothing.

    Raises:
        CannotTranscode: it is no JPEG, JPEG-LS or JPEG 2000, or cut off.
    """
    if frame.startswith((_SOC_SIZ, _JP2_SIGNATURE)):
        return _jpeg_2000(frame)
    return _jpeg(frame, _ALL_PROCESSES)


def codestream_of(frame: bytes) -> bytes:
    """A frame without a JP2 file around it (PS3.5 A.4.4)."""
    return frame[_codestream_box(frame) :] if frame.startswith(_JP2_SIGNATURE) else frame


def read_codestream(frame: bytes, image: ImagePixel) -> Codestream | None:
    """The header of a frame that names its own size; None for native and RLE frames.

    Raises:
        CannotTranscode: it has none, is cut off, or has another size than the data set says.
    """
    if image.transfer_syntax in JPEG_2000_FAMILY:
        stream = _jpeg_2000(frame)
    elif image.transfer_syntax in _PROCESSES:
        stream = _jpeg(frame, _PROCESSES[image.transfer_syntax])
    else:
        return None
    found = (stream.rows, stream.columns, stream.components)
    if found != (expected := (image.rows, image.columns, image.samples_per_pixel)):
        raise CannotTranscode(f"the codestream has rows, columns, samples {found}, the data set says {expected}")
    if not 0 < stream.precision <= image.bits_allocated:
        raise CannotTranscode(f"the codestream has {stream.precision} bits, BitsAllocated is {image.bits_allocated}")
    return stream


def _jpeg(frame: bytes, processes: frozenset[int]) -> Codestream:
    header, process, scan = b"", 0, b"\0"
    application: dict[int, bytes] = {}
    for marker, segment in _segments(frame):
        if marker in _FRAME_HEADERS:
            if header or marker not in processes:
                raise CannotTranscode(f"the codestream has frame header FF{marker:02X}, which is not expected")
            header, process = segment, marker
        elif marker in (_APP0, _APP14):
            application.setdefault(marker, segment)
        elif marker == _SOS:
            scan = segment[-3:-2] or b"\0"  # predictor of a lossless JPEG, NEAR of JPEG-LS
    if len(header) < 6:
        raise CannotTranscode("the codestream has no frame header")
    precision, rows, columns, components = struct.unpack_from(">BHHB", header)
    adobe = application.get(_APP14, b"")
    transform = adobe[11] if adobe.startswith(b"Adobe") and len(adobe) > 11 else None
    is_jfif = application.get(_APP0, b"").startswith(b"JFIF")
    has_rgb = bytes(header[6::3]) in _RGB_IDS
    return Codestream(
        rows,
        columns,
        components,
        precision,
        is_lossless_jpeg=process == _SOF_LOSSLESS,
        has_rgb_components=has_rgb,
        has_ybr_marker=is_jfif or transform == 1,
        # The order in which libjpeg decides.
        colour_untransformed=not is_jfif and (transform == 0 if transform is not None else has_rgb),
        is_subsampled=len(set(header[7::3])) > 1,
        is_first_order=scan == b"\1",
        is_reversible=process == _SOF_JPEG_LS and scan == b"\0",
        is_jpeg_ls=process == _SOF_JPEG_LS,
    )


def _segments(frame: bytes) -> list[tuple[int, bytes]]:
    """Marker segments up to the header of the first scan."""
    if frame[:2] != bytes((0xFF, _SOI)):
        raise CannotTranscode("the frame is no JPEG codestream")
    segments: list[tuple[int, bytes]] = []
    position = 2
    while position + 4 <= len(frame):
        if frame[position] != 0xFF:
            raise CannotTranscode(f"the codestream has no marker at byte {position}")
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker == _SOS:
            # Coded samples hold no marker, so that EOI is the end; a decoder makes up samples that are cut off.
            if frame.find(_EOI, position) < 0:
                raise CannotTranscode("the codestream has no end: truncated")
            length = int.from_bytes(frame[position + 2 : position + 4], "big")
            return [*segments, (marker, frame[position + 4 : position + 2 + length])]
        else:
            length = int.from_bytes(frame[position + 2 : position + 4], "big")
            segments.append((marker, frame[position + 4 : position + 2 + length]))
            position += 2 + max(2, length)
    raise CannotTranscode("the codestream ends in its header: truncated")


def _jpeg_2000(frame: bytes) -> Codestream:
    start = _codestream_box(frame) if frame.startswith(_JP2_SIGNATURE) else 0
    if frame[start : start + 4] != _SOC_SIZ or len(frame) < start + 45:
        raise CannotTranscode("the frame is no JPEG 2000 codestream")
    length, _, x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, components = struct.unpack_from(
        ">HH8IH", frame, start + 4
    )
    sizes = frame[start + 42 : start + 4 + length]
    if not components or len(sizes) != 3 * components:
        raise CannotTranscode("the codestream has a broken SIZ segment")
    if any(step != 1 for step in sizes[1::3] + sizes[2::3]):
        raise CannotTranscode("the codestream has subsampled components")
    if len(set(sizes[::3])) != 1:
        raise CannotTranscode("the codestream has components of different precision")
    if not tile_x or not tile_y or _tiles(x1, tile_x0, tile_x) * _tiles(y1, tile_y0, tile_y) > _MAX_TILES:
        raise CannotTranscode(f"the codestream has more than {_MAX_TILES} tiles")
    _check_tile_parts(frame, start + 4 + length)
    style = _coding_style(frame, start + 4 + length)
    return Codestream(
        y1 - y0,
        x1 - x0,
        components,
        (sizes[0] & 0x7F) + 1,
        is_signed=sizes[0] > 0x7F,
        has_colour_transform=style[4:5] == b"\1",
        is_reversible=style[9:10] == b"\1",
        is_jpeg_2000=True,
    )


def _coding_style(frame: bytes, position: int) -> bytes:
    """The COD segment of the main header (ISO/IEC 15444-1 A.6.1); b"" when there is none."""
    while position + 4 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker == _COD:
            return frame[position + 4 : position + 2 + length]
        if marker == _SOT or marker >> 8 != 0xFF:
            break
        position += 2 + max(2, length)
    return b""


def _tiles(end: int, start: int, step: int) -> int:
    return -(-(end - start) // step)


def _codestream_box(frame: bytes) -> int:
    """Where the codestream of a JP2 file starts. DICOM wants none around it (PS3.5 A.4.4), but there are such files."""
    position = 0
    while position + 8 <= len(frame):
        length, kind = struct.unpack_from(">I4s", frame, position)
        if kind == b"jp2c":
            return position + (16 if length == 1 else 8)
        if length < 8:
            break
        position += length
    raise CannotTranscode("the JP2 file has no codestream")


def _check_tile_parts(frame: bytes, position: int) -> None:
    """A decoder fills what is cut off with zeros and says nothing: the lengths of the tile-parts tell."""
    while position + 12 <= len(frame):
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker != _SOT:
            if marker >> 8 != 0xFF or marker & 0xFF == _EOI[1]:
                break
            position += 2 + max(2, length)
            continue
        part_length: int = struct.unpack_from(">I", frame, position + 6)[0]
        if part_length == 0:  # the last part, up to EOC
            if frame.rstrip(b"\0")[-2:] != _EOI:
                break
            return
        position += max(14, part_length)
        if position >= len(frame) - 2:
            break
    if position > len(frame) or frame[position : position + 2] not in (_EOI, b"", b"\0"):
        raise CannotTranscode("a tile-part of the codestream is cut off: truncated")
