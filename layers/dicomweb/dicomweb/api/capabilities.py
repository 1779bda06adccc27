"""What the server can do: Retrieve Capabilities Transaction (PS3.18 §8.9 and Annex H), and OpenAPI."""

from typing import Any
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dicomweb import __version__
from dicomweb.api import page
from dicomweb.api.answers import accept_of
from dicomweb.api.app import STUDIES_SERVICE, mounted, settings_of
from dicomweb.api.descriptions import WADL, Description, Operation, operations, path_parameters
from dicomweb.api.routers import TRANSACTIONS
from dicomweb.api.urls import base_url
from dicomweb.dicom.media_types import JSON, Offer, choose

router = APIRouter(tags=[STUDIES_SERVICE])
ROUTERS = (*TRANSACTIONS, router, page.router, page.front_door)  # of everything that is served

_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_ERROR = {
    "type": "object",
    "required": ["HttpStatus", "Message"],
    "properties": {
        "HttpStatus": {"type": "integer"},
        "HttpError": {"type": "string"},
        "Message": {"type": "string", "description": "what was wrong, and what was expected"},
        "Method": {"type": "string"},
        "Uri": {"type": "string"},
    },
}
_SECURITY = {"Basic": {"type": "http", "scheme": "basic"}, "Bearer": {"type": "http", "scheme": "bearer"}}

Node = dict[str, Any]


@router.options("")
def retrieve_capabilities(request: Request) -> Response:
    """What this service offers, as WADL or JSON."""
    offer = choose(accept_of(request), [Offer(WADL), Offer(JSON)])
    described = _application(_origin(request), _operations(request))
    if offer.name == JSON:
        return JSONResponse(described)
    ET.register_namespace("", _NAMESPACE)
    text = ET.tostring(_element("application", described["application"]), "utf-8", xml_declaration=True)
    return Response(text, media_type=WADL)


@router.get("/openapi.json")
def retrieve_openapi(request: Request) -> Response:
    """The same for tools that read OpenAPI 3.1."""
    paths: dict[str, Node] = {}
    for each in _operations(request):
        paths.setdefault(each.path, {})[each.method.lower()] = _openapi(each)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "DICOMweb", "version": __version__, "description": "DICOM PS3.18, and what stands beside it"},
        "servers": [{"url": _origin(request)}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {"Error": _ERROR}, "securitySchemes": _SECURITY},
    }
    return JSONResponse(document)


def _operations(request: Request) -> list[Operation]:
    return list(operations(mounted(ROUTERS, settings_of(request))))


def _origin(request: Request) -> str:
    """What stands before the paths of all services."""
    return base_url(request).removesuffix(settings_of(request).DicomWeb.Root)


def _application(origin: str, described: list[Operation]) -> Node:
    """WADL as nodes: attributes by name, children in lists."""
    paths: dict[str, list[Node]] = {}
    for each in described:
        paths.setdefault(each.path, []).append(_method(each))
    resources = [
        {
            "path": path.lstrip("/"),
            "param": [{"name": name, "style": "template"} for name in path_parameters(path)],
            "method": methods,
        }
        for path, methods in sorted(paths.items())
    ]
    return {"application": {"resources": [{"base": f"{origin}/", "resource": resources}]}}


def _method(operation: Operation) -> Node:
    description = operation.description
    params: list[Node] = [
        {"name": each.name, "style": "query", "required": str(each.is_required).lower(), "doc": [{"title": each.about}]}
        for each in description.parameters
    ]
    request = {"param": params, "representation": [{"mediaType": name} for name in description.takes]}
    return {
        "name": operation.method,
        "id": operation.name,
        "doc": [{"title": f"{operation.about} ({description.source})"}],
        "request": [{name: value for name, value in request.items() if value}],
        "response": [{"representation": [{"mediaType": name} for name in description.gives]}],
    }


def _element(name: str, node: Node) -> ET.Element:
    attributes = {key: value for key, value in node.items() if isinstance(value, str)}
    element = ET.Element(f"{{{_NAMESPACE}}}{name}", attributes)
    for key, children in node.items():
        if isinstance(children, list):
            element.extend(_element(key, child) for child in children)
    return element


def _openapi(operation: Operation) -> Node:
    description = operation.description
    parameters: list[Node] = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in path_parameters(operation.path).items()
    ]
    for each in description.parameters:
        schema = {"type": "object", "additionalProperties": {"type": "string"}} if each.is_any else each.schema
        parameters.append(
            {
                "name": each.name,
                "in": "query",
                "required": each.is_required,
                "description": each.about,
                "schema": schema,
            }
        )
    role = f" Needs the role {operation.role}." if operation.role else ""
    return {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.about,
        "description": f"{description.source}.{role}",
        "parameters": parameters,
        **_body(description),
        "responses": {
            "default": {
                "description": "an error",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
            "2XX": {"description": "done", "content": {name: {} for name in description.gives}},
        },
        "security": [{"Basic": []}, {"Bearer": []}, {}] if operation.role else [{}],
    }


def _body(description: Description) -> Node:
    if not description.takes:
        return {}
    form = description.body
    schema = form.model_json_schema() if isinstance(form, type) and issubclass(form, BaseModel) else form or {}
    return {"requestBody": {"required": True, "content": {name: {"schema": schema} for name in description.takes}}}
