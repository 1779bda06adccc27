"""What each route takes and gives: the one table that capabilities (PS3.18 §8.9) and OpenAPI are written from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel

from dicomweb.api.authorization import role_of
from dicomweb.api.calls import Call, DeleteCall, RetrieveCall, StowCall, WadoCall
from dicomweb.api.documents import HTML, TEXT
from dicomweb.api.observing import operation_name
from dicomweb.api.rendered import PICTURES
from dicomweb.api.uploads import NewUpload
from dicomweb.dicom.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    FRAME_TYPES,
    JSON,
    OCTET_STREAM,
    ZIP,
    Offer,
)
from dicomweb.dicom.rendering import ANNOTATIONS, ICC_PROFILES

WADL = "application/vnd.sun.wadl+xml"

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_UID: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}
_IN_PATH: dict[str, Schema] = {
    "study": _UID,
    "series": _UID,
    "instance": _UID,
    "numbers": {"type": "string", "pattern": r"^[1-9][0-9]*(,[1-9][0-9]*)*$"},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "upload": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "job": {"type": "string", "format": "uuid", "pattern": "^[0-9a-f-]{36}$"},
    "identifier": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{8}){4}$"},
    "name": {"type": "string", "minLength": 1, "maxLength": 128},
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a URL's query.

    Attributes:
        is_any: it stands for all parameters whose names are attributes.
    """

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: _TEXT)
    is_required: bool = False
    is_any: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What a route takes and gives.

    Attributes:
        source: where it is described: a section of the Standard, or Orthanc.
        gives: media types of an answer, the default first; none where it has no body.
        takes: media types of a request's body.
        body: the form of a body that is JSON.
    """

    source: str
    gives: tuple[str, ...] = (JSON,)
    takes: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | Schema | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A route with its description; path as in OpenAPI, role as in the table of roles."""

    name: str
    method: str
    path: str
    tag: str
    role: str
    about: str
    description: Description


def path_parameters(path: str) -> dict[str, Schema]:
    """The parameters of a path and their forms."""
    return {name: _IN_PATH.get(name, _TEXT) for name in re.findall(r"\{(\w+)\}", path)}


def _multipart(*names: str) -> tuple[str, ...]:
    return tuple(str(Offer(name, multipart=True)) for name in names)


_FRAMES = sorted(set(FRAME_TYPES.values()))
_DOCUMENTS = (HTML, TEXT, "application/pdf")
_ACCEPT = Parameter("accept", "media types, in place of the header Accept (PS3.18 §8.3.3.1)")
_INCLUDE = Parameter("includefield", "an attribute by keyword or tag, several between commas, or all (§8.3.4.3)")
_SEARCH = (
    _ACCEPT,
    Parameter("keys", "any attribute by keyword, tag, or path of tags with dots (§8.3.4.1)", is_any=True),
    Parameter("PatientID", "an attribute, as example"),
    Parameter("StudyDate", "a date or a range, as example: 20250101-20250131"),
    _INCLUDE,
    Parameter("fuzzymatching", "names by how they sound and start (§8.3.4.2)", _FLAG),
    Parameter("limit", "most rows of an answer (§8.3.4.4)", _COUNT),
    Parameter("offset", "rows before the first of an answer", _COUNT),
    Parameter("orderby", "attributes to sort by, - before one for descending (extension)"),
    Parameter("emptyvaluematching", '"" matches what is empty (§8.3.4.6)', _FLAG),
    Parameter("multiplevaluematching", "values between commas match one of them (§8.3.4.6)", _FLAG),
)
_RENDERED = (
    _ACCEPT,
    Parameter("window", "centre,width,function: of linear, linear-exact, sigmoid (§8.3.5.1.4)"),
    Parameter("viewport", "width,height, with sx,sy,sw,sh of the image behind them (§8.3.5.1.3)"),
    Parameter("quality", "of a lossy picture (§8.3.5.1.2)", {"type": "integer", "minimum": 1, "maximum": 100}),
    Parameter("annotation", f"{', '.join(ANNOTATIONS)}, between commas (§8.3.5.1.1)"),
    Parameter("iccprofile", "its colour space (§8.3.5.1.5)", {"type": "string", "enum": [*ICC_PROFILES]}),
)  # fmt: skip
_URI = (
    Parameter("requestType", "WADO", {"type": "string", "enum": ["WADO"]}, is_required=True),
    Parameter("studyUID", "Study Instance UID", _UID),
    Parameter("seriesUID", "Series Instance UID", _UID),
    Parameter("objectUID", "SOP Instance UID", _UID, is_required=True),
    Parameter("contentType", "media type of the answer"),
    Parameter("transferSyntax", "of an answer in application/dicom", _UID),
    Parameter("anonymize", "yes: without what tells who it is", {"type": "string", "enum": ["yes"]}),
    *(
        Parameter(name, "as in PS3.18 §9.1.2.2")
        for name in ("frameNumber", "windowCenter", "windowWidth", "rows", "columns", "region", "imageQuality")
    ),
)
_INSTANCES = Description("PS3.18 §10.4.1.1.1", (*_multipart(DICOM), DICOM, ZIP), parameters=(_ACCEPT,))
_BULK = Description("PS3.18 §10.4.1.1.5", (*_multipart(OCTET_STREAM, *_FRAMES), OCTET_STREAM), parameters=(_ACCEPT,))
_CALL = "Orthanc's plugin, as client of other servers"
_REPORT = "Orthanc's jobs"

# (methods, path below the root of its service) → what it is; the first that fits counts.
_TABLE: list[tuple[str, str, Description]] = [
    ("OPTIONS", r"", Description("PS3.18 §8.9", (WADL, JSON), parameters=(_ACCEPT,))),
    ("GET", r"/openapi\.json|/info", Description("an extension")),
    ("GET", r"/app/.*", Description("the web page", (HTML,))),
    ("GET", r"", Description("PS3.18 §9.4", (*PICTURES, DICOM, *_DOCUMENTS), parameters=_URI)),
    ("GET", r"(/.*)?/(studies|series|instances)/count", Description("an extension", parameters=_SEARCH)),
    (
        "GET", r"(/studies/\{study\}(/series/\{series\})?)?/(studies|series|instances)",
        Description("PS3.18 §10.6", (DICOM_JSON, JSON, *_multipart(DICOM_XML)), parameters=_SEARCH),
    ),
    ("GET", r".*/\{(study|series|instance)\}", _INSTANCES),
    ("GET", r".*\}/metadata", Description(
        "PS3.18 §10.4.1.1.2", (DICOM_JSON, JSON, *_multipart(DICOM_XML)), parameters=(_ACCEPT, _INCLUDE)
    )),
    ("GET", r".*/frames(/\{numbers\})?", Description(
        "PS3.18 §10.4.1.1.6", (*_multipart(OCTET_STREAM, *_FRAMES), OCTET_STREAM, *_FRAMES), parameters=(_ACCEPT,)
    )),
    ("GET", r".*/(bulkdata|pixeldata)(/.*)?", _BULK),
    ("GET", r".*/rendered", Description(
        "PS3.18 §10.4.1.1.3", (*PICTURES, *_multipart(*PICTURES), *_DOCUMENTS), parameters=_RENDERED
    )),
    ("GET", r".*/thumbnail", Description("PS3.18 §10.4.1.1.4", PICTURES, parameters=(_ACCEPT, _RENDERED[2]))),
    ("GET|PUT", r".*/labels", Description("labels that limited users see studies by", body={"type": "array"})),
    ("POST", r"/studies(/\{study\})?", Description(
        "PS3.18 §10.5", (DICOM_JSON, JSON, DICOM_XML),
        (*_multipart(DICOM, DICOM_JSON, DICOM_XML), DICOM, DICOM_JSON, DICOM_XML), (_ACCEPT,),
    )),
    ("POST", r".*/undelete", Description("an extension")),
    ("POST", r".*/update-dicomweb-cache", Description("Orthanc's plugin")),
    ("DELETE", r"/studies/.*", Description("an extension", ())),
    ("POST", r"/uploads", Description("upload sessions", takes=(JSON,), body=NewUpload)),
    (".*", r"/uploads/.*", Description("upload sessions")),
    ("GET", r"/conflicts", Description("what was set aside", parameters=(
        Parameter("after", "the conflict behind which the answer begins"), Parameter("limit", "most of them", _COUNT)
    ))),
    ("GET", r"/conflicts/.*", Description("what was set aside", (DICOM,))),
    (".*", r"/conflicts/.*", Description("what was set aside")),
    ("GET", r"/servers|/jobs", Description(_CALL, parameters=(Parameter("expand", "with all fields"),))),
    ("PUT", r"/servers/\{name\}", Description(_CALL, takes=(JSON,), body={"type": ["object", "array"]})),
    ("POST", r".*/(get|qido)", Description(_CALL, ("*/*",), (JSON,), body=Call)),
    ("POST", r".*/wado", Description(_CALL, takes=(JSON,), body=WadoCall)),
    ("POST", r".*/stow", Description(_CALL, takes=(JSON,), body=StowCall)),
    ("POST", r".*/retrieve", Description(_CALL, takes=(JSON,), body=RetrieveCall)),
    ("POST", r"/servers/.*/delete", Description(_CALL, takes=(JSON,), body=DeleteCall)),
    (".*", r"/servers/.*", Description(_CALL)),
    (".*", r"/jobs/.*", Description(_REPORT)),
    ("POST", r"/tools/lookup", Description("Orthanc's identifiers", takes=("text/plain",), body=_TEXT)),
    ("GET", r".*/\{identifier\}", Description("Orthanc's identifiers")),
]  # fmt: skip


def operations(mounts: list[tuple[str, APIRouter]]) -> Iterator[Operation]:
    """All of them but redirects, where they are mounted: (root, router).

    Raises:
        LookupError: a route without a description.
    """
    for root, router in mounts:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                path = re.sub(r":path\}", "}", route.path)
                for method in sorted(route.methods or ()):
                    yield Operation(
                        operation_name(route.name),
                        method,
                        root + path,
                        str(router.tags[0]),
                        role_of(method, route.path) or "",
                        (route.endpoint.__doc__ or route.name.replace("_", " ").capitalize()).strip().rstrip("."),
                        _description(method, path),
                    )


def _description(method: str, path: str) -> Description:
    for methods, pattern, description in _TABLE:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            return description
    raise LookupError(f"{method} {path} has no description")
