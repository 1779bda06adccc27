"""Settings: one JSON document, options named as Orthanc names them, each overridable by one environment variable.

    {"DicomWeb": {"Root": "/dicom-web/"}, "HttpTimeout": 60, "DefaultEncoding": "Latin1"}

The document is the file that DICOMWEB_SETTINGS names. Each option has the environment variable DICOMWEB_ + its name in
upper snake case: `Root` is DICOMWEB_ROOT, `QidoCaseSensitive` is DICOMWEB_QIDO_CASE_SENSITIVE. Lists are given as JSON.
An option whose feature is not there yet accepts its default alone, so that nothing is set in vain.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from os import environ
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dicomweb.errors import InvalidBody, InvalidSettings
from dicomweb.identity import LABEL
from dicomweb.server_definition import server_definition
from dicomweb.setting_values import (
    ENCODINGS,
    BinaryMode,
    CodecName,
    HashedPassword,
    HostAndPort,
    MetadataMode,
    Networks,
    Origins,
    Overwrite,
    Proxy,
    RegisteredUser,
    Url,
    UrlPath,
)

DOCUMENT = "DICOMWEB_SETTINGS"
PREFIX = "DICOMWEB_"
_WITH_SECRETS = ("DicomWeb.Servers", "HttpProxy", "RegisteredUsers")  # a message about them does not repeat them
_CLIENTS = frozenset({"DICOMWEB_URL", "DICOMWEB_USER"})  # what the command line client reads is no setting


class DicomWebSettings(BaseModel):
    """The `DicomWeb` section."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    Enable: bool = Field(True, description="serve the Studies Service at Root")
    Root: UrlPath = Field("/dicom-web", description="where the Studies Service is served")
    PublicRoot: str = Field("", description="the path of Root as user agents see it, behind a proxy; empty: Root")
    EnableWado: bool = Field(True, description="serve the URI Service (WADO-URI) at WadoRoot")
    WadoRoot: UrlPath = Field("/wado", description="where the URI Service is served")
    Host: HostAndPort = Field("", description="host[:port] in generated URLs; empty: from the request")
    Ssl: bool = Field(False, description="https in generated URLs, when no forwarding header says otherwise")
    QidoCaseSensitive: bool = Field(
        False, description="text keys match only in the same case and with the same accents"
    )
    StudiesMetadata: MetadataMode = Field("Full", description="what metadata of a study hold")
    SeriesMetadata: MetadataMode = Field("Full", description="what metadata of a series hold")
    StudiesMetadataExtrapolatedTags: list[str] = Field(
        [], description="what metadata of a study take from its first instances, in the mode Extrapolate"
    )
    SeriesMetadataExtrapolatedTags: list[str] = Field(
        [], description="what metadata take from the first instances of a series, in the mode Extrapolate"
    )
    EnableMetadataCache: bool = Field(True, description="keep the metadata of a series as one object")
    OtherBinaryMode: BinaryMode = Field(
        "BulkDataURI", description="binary values in metadata: referenced, or inside up to 1 MB"
    )
    Servers: dict[str, list[str] | dict[str, Any]] = Field(
        {}, description="remote servers by name: [Url, Username, Password], or an object"
    )
    ServersInDatabase: bool = Field(
        False, description="those of Servers can be changed and removed, as those of the database can"
    )
    StowMaxInstances: int = Field(100, ge=0, description="most instances in a store to a remote server; 0: all")
    StowMaxSize: int = Field(0, ge=0, description="most megabytes in a store to a remote server; 0: any")
    WadoRsLoaderThreadsCount: int = Field(4, ge=1, le=64, description="objects read ahead while a study is retrieved")

    @model_validator(mode="after")
    def _has_two_roots(self) -> "DicomWebSettings":
        if self.Root == self.WadoRoot:
            raise ValueError(f"Root and WadoRoot are both {self.Root}; expected two paths")
        return self

    @field_validator("Servers")
    @classmethod
    def _has_servers(cls, servers: dict[str, list[str] | dict[str, Any]]) -> dict[str, list[str] | dict[str, Any]]:
        for name, document in servers.items():
            try:
                server_definition(document)
            except InvalidBody as error:
                raise ValueError(f"{name}: {error}") from None
        return servers

    @property
    def base_url(self) -> str:
        """The URL of the Studies Service where it is known without a request, by Host and Ssl; "" elsewhere."""
        root = "/" + self.PublicRoot.strip("/") if self.PublicRoot else self.Root
        return f"https://{self.Host}{root.rstrip('/')}" if self.Host and self.Ssl else ""


class Settings(BaseModel):
    """All options."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    DicomWeb: DicomWebSettings = DicomWebSettings()
    DefaultEncoding: CodecName = Field("Latin1", description="the character set of files that name none")
    KeepDeletedDays: int = Field(
        30, ge=0, le=36_500, description="how long it is remembered what was deleted: it is 410, later 404"
    )
    OverwriteInstances: Overwrite = Field(
        "Never",
        description="other content under a known SOP Instance UID: set aside, or taken in its place",
    )
    HttpTimeout: int = Field(
        60, ge=1, le=900, description="seconds the archive, or a remote server, may take to answer one call"
    )
    AuthenticationEnabled: bool = Field(False, description="whether who asks must say who they are")
    RegisteredUsers: dict[str, HashedPassword | RegisteredUser] = Field(
        {}, description="users by name: the scrypt hash of their password, or an object with Password, Roles, Labels"
    )
    OidcIssuer: Url = Field("", description="who issues Bearer tokens; empty: none")
    OidcAudience: str = Field("", description="the audience that tokens must be for")
    OidcRolesClaim: str = Field("roles", description="the claim that has roles; dots lead into objects")
    OidcLabelsClaim: str = Field("", description="the claim that has labels of studies; empty: tokens see all")
    AccessLabels: dict[str, dict[str, str]] = Field(
        {}, description='labels of new studies, by attributes: {"st-mary": {"InstitutionName": "St. Mary*"}}'
    )
    AllowedOrigins: Origins = Field(
        [], description='origins of pages that may ask: "https://viewer.example.org"; http://localhost:* for any port'
    )
    ViewerUrl: Url = Field(
        "",
        description="a viewer that the web page leads to: https://viewer.example.org/viewer?StudyInstanceUIDs={study}",
    )
    HttpProxy: Proxy = Field("", description="by which remote servers are reached")
    HttpsVerifyPeers: bool = Field(True, description="whether the certificates of remote servers are verified")
    HttpsCACertificates: str = Field("", description="who issues them: a file or PEM text; empty: public authorities")
    AllowedNetworks: Networks = Field(
        [], description='where remote servers may be beside public addresses: "10.0.0.0/8,fd00::/8"'
    )
    LimitRemoteBytes: int = Field(2**40, ge=1, description="bytes of one answer of a remote server")
    KeepJobsDays: int = Field(30, ge=1, le=365, description="how long jobs and their outcomes are kept")
    LimitDeletedAtOnce: int = Field(2000, ge=1, description="instances a delete removes at once; more become a job")
    Dictionary: dict[str, list[str | int]] = Field(
        {}, description='private attributes by tag: {"0021,10ae": ["IS", "Name", 1, 1, "Creator"]}'
    )
    DefaultPrivateCreator: str = Field("", description="the creator of those that name none")
    ExtraMainDicomTags: dict[Literal["Patient", "Study", "Series", "Instance"], list[str]] = Field(
        {}, description='more attributes in the index, by level: {"Instance": ["Rows", "00280011"]}'
    )
    IgnoreUnknownKeys: bool = Field(
        False, description="search keys that are no attribute: ignored and said, not refused"
    )
    LimitFindReads: int = Field(
        20_000, ge=100, description="rows one search may look at before it is refused as too broad"
    )
    LimitFindResults: int = Field(1000, ge=1, le=50_000, description="most studies or series in one answer")
    LimitFindInstances: int = Field(10_000, ge=1, le=50_000, description="most instances in one answer")
    RedirectOverBytes: int = Field(
        4_300_000, ge=1, le=4_500_000, description="a larger answer of a Lambda function goes by way of S3"
    )  # A response of a function is at most 6 MB, and binary grows by a third in base64.
    RedirectSeconds: int = Field(900, ge=1, le=604_800, description="how long such an answer can be fetched")
    MetricsNamespace: str = Field("", description="of metrics in CloudWatch, written as lines of the log; empty: none")
    AuditLogGroup: str = Field("", description="the log group that has who did what; empty: it is not recorded")
    Bucket: str = Field("", description="the S3 bucket of the archive")
    Table: str = Field("", description="the DynamoDB table of the archive")
    SecretsPrefix: str = Field("dicomweb/", description="what names of secrets start with, in Secrets Manager")
    StoreJob: str = Field("", description="the ARN of the state machine that stores at remote servers")
    RetrieveJob: str = Field("", description="that of the one that retrieves from them")
    DeleteJob: str = Field("", description="that of the one that deletes what is large")

    @field_validator("AccessLabels")
    @classmethod
    def _has_labels(cls, rules: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for label, wanted in rules.items():
            if not re.fullmatch(LABEL, label) or not wanted:
                raise ValueError(f"{label!r}: expected a label of letters, digits, - and _, with attributes")
        return rules

    @field_validator("Dictionary")
    @classmethod
    def _has_private_attributes(cls, dictionary: dict[str, list[str | int]]) -> dict[str, list[str | int]]:
        for tag, entry in dictionary.items():
            if not re.fullmatch(r"[0-9A-Fa-f]{3}[13579BDFbdf],?[0-9A-Fa-f]{4}", tag) or len(entry) < 2:
                raise ValueError(f'{tag}: expected an odd group and ["VR", "Name", least, most, "Creator"]')
        return dictionary

    @property
    def codec(self) -> str:
        """The Python codec of DefaultEncoding."""
        return ENCODINGS[self.DefaultEncoding]


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings document and the overrides.

    Raises:
        InvalidSettings: an option that does not exist, or a value it cannot have; the message names both.
    """
    document = _document(environment.get(DOCUMENT, ""))
    for name, text in environment.items():
        if name.startswith(PREFIX) and name != DOCUMENT and name not in _CLIENTS:
            section, option, value = _override(name, text)
            (document.setdefault(section, {}) if section else document)[option] = value
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors())
        raise InvalidSettings(f"settings: {faults}") from None


@lru_cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load(environ)


def variable(option: str) -> str:
    """The environment variable of an option: HttpTimeout → DICOMWEB_HTTP_TIMEOUT."""
    return PREFIX + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", option).upper()


def _document(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{DOCUMENT}={path}: expected a readable JSON file: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("DicomWeb", {}), dict):
        raise InvalidSettings(f"{path}: expected a JSON object, its DicomWeb section an object too")
    return document


def _override(name: str, text: str) -> tuple[str, str, object]:
    fields: list[tuple[str, str, type | None]] = [
        *(("", option, field.annotation) for option, field in Settings.model_fields.items() if option != "DicomWeb"),
        *(("DicomWeb", option, field.annotation) for option, field in DicomWebSettings.model_fields.items()),
    ]
    for section, option, kind in fields:
        if variable(option) == name:
            return section, option, text if kind is str else _json_or_text(text)
    expected = ", ".join(sorted(variable(option) for _, option, _ in fields))
    raise InvalidSettings(f"settings: unknown environment variable {name}; expected one of {expected}")


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{where} is not an option"
    if where.startswith(_WITH_SECRETS):
        return f"{where}: {fault['msg']}"
    return f"{where}={fault['input']!r}: {fault['msg']}"
