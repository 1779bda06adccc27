"""Remote servers (Orthanc's DICOMweb client): their definitions, and what is asked of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydicom.datadict import keyword_for_tag

from dicomweb.api.answers import check_uids, resumed, streamed
from dicomweb.api.app import SECONDS_IN_SCOPE, STUDIES_SERVICE, archive_of, error_response, settings_of
from dicomweb.api.bodies import ModelT, checked, json_body
from dicomweb.api.calls import Call, DeleteCall, JobOptions, RetrieveCall, StowCall, WadoCall
from dicomweb.api.observing import note_name, note_resources
from dicomweb.archive.jobs import Job
from dicomweb.client.paths import checked_path, path_of
from dicomweb.client.remote import Answer, connect
from dicomweb.client.search import search, simplified
from dicomweb.errors import BadRequest
from dicomweb.jobs.running import run_here
from dicomweb.jobs.states import RETRIEVE, STORE, new_job, start
from dicomweb.server_definition import ServerDefinition
from dicomweb.transactions.remote_servers import find_server, put_server, remote_servers, remove_server
from dicomweb.transactions.resources import find_resource

router = APIRouter(tags=[STUDIES_SERVICE])

_OPERATIONS = ["get", "retrieve", "stow", "wado", "qido"]
# Of the connection to the other server, or for its own origin alone: not relayed.
_OWN = frozenset(
    {
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate",
        "www-authenticate", "set-cookie", "date", "server", "strict-transport-security", "alt-svc", "clear-site-data",
    }
)  # fmt: skip


class Called(NamedTuple):
    """The remote server that a call is for."""

    name: str
    definition: ServerDefinition


@router.get("/servers")
def list_servers(request: Request) -> Response:
    servers = remote_servers(archive_of(request))
    return JSONResponse(servers if "expand" in request.query_params else list(servers))


@router.get("/servers/{name}")
def list_operations(request: Request, name: str) -> Response:
    definition = find_server(archive_of(request), name)
    return JSONResponse(_OPERATIONS + (["delete"] if definition.has("HasDelete") else []))


@router.put("/servers/{name}")
async def define_server(request: Request, name: str) -> Response:
    document = await json_body(request, '{"Url": "https://…"} or ["https://…", "user", "password"]')
    await to_thread.run_sync(put_server, archive_of(request), name, document)
    return JSONResponse({})


@router.delete("/servers/{name}")
def forget_server(request: Request, name: str) -> Response:
    remove_server(archive_of(request), name)
    return JSONResponse({})


@router.post("/servers/{name}/echo")
def echo(request: Request, name: str) -> Response:
    """Whether a search of one study is answered, and in what time; what is wrong is the error."""
    started = time.monotonic()
    remote = connect(find_server(archive_of(request), name), settings_of(request))
    search(remote, "studies", {"limit": "1"})
    return JSONResponse({"Server": name, "Milliseconds": round((time.monotonic() - started) * 1000)})


@router.post("/servers/{name}/get")
async def get(request: Request, name: str) -> Response:
    return await _with_body(request, name, Call, '{"Uri": "/studies", "Arguments": {}, "HttpHeaders": {}}', _get)


@router.post("/servers/{name}/qido")
async def qido(request: Request, name: str) -> Response:
    return await _with_body(request, name, Call, '{"Uri": "/studies", "Arguments": {}, "HttpHeaders": {}}', _qido)


@router.post("/servers/{name}/wado")
async def wado(request: Request, name: str) -> Response:
    return await _with_body(request, name, WadoCall, '{"Uri": "/studies/1.2.3"}', _wado)


@router.post("/servers/{name}/stow")
async def stow(request: Request, name: str) -> Response:
    return await _with_body(request, name, StowCall, '{"Resources": ["identifier or UID", …]}', _stow)


@router.post("/servers/{name}/retrieve")
async def retrieve(request: Request, name: str) -> Response:
    expected = '{"Resources": [{"Study": "1.2.3", "Series": "…", "Instance": "…"}]}'
    return await _with_body(request, name, RetrieveCall, expected, _retrieve)


@router.post("/servers/{name}/delete")
async def delete(request: Request, name: str) -> Response:
    expected = '{"Level": "Study", "StudyInstanceUID": "1.2.3"}'
    return await _with_body(request, name, DeleteCall, expected, _delete)


async def _with_body(
    request: Request,
    name: str,
    model: type[ModelT],
    expected: str,
    action: Callable[[Request, Called, ModelT], Response],
) -> Response:
    document = await json_body(request, expected)

    def act() -> Response:
        server = Called(name, find_server(archive_of(request), name))
        return action(request, server, checked(model, document, expected))

    return await to_thread.run_sync(act)


def _path(request: Request, call: Call) -> str:
    """The path that is asked for; it has no query, and so no names of patients."""
    path = checked_path(call.Uri)
    note_name(request, "Uri", path)
    return path


def _get(request: Request, server: Called, call: Call) -> Response:
    stack = ExitStack()
    remote, path = connect(server.definition, settings_of(request)), _path(request, call)
    exchange = remote.exchange("GET", path, arguments=call.Arguments, headers=call.HttpHeaders)
    answer = stack.enter_context(exchange)
    with ExitStack() as unless_answered:
        unless_answered.push(stack)
        answer.expect_success()
        body = _relayed(stack, answer)
        start = next(body, b"")  # from here on the body itself ends the exchange, read to its end or not
        unless_answered.pop_all()
    relayed = {
        header.lower(): value
        for header, value in answer.headers
        if header.lower() not in _OWN and not header.lower().startswith("access-control-")
    }
    relayed.setdefault("content-type", "application/octet-stream")
    # Another server's page must not act as one of ours.
    relayed |= {"content-security-policy": "sandbox", "x-content-type-options": "nosniff"}
    return streamed(resumed(body, start), answer.status, relayed)


def _relayed(stack: ExitStack, answer: Answer) -> Iterator[bytes]:
    with stack:
        yield from answer.raw()


def _qido(request: Request, server: Called, call: Call) -> Response:
    remote = connect(server.definition, settings_of(request))
    rows = search(remote, _path(request, call), call.Arguments, call.HttpHeaders)
    names = {tag: keyword_for_tag(int(tag, 16)) for row in rows for tag in row}
    return JSONResponse(simplified(rows, names))


def _wado(request: Request, server: Called, call: WadoCall) -> Response:
    wanted = {"Uri": _path(request, call), "Arguments": call.Arguments}
    return _run(request, server.name, RETRIEVE, wanted, call, is_synchronous=call.is_synchronous(otherwise=False))


def _stow(request: Request, server: Called, call: StowCall) -> Response:
    note_resources(request, call.Resources)
    is_synchronous = call.is_synchronous(otherwise=True)
    if not is_synchronous:  # who does not wait is told at once what does not exist
        for resource in dict.fromkeys(call.Resources):
            find_resource(archive_of(request), resource)
    wanted = {"Resources": call.Resources}
    return _run(request, server.name, STORE, wanted, call, is_synchronous=is_synchronous)


def _retrieve(request: Request, server: Called, call: RetrieveCall) -> Response:
    for resource in call.Resources:
        if resource.Instance and not resource.Series:
            raise BadRequest(f"Resources: the instance {resource.Instance!r} has no Series; expected Study and Series")
        check_uids(*filter(None, (resource.Study or "-", resource.Series, resource.Instance)))
    note_resources(request, (each.Instance or each.Series or each.Study for each in call.Resources))
    wanted = {
        "Resources": [resource.model_dump() for resource in call.Resources],
        "Arguments": call.Arguments | call.GetArguments,
    }
    return _run(request, server.name, RETRIEVE, wanted, call, is_synchronous=call.is_synchronous(otherwise=True))


_LEVELS = {
    "Study": ("StudyInstanceUID",),
    "Series": ("StudyInstanceUID", "SeriesInstanceUID"),
    "Instance": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}


def _delete(request: Request, server: Called, call: DeleteCall) -> Response:
    remote = connect(server.definition, settings_of(request))
    if not remote.definition.has("HasDelete"):
        raise BadRequest(f"the server {server.name!r} cannot delete; its definition needs the property HasDelete")
    if call.Level not in _LEVELS:
        raise BadRequest(f"Level is {call.Level[:40]!r}; expected one of {', '.join(_LEVELS)}")
    uids = [getattr(call, field) for field in _LEVELS[call.Level]]
    check_uids(*(uid or "-" for uid in uids))
    note_resources(request, uids)
    with remote.exchange("DELETE", path_of(*uids)) as answer:
        answer.expect_success()
    return JSONResponse({})


def _run(
    request: Request, name: str, type_: str, wanted: dict[str, Any], options: JobOptions, *, is_synchronous: bool
) -> Response:
    archive = archive_of(request)
    job = new_job(type_, wanted, name, options.Priority, options.HttpHeaders)
    note_name(request, "Job", job.job)
    if not is_synchronous:
        return _accepted(start(archive, job), 200)
    job = run_here(archive, job, request.scope.get(SECONDS_IN_SCOPE))
    if not job.has_ended:
        return _accepted(job, 202)
    if code := job.error[0]:
        message = f"{job.error[2] or job.error[1]}; see /jobs/{job.job}/outcomes"
        return error_response(request, _STATUS_OF_ERROR.get(code, 500), message)
    return JSONResponse(job.content)


_STATUS_OF_ERROR = {7: 404, 9: 502, 37: 409}  # Orthanc's codes of errors


def _accepted(job: Job, status: int) -> Response:
    # Relative to the request, whatever stands in front of it.
    return JSONResponse({"ID": job.job, "Path": f"../../../jobs/{job.job}"}, status)
