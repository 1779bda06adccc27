"""Other content under a known SOP Instance UID: set aside, listed, accepted or dropped; or taken at once."""

import io
import json
from typing import Any

import boto3
import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from dicomweb.settings import load
from tests.api.test_store import comments, post
from tests.builders import a_body, a_file, an_archive

INSTANCE = "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
FIRST = a_file()
OTHER = a_file(PatientName="Roe^Richard", Rows=2, Columns=2, PixelData=np.arange(4, dtype="<u2").tobytes())


def stored(client: TestClient) -> bytes:
    content: bytes = client.get(INSTANCE, headers={"Accept": "application/dicom; transfer-syntax=*"}).content
    return content


def objects(prefix: str) -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="archive", Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", ())]


def listed(client: TestClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/dicom-web/conflicts{query}").json()
    return found


def test_other_content_is_refused_and_set_aside(client: TestClient) -> None:
    post(client, a_body([FIRST]))
    answer = post(client, a_body([OTHER]))
    (conflict,) = listed(client)
    assert (answer.status_code, stored(client)) == (409, FIRST)
    assert conflict["Name"] in comments(answer)
    assert (conflict["SOPInstanceUID"], conflict["Size"]) == ("1.2.3.1.1", len(OTHER))
    assert client.get(conflict["Url"]).content == OTHER
    post(client, a_body([OTHER]))
    assert len(listed(client)) == 1


def put_only_bytes(client: TestClient) -> None:
    """As another writer does that has not indexed them yet."""
    post(client, a_body([FIRST]))
    (key,) = (each for each in objects("") if each.endswith("/1.2.3.1.1.dcm"))
    bucket = boto3.client("s3")
    metadata = bucket.head_object(Bucket="archive", Key=key)["Metadata"]
    client.delete("/dicom-web/studies/1.2.3")
    bucket.put_object(Bucket="archive", Key=key, Body=FIRST, Metadata=metadata)


def test_of_two_writers_at_once_the_second_is_set_aside(client: TestClient) -> None:
    put_only_bytes(client)
    answer = post(client, a_body([OTHER]))
    (conflict,) = listed(client)
    assert (answer.status_code, client.get(conflict["Url"]).content) == (409, OTHER)
    assert conflict["Name"] in comments(answer)
    post(client, a_body([FIRST]))
    accepted = client.post(f"{conflict['Url']}/accept")
    assert (accepted.status_code, listed(client), stored(client)) == (200, [], OTHER)


def test_a_conflict_that_is_accepted_takes_the_place_of_what_was_there(client: TestClient) -> None:
    post(client, a_body([FIRST, a_file(SOPInstanceUID="1.2.3.1.2")]))
    assert client.get(f"{INSTANCE}/metadata").json()[0]["00280010"]["Value"] == [4]
    post(client, a_body([OTHER]))
    (conflict,) = listed(client)
    answer = client.post(f"{conflict['Url']}/accept")
    assert (answer.status_code, listed(client), stored(client)) == (200, [], OTHER)
    assert client.get(f"{INSTANCE}/metadata").json()[0]["00280010"]["Value"] == [2]
    assert client.get(f"{INSTANCE}/frames/1", headers={"Accept": "application/octet-stream"}).content == bytes(
        [0, 0, 1, 0, 2, 0, 3, 0]
    )
    (study,) = client.get("/dicom-web/studies").json()
    assert study["00201208"]["Value"] == [2]
    assert len(objects("studies/")) == 2
    assert client.delete("/dicom-web/studies/1.2.3").status_code == 204
    assert objects("studies/") == []


def test_a_conflict_that_is_dropped_is_gone(client: TestClient) -> None:
    post(client, a_body([FIRST]))
    post(client, a_body([OTHER]))
    (conflict,) = listed(client)
    assert client.delete(conflict["Url"]).status_code == 204
    assert (listed(client), client.delete(conflict["Url"]).status_code) == ([], 404)
    assert (client.post(f"{conflict['Url']}/accept").status_code, client.get(conflict["Url"]).status_code) == (404, 404)
    assert stored(client) == FIRST


def test_conflicts_come_in_pages(client: TestClient) -> None:
    post(client, a_body([FIRST]))
    for name in "ABC":
        post(client, a_body([a_file(PatientName=name)]))
    names = [each["Name"] for each in listed(client)]
    first = listed(client, "?limit=2")
    assert client.get("/dicom-web/conflicts?after=%0C").status_code == 400
    rest = listed(client, f"?limit=2&after={first[-1]['Name']}")
    assert [each["Name"] for each in first + rest] == names == sorted(names)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?limit=1001"])
def test_bad_limits(client: TestClient, query: str) -> None:
    assert client.get(f"/dicom-web/conflicts{query}").status_code == 400


@pytest.mark.parametrize("path", ["1.2/1.2/1.2/abc", "../x/1.2/" + "a" * 64, "x/1.2/1.2/" + "a" * 64])
def test_bad_names(client: TestClient, path: str) -> None:
    assert client.get(f"/dicom-web/conflicts/{path}").status_code in (400, 404)


@pytest.mark.parametrize("mode", ["Always", "IfChanged", True])
def test_other_content_takes_the_place_of_what_is_there_where_the_settings_say_so(mode: Any) -> None:
    settings = load({"DICOMWEB_OVERWRITE_INSTANCES": json.dumps(mode) if mode is True else mode})
    with mock_aws():
        client = TestClient(make_app(an_archive(OverwriteInstances=settings.OverwriteInstances)))
        for content in (FIRST, OTHER, FIRST, FIRST):
            assert post(client, a_body([content])).status_code == 200
            assert stored(client) == content
            assert len(objects("studies/")) == 1
            (row,) = client.get("/dicom-web/instances?includefield=Rows").json()
            assert row["00280010"]["Value"] == [pydicom.dcmread(io.BytesIO(content)).Rows]
        assert listed(client) == []


def test_of_two_writers_at_once_both_are_stored_where_the_last_counts() -> None:
    with mock_aws():
        client = TestClient(make_app(an_archive(OverwriteInstances="Always")))
        put_only_bytes(client)
        for content in (OTHER, FIRST):
            assert (post(client, a_body([content])).status_code, stored(client)) == (200, content)
        assert listed(client) == []
