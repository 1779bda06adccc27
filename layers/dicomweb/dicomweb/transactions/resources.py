"""Resources by one name: Orthanc's identifier of a patient, study, series or instance, or a DICOM UID."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.orthanc_ids import is_orthanc_id, orthanc_id, patient_id
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import NotFound
from dicomweb.transactions.instances import find_instances

PATIENTS, STUDIES, SERIES, INSTANCES = "Patients", "Studies", "Series", "Instances"
_LEVELS = (PATIENTS, STUDIES, SERIES, INSTANCES)  # by how many UIDs lead there


@dataclass(frozen=True, slots=True)
class Resource:
    """What a name leads to.

    Attributes:
        level: PATIENTS, STUDIES, SERIES or INSTANCES.
        identifier: Orthanc's.
        paths: the UIDs that lead to it; one for each study of a patient.
    """

    level: str
    identifier: str
    paths: tuple[tuple[str, ...], ...]


def find_resource(archive: Archive, name: str) -> Resource:
    """The resource that a name leads to.

    Raises:
        NotFound: there is none.
    """
    if is_orthanc_id(name):
        if path := archive.index.path_of_orthanc_id(name):
            return Resource(_LEVELS[len(path)], name, (path,))
        if studies := archive.index.studies_of_patient(name):
            return Resource(PATIENTS, name, tuple((study,) for study in dict.fromkeys(studies)))
    elif is_uid(name):
        for resource in find_uid(archive, name):
            return resource
    raise NotFound(f"no resource {name[:64]!r}; expected Orthanc's identifier of one that is here, or a DICOM UID")


def find_uid(archive: Archive, uid: str) -> list[Resource]:
    """The studies, series and instances with a UID."""
    paths: list[tuple[str, ...]] = [(uid,)]
    for study, series in archive.index.paths_of_uid(uid):
        paths.append((study, series) if series == uid else (study, series, uid))
    rows = archive.index.studies([path[0] for path in paths])
    # As that of the study's first patient.
    return [
        Resource(_LEVELS[len(path)], orthanc_id(patient_id(rows[path[0]].attributes), *path), (path,))
        for path in paths
        if path[0] in rows
    ]


def instances_of_resource(archive: Archive, resource: Resource) -> Iterator[InstanceRow]:
    """All instances of a resource."""
    for path in resource.paths:
        yield from find_instances(archive, *path)
