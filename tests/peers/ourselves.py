"""Two servers of this project, each the other's remote server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from moto import mock_aws

from dicomweb.archive import Archive
from tests.builders import an_archive
from tests.conformance.conftest import serving

LOOPBACK = ["127.0.0.0/8"]
UNTOLD = ("hunter2", "DOE", "PatientName")  # in no error and no log: secrets, names of patients, queries


@dataclass(frozen=True)
class Peer:
    """A server on a socket, its archive, and a client of both its services and its jobs."""

    archive: Archive
    url: str
    http: httpx.Client

    def define(self, name: str, url: str, **properties: object) -> None:
        """Let it have a remote server."""
        assert self.http.put(f"/dicom-web/servers/{name}", json={"Url": url, **properties}).json() == {}

    def ask(self, route: str, body: object = None) -> httpx.Response:
        """What comes of a call to the server `other`: never an unexpected error, and no error that tells too much."""
        answer = self.http.post(f"/dicom-web/servers/other/{route}", json=body or {})
        assert answer.status_code != 500, answer.text
        assert answer.is_success or not any(word in answer.text for word in UNTOLD), answer.text
        return answer

    def job(self) -> dict[str, Any]:
        """The newest job."""
        return dict(self.http.get("/jobs?expand").json()[0])

    def outcomes(self) -> list[dict[str, Any]]:
        """What became of each instance of the newest job."""
        answer = self.http.get(f"/jobs/{self.job()['ID']}/outcomes")
        assert not any(word in answer.text for word in UNTOLD), answer.text
        return list(answer.json())

    def store(self, *files: bytes) -> None:
        for file in files:
            answer = self.http.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
            assert answer.status_code == 200

    def instances(self) -> dict[str, str]:
        """The digest of every instance, by SOP Instance UID."""
        found = self.http.get("/dicom-web/instances").json()
        rows = (
            self.archive.index.instance(*(row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")))
            for row in found
        )
        return {row.instance: row.sha256 for row in rows if row}


@contextmanager
def one_peer(place: str = "", **settings: object) -> Iterator[Peer]:
    """A server that may have remote servers on this machine."""
    archive = an_archive(place, **{"AllowedNetworks": LOOPBACK, **settings})
    with serving(archive) as url, httpx.Client(base_url=url.removesuffix("/dicom-web"), timeout=60) as http:
        yield Peer(archive, url, http)


@contextmanager
def two_peers() -> Iterator[tuple[Peer, Peer]]:
    """(ours, theirs): each knows the other by the name `other`, which can delete."""
    with mock_aws(), one_peer() as ours, one_peer("other-") as theirs:
        ours.define("other", theirs.url, HasDelete=True)
        theirs.define("other", ours.url, HasDelete=True)
        yield ours, theirs
