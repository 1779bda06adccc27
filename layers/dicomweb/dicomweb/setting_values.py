"""What the values of settings may be, and how they may be written: types for the options of `settings.py`."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from dicomweb.identity import ROLES
from dicomweb.passwords import is_hash

# Orthanc's names of encodings (Orthanc Book, DefaultEncoding) → Python codecs.
ENCODINGS = {
    "Ascii": "ascii", "Utf8": "utf-8", "Latin1": "iso8859_1", "Latin2": "iso8859_2", "Latin3": "iso8859_3",
    "Latin4": "iso8859_4", "Latin5": "iso8859_9", "Cyrillic": "iso8859_5", "Windows1251": "cp1251",
    "Arabic": "iso8859_6", "Greek": "iso8859_7", "Hebrew": "iso8859_8", "Thai": "tis_620",
    "Japanese": "shift_jis", "Chinese": "gb18030", "Korean": "euc_kr",
}  # fmt: skip


def _encoding(name: str) -> str:
    if name not in ENCODINGS:
        raise ValueError(f"expected one of {', '.join(sorted(ENCODINGS))}")
    return name


def _rooted(path: str) -> str:
    if not re.fullmatch(r"/*[\w.~-]+(/+[\w.~-]+)*/*", path):
        raise ValueError("expected a path such as /dicom-web")
    return "/" + path.strip("/")


def _host(text: str) -> str:
    if not re.fullmatch(r"([\w.-]+|\[[\da-fA-F:.]+\])?(:\d{1,5})?", text):
        raise ValueError("expected host or host:port")
    return text


def _proxy(url: str) -> str:
    if url and not re.fullmatch(r"https?://[\x21-\x7e]+", url):
        raise ValueError("expected a URL such as http://user:password@proxy:3128")
    return url


def _listed(text: object) -> object:
    return [each.strip() for each in text.split(",") if each.strip()] if isinstance(text, str) else text


def _networks(networks: list[str]) -> list[str]:
    for network in networks:
        ip_network(network)
    return networks


def _overwrite(mode: object) -> object:
    return {True: "Always", False: "Never"}.get(mode, mode) if isinstance(mode, bool) else mode


def _other_binary_mode(mode: object) -> object:
    if mode == "ArrayOfValues":
        raise ValueError("PS3.18 Table F.2.3-1 has no Value for these VRs; expected BulkDataURI or InlineBinary")
    return mode


def _url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[\x21-\x7e]+", url):
        raise ValueError("expected a URL")
    return url


def _origins(origins: list[str]) -> list[str]:
    for origin in origins:
        if not re.fullmatch(r"\*|https?://([\w.-]+|\[[\da-fA-F:]+\])(:(\d{1,5}|\*))?", origin):
            raise ValueError(f"{origin!r}: expected an origin such as https://viewer.example.org")
    return origins


def _hash(text: str) -> str:
    if not is_hash(text):
        raise ValueError("expected a hash, as `dicomweb hash-password` makes one")
    return text


def _roles(roles: list[str]) -> list[str]:
    if unknown := set(roles) - ROLES:
        raise ValueError(f"{', '.join(sorted(unknown))}: expected roles of {', '.join(sorted(ROLES))}")
    return roles


CodecName = Annotated[str, AfterValidator(_encoding)]
UrlPath = Annotated[str, AfterValidator(_rooted)]
HostAndPort = Annotated[str, AfterValidator(_host)]
Proxy = Annotated[str, AfterValidator(_proxy)]
Url = Annotated[str, AfterValidator(_url)]
Networks = Annotated[list[str], BeforeValidator(_listed), AfterValidator(_networks)]
Origins = Annotated[list[str], BeforeValidator(_listed), AfterValidator(_origins)]
Overwrite = Annotated[Literal["Never", "Always", "IfChanged"], BeforeValidator(_overwrite)]
BinaryMode = Annotated[Literal["BulkDataURI", "InlineBinary"], BeforeValidator(_other_binary_mode)]
MetadataMode = Literal["Full", "MainDicomTags", "Extrapolate"]
HashedPassword = Annotated[str, AfterValidator(_hash)]


class RegisteredUser(BaseModel):
    """A user of the settings; without Labels they see all studies."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    Password: HashedPassword
    Roles: Annotated[list[str], AfterValidator(_roles)] = sorted(ROLES)
    Labels: list[str] | None = None
