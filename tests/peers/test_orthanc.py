"""What tests of others rely on: an Orthanc that starts, keeps what it is given, and asks who calls."""

import socket
from pathlib import Path

import httpx

from tests.builders import a_series
from tests.peers.orthanc import an_orthanc


def test_it_keeps_the_bytes_it_is_given(tmp_path: Path) -> None:
    files = a_series(2)
    with an_orthanc(tmp_path) as orthanc:
        ids = [orthanc.store(file) for file in files]
        assert orthanc.instances() == {"1.2.3.1.1": ids[0], "1.2.3.1.2": ids[1]}
        assert orthanc.files() == {"1.2.3.1.1": files[0], "1.2.3.1.2": files[1]}
        orthanc.delete_all()
        assert orthanc.instances() == {}


def test_it_asks_who_calls(tmp_path: Path) -> None:
    with an_orthanc(tmp_path, user=("alice", "secret")) as orthanc:
        assert httpx.get(f"{orthanc.url}/dicom-web/studies").status_code == 401
        assert orthanc.http.get("/dicom-web/studies").json() == []


def test_it_has_the_options_that_it_is_given(tmp_path: Path) -> None:
    with an_orthanc(
        tmp_path, {"there": {"Url": "http://127.0.0.1:1/"}}, dicom_web={"Root": "/web"}, Name="b"
    ) as orthanc:
        assert orthanc.http.get("/web/servers").json() == ["there"]
        assert orthanc.http.get("/system").json()["Name"] == "b"


def test_it_listens_on_127_0_0_1_alone_and_is_gone_afterwards(tmp_path: Path) -> None:
    with an_orthanc(tmp_path) as orthanc:
        port = httpx.URL(orthanc.url).port or 0
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))  # free: whoever listens on every address has it too
    with socket.socket() as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        same.bind(("127.0.0.1", port))
