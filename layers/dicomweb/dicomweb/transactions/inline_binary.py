"""Binary values in metadata in place of references to them (PS3.18 §F.2.7), little endian; read from the files."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.frames import swap_bytes
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.part10 import inflate
from dicomweb.dicom.uids import DEFLATED

LARGEST = 1024 * 1024  # bytes; larger values stay references
_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_PIXELS = frozenset({"7FE00008", "7FE00009", "7FE00010"})  # what nobody wants in a text
_GAP = 32 * 1024  # bytes; values that stand closer together are read at once
_AHEAD = 8  # instances

Place = tuple[str, int, int, bool]  # VR, start, length, little endian


def with_inline_binary(
    archive: Archive, documents: Iterable[DataSet], row_of: Callable[[str], InstanceRow | None]
) -> Iterator[DataSet]:
    """Data sets with their binary values inside; instances are read in parallel.

    Pixel data, encapsulated values and those over LARGEST stay references.

    Args:
        row_of: the row of a SOP Instance UID; without one everything stays as it is.
    """

    def inlined(document: DataSet) -> DataSet:
        row = row_of(document["00080018"]["Value"][0])
        return _inlined(archive, row, document) if row else document

    return archive.storage.map_ahead(inlined, documents, _AHEAD)


def _inlined(archive: Archive, row: InstanceRow, document: DataSet) -> DataSet:
    references = list(_references(document, ""))
    if not references:
        return document
    places = _places(archive, row)
    wanted = {path: places[path] for path, _ in references if path in places}
    values = _read(archive, row, wanted)
    for path, attribute in references:
        if path in values:
            del attribute["BulkDataURI"]
            attribute["InlineBinary"] = base64.b64encode(values[path]).decode()
    return document


def _references(document: DataSet, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, attribute in document.items():
        if attribute["vr"] == "SQ":
            for number, item in enumerate(attribute.get("Value", ()), 1):
                yield from _references(item, f"{path}{tag}/{number}/")
        elif "BulkDataURI" in attribute and attribute["vr"] in _VRS and path + tag not in _PIXELS:
            yield path + tag, attribute


def _places(archive: Archive, row: InstanceRow) -> dict[str, Place]:
    bulk = row.bulk
    if bulk is None:
        where = keys.bulk_object(row.study, row.series, row.fragment, row.instance)
        bulk = json.loads(archive.storage.read_gzip(where))
    return {
        path: (vr, start, length, little)
        for path, (vr, start, length, little, encapsulated) in bulk.items()
        if length <= LARGEST and not encapsulated
    }


def _read(archive: Archive, row: InstanceRow, places: dict[str, Place]) -> dict[str, bytes]:
    """Each value by its path, in little endian."""
    key = row.object_key
    # Places are those of the inflated file: it has to be inflated as a whole.
    whole = inflate(archive.storage.read_bytes(key)) if places and row.transfer_syntax in DEFLATED else b""
    values = {}
    for run in _runs(places):
        first, end = places[run[0]][1], max(places[path][1] + places[path][2] for path in run)
        read = whole[first:end] if whole else archive.storage.read_range(key, first, end - first)
        for path in run:
            vr, start, length, little = places[path]
            value = read[start - first : start - first + length]
            values[path] = value if little else swap_bytes(value, vr)
    return values


def _runs(places: dict[str, Place]) -> list[list[str]]:
    """Paths of values that are read at once, in the order in which they stand."""
    runs: list[list[str]] = []
    end = 0
    for path in sorted(places, key=lambda path: places[path][1]):
        _, start, length, _ = places[path]
        if runs and start - end <= _GAP:
            runs[-1].append(path)
        else:
            runs.append([path])
        end = start + length
    return runs
