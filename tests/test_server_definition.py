"""Definitions of remote servers, in the forms that Orthanc has."""

from typing import Any

import pytest

from dicomweb.errors import InvalidBody
from dicomweb.server_definition import server_definition, whole

URL = "http://127.0.0.1:8042/dicom-web"


@pytest.mark.parametrize(
    ("document", "url", "user"),
    [
        ([URL], f"{URL}/", ""),
        ([URL, "bob", "secret"], f"{URL}/", "bob"),
        ({"Url": URL}, f"{URL}/", ""),
        ({"URL": f"{URL}/"}, f"{URL}/", ""),
        ({"Url": "https://[::1]:8443", "Username": "bob"}, "https://[::1]:8443/", "bob"),
    ],
)
def test_an_array_and_an_object_define_a_server(document: object, url: str, user: str) -> None:
    definition = server_definition(document)
    assert (definition.Url, definition.Username) == (url, user)


@pytest.mark.parametrize(
    "document",
    [
        [],
        [URL, "bob"],
        [URL, "bob", 5],
        "http://x",
        None,
        {},
        {"Url": ""},
        {"Url": "ftp://host/"},
        {"Url": "file:///etc/passwd"},
        {"Url": "http://"},
        {"Url": "http://host:99999/"},
        {"Url": "http://bob:secret@host/"},
        {"Url": "http://host/?a=b"},
        {"Url": "http://host/#a"},
        {"Url": "http://host/a b"},
        {"Url": "http://host/\r\nX: y"},
        {"Url": 5},
        {"Url": URL, "Timeout": "10"},
        {"Url": URL, "Timeout": -1},
        {"Url": URL, "Pkcs11": "yes"},
        {"Url": URL, "HttpHeaders": ["A"]},
        {"Url": URL, "HttpHeaders": {"A": 5}},
        {"Url": URL, "HttpHeaders": {"A": "b\r\nC: d"}},
        {"Url": URL, "HttpHeaders": {"A b": "c"}},
        {"Url": URL, "HttpHeaders": {"Host": "elsewhere"}},
        {"Url": URL, "HttpHeaders": {"Content-Length": "0"}},
        {"Url": URL, "Username": "a:b"},
        {"Url": URL, "HasDelete": "perhaps"},
        {"Url": URL, "Ward": {"Name": "3B"}},
        {"Url": URL, "Ward": ["3B"]},
        {"Url": URL, "Ward": None},
    ],
)
def test_what_is_no_definition_is_refused(document: object) -> None:
    with pytest.raises(InvalidBody):
        server_definition(document)


def test_a_message_has_no_secret() -> None:
    with pytest.raises(InvalidBody) as caught:
        server_definition({"Url": URL, "Password": ["hunter2"], "HttpHeaders": {"A": "tok\n"}, "Timeout": "x"})
    assert not any(secret in str(caught.value) for secret in ("hunter2", "tok"))


def test_what_is_shown_has_no_secret() -> None:
    # The example of Orthanc's own documentation.
    document = {
        "Url": URL, "Username": "bob", "Password": "secret", "HttpHeaders": {"Authorization": "x", "Hello": "y"},
        "Timeout": 66, "HasDelete": True, "ChunkedTransfers": False, "UserProperty": "Test",
    }  # fmt: skip
    assert server_definition(document).shown() == {
        "Url": f"{URL}/", "Username": "bob", "Password": None, "HttpHeaders": ["Authorization", "Hello"],
        "Timeout": 66, "HasDelete": "1", "ChunkedTransfers": "0", "UserProperty": "Test", "Pkcs11": False,
    }  # fmt: skip
    assert server_definition([URL]).shown() == {"Url": f"{URL}/", "HttpHeaders": [], "Pkcs11": False, "Timeout": 0}


def test_keys_are_never_shown() -> None:
    shown = server_definition({"Url": URL, "CertificateFile": "a.pem", "CertificateKeyFile": "a.key"}).shown()
    assert (shown["CertificateFile"], shown["CertificateKeyFile"], shown["CertificateKeyPassword"]) == (
        "a.pem",
        None,
        None,
    )


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("1", True), ("false", False), (0, False), (None, None)])
def test_flags_are_what_they_are_given_as_or_the_default(value: Any, expected: bool | None) -> None:
    definition = server_definition({"Url": URL} | ({} if value is None else {"ChunkedTransfers": value}))
    assert definition.has("ChunkedTransfers") is (expected is not False)
    assert definition.has("HasDelete") is False


def test_a_definition_is_parted_from_its_secrets_and_whole_again() -> None:
    definition = server_definition(
        {"Url": URL, "Username": "bob", "Password": "hunter2", "HttpHeaders": {"Authorization": "tok"},
         "CertificateKeyFile": "-----BEGIN PRIVATE KEY-----", "CertificateKeyPassword": "pw", "Ward": "3B"}
    )  # fmt: skip
    public, secret = definition.parted()
    assert not any(word in str(public) for word in ("hunter2", "tok", "PRIVATE", "pw"))
    assert whole(public, secret) == definition
