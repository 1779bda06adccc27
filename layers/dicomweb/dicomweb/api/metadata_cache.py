"""Metadata of a study compacted anew, by a route of Orthanc's that stands beside the Studies Service (an extension)."""

from fastapi import APIRouter, Request, Response

from dicomweb.api.app import ORTHANC, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.media_types import JSON
from dicomweb.dicom.orthanc_ids import is_orthanc_id
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import NotFound
from dicomweb.transactions.compaction import renew_study

router = APIRouter(tags=[ORTHANC])


@router.post("/studies/{study}/update-dicomweb-cache")
def update_metadata_cache(request: Request, study: str) -> Response:
    """Named by Orthanc's identifier of the study, or by its Study Instance UID."""
    archive = archive_of(request)
    path = archive.index.path_of_orthanc_id(study) if is_orthanc_id(study) else (study,)
    uid = path[0] if len(path) == 1 else ""  # longer for a series or an instance
    if not is_uid(uid):
        raise NotFound(f"no study {study[:80]!r}; expected Orthanc's identifier or a Study Instance UID")
    renew_study(archive, uid, base_url(request))
    return Response("{}", media_type=JSON)
