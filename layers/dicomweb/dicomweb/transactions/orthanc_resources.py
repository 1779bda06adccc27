"""Patients, studies, series and instances as Orthanc's own API describes them, as far as its DICOMweb workflow goes."""

from typing import Any

from pydicom.datadict import keyword_for_tag

from dicomweb.archive import Archive
from dicomweb.archive.rows import StudyRow, changed_s
from dicomweb.dicom.json_model import DataSet, select
from dicomweb.dicom.orthanc_ids import orthanc_id, patient_id
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import NotFound
from dicomweb.transactions.resources import INSTANCES, PATIENTS, SERIES, STUDIES, Resource, find_resource, find_uid
from dicomweb.transactions.search_order import in_order, series_in_order

# Orthanc's MainDicomTags of version 1.13.
_MAIN = {
    PATIENTS: "00100010 00100020 00100030 00100040 00101000",
    STUDIES: "00080020 00080030 00080050 00080080 00080090 00080201 00081030 0020000D 00200010 00321032 00321060",
    SERIES: (
        "00080021 00080031 00080060 00080070 00080201 00081010 0008103E 00081070 00180010 00180015 00180024 00181030 "
        "00181090 00181400 0020000E 00200011 00200037 00200105 00201002 00400244 00400245 00400254 00400275 00540081"
    ),
    INSTANCES: "00080012 00080013 00080018 00200012 00200013 00200032 00200037 00200100 00204000 00280008 00541330",
}
_TYPES = {PATIENTS: "Patient", STUDIES: "Study", SERIES: "Series", INSTANCES: "Instance"}


def describe(archive: Archive, level: str, identifier: str) -> dict[str, Any]:
    """A resource: its main attributes, its parent, and its children.

    Raises:
        NotFound: there is none of this level.
    """
    resource = find_resource(archive, identifier)
    if resource.level != level:
        raise NotFound(f"{identifier[:64]!r} names no {_TYPES[level].lower()}; it is of the level {resource.level}")
    described = {"ID": resource.identifier, "Type": _TYPES[level]}
    return described | _DESCRIPTIONS[level](archive, resource)


def look_up(archive: Archive, text: str) -> list[dict[str, str]]:
    """The resources that have a text for their PatientID or UID."""
    found = find_uid(archive, text) if is_uid(text) else []
    of_patient = orthanc_id(text)
    if archive.index.studies_of_patient(of_patient):
        found.append(Resource(PATIENTS, of_patient, ()))
    return [
        {"ID": each.identifier, "Path": f"/{each.level.lower()}/{each.identifier}", "Type": _TYPES[each.level]}
        for each in found
    ]


def _patient(archive: Archive, resource: Resource) -> dict[str, Any]:
    studies = archive.index.studies([study for study, in resource.paths])  # fmt: skip
    seen = [_seen_as(row, resource.identifier) for row in studies.values()]
    return {
        "MainDicomTags": _main(seen[0].attributes, PATIENTS) if seen else {},
        "Studies": [orthanc_id(patient_id(row.attributes), row.study) for row in seen],
    }


def _study(archive: Archive, resource: Resource) -> dict[str, Any]:
    (path,) = resource.paths
    row, series = archive.index.study_with_series(path[0])
    if row is None:
        raise NotFound(f"no study {path[0]}")
    row = _seen_as(row, resource.identifier)
    return {
        "MainDicomTags": _main(row.attributes, STUDIES) | {"StudyInstanceUID": row.study},
        "PatientMainDicomTags": _main(row.attributes, PATIENTS),
        "ParentPatient": orthanc_id(patient_id(row.attributes)),
        "Series": [each.identifier for each in series_in_order(series)],
        "LastUpdate": changed_s(row.version),
    }


def _series(archive: Archive, resource: Resource) -> dict[str, Any]:
    (path,) = resource.paths
    row = archive.index.one_series(*path)
    if row is None:
        raise NotFound(f"no series {path[1]}")
    return {
        "MainDicomTags": _main(row.attributes, SERIES) | {"SeriesInstanceUID": row.series},
        "ParentStudy": _parent(archive, path[:1], resource.identifier, path),
        "Instances": [each.identifier for each in in_order(archive.index.instances_of(*path))],
        "LastUpdate": changed_s(row.version),
    }


def _instance(archive: Archive, resource: Resource) -> dict[str, Any]:
    (path,) = resource.paths
    row = archive.index.instance(*path)
    if row is None:
        raise NotFound(f"no instance {path[2]}")
    return {
        "MainDicomTags": _main(row.attributes, INSTANCES) | {"SOPInstanceUID": row.instance},
        "ParentSeries": _parent(archive, path[:2], resource.identifier, path),
        "FileSize": row.size,
    }


_DESCRIPTIONS = {PATIENTS: _patient, STUDIES: _study, SERIES: _series, INSTANCES: _instance}


def _main(attributes: DataSet, level: str) -> dict[str, str]:
    chosen = select(attributes, _MAIN[level].split())
    return {keyword_for_tag(int(tag, 16)): _text(attribute.get("Value", ())) for tag, attribute in chosen.items()}


def _text(values: Any) -> str:
    return "\\".join(
        str(value.get("Alphabetic", "")) if isinstance(value, dict) else "" if value is None else str(value)
        for value in values
    )


def _seen_as(row: StudyRow, identifier: str) -> StudyRow:
    """A study as that of the patient by whom it is named, or who is named."""
    for seen in row.seen_as:
        of_patient = patient_id(seen.attributes)
        if identifier in (orthanc_id(of_patient), orthanc_id(of_patient, row.study)):
            return seen
    return row


def _parent(archive: Archive, parent: tuple[str, ...], identifier: str, path: tuple[str, ...]) -> str:
    """The identifier of what a series or an instance is in, as that of the same patient."""
    study = archive.index.study(path[0])
    patients = [patient_id(seen.attributes) for seen in study.seen_as] if study else [""]
    same = (each for each in patients if orthanc_id(each, *path) == identifier)
    return orthanc_id(next(same, patients[0]), *parent)
