"""What a content item of a structured report says, as text (PS3.3 C.17.3, C.18). Pure."""

from collections.abc import Callable
from typing import Any

from dicomweb.dicom.json_model import DataSet, first, first_item, items_of, text_of
from dicomweb.dicom.readable_values import (
    code,
    date,
    date_time,
    listed,
    person_name,
    time,
    uid_name,
    values,
)

VALUE_TYPE = "0040A040"
CONTAINER = "CONTAINER"
_NOT_HERE = "(too long to be shown)"
# Schemes whose code values are numbers that nobody reads; others, UCUM above all, are units as they are written.
_SCHEMES_OF_NUMBERS = frozenset({"DCM", "SCT", "SNM3", "SRT"})
_NO_UNITS = frozenset({"1", "{no units}", "no units"})


def concept_name(item: DataSet) -> str:
    """What the item is about: the meaning of its Concept Name Code Sequence."""
    return code(first_item(item, "0040A043"))


def value_of(item: DataSet) -> str:
    """The value of a content item that has one, "" for a container and what is empty."""
    value_type = text_of(item, VALUE_TYPE)
    reader = _VALUES.get(value_type)
    if reader:
        return reader(item)
    return f"({value_type}: not a value type that is known)" if value_type else ""


def _text(tag: str, form: Callable[[str], str] = str) -> Callable[[DataSet], str]:
    def read(item: DataSet) -> str:
        return _NOT_HERE if _is_elsewhere(item, tag) else form(text_of(item, tag))

    return read


def _is_elsewhere(item: DataSet, tag: str) -> bool:
    """A long value is bulk data: metadata only say where it is."""
    return "BulkDataURI" in item.get(tag, {})


def _person(item: DataSet) -> str:
    return person_name(first(item, "0040A123"))


def _code(item: DataSet) -> str:
    return code(first_item(item, "0040A168"), with_value=True)


def _number(item: DataSet) -> str:
    qualifier = code(first_item(item, "0040A301"))
    measured = first_item(item, "0040A300") or {}
    number = text_of(measured, "0040A30A")
    shown = f"{number} {_unit(first_item(measured, '004008EA'))}".strip() if number else "(no value)"
    return f"{shown} ({qualifier})" if qualifier else shown


def _unit(unit: DataSet | None) -> str:
    symbol = text_of(unit or {}, "00080100")
    if symbol in _NO_UNITS:
        return ""
    return symbol if symbol and text_of(unit or {}, "00080102") not in _SCHEMES_OF_NUMBERS else code(unit)


def _reference(item: DataSet) -> str:
    """COMPOSITE, IMAGE, WAVEFORM: class and UID, and which part of the instance (PS3.3 C.18.3 to C.18.5)."""
    return "; ".join(_instance(reference) for reference in items_of(item, "00081199"))


def _instance(reference: DataSet) -> str:
    parts = [f"{uid_name(text_of(reference, '00081150'))} {text_of(reference, '00081155')}".strip()]
    for tag, label in (("00081160", "frames"), ("0062000B", "segments")):
        if numbers := values(reference, tag):
            parts.append(f"{label} {listed(numbers)}")
    if channels := values(reference, "0040A0B0"):
        parts.append(f"channels {_points(channels, 2)}")
    # The presentation state that an image is to be shown with.
    if state := first_item(reference, "00081199"):
        parts.append(f"shown with {uid_name(text_of(state, '00081150'))} {text_of(state, '00081155')}".rstrip())
    return ", ".join(part for part in parts if part)


def _points(numbers: list[Any], dimensions: int) -> str:
    """Coordinates: 1/2, 3/4."""
    texts = [_short(number) for number in numbers]
    return listed("/".join(texts[at : at + dimensions]) for at in range(0, len(texts), dimensions))


def _short(number: Any) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _coordinates(dimensions: int) -> Callable[[DataSet], str]:
    def read(item: DataSet) -> str:
        points = _NOT_HERE if _is_elsewhere(item, "00700022") else _points(values(item, "00700022"), dimensions)
        frame = text_of(item, "30060024")
        parts = (text_of(item, "00700023"), points, f"in frame of reference {frame}" if frame else "")
        return " ".join(part for part in parts if part)

    return read


def _times(item: DataSet) -> str:
    parts = [text_of(item, "0040A130")]
    if samples := values(item, "0040A132"):
        parts.append(f"samples {listed(samples)}")
    if offsets := values(item, "0040A138"):
        parts.append(f"{listed(offsets)} s")
    if moments := values(item, "0040A13A"):
        parts.append(listed(date_time(str(moment)) for moment in moments))
    return " ".join(part for part in parts if part)


def _table(item: DataSet) -> str:
    """Rows and columns, then a line a cell (PS3.3 C.18.10)."""
    holder = first_item(item, "0040A801") or item
    rows, columns = text_of(holder, "0040A802") or "?", text_of(holder, "0040A803") or "?"
    names = {
        (kind, text_of(entry, number)): concept_name(entry)
        for kind, tag, number in (("row", "0040A806", "0040A804"), ("column", "0040A807", "0040A805"))
        for entry in items_of(holder, tag)
    }
    lines = [f"{rows} rows, {columns} columns"]
    cells = items_of(holder, "0040A808")
    for cell in cells[:_CELLS]:
        row, column = text_of(cell, "0040A804"), text_of(cell, "0040A805")
        where = f"{names.get(('row', row)) or f'row {row}'}, {names.get(('column', column)) or f'column {column}'}"
        lines.append(f"{where}: {_cell(cell)}")
    if len(cells) > _CELLS:
        lines.append(f"… {len(cells) - _CELLS} more cells")
    return "\n".join(lines)


_CELLS = 200  # of a table that are shown


def _cell(cell: DataSet) -> str:
    """Whatever stands beside the numbers of row and column."""
    if text_of(cell, VALUE_TYPE):
        return value_of(cell)
    shown: list[str] = []
    for tag, attribute in sorted(cell.items()):
        if tag in ("0040A804", "0040A805", "0072004E", "00720050", "00720026"):  # numbers; selector tag and VR
            continue
        for value in values(cell, tag):
            if isinstance(value, dict):
                shown.append(person_name(value) if attribute.get("vr") == "PN" else code(value))
            else:
                shown.append(str(value))
    return listed(shown)


_VALUES: dict[str, Callable[[DataSet], str]] = {
    CONTAINER: lambda _: "",
    "TEXT": _text("0040A160"),
    "CODE": _code,
    "NUM": _number,
    "DATETIME": _text("0040A120", date_time),
    "DATE": _text("0040A121", date),
    "TIME": _text("0040A122", time),
    "UIDREF": _text("0040A124"),
    "PNAME": _person,
    "COMPOSITE": _reference,
    "IMAGE": _reference,
    "WAVEFORM": _reference,
    "SCOORD": _coordinates(2),
    "SCOORD3D": _coordinates(3),
    "TCOORD": _times,
    "TABLE": _table,
}
