"""Labels of studies: who may see those with a label alone sees nothing else."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from pydicom.datadict import tag_for_keyword

from dicomweb.archive import Archive
from dicomweb.archive.rows import NewInstance
from dicomweb.dicom.folding import fold
from dicomweb.dicom.json_model import DataSet
from dicomweb.errors import BadRequest
from dicomweb.identity import LABEL
from dicomweb.transactions.instances import missing

_MOST = 50  # labels of a study


def labels_of(new: NewInstance, rules: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """The labels of a new study with this first instance: those whose attributes all match, * and ? as wild cards."""
    if not rules:
        return frozenset()
    attributes = new.study_kept.attributes | new.series_kept.attributes
    return frozenset(
        label
        for label, wanted in rules.items()
        if all(_matches(attributes, keyword, pattern) for keyword, pattern in wanted.items())
    )


def read_labels(archive: Archive, study: str) -> list[str]:
    """Raises NotFound."""
    row = archive.index.study(study)
    if row is None:
        raise missing(archive, study)
    return sorted(row.labels)


def put_labels(archive: Archive, study: str, labels: object) -> None:
    """Give a study these labels, and no others.

    Raises:
        NotFound: no such study.
        BadRequest: no labels.
    """
    if not isinstance(labels, list) or len(labels) > _MOST or not all(_is_label(each) for each in labels):
        raise BadRequest(
            f'expected an array of at most {_MOST} labels of letters, digits, dots, - and _, such as ["ward-3"]'
        )
    read_labels(archive, study)
    archive.index.label(study, frozenset(labels))


def _is_label(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(LABEL, text) is not None


def _matches(attributes: DataSet, keyword: str, pattern: str) -> bool:
    tag = f"{tag_for_keyword(keyword) or 0:08X}"
    values = attributes.get(tag, {}).get("Value", ())
    texts = (each.get("Alphabetic", "") if isinstance(each, dict) else str(each) for each in values)
    return any(fnmatchcase(fold(text), fold(pattern)) for text in texts)
