"""A host that is killed at any of its writes: nothing acknowledged is lost, nothing half there stays, and counts are exact."""

import httpx

from dicomweb.archive import Archive
from local.stack import LocalAws
from tests.stack.killing import STUDY, by_a_host, forget, kill_at_every_write, mend, seen, store, there


def test_a_store(aws: LocalAws, deployed_archive: Archive, steady: httpx.Client) -> None:
    assert store(steady, 1, 2).status_code == 200

    def afresh(http: httpx.Client) -> httpx.Response:
        forget(steady, 3, 4)
        return store(http, 3, 4)

    def check() -> None:
        assert {1, 2} <= seen(steady)
        mend(deployed_archive)
        assert {1, 2} <= there(deployed_archive) == seen(steady)

    assert kill_at_every_write(by_a_host(aws, afresh), check) >= 4
    assert there(deployed_archive) == seen(steady) == {1, 2, 3, 4}
    assert steady.delete(f"/studies/{STUDY}").status_code == 204


def test_a_delete(aws: LocalAws, deployed_archive: Archive, steady: httpx.Client) -> None:
    def afresh(http: httpx.Client) -> httpx.Response:
        assert store(steady, 1, 2, 3).status_code == 200
        return http.delete(f"/studies/{STUDY}/series/{STUDY}.1")

    def check() -> None:
        assert 2 in seen(steady)
        mend(deployed_archive)
        assert 2 in there(deployed_archive)
        assert there(deployed_archive) == seen(steady)

    assert kill_at_every_write(by_a_host(aws, afresh), check) >= 3
    assert there(deployed_archive) == seen(steady) == {2}
    assert steady.delete(f"/studies/{STUDY}").status_code == 204
