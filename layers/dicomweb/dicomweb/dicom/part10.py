"""A DICOM file (PS3.10 §7) read once: identity, metadata, and the place of every frame and bulk value. Pure."""

import zlib
from dataclasses import dataclass

from dicomweb.dicom.elements import Bytes, Element, read_data_set
from dicomweb.dicom.frames import Frames, find_frames
from dicomweb.dicom.json_model import BulkData, Conversion, DataSet, to_json
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_LITTLE, encoding_of, is_uid
from dicomweb.errors import InvalidDicom

_PREAMBLE = 128  # bytes, then "DICM"
MAX_INFLATED = 128 * 1024 * 1024  # bytes; a deflated data set larger than this is taken for a bomb
_CHUNK = 1024 * 1024  # bytes inflated at once

STUDY, SERIES, INSTANCE, SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
_IDENTITY = {
    STUDY: "StudyInstanceUID",
    SERIES: "SeriesInstanceUID",
    INSTANCE: "SOPInstanceUID",
    SOP_CLASS: "SOPClassUID",
}
_MEDIA_SOP_CLASS, _MEDIA_INSTANCE, _TRANSFER_SYNTAX = 0x00020002, 0x00020003, 0x00020010


@dataclass(frozen=True, slots=True)
class Instance:
    """All that ingest computes of one file, so that no retrieve ever parses it.

    Positions in a deflated file are those of the inflated one (see `inflate`).

    Attributes:
        media_sop_class: the SOP class that the File Meta Information names, "" for none.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    transfer_syntax: str
    metadata: DataSet
    bulk: dict[str, BulkData]
    frames: Frames | None
    media_sop_class: str = ""


class Unidentified(InvalidDicom):
    """A DICOM file that cannot be stored, with as much of its identity as could be read.

    A Store response names a failed instance by these (PS3.18 Table 10.5.3-3).
    """

    def __init__(self, message: str, sop_class: str = "", instance: str = "") -> None:
        super().__init__(message)
        self.sop_class = sop_class
        self.instance = instance


def read_file(data: Bytes, default_codec: str) -> Instance:
    """Read a DICOM file.

    Args:
        default_codec: the Python codec of text in files that name no character set.
    Raises:
        InvalidDicom: no DICOM file, truncated, or broken.
        Unidentified: a UID is missing or is none.
    """
    elements, start = read_meta(data)
    meta = {element.tag: uid_of(data, element) for element in elements if element.vr == "UI"}
    transfer_syntax = meta.get(_TRANSFER_SYNTAX, "")
    named = (meta.get(_MEDIA_SOP_CLASS, ""), meta.get(_MEDIA_INSTANCE, ""))
    if not is_uid(transfer_syntax):
        raise Unidentified(f"Transfer Syntax UID (0002,0010) is {transfer_syntax!r}, expected a UID", *named)
    if transfer_syntax in DEFLATED:
        data = inflate(data, start)
    try:
        elements = read_data_set(data, start, len(data), encoding_of(transfer_syntax))
    except InvalidDicom as error:
        raise Unidentified(str(error), *named) from error
    return _instance(data, elements, meta, default_codec)


def inflate(data: Bytes, start: int | None = None) -> bytes:
    """The file with its data set inflated (PS3.5 A.5); at most MAX_INFLATED bytes.

    Raises:
        InvalidDicom: larger than that, or not deflated.
    """
    if start is None:
        _, start = read_meta(data)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = [data[:start]]
    size = 0
    try:
        for position in range(start, len(data), _CHUNK):
            chunk = data[position : position + _CHUNK]
            pieces.append(inflater.decompress(chunk, MAX_INFLATED + 1 - size))
            size += len(pieces[-1])
            if size > MAX_INFLATED:
                raise InvalidDicom(f"the data set inflates to more than {MAX_INFLATED} bytes")
    except zlib.error as error:
        raise InvalidDicom(f"the data set says it is deflated, but cannot be inflated: {error}") from error
    if not inflater.eof:
        raise InvalidDicom("the deflated data set has no end: truncated")
    return b"".join(pieces)


def _instance(data: Bytes, elements: list[Element], meta: dict[int, str], default_codec: str) -> Instance:
    # An identifier in another VR than UI is none: metadata would not have it as a UID.
    uids = {f"{e.tag:08X}": uid_of(data, e) for e in elements if e.vr == "UI" and f"{e.tag:08X}" in _IDENTITY}
    for tag, name in _IDENTITY.items():
        if not is_uid(uids.get(tag, "")):
            raise Unidentified(
                f"{name} ({tag[:4]},{tag[4:]}) is {uids.get(tag, '')!r}, expected a UID",
                uids.get(SOP_CLASS, ""),
                uids.get(INSTANCE, ""),
            )
    root = f"/studies/{uids[STUDY]}/series/{uids[SERIES]}/instances/{uids[INSTANCE]}/bulkdata"
    conversion = Conversion(data, default_codec, root)
    metadata = to_json(elements, conversion)
    frames = find_frames(data, elements, metadata)
    return Instance(
        study=uids[STUDY],
        series=uids[SERIES],
        instance=uids[INSTANCE],
        sop_class=uids[SOP_CLASS],
        transfer_syntax=meta[_TRANSFER_SYNTAX],
        metadata=metadata,
        bulk=conversion.bulk,
        frames=frames,
        media_sop_class=meta.get(_MEDIA_SOP_CLASS, ""),
    )


def uid_of(data: Bytes, element: Element) -> str:
    """A UID without its padding."""
    # UI is padded with NUL to even length (PS3.5 §6.2); some writers pad with a space.
    return data[element.start : element.start + min(element.length, 128)].decode("ascii", "replace").strip("\0 ")


def read_meta(data: Bytes) -> tuple[list[Element], int]:
    """The File Meta Information (PS3.10 §7.1) and where the data set starts.

    Raises:
        InvalidDicom: no DICOM file.
    """
    if data[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise InvalidDicom("not a DICOM file: expected DICM at byte 128 (PS3.10 §7.1)")
    start = _PREAMBLE + 4
    end = _end_of_meta(data, start)
    return read_data_set(data, start, end, encoding_of(EXPLICIT_LITTLE)), end


def _end_of_meta(data: Bytes, start: int) -> int:
    # The group length (0002,0000) is wrong in some files: the group number decides.
    position = start
    while len(data) - position >= 12 and data[position : position + 2] == b"\x02\x00":
        long_form = data[position + 4 : position + 6] in (b"OB", b"UN", b"OW", b"SQ", b"UT", b"UC", b"UR")
        if long_form:
            position += 12 + int.from_bytes(data[position + 8 : position + 12], "little")
        else:
            position += 8 + int.from_bytes(data[position + 6 : position + 8], "little")
    return min(position, len(data))
