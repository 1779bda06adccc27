"""Who may do what: every route, by every role, on the ASGI host and behind API Gateway."""

import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.app import ORTHANC, STUDIES_SERVICE
from dicomweb.api.asgi import make_app
from dicomweb.api.authorization import role_of
from dicomweb.api.authorizer import authorizer_handler, identity_from
from dicomweb.api.capabilities import ROUTERS
from dicomweb.archive import Archive
from dicomweb.archive.users import User
from dicomweb.identity import ADMIN, DELETE, READ, ROLES, STORE, Identity
from dicomweb.passwords import hash_password
from dicomweb.settings import settings
from dicomweb.transactions import authentication
from tests.builders import ROOT, a_file, an_archive

ROOTS = {STUDIES_SERVICE: "/dicom-web", ORTHANC: ""}
PATHS = {"{study}": "1.2.3", "{series}": "1.2.3.1", "{instance}": "1.2.3.1.1", "{numbers}": "1", "{path:path}": "x"}
ROUTES = sorted(
    (method, ROOTS.get(str(router.tags[0]), "/wado"), route.path)
    for router in ROUTERS
    for route in router.routes
    for method in route.methods
)
PASSWORD = "correct horse: bätterie"
HASH = hash_password(PASSWORD)


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(scope="module")
def closed() -> Iterator[Archive]:
    """An archive with a user of each role, named for it."""
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with patch.dict(os.environ, variables), mock_aws():
        archive = an_archive(AuthenticationEnabled=True, RegisteredUsers={"seed": HASH})
        for role in ROLES:
            archive.users.put(User(Identity(role, frozenset({role})), HASH))
        archive.users.put(User(Identity("nothing", frozenset()), HASH))
        yield archive


@pytest.fixture(scope="module")
def host(closed: Archive) -> TestClient:
    return TestClient(make_app(closed), raise_server_exceptions=False)


def path_of(root: str, template: str) -> str:
    for name, value in PATHS.items():
        template = template.replace(name, value)
    return root + "/".join("x" if part.startswith("{") else part for part in template.split("/"))


@pytest.mark.parametrize(("method", "root", "template"), ROUTES)
def test_every_route_has_a_rule_and_obeys_it(host: TestClient, method: str, root: str, template: str) -> None:
    needed = role_of(method, template or ("/" if root == "/dicom-web" else ""))  # the page, or the URI Service
    assert needed is not None, "a route without a rule: see api/authorization.py"
    path = path_of(root, template)
    if needed == "":
        assert host.request(method, path).status_code not in (401, 403)
        return
    anonymous = host.request(method, path)
    assert (anonymous.status_code, anonymous.headers["www-authenticate"][:5]) == (401, "Basic")
    for role in (*ROLES, "nothing"):
        answer = host.request(method, path, headers=basic(role))
        if role in (needed, ADMIN):
            assert answer.status_code not in (401, 403, 500), answer.text
        else:
            assert (answer.status_code, f"role {needed}" in answer.json()["Message"]) == (403, True)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/studies", READ),
        ("HEAD", "/studies/1", READ),
        ("POST", "/studies", STORE),
        ("POST", "/studies/1", STORE),
        ("DELETE", "/studies/1", DELETE),
        ("POST", "/studies/1/series/2/undelete", DELETE),
        ("POST", "/uploads", STORE),
        ("GET", "/servers", ADMIN),
        ("POST", "/jobs/1/cancel", ADMIN),
        ("GET", "/conflicts", ADMIN),
        ("PATCH", "/studies/1", None),
        ("GET", "/anything", None),
    ],
)
def test_roles_are_for(method: str, path: str, role: str | None) -> None:
    assert role_of(method, path) == role


def test_who_administers_the_settings_users_may_everything(host: TestClient) -> None:
    assert host.get("/jobs", headers=basic("seed")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "", "Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"read").decode(),
        "Basic " + base64.b64encode(b":x").decode(), "Basic " + base64.b64encode(b"\xff:x").decode(),
        "Basic " + base64.b64encode(b"read\0:x").decode(), "Basic " + "A" * 100_000, "Bearer x.y.z", "Digest x",
        basic("read", "wrong")["Authorization"], basic("nobody")["Authorization"], "bearer", "\x7f",
    ],
)  # fmt: skip
def test_who_is_not_believed_is_401(host: TestClient, header: str) -> None:
    answer = host.get("/dicom-web/studies", headers={"Authorization": header})
    assert answer.status_code == 401
    assert PASSWORD not in answer.text


def test_ten_failures_are_enough_and_others_are_not_kept_out(host: TestClient, closed: Archive) -> None:
    for _ in range(10):
        assert host.get("/dicom-web/studies", headers=basic("delete", "wrong")).status_code == 401
    assert host.get("/dicom-web/studies", headers=basic("delete", "wrong")).status_code == 429
    assert host.get("/dicom-web/studies", headers=basic("read")).status_code == 200
    closed.users.count_failure("delete@testclient", -1, 1)


def test_who_has_no_account_cannot_be_told_by_the_time(host: TestClient, closed: Archive) -> None:
    def seconds(name: str) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            host.get("/dicom-web/studies", headers=basic(name, "wrong"))
            times.append(time.perf_counter() - started)
        return sorted(times)[2]

    known, unknown = seconds("store"), seconds("nobody-at-all")
    assert 0.5 < known / unknown < 2


def test_an_upload_is_for_who_began_it_and_who_administers(host: TestClient, closed: Archive) -> None:
    closed.users.put(User(Identity("other", frozenset({STORE})), HASH))
    url = host.post("/dicom-web/uploads", json={"Size": 5}, headers=basic(STORE)).json()["Url"]
    for name, status in ((STORE, 200), (ADMIN, 200), ("other", 404)):
        assert host.get(url, headers=basic(name)).status_code == status
    assert host.post(f"{url}/complete", headers=basic("other")).status_code == 404
    assert host.delete(url, headers=basic("other")).status_code == 404
    assert host.delete(url, headers=basic(STORE)).status_code == 204


def test_cookies_and_long_headers_let_nobody_in(host: TestClient) -> None:
    known = basic("read")["Authorization"]
    for headers in ({"Cookie": f"Authorization={known}"}, {"X-Authorization": known}, {"Authorization": "x" * 60_000}):
        assert host.get("/dicom-web/studies", headers=headers).status_code == 401


def test_pages_of_other_origins_change_nothing(host: TestClient) -> None:
    file = {"content": a_file(), "headers": {**basic("store"), "Content-Type": "application/dicom"}}
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        headers = {**file["headers"], "Origin": origin}  # type: ignore[dict-item]
        assert host.post("/dicom-web/studies", content=a_file(), headers=headers).status_code == 403
    headers = {**file["headers"], "Origin": "http://testserver"}  # type: ignore[dict-item]
    assert host.post("/dicom-web/studies", content=a_file(), headers=headers).status_code == 200


@pytest.fixture
def authorizer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        place = f"{uuid.uuid4().hex[:8]}-"
        boto3.client("logs").create_log_group(logGroupName=f"{place}audit")
        archive = an_archive(place)
        archive.users.put(User(Identity("alice", frozenset({READ, STORE}), frozenset({"ward"})), HASH))
        for name, value in {
            "BUCKET": f"{place}archive",
            "TABLE": f"{place}index",
            "AUTHENTICATION_ENABLED": "true",
            "AUDIT_LOG_GROUP": f"{place}audit",
            "METRICS_NAMESPACE": "test",
        }.items():
            monkeypatch.setenv(f"DICOMWEB_{name}", value)
        settings.cache_clear()
        authentication._known.cache_clear()
        yield authorizer_handler()
        settings.cache_clear()


def asked(header: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "authorizer.json").read_text())
    return event | {"headers": {"authorization": header}}


def test_the_authorizer_says_who_asks(authorizer: Any) -> None:
    answer = authorizer(asked(basic("alice")["Authorization"]), None)
    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == (
        "Allow",
        "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/v1/*",
    )
    told = answer["context"] | {"principalId": answer["principalId"]}
    assert identity_from(told) == Identity("alice", frozenset({READ, STORE}), frozenset({"ward"}))


def test_the_authorizer_lets_nobody_in_who_is_not_believed(authorizer: Any) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorizer(asked(basic("alice", "wrong")["Authorization"]), None)


def test_who_the_authorizer_does_not_believe_is_recorded(authorizer: Any) -> None:
    for header in ("", basic("alice")["Authorization"], basic("alice", "wrong")["Authorization"]):
        with suppress(Exception):
            authorizer(asked(header), None)
    logs, group = boto3.client("logs"), settings().AuditLogGroup
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    (record,) = (json.loads(event["message"]) for event in events)  # who says nothing is asked, and is no failure
    assert (record["transaction"], record["status"], record["outcome"]) == ("LogIn", 401, "failure")


def test_a_record_of_the_authorizer_that_cannot_be_written_is_counted(
    authorizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("logs").delete_log_group(logGroupName=settings().AuditLogGroup)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorizer(asked(basic("alice", "wrong")["Authorization"]), None)
    assert '"AuditFailures": [1.0]' in capsys.readouterr().out


def test_ten_failures_are_denied(authorizer: Any) -> None:
    for _ in range(10):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            authorizer(asked(basic("alice", "wrong")["Authorization"]), None)
    answer = authorizer(asked(basic("alice")["Authorization"]), None)
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Deny"
