"""The search entries of a study: the items by which a search comes to it (their keys are in `keys.py`).

They are made from its row alone, so that deletion finds them. A study whose instances name several patients has the
entries of each.
"""

import json
from collections.abc import Iterable, Iterator

from dicomweb.archive import keys
from dicomweb.archive.items import kept_item, kept_of, others_of
from dicomweb.archive.keys import Key
from dicomweb.archive.rows import NewInstance, patient_of
from dicomweb.archive.table import Item
from dicomweb.dicom.folding import fold, name_texts
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.orthanc_ids import orthanc_id, patient_id

_MOST_PATIENTS = 8  # of a study; it is not found by more
_PATIENT_TAGS = ("00100010", "00100020")


def entry_items(study_item: Item) -> list[Item]:
    """The search entries of a study; that of its month has its attributes, so that a walk can rule it out at once."""
    study, at = study_item["pk"][2:], study_item["at"]
    attributes = json.loads(study_item["attributes"])
    others = others_of(study_item)
    month = {"pk": keys.month_partition(keys.month_of(at)), "sk": at, **kept_item(kept_of(study_item))}
    if others:
        month["patients"] = study_item["patients"]
    found = [
        {"pk": pk, "sk": sk, "at": at, **({"texts": texts} if texts else {})}
        for (pk, sk), texts in _entries_of(at, _with_values(attributes, others))
    ]
    identifiers = [orthanc_id(patient_id(patient)) for patient in (attributes, *others)]
    found += [{"pk": keys.patient_partition(identifier), "sk": at, "at": at} for identifier in identifiers]
    for patient in others:
        identifier = orthanc_id(patient_id(patient), study)
        pk, sk = keys.patient_key(study, identifier)
        found.append({"pk": pk, "sk": sk, "orthanc": identifier})
    return [entry | {"study": study} for entry in (month, *found)]


def count_of_entries(new: NewInstance) -> int:
    """How many entries the study of an instance has, if it is its first."""
    return 2 + sum(1 for _ in _entries_of("", new.study_kept.attributes))


def more_patients(study_item: Item, batch: Iterable[NewInstance]) -> list[DataSet]:
    """The patients that instances name and their study does not know yet (PatientID tells them apart)."""
    known = {patient_id(each) for each in (json.loads(study_item["attributes"]), *others_of(study_item))}
    found: list[DataSet] = []
    for new in batch:
        patient = patient_of(new.study_kept.attributes)
        if patient_id(patient) not in known and len(known) < _MOST_PATIENTS:
            known.add(patient_id(patient))
            found.append(patient)
    return found


def _with_values(attributes: DataSet, others: tuple[DataSet, ...]) -> DataSet:
    """A study's attributes with the names and identifiers of all its patients."""
    merged = dict(attributes)
    for tag in _PATIENT_TAGS:
        values = [value for row in (attributes, *others) for value in row.get(tag, {}).get("Value", ())]
        if values:
            merged[tag] = {"Value": values}
    return merged


def _entries_of(at: str, row: DataSet) -> Iterator[tuple[Key, list[str]]]:
    """The keys of the entries by what a study's row says, and the texts that those of grams carry."""
    for tag in keys.EXACT:
        values = [str(value) for value in row.get(tag, {}).get("Value", ()) if value]
        for partition in sorted({keys.exact_partition(tag, value) for value in values}):
            yield (partition, at), []
    for tag in keys.NAMES:
        for name in sorted(_names_of(row, tag)):
            yield (keys.name_partition(tag, name), f"{name}#{at}"), []
    for tag in keys.GRAMS:
        texts = sorted(_folded(row, tag))
        grams = set().union(*(keys.grams_of(text) for text in texts))
        for gram in sorted(grams):
            yield (keys.gram_partition(tag, gram), at), texts


def _names_of(row: DataSet, tag: str) -> set[str]:
    """Each component group of each name, folded, as much of it as a key holds."""
    return {keys.name_key(text) for text in _folded(row, tag)}


def _folded(row: DataSet, tag: str) -> set[str]:
    values = [value for value in row.get(tag, {}).get("Value", ()) if value]
    return {folded for value in values for text in name_texts(value) if (folded := fold(text))}
