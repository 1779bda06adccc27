"""Who may see studies with some labels alone cannot tell the others from those that do not exist."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from dicomweb.api.capabilities import ROUTERS
from dicomweb.archive.users import User
from dicomweb.dicom.orthanc_ids import orthanc_id
from dicomweb.identity import ADMIN, DELETE, READ, STORE, Identity
from dicomweb.passwords import hash_password
from tests.api.test_access import HASH, PASSWORD, ROOTS
from tests.builders import a_file, an_archive

SEEN, HIDDEN, ABSENT = "1.2.3", "1.2.4", "1.2.5"
EVERYTHING = frozenset({READ, STORE, DELETE, ADMIN})

READS = sorted(
    {
        ROOTS.get(str(router.tags[0]), "/wado") + route.path
        for router in ROUTERS
        for route in router.routes
        if "GET" in route.methods and "{study}" in route.path
    }
)


@pytest.fixture
def clients(no_real_aws: None) -> Iterator[tuple[TestClient, TestClient]]:
    """(who sees all, who sees studies with the label `ward` alone)."""
    with mock_aws():
        archive = an_archive(AuthenticationEnabled=True, AccessLabels={"ward": {"InstitutionName": "ward*"}})
        archive.users.put(User(Identity("all", EVERYTHING), HASH))
        archive.users.put(User(Identity("limited", EVERYTHING, frozenset({"ward"})), HASH))
        app = make_app(archive)
        made = [TestClient(app, raise_server_exceptions=False) for _ in range(2)]
        for client, name in zip(made, ("all", "limited"), strict=True):
            client.auth = (name, PASSWORD.encode())
        for study, institution in ((SEEN, "Ward 3"), (HIDDEN, "Theatre")):
            file = a_file(
                StudyInstanceUID=study,
                SeriesInstanceUID=f"{study}.1",
                SOPInstanceUID=f"{study}.1.1",
                InstitutionName=institution,
                PatientID=f"P{study}",
            )
            store(made[0], file)
        yield made[0], made[1]


def store(client: TestClient, file: bytes) -> None:
    answer = client.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200, answer.text


def told(answer: Any, study: str) -> tuple[int, str]:
    return answer.status_code, answer.text.replace(study, "UID")


def of_study(template: str, study: str) -> str:
    names = {"{study}": study, "{series}": f"{study}.1", "{instance}": f"{study}.1.1", "{numbers}": "1"}
    for name, value in names.items():
        template = template.replace(name, value)
    return template.replace("{path:path}", "7FE00010").replace("{sha256}", "0" * 64)


@pytest.mark.parametrize("template", READS)
def test_a_hidden_study_is_as_if_it_did_not_exist(clients: tuple[TestClient, TestClient], template: str) -> None:
    everything, limited = clients
    hidden = told(limited.get(of_study(template, HIDDEN)), HIDDEN)
    assert hidden == told(limited.get(of_study(template, ABSENT)), ABSENT)
    for level in ("", "/series", "/instances"):  # and what is searched for
        assert hidden[0] in (200, 404)
        assert limited.get(f"/dicom-web{level or '/studies'}?StudyInstanceUID={HIDDEN}").json() == []
    seen = limited.get(of_study(template, SEEN))
    assert seen.status_code == everything.get(of_study(template, SEEN)).status_code


@pytest.mark.parametrize(
    "query",
    [
        "", "StudyDate=19000101-20991231", "PatientID=P*", f"PatientID=P{HIDDEN}", "PatientName=*", "fuzzymatching=true",
        "PatientName=DOE*", "Modality=CT", "InstitutionName=*", f"StudyInstanceUID={HIDDEN},{SEEN}", "offset=0&limit=1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_searches_and_counts_have_what_is_seen(clients: tuple[TestClient, TestClient], level: str, query: str) -> None:
    _, limited = clients
    for row in limited.get(f"/dicom-web/{level}?{query}").json():
        assert row.get("0020000D", {}).get("Value", [SEEN]) == [SEEN]
        assert HIDDEN not in str(row)
    assert limited.get(f"/dicom-web/{level}?offset=1&{query.replace('offset=0&', '')}").json() == []
    if level == "studies" and "offset" not in query:
        count = limited.get(f"/dicom-web/{level}/count?{query}").json()
        assert str(count) in ("0", "1", "{'count': 1}", "{'count': 0}")


def test_by_other_ways_it_is_not_found_either(clients: tuple[TestClient, TestClient]) -> None:
    _, limited = clients
    for study in (HIDDEN, ABSENT):
        instance = f"{study}.1.1"
        wado = limited.get("/wado", params={"requestType": "WADO", "objectUID": instance})
        assert wado.status_code == 404
        assert limited.post("/tools/lookup", content=study).json() == []
        assert limited.post("/tools/lookup", content=instance).json() == []
        assert limited.post("/tools/lookup", content=f"P{study}").json() == []
        assert limited.get(f"/studies/{orthanc_id(f'P{study}', study)}").status_code == 404
        assert limited.get(f"/patients/{orthanc_id(f'P{study}')}").status_code == 404
        assert limited.delete(f"/dicom-web/studies/{study}").status_code == 404
        assert limited.put(f"/dicom-web/studies/{study}/labels", json=["ward"]).status_code == 404
        limited.put("/dicom-web/servers/a", json=["http://127.0.0.1:9/"])
        for synchronous in (True, False):
            wanted = {"Resources": [study], "Synchronous": synchronous}
            assert limited.post("/dicom-web/servers/a/stow", json=wanted).status_code == 404


def test_labels_are_read_and_replaced(clients: tuple[TestClient, TestClient]) -> None:
    everything, limited = clients
    path = f"/dicom-web/studies/{HIDDEN}/labels"
    assert (everything.get(path).json(), limited.get(path).status_code) == ([], 404)
    assert everything.put(path, json=["ward", "research"]).status_code == 200
    assert limited.get(path).json() == ["research", "ward"]
    assert len(limited.get("/dicom-web/studies").json()) == 2
    everything.put(path, json=[])
    assert limited.get(path).status_code == 404


@pytest.mark.parametrize("labels", [{}, "ward", [5], ["a b"], [""], ["x" * 65], ["a"] * 51, None])
def test_what_is_no_list_of_labels_is_refused(clients: tuple[TestClient, TestClient], labels: object) -> None:
    assert clients[0].put(f"/dicom-web/studies/{SEEN}/labels", json=labels).status_code == 400


def test_what_they_store_they_see(clients: tuple[TestClient, TestClient]) -> None:
    everything, limited = clients
    store(limited, a_file(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1"))
    assert limited.get("/dicom-web/studies/1.2.9/labels").json() == ["ward"]
    assert len(everything.get("/dicom-web/studies").json()) == 3


def test_a_study_keeps_its_labels_while_it_grows(clients: tuple[TestClient, TestClient]) -> None:
    everything, limited = clients
    store(everything, a_file(StudyInstanceUID=SEEN, SeriesInstanceUID=f"{SEEN}.1", SOPInstanceUID=f"{SEEN}.1.2"))
    assert limited.get(f"/dicom-web/studies/{SEEN}/labels").json() == ["ward"]


def test_a_hash_is_salted() -> None:
    assert hash_password("same") != hash_password("same")
