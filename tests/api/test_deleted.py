"""What was deleted is 410 for a time, and can be brought back as long as its versions are kept."""

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from tests.api.test_store import post
from tests.builders import a_body, a_series, an_archive

STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/1.2.3.1"
INSTANCE = f"{SERIES}/instances/1.2.3.1.1"
AS_STORED = {"Accept": "application/dicom; transfer-syntax=*"}


@pytest.mark.parametrize("deleted", [STUDY, SERIES, INSTANCE])
@pytest.mark.parametrize("path", ["", "/rendered", "/metadata", "/frames/1"])
def test_what_was_deleted_is_gone_and_what_never_was_is_not_found(client: TestClient, deleted: str, path: str) -> None:
    post(client, a_body(a_series(1)))
    assert client.delete(deleted).status_code == 204
    assert client.get(f"{INSTANCE}{path}").status_code == 410
    assert client.get(f"/dicom-web/studies/9.9/series/9.9/instances/9.9{path}").status_code == 404
    assert client.delete(deleted).status_code == 410


def test_what_was_stored_again_is_there_and_what_it_lacks_is_not_found(client: TestClient) -> None:
    files = a_series(2)
    post(client, a_body(files))
    client.delete(STUDY)
    post(client, a_body(files[:1]))
    assert client.get(INSTANCE).status_code == 200
    assert client.get(f"{SERIES}/instances/1.2.3.1.9").status_code == 404


def test_it_is_remembered_for_as_long_as_the_settings_say() -> None:
    with mock_aws():
        client = TestClient(make_app(an_archive(KeepDeletedDays=0)))
        post(client, a_body(a_series(1)))
        client.delete(STUDY)
        assert client.get(INSTANCE).status_code == 404


@pytest.mark.parametrize(("deleted", "count"), [(STUDY, 3), (SERIES, 3), (INSTANCE, 1)])
def test_undelete_brings_back_the_same_bytes(client: TestClient, deleted: str, count: int) -> None:
    files = a_series(3)
    post(client, a_body(files))
    client.delete(deleted)
    answer = client.post(f"{deleted}/undelete")
    assert (answer.status_code, len(answer.json()["00081199"]["Value"])) == (200, count)
    assert client.get(INSTANCE, headers=AS_STORED).content == files[0]
    (study,) = client.get("/dicom-web/studies").json()
    assert study["00201208"]["Value"] == [3]
    assert len(client.get(f"{SERIES}/metadata").json()) == 3
    assert client.post(f"{deleted}/undelete").status_code == 404


def test_undelete_of_one_instance_leaves_others_deleted_whose_uid_begins_like_it(client: TestClient) -> None:
    post(client, a_body(a_series(11)))
    client.delete(SERIES)
    assert client.post(f"{INSTANCE}/undelete").status_code == 200
    assert [row["00080018"]["Value"] for row in client.get("/dicom-web/instances").json()] == [["1.2.3.1.1"]]


def test_what_is_deleted_for_good_cannot_be_brought_back(client: TestClient) -> None:
    post(client, a_body(a_series(1)))
    client.delete(STUDY)
    s3 = boto3.client("s3")
    for version in s3.list_object_versions(Bucket="archive", Prefix="studies/")["Versions"]:
        s3.delete_object(Bucket="archive", Key=version["Key"], VersionId=version["VersionId"])
    assert client.post(f"{STUDY}/undelete").status_code == 404
