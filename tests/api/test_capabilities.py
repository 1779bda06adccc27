"""What the server says it can do (PS3.18 §8.9)."""

from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

import dicomweb
from dicomweb.api.app import mounted
from dicomweb.api.capabilities import ROUTERS
from dicomweb.api.descriptions import operations
from dicomweb.settings import Settings
from tests.builders import ROOT

WADL = "{http://wadl.dev.java.net/2009/02}"


@pytest.mark.parametrize("path", ["/dicom-web", "/dicom-web/"])
def test_capabilities_are_wadl(client: TestClient, path: str) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.sun.wadl+xml")
    resources = ET.fromstring(answer.content).find(f"{WADL}resources")  # noqa: S314 – our own text
    assert resources is not None
    assert resources.get("base") == "http://testserver/"
    (search,) = resources.findall(f"{WADL}resource[@path='dicom-web/studies']/{WADL}method[@name='GET']")
    assert search.get("id") == "SearchStudies"
    types = [each.get("mediaType") for each in search.iter(f"{WADL}representation")]
    assert types == ["application/dicom+json", "application/json", 'multipart/related; type="application/dicom+xml"']
    (instance,) = resources.findall(
        f"{WADL}resource[@path='dicom-web/studies/{{study}}/series/{{series}}/instances/{{instance}}']"
    )
    assert [each.get("name") for each in instance.findall(f"{WADL}param")] == ["study", "series", "instance"]


def test_capabilities_are_json_too(client: TestClient) -> None:
    answer = client.options("/dicom-web", headers={"Accept": "application/json"})
    (resources,) = answer.json()["application"]["resources"]
    methods = {
        (method["name"], each["path"]): method["id"] for each in resources["resource"] for method in each["method"]
    }
    assert methods["POST", "dicom-web/studies"] == "Store"
    assert methods["OPTIONS", "dicom-web"] == "RetrieveCapabilities"


def test_capabilities_in_another_form_are_406(client: TestClient) -> None:
    answer = client.options("/dicom-web", headers={"Accept": "text/html"})
    assert (answer.status_code, "wadl" in answer.json()["Message"]) == (406, True)


def test_openapi_is_valid_and_names_each_operation_once(client: TestClient) -> None:
    document = client.get("/dicom-web/openapi.json").json()
    validate(document)
    named = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(named) == len(set(named))
    assert document["info"]["version"] == dicomweb.__version__


def test_every_route_is_described() -> None:
    described = {(each.method, each.path) for each in operations(mounted(ROUTERS, Settings()))}
    assert ("GET", "/dicom-web/studies/{study}/metadata") in described
    assert ("GET", "/wado") in described


def test_the_uri_service_says_what_it_needs(client: TestClient) -> None:
    operation = client.get("/dicom-web/openapi.json").json()["paths"]["/wado"]["get"]
    required = {each["name"] for each in operation["parameters"] if each["required"]}
    assert required == {"requestType", "objectUID"}


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{dicomweb.__version__}"' in (ROOT / "pyproject.toml").read_text()
