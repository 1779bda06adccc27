"""What a user agent may ask for at a remote server."""

import pytest

from dicomweb.client.paths import checked_path, query_of
from dicomweb.errors import BadRequest


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/studies", "studies"),
        ("studies/1.2/metadata", "studies/1.2/metadata"),
        ("/studies/1.2/frames/1,2", "studies/1.2/frames/1,2"),
        ("/a b", "a%20b"),
        ("/a%20b", "a%20b"),
    ],
)
def test_a_path_below_the_servers_url_is_taken(uri: str, path: str) -> None:
    assert checked_path(uri) == path


@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest",
        "//169.254.169.254/latest",
        "/../admin",
        "studies/../../admin",
        "studies/%2e%2e/admin",
        "studies/%2E%2E%2Fadmin",
        "\\\\host\\share",
        "/studies?limit=1",
        "/studies#a",
        "/studies\r\nHost: elsewhere",
        "/studies%0d%0aHost: elsewhere",
        "/studies\0",
        "gopher://host/",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(uri: str) -> None:
    with pytest.raises(BadRequest):
        checked_path(uri)


def test_arguments_are_written_as_orthanc_writes_them() -> None:
    arguments = {"limit": "1", "PatientName": "A B^é&x*", "empty": ""}
    assert query_of(arguments) == "?PatientName=A%20B%5E%C3%A9%26x%2A&empty&limit=1"
    assert query_of({}) == ""
