import pytest
from moto import mock_aws
from starlette.requests import Request

from dicomweb.api.app import create_app
from dicomweb.api.urls import base_url
from tests.builders import an_archive


def base_of(headers: dict[str, str], server: tuple[str, int] = ("127.0.0.1", 8080), **section: object) -> str:
    with mock_aws():
        app = create_app(archive=an_archive(DicomWeb=section))
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "scheme": "http",
        "path": "/",
        "headers": raw,
        "server": server,
        "app": app,
        "query_string": b"",
    }
    return base_url(Request(scope))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "pacs.example:8080"}, "http://pacs.example:8080/dicom-web"),
        ({"Host": "127.0.0.1"}, "http://127.0.0.1:8080/dicom-web"),  # dicomweb-client leaves the port out
        ({"Host": "localhost"}, "http://localhost:8080/dicom-web"),
        ({"Host": "pacs.example"}, "http://pacs.example:8080/dicom-web"),
        ({"Host": "[::1]"}, "http://[::1]:8080/dicom-web"),
        ({"Host": "pacs.example", "X-Forwarded-For": "1.2.3.4"}, "http://pacs.example/dicom-web"),  # a proxy's port
        (
            {"Host": "in", "X-Forwarded-Host": "out.example", "X-Forwarded-Port": "8443"},
            "http://out.example:8443/dicom-web",
        ),
        (
            {"Host": "in", "X-Forwarded-Host": "out.example", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"},
            "https://out.example/dicom-web",
        ),
        ({"Host": "in", "Forwarded": 'for="a, host=evil";host=out.example'}, "http://out.example/dicom-web"),
        ({}, "http://127.0.0.1:8080/dicom-web"),
        ({"Host": 'evil"><script>'}, "http://127.0.0.1:8080/dicom-web"),
        (
            {"Host": "in", "X-Forwarded-Host": "out.example", "X-Forwarded-Proto": "https"},
            "https://out.example/dicom-web",
        ),
        ({"Host": "in.example", "X-Forwarded-Proto": "https"}, "https://in.example/dicom-web"),
        (
            {"Host": "in", "Forwarded": 'for=1.2.3.4; host="out.example:444"; PROTO=HTTPS, host=x'},
            "https://out.example:444/dicom-web",
        ),
    ],
)
def test_the_address_as_the_user_agent_sees_it(headers: dict[str, str], expected: str) -> None:
    assert base_of(headers) == expected


def test_settings_decide_over_headers() -> None:
    headers = {"Host": "in", "X-Forwarded-Host": "out.example"}
    assert base_of(headers, Host="set.example:1", Ssl=True, PublicRoot="/pacs/") == "https://set.example:1/pacs"
