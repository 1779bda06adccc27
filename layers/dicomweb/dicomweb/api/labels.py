"""Labels of studies (an extension): who may see those with a label alone sees nothing else."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dicomweb.api.answers import check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.bodies import json_body
from dicomweb.transactions.labels import put_labels, read_labels

router = APIRouter(tags=[STUDIES_SERVICE])


@router.get("/studies/{study}/labels")
def retrieve_labels(request: Request, study: str) -> Response:
    check_uids(study)
    return JSONResponse(read_labels(archive_of(request), study))


@router.put("/studies/{study}/labels")
async def replace_labels(request: Request, study: str) -> Response:
    check_uids(study)
    labels = await json_body(request, '["a label", …]')
    await to_thread.run_sync(put_labels, archive_of(request), study, labels)
    return JSONResponse(labels)
