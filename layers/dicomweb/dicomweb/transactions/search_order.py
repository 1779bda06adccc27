"""The order of answers: studies by StudyDate, StudyTime and UID, descending; series and instances by number and UID."""

import json
from dataclasses import dataclass

from dicomweb.archive import keys
from dicomweb.archive.rows import InstanceRow, SeriesRow
from dicomweb.dicom.attributes import INSTANCE, SERIES
from dicomweb.dicom.json_model import DataSet, first, text_of

_SERIES_NUMBER, _INSTANCE_NUMBER = "00200011", "00200013"

NumberAndUID = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order of answers.

    Attributes:
        at: the place of its study (`archive/keys.py`).
        below: of its series and of itself, as far as its level has them.
    """

    at: str
    below: tuple[NumberAndUID, ...] = ()

    def is_before(self, other: "Place") -> bool:
        return self.at > other.at or (self.at == other.at and self.below < other.below)


def place_of(row: DataSet, level: str) -> Place:
    """The place of an answer's row."""
    below: tuple[NumberAndUID, ...] = ()
    if level in (SERIES, INSTANCE):
        below += ((_number(row, _SERIES_NUMBER), text_of(row, "0020000E")),)
    if level == INSTANCE:
        below += ((_number(row, _INSTANCE_NUMBER), text_of(row, "00080018")),)
    return Place(keys.at_of(text_of(row, "0020000D"), row), below)


def place_as_text(place: Place) -> str:
    return json.dumps([place.at, place.below])


def place_from_text(text: str) -> Place:
    at, below = json.loads(text)
    return Place(at, tuple((number, uid) for number, uid in below))


def in_order(rows: list[InstanceRow]) -> list[InstanceRow]:
    """Instances by Instance Number, then UID."""
    return sorted(rows, key=lambda row: (_number(row.attributes, _INSTANCE_NUMBER), row.instance))


def series_in_order(rows: list[SeriesRow]) -> list[SeriesRow]:
    """Series by Series Number, then UID."""
    return sorted(rows, key=number_and_uid)


def number_and_uid(row: SeriesRow) -> NumberAndUID:
    return _number(row.attributes, _SERIES_NUMBER), row.series


def _number(attributes: DataSet, tag: str) -> float:
    value = first(attributes, tag)
    return value if isinstance(value, int) else float("inf")
