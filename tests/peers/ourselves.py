"""Two servers of this project, each the other's remote server."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
from moto import mock_aws

from dicomweb.archive import Archive
from tests.builders import an_archive
from tests.conformance.conftest import serving

LOOPBACK = ["127.0.0.0/8"]


@dataclass(frozen=True)
class Peer:
    """A server on a socket, its archive, and a client of both its services and its jobs."""

    archive: Archive
    url: str
    http: httpx.Client

    def define(self, name: str, url: str, **properties: object) -> None:
        """Let it have a remote server."""
        assert self.http.put(f"/dicom-web/servers/{name}", json={"Url": url, **properties}).json() == {}

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
def two_peers() -> Iterator[tuple[Peer, Peer]]:
    """(ours, theirs): each knows the other by the name `other`, which can delete."""
    with mock_aws(), ExitStack() as stack:
        made = []
        for place in ("", "other-"):
            archive = an_archive(place, AllowedNetworks=LOOPBACK)
            url = stack.enter_context(serving(archive))
            http = stack.enter_context(httpx.Client(base_url=url.removesuffix("/dicom-web"), timeout=60))
            made.append(Peer(archive, url, http))
        ours, theirs = made
        ours.define("other", theirs.url, HasDelete=True)
        theirs.define("other", ours.url, HasDelete=True)
        yield ours, theirs
