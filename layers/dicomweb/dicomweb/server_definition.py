"""The definition of a remote DICOMweb server, in the forms that Orthanc has. Pure.

    ["http://host/dicom-web", "user", "password"]
    {"Url": "http://host/dicom-web", "HttpHeaders": {"Authorization": "Bearer …"}, "HasDelete": true, "Ward": "3B"}

What is none of the fields is a property of the user's own, kept as text.
"""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dicomweb.errors import InvalidBody

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
# Headers that frame a message or name its receiver: not for a definition or a user agent to set (RFC 9110 §7.6.1).
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade"})
_FLAGS = {"HasDelete": False, "ChunkedTransfers": True, "HasWadoRsUniversalTransferSyntax": True}
_LOGICAL = {"1": True, "true": True, "0": False, "false": False}
_SECRETS = ("Password", "CertificateKeyFile", "CertificateKeyPassword")
_LONGEST_PROPERTY, _LONGEST = 4096, 65_536  # characters


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Raises ValueError for what is no header, would be two, or belongs to the connection."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise ValueError(f"{name!r} is no header that can be set")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            raise ValueError(f"the value of {name} has characters that no header has")
    return headers


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_right = False
    if not is_right or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("expected a URL with http or https, such as http://host:8042/dicom-web")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected a URL without a user, a query or a fragment; Username and Password are fields")
    return text.rstrip("/") + "/"


class ServerDefinition(BaseModel):
    """A remote server.

    Attributes:
        Url: of its Studies Service, with a slash at the end.
        CertificateFile, CertificateKeyFile: names of files, or their PEM text.
        Timeout: seconds; 0 for the setting HttpTimeout.
        properties: the user's own, as text, and the flags among them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    Url: Annotated[str, AfterValidator(_url)] = Field(max_length=2048)
    Username: str = Field("", max_length=1024)
    Password: str = Field("", max_length=4096)
    CertificateFile: str = Field("", max_length=_LONGEST)
    CertificateKeyFile: str = Field("", max_length=_LONGEST)
    CertificateKeyPassword: str = Field("", max_length=4096)
    Pkcs11: bool = False
    HttpHeaders: Annotated[dict[str, str], AfterValidator(check_headers)] = {}
    Timeout: int = Field(0, ge=0, le=900)
    properties: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> "ServerDefinition":
        if ":" in self.Username:
            raise ValueError("Username has a colon, which Basic authentication cannot send (RFC 7617 §2)")
        for name, value in self.properties.items():
            if name in _FLAGS and value.lower() not in _LOGICAL:
                raise ValueError(f"{name} is {value!r}; expected true or false")
        return self

    def has(self, flag: str) -> bool:
        """HasDelete, ChunkedTransfers or HasWadoRsUniversalTransferSyntax."""
        return _LOGICAL[self.properties[flag].lower()] if flag in self.properties else _FLAGS[flag]

    def shown(self) -> dict[str, Any]:
        """What may be told of it: no password, no key, no value of a header."""
        public: dict[str, Any] = {
            "Url": self.Url,
            "HttpHeaders": sorted(self.HttpHeaders),
            "Pkcs11": self.Pkcs11,
            "Timeout": self.Timeout,
            **self.properties,
        }
        if self.Username:
            public |= {"Username": self.Username, "Password": None}
        if self.CertificateFile:
            public |= {"CertificateFile": self.CertificateFile}
            public |= {"CertificateKeyFile": None, "CertificateKeyPassword": None}
        return public

    def parted(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(what is kept in the open, what is secret): `whole` puts them together."""
        document = self.model_dump()
        secret: dict[str, Any] = {name: document.pop(name) for name in _SECRETS if document[name]}
        if headers := document.pop("HttpHeaders"):
            secret["HttpHeaders"] = headers
        return document, secret


def whole(public: dict[str, Any], secret: dict[str, Any]) -> ServerDefinition:
    """A definition that was parted."""
    return ServerDefinition.model_validate({**{name: public[name] for name in public if name not in secret}, **secret})


def server_definition(document: object) -> ServerDefinition:
    """A definition as a user agent or the settings give it.

    Raises:
        InvalidBody: it is none; the message says what was expected, and no secret.
    """
    if isinstance(document, list):
        if len(document) not in (1, 3) or not all(isinstance(each, str) for each in document):
            raise InvalidBody("a server's definition is an array of a URL, or of a URL, a user and a password")
        document = dict(zip(("Url", "Username", "Password"), document, strict=False))
    if not isinstance(document, dict):
        raise InvalidBody("a server's definition is a JSON object with Url, or an array [Url, Username, Password]")
    known, properties = {}, {}
    for name, value in document.items():
        field = "Url" if name == "URL" else name
        if field in ServerDefinition.model_fields and field != "properties":
            known[field] = value
        else:
            properties[name] = _as_text(name, value)
    try:
        return ServerDefinition.model_validate({**known, "properties": properties})
    except ValidationError as error:
        # Not the input: it may be a password.
        faults = ("{} {}".format(".".join(map(str, each["loc"])), each["msg"]).strip() for each in error.errors())
        raise InvalidBody(f"a server's definition: {'; '.join(faults)}") from None


def _as_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str | int) or len(str(value)) > _LONGEST_PROPERTY:
        raise InvalidBody(f"the property {name[:64]!r} of a server is no text, number, true or false")
    return str(value)
