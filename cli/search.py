"""Search, and results as a table, JSON or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.errors import InvalidArgument
from cli.service import StudiesService
from dicomweb.dicom.attribute_names import parse_list, parse_path
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.readable_values import printable, values
from dicomweb.errors import InvalidQuery

# What a table shows of each level, beside what keys and includefield name.
COLUMNS = {
    "studies": (
        "StudyDate", "PatientName", "PatientID", "AccessionNumber", "ModalitiesInStudy", "StudyDescription",
        "NumberOfStudyRelatedInstances", "StudyInstanceUID",
    ),
    "series": ("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances", "SeriesInstanceUID"),
    "instances": ("InstanceNumber", "SOPClassUID", "Rows", "Columns", "NumberOfFrames", "SOPInstanceUID"),
}  # fmt: skip
_HEADINGS = {"NumberOfStudyRelatedInstances": "Instances", "NumberOfSeriesRelatedInstances": "Instances"}
_OWN = {"limit": "--limit", "offset": "--limit"}
_WIDTH = 200  # of a table that goes into a file or a pipe
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True)
class Query:
    """A level, and parameters as they are sent."""

    level: str
    parameters: list[tuple[str, str]]

    @property
    def columns(self) -> dict[str, str]:
        """Tag → keyword of what is shown."""
        shown = {tag: name for name in COLUMNS[self.level] if (tag := _tag(name))}
        for name, value in self.parameters:
            for each in parse_list(value) if name == "includefield" else [name]:
                if (tag := _tag(each)) and tag not in shown:
                    shown[tag] = keyword_for_tag(tag) or each
        return shown


def parse(words: list[str]) -> Query:
    """`studies PatientName=Doe* …`; the level may be left out.

    Raises:
        InvalidArgument
    """
    level, *keys = words if words and "=" not in words[0] else ["studies", *words]
    if level not in COLUMNS:
        raise InvalidArgument(f"{level!r}: expected studies, series or instances, then keys such as PatientName='Doe*'")
    parameters = []
    for key in keys:
        name, equals, value = key.partition("=")
        if not equals or not name:
            raise InvalidArgument(f"{key!r}: expected KEY=VALUE, such as PatientName='Doe*' or StudyDate=20240101-")
        if name in _OWN:
            raise InvalidArgument(f"{key!r}: expected {_OWN[name]}; pages are read to their end")
        parameters.append((name, value))
    return Query(level, parameters)


def rows(service: StudiesService, query: Query, limit: int, on_warning: Callable[[str], None]) -> Iterator[DataSet]:
    """Raises Unreachable, Refused."""
    count, said = 0, set[str]()
    for page in service.search(query.level, query.parameters, limit):
        for warning in page.warnings:
            if warning not in said:
                on_warning(warning)
            said.add(warning)
        wanted = page.rows[: limit - count] if limit else page.rows
        count += len(wanted)
        yield from wanted


def as_json(found: Iterable[DataSet], _: Query) -> None:
    for row in found:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def as_csv(found: Iterable[DataSet], query: Query) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(query.columns.values())
    for row in found:
        writer.writerow(text_of(row, tag) for tag in query.columns)


def as_table(found: Iterable[DataSet], query: Query) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in query.columns.values():
        # UIDs are copied: they are never cut.
        table.add_column(_HEADINGS.get(name, name), overflow="fold", no_wrap=False)
    for row in found:
        table.add_row(*(Text(printable(text_of(row, tag))) for tag in query.columns))
    Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False).print(table)


def text_of(row: DataSet, tag: str) -> str:
    """All values of an attribute, separated as in DICOM (PS3.5 §6.4)."""
    return "\\".join(map(_text, values(row, tag)))


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    groups = [str(value.get(group) or "") for group in _NAME_GROUPS]
    return "=".join(groups).rstrip("=") if any(groups) else "…"


def _tag(name: str) -> str:
    try:
        return parse_path(name)[0]
    except InvalidQuery:  # a parameter of another kind, or an attribute that the server will speak about
        return ""
