"""The rows of an answer: what they show, and another order of them (PS3.18 §10.6.3.3)."""

import math

from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attribute_names import select_private
from dicomweb.dicom.attributes import SERIES
from dicomweb.dicom.folding import fold, name_texts
from dicomweb.dicom.json_model import DataSet, first, select, text_of
from dicomweb.dicom.match_keys import NUMBERS
from dicomweb.dicom.query import Query


def answer_row(query: Query, url: str, documents: dict[str, DataSet]) -> DataSet:
    """One row: the attributes of its level and those of its parents.

    Args:
        url: where the row's resource is.
        documents: by level, that of the study first.
    """
    row: DataSet = {}
    for level, document in documents.items():
        wanted = attributes.DEFAULTS[level] | attributes.COMPUTED[level] | query.include
        row |= document if "all" in query.include else select(document, wanted)
        row |= select_private(document, query.include_private)
    row["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    row[attributes.RETRIEVE_URL] = {"vr": "UR", "Value": [url]}
    if query.level == SERIES:
        row.pop(attributes.AVAILABILITY, None)
    return dict(sorted(row.items()))


def study_document(study: StudyRow) -> DataSet:
    return study.attributes | {
        attributes.AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        attributes.MODALITIES_IN_STUDY: _values("CS", sorted(study.modalities)),
        attributes.SOP_CLASSES_IN_STUDY: _values("UI", sorted(study.sop_classes)),
        attributes.SERIES_IN_STUDY: {"vr": "IS", "Value": [study.series_count]},
        attributes.INSTANCES_IN_STUDY: {"vr": "IS", "Value": [study.instance_count]},
    }


def series_document(series: SeriesRow) -> DataSet:
    return series.attributes | {attributes.INSTANCES_IN_SERIES: {"vr": "IS", "Value": [series.instance_count]}}


def instance_document(row: InstanceRow) -> DataSet:
    return row.attributes | {
        attributes.AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        attributes.AVAILABLE_TRANSFER_SYNTAX: {"vr": "UI", "Value": [row.transfer_syntax]},
    }


def _values(vr: str, values: list[str]) -> dict[str, object]:
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def ordered(rows: list[DataSet], order: tuple[tuple[str, bool], ...]) -> list[DataSet]:
    """Rows by the values of some attributes; absent ones last, equal ones in the usual order."""
    for tag, descending in reversed(order):
        present = [row for row in rows if text_of(row, tag)]
        absent = [row for row in rows if not text_of(row, tag)]
        rows = sorted(present, key=lambda row: _sort_key(row, tag), reverse=descending) + absent
    return rows


def _sort_key(row: DataSet, tag: str) -> tuple[float, str]:
    value = first(row, tag)
    if row[tag]["vr"] in NUMBERS:
        try:
            return float(value), ""
        except (TypeError, ValueError):
            return math.inf, str(value)
    return 0.0, fold(name_texts(value)[0]) if isinstance(value, dict) and name_texts(value) else fold(str(value))
