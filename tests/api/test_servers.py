"""Definitions of remote servers by their routes, and calls that are none."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from tests.builders import a_file, an_archive
from tests.conformance.conftest import serving

URL = "http://127.0.0.1:9/dicom-web/"
DEFINITION = {
    "Url": URL, "Username": "bob", "Password": "hunter2", "HttpHeaders": {"Authorization": "Bearer tok"},
    "CertificateKeyFile": "-----BEGIN PRIVATE KEY-----", "HasDelete": True,
}  # fmt: skip
SECRETS = ("hunter2", "tok", "PRIVATE")


@pytest.fixture
def client_with(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """A client of a server with other settings, given by the test's parameter."""
    with mock_aws():
        yield TestClient(make_app(an_archive(**request.param)), raise_server_exceptions=False)


def test_a_server_is_defined_listed_defined_anew_and_forgotten(client: TestClient) -> None:
    assert client.get("/dicom-web/servers").json() == []
    assert client.put("/dicom-web/servers/b", json=[URL]).json() == {}
    assert client.put("/dicom-web/servers/a b é", json=DEFINITION).json() == {}
    assert client.get("/dicom-web/servers").json() == ["a b é", "b"]
    assert client.get("/dicom-web/servers?expand").json()["b"]["Url"] == URL
    assert client.get("/dicom-web/servers?expand=false").json()["a b é"]["Password"] is None
    assert client.get("/dicom-web/servers/b").json() == ["get", "retrieve", "stow", "wado", "qido"]
    assert client.get("/dicom-web/servers/a%20b%20%C3%A9").json()[-1] == "delete"
    client.put("/dicom-web/servers/a b é", json=[URL])
    assert "delete" not in client.get("/dicom-web/servers/a b é").json()
    assert client.delete("/dicom-web/servers/a b é").json() == {}
    assert client.get("/dicom-web/servers").json() == ["b"]
    assert client.delete("/dicom-web/servers/a b é").status_code == 404


def test_secrets_are_kept_apart_and_forgotten_with_their_server(client: TestClient) -> None:
    secrets = boto3.client("secretsmanager")

    def kept() -> list[str]:
        return [each["Name"] for each in secrets.list_secrets()["SecretList"]]

    client.put("/dicom-web/servers/a", json=DEFINITION)
    items = json.dumps(boto3.client("dynamodb").scan(TableName="index")["Items"])
    shown = client.get("/dicom-web/servers?expand").text
    assert not any(secret in text for text in (items, shown) for secret in SECRETS)
    (first,) = kept()
    assert first.startswith("dicomweb/servers/")
    client.put("/dicom-web/servers/a", json=DEFINITION)
    (second,) = kept()
    assert second != first
    client.put("/dicom-web/servers/a", json=[URL])
    assert kept() == []
    client.put("/dicom-web/servers/a", json=DEFINITION)
    client.delete("/dicom-web/servers/a")
    assert kept() == []


SEEDED: dict[str, Any] = {"DicomWeb": {"Servers": {"seed": [URL, "bob", "hunter2"]}}}


@pytest.mark.parametrize("client_with", [SEEDED], indirect=True)
def test_servers_of_the_settings_can_be_used_and_not_changed(client_with: TestClient) -> None:
    assert client_with.get("/dicom-web/servers").json() == ["seed"]
    assert client_with.get("/dicom-web/servers?expand").json()["seed"]["Password"] is None
    for answer in (
        client_with.put("/dicom-web/servers/seed", json=[URL]),
        client_with.delete("/dicom-web/servers/seed"),
    ):
        assert (answer.status_code, "ServersInDatabase" in answer.json()["Message"]) == (400, True)
    client_with.put("/dicom-web/servers/other", json=[URL])
    assert client_with.get("/dicom-web/servers").json() == ["other", "seed"]


@pytest.mark.parametrize(
    "client_with", [{"DicomWeb": {**SEEDED["DicomWeb"], "ServersInDatabase": True}}], indirect=True
)
def test_with_servers_in_database_they_are_a_beginning(client_with: TestClient) -> None:
    client_with.put("/dicom-web/servers/seed", json={"Url": URL, "HasDelete": True})
    assert "delete" in client_with.get("/dicom-web/servers/seed").json()
    assert client_with.delete("/dicom-web/servers/seed").json() == {}
    assert client_with.get("/dicom-web/servers").json() == []
    assert client_with.get("/dicom-web/servers/seed").status_code == 404
    client_with.put("/dicom-web/servers/seed", json=[URL])
    assert client_with.get("/dicom-web/servers").json() == ["seed"]


@pytest.mark.parametrize("route", ["get", "qido", "wado", "stow", "retrieve", "delete"])
@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'"x"', b"5", b"{}", b"{" * 10_000, b"\xff", b'{"Uri": 5}'])
def test_a_body_that_is_not_what_was_expected_is_refused(client: TestClient, route: str, body: bytes) -> None:
    client.put("/dicom-web/servers/a", json=[URL])
    answer = client.post(f"/dicom-web/servers/a/{route}", content=body)
    assert answer.status_code == 400
    assert answer.json()["Message"]


@pytest.mark.parametrize(
    ("route", "body", "said"),
    [
        ("get", {"Uri": "/studies?limit=1"}, "Arguments"),
        ("get", {"Uri": "http://elsewhere/"}, "path below"),
        ("get", {"Uri": "//elsewhere/"}, "path below"),
        ("get", {"Uri": "/../x"}, "path below"),
        ("get", {"Uri": "/studies", "Arguments": {"limit": 1}}, "Arguments.limit"),
        ("get", {"Uri": "/studies", "HttpHeaders": {"A": "b\r\nC: d"}}, "HttpHeaders"),
        ("wado", {"Uri": "/studies", "Synchronous": "yes"}, "Synchronous"),
        ("stow", {"Resources": "x"}, "Resources"),
        ("stow", {"Resources": [5]}, "Resources"),
        ("stow", {"Resources": [], "Priority": "high"}, "Priority"),
        ("retrieve", {"Resources": [{}]}, "Study"),
        ("retrieve", {"Resources": [{"Study": "../x"}]}, "no UID"),
        ("retrieve", {"Resources": [{"Study": "1.2", "Instance": "1.2.3"}]}, "Series"),
        ("retrieve", {"Resources": [{"Study": "1.2", "Patient": "x"}]}, "Patient"),
        ("delete", {"Level": "Study", "StudyInstanceUID": "1.2"}, "HasDelete"),
    ],
)
def test_what_is_wrong_is_said(client: TestClient, route: str, body: object, said: str) -> None:
    client.put("/dicom-web/servers/a", json=[URL])
    answer = client.post(f"/dicom-web/servers/a/{route}", json=body)
    assert (answer.status_code, said in answer.json()["Message"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Level": "Nope", "StudyInstanceUID": "1.2"}, "Level"),
        ({"Level": "Patient", "StudyInstanceUID": "1.2"}, "Level"),
        ({"Level": "Series", "StudyInstanceUID": "1.2"}, "no UID"),
        ({"Level": "Study", "StudyInstanceUID": "1/../2"}, "no UID"),
        ({"StudyInstanceUID": "1.2"}, "Level"),
    ],
)
def test_a_delete_names_what_it_deletes(client: TestClient, body: object, said: str) -> None:
    client.put("/dicom-web/servers/a", json={"Url": URL, "HasDelete": True})
    answer = client.post("/dicom-web/servers/a/delete", json=body)
    assert (answer.status_code, said in answer.json()["Message"]) == (400, True), answer.text


@pytest.mark.parametrize("route", ["get", "qido", "wado", "stow", "retrieve", "delete", "echo"])
def test_an_unknown_server_is_not_found(client: TestClient, route: str) -> None:
    answer = client.post(f"/dicom-web/servers/nope/{route}", json={})
    assert (answer.status_code, "nope" in answer.json()["Message"]) == (404, True)


def test_resources_that_do_not_exist_are_not_found(client: TestClient) -> None:
    client.put("/dicom-web/servers/a", json=[URL])
    for synchronous in (True, False):
        wanted = {"Resources": ["1.2.3.4"], "Synchronous": synchronous}
        assert client.post("/dicom-web/servers/a/stow", json=wanted).status_code == 404


def test_loopback_is_refused_unless_it_is_allowed(client: TestClient) -> None:
    client.put("/dicom-web/servers/a", json=[URL])
    answer = client.post("/dicom-web/servers/a/echo")
    assert (answer.status_code, "AllowedNetworks" in answer.json()["Message"]) == (403, True)


def test_pkcs11_is_kept_and_refused_when_it_is_used(client: TestClient) -> None:
    client.put("/dicom-web/servers/a", json={"Url": URL, "Pkcs11": True})
    assert client.get("/dicom-web/servers?expand").json()["a"]["Pkcs11"] is True
    answer = client.post("/dicom-web/servers/a/echo")
    assert (answer.status_code, "Pkcs11" in answer.json()["Message"]) == (502, True)


def test_nothing_to_do_is_done_at_once(client: TestClient) -> None:
    client.put("/dicom-web/servers/a", json=[URL])
    stow = client.post("/dicom-web/servers/a/stow", json={"Resources": []})
    assert stow.json() == {"InstancesCount": "0", "Resources": None, "Server": "a"}
    assert client.post("/dicom-web/servers/a/retrieve", json={"Resources": []}).status_code == 200


def test_no_secret_and_no_query_is_in_logs_errors_or_job_records(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/dicom-web/studies", content=a_file(), headers={"Content-Type": "application/dicom"})
    caplog.set_level(logging.INFO)
    archive = client.app.state.archive  # type: ignore[attr-defined]
    object.__setattr__(archive.settings, "AllowedNetworks", ["127.0.0.0/8"])
    with serving(archive) as url:
        client.put("/dicom-web/servers/a", json={**DEFINITION, "Url": url, "CertificateKeyFile": ""})
        wanted = {"Uri": "/studies", "Arguments": {"PatientName": "DOE"}, "HttpHeaders": {"X-Token": "tok"}}
        assert client.post("/dicom-web/servers/a/get", json=wanted).status_code == 200
    wanted = {"Uri": "/studies", "Arguments": {"PatientName": "DOE"}, "HttpHeaders": {"X-Token": "tok"}}
    told = [
        client.post("/dicom-web/servers/a/get", json=wanted).text,
        client.post("/dicom-web/servers/a/stow", json={"Resources": ["1.2.3"], "HttpHeaders": {"X": "tok"}}).text,
        client.get("/jobs?expand").text,
        caplog.text,
    ]
    assert not any(word in text for text in told for word in ("hunter2", "tok", "DOE"))
