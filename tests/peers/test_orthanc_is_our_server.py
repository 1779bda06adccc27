"""Orthanc is our remote server: the calls that its plugin's documentation shows, made with curl to us."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from dicomweb.dicom.orthanc_ids import orthanc_id
from tests.builders import MULTIPART, PYDICOM_FILES, a_body, a_series
from tests.conformance.conftest import serving_app
from tests.jobs import journey
from tests.jobs.remote import one_writer_at_a_time
from tests.jobs.state_machines import deployed
from tests.peers.orthanc import Orthanc, an_orthanc

STUDY, SERIES = "1.2.3", "1.2.3.1"
INSTANCE = f"{SERIES}.1"
FILES = a_series(3)
COMPRESSED = [(PYDICOM_FILES / "test_files" / name).read_bytes() for name in ("JPEG2000.dcm", "MR_small_RLE.dcm")]

Curl = Callable[..., Any]


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """Ours, whose state machines run."""
    with deployed(monkeypatch) as archive, one_writer_at_a_time():
        yield archive


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Orthanc]:
    """An Orthanc that asks for a password."""
    with an_orthanc(tmp_path / "orthanc", {}, user=("alice", "orthanctest")) as orthanc:
        yield orthanc


@pytest.fixture
def ours(archive: Archive, sample: Orthanc) -> Iterator[httpx.Client]:
    """A client of our server, which knows Orthanc as `sample`."""
    with ExitStack() as stack:
        url = stack.enter_context(serving_app(make_app(archive))).removesuffix("/dicom-web")
        http = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        http.put("/dicom-web/servers/sample", json=[f"{sample.url}/dicom-web/", "alice", "orthanctest"])
        yield http


@pytest.fixture
def curl(ours: httpx.Client) -> Curl:
    """curl as the documentation uses it: a body on its standard input, with the Content-Type of a form."""

    def call(path: str, *options: str, body: object = None) -> Any:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", f"{ours.base_url}{path}", *options]
        sent = [] if body is None else ["-d", "@-"]
        done = subprocess.run([*command, *sent], input=json.dumps(body), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    return call


def store(ours: httpx.Client, files: list[bytes]) -> None:
    ours.post("/dicom-web/studies", content=a_body(files), headers={"Content-Type": MULTIPART}).raise_for_status()


def digests(files: list[bytes]) -> list[str]:
    return sorted(hashlib.sha256(file).hexdigest() for file in files)


def digests_here(archive: Archive) -> list[str]:
    return sorted(row.sha256 for row in archive.index.instances_of(STUDY, SERIES))


def test_servers_are_listed(curl: Curl, sample: Orthanc) -> None:
    assert curl("/dicom-web/servers/") == ["sample"]
    assert curl("/dicom-web/servers?expand")["sample"] == {
        "HttpHeaders": [],
        "Password": None,
        "Pkcs11": False,
        "Timeout": 0,
        "Url": f"{sample.url}/dicom-web/",
        "Username": "alice",
    }
    assert curl("/dicom-web/servers/sample") == ["get", "retrieve", "stow", "wado", "qido"]
    assert curl("/dicom-web/servers/sample/echo", "-X", "POST")["Server"] == "sample"


def test_get_with_arguments_and_in_xml(curl: Curl, sample: Orthanc) -> None:
    for file in FILES:
        sample.store(file)
    (row,) = curl("/dicom-web/servers/sample/get", body={"Uri": "/studies", "Arguments": {"PatientID": "P1"}})
    assert row["0020000D"]["Value"] == [STUDY]
    assert curl("/dicom-web/servers/sample/get", body={"Uri": "/studies", "Arguments": {"PatientID": "P2"}}) == []
    wanted = {
        "Uri": f"/studies/{STUDY}/metadata",
        "HttpHeaders": {"Accept": 'multipart/related; type="application/dicom+xml"'},
    }
    assert "NativeDicomModel" in curl("/dicom-web/servers/sample/get", body=wanted)
    (simple,) = curl("/dicom-web/servers/sample/qido", body={"Uri": "/studies"})
    assert simple["0020000D"]["Value"] == STUDY


def test_stow_synchronous(curl: Curl, ours: httpx.Client, sample: Orthanc) -> None:
    store(ours, [*FILES, *COMPRESSED])
    identifier = orthanc_id("P1", STUDY, SERIES, INSTANCE)
    answer = curl("/dicom-web/servers/sample/stow", "-X", "POST", body={"Resources": [identifier]})
    assert answer["InstancesCount"] == "1"
    assert list(sample.instances()) == [INSTANCE]
    assert curl(f"/instances/{identifier}")["MainDicomTags"]["SOPInstanceUID"] == INSTANCE
    everything = [row["0020000D"]["Value"][0] for row in ours.get("/dicom-web/studies").json()]
    curl("/dicom-web/servers/sample/stow", body={"Resources": everything})
    assert digests(list(sample.files().values())) == digests([*FILES, *COMPRESSED])


@pytest.mark.parametrize("properties", [{}, {"ChunkedTransfers": False}])
def test_stow_asynchronous_with_priority(
    curl: Curl, ours: httpx.Client, sample: Orthanc, properties: dict[str, object]
) -> None:
    definition = {"Url": f"{sample.url}/dicom-web", "Username": "alice", "Password": "orthanctest", **properties}
    curl("/dicom-web/servers/sample", "-X", "PUT", body=definition)
    store(ours, FILES)
    wanted = {"Resources": [orthanc_id("P1", STUDY)], "Synchronous": False, "Priority": 10}
    started = curl("/dicom-web/servers/sample/stow", "-X", "POST", body=wanted)
    assert started.keys() == {"ID", "Path"}
    state = journey.until_ended(ours, started["ID"])
    # The fields of Orthanc's own answer to the same.
    assert state.keys() >= {
        "CompletionTime", "Content", "CreationTime", "EffectiveRuntime", "ErrorCode", "ErrorDescription",
        "ErrorDetails", "ID", "Priority", "Progress", "State", "Timestamp", "Type",
    }  # fmt: skip
    assert (state["State"], state["Priority"], state["Type"]) == ("Success", 10, "DicomWebStowClient"), state
    assert state["Content"]["Resources"]["Studies"] == [orthanc_id("P1", STUDY)]
    assert digests(list(sample.files().values())) == digests(FILES)


@pytest.mark.parametrize(
    "resource",
    [
        {"Study": STUDY},
        {"Study": STUDY, "Series": SERIES},
        {"Study": STUDY, "Series": SERIES, "Instance": INSTANCE},
    ],
)
@pytest.mark.parametrize("synchronous", [True, False])
def test_retrieve_of_a_study_a_series_and_an_instance(
    curl: Curl, ours: httpx.Client, archive: Archive, sample: Orthanc, resource: dict[str, str], synchronous: bool
) -> None:
    for file in FILES:
        sample.store(file)
    wanted = {"Resources": [resource], "Synchronous": synchronous}
    answer = curl("/dicom-web/servers/sample/retrieve", "-X", "POST", body=wanted)
    content = answer if synchronous else journey.until_ended(ours, answer["ID"])["Content"]
    expected = FILES[:1] if "Instance" in resource else FILES
    assert (content["ReceivedInstancesCount"], content["NetworkUsageMB"]) == (str(len(expected)), "0")
    assert sorted(content["Instances"]) == sorted(
        orthanc_id("P1", STUDY, SERIES, f"{SERIES}.{number}") for number in range(1, len(expected) + 1)
    )
    assert digests_here(archive) == digests(expected)


def test_retrieve_in_the_transfer_syntax_that_the_server_chooses(curl: Curl, archive: Archive, sample: Orthanc) -> None:
    sample.store(FILES[0])
    definition = [f"{sample.url}/dicom-web/", "alice", "orthanctest"]
    curl(
        "/dicom-web/servers/sample",
        "-X",
        "PUT",
        body={**dict(zip(("Url", "Username", "Password"), definition, strict=True)),
              "HasWadoRsUniversalTransferSyntax": False},
    )  # fmt: skip
    curl("/dicom-web/servers/sample/retrieve", body={"Resources": [{"Study": STUDY}]})
    (row,) = archive.index.instances_of(STUDY, SERIES)
    assert row.transfer_syntax == "1.2.840.10008.1.2.1"


def test_wado_is_asynchronous_by_default(curl: Curl, ours: httpx.Client, archive: Archive, sample: Orthanc) -> None:
    for file in FILES:
        sample.store(file)
    started = curl("/dicom-web/servers/sample/wado", body={"Uri": f"/studies/{STUDY}"})
    assert journey.until_ended(ours, started["ID"])["Content"]["ReceivedInstancesCount"] == "3"
    assert digests_here(archive) == digests(FILES)


def test_what_orthanc_does_not_let_in_or_does_not_have_is_said(ours: httpx.Client, sample: Orthanc) -> None:
    store(ours, FILES)
    ours.put("/dicom-web/servers/unknown", json=[f"{sample.url}/dicom-web/", "alice", "wrong"])
    answer = ours.post("/dicom-web/servers/unknown/stow", json={"Resources": [STUDY]})
    assert (answer.status_code, "credentials" in answer.json()["Message"]) == (502, True)
    answer = ours.post("/dicom-web/servers/sample/get", json={"Uri": "/studies/9.9.9"})
    assert answer.status_code == 404
    answer = ours.post("/dicom-web/servers/sample/retrieve", json={"Resources": [{"Study": "9.9.9"}]})
    assert (answer.status_code, "no such resource" in answer.json()["Message"]) == (502, True), answer.text
    # Orthanc has no delete of its own.
    ours.put(
        "/dicom-web/servers/sample",
        json={"Url": f"{sample.url}/dicom-web/", "Username": "alice", "Password": "orthanctest", "HasDelete": True},
    )
    answer = ours.post("/dicom-web/servers/sample/delete", json={"Level": "Study", "StudyInstanceUID": STUDY})
    assert (answer.status_code, "405" in answer.json()["Message"]) == (502, True)
