import json
from pathlib import Path

import pytest

from dicomweb.errors import InvalidSettings
from dicomweb.settings import DicomWebSettings, Settings, load, variable


def from_document(tmp_path: Path, document: object, **environment: str) -> Settings:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    return load({"DICOMWEB_SETTINGS": str(path), **environment})


def test_a_document_in_orthancs_names(tmp_path: Path) -> None:
    settings = from_document(
        tmp_path, {"DicomWeb": {"Root": "/pacs/", "Host": "h"}, "HttpTimeout": 5, "DefaultEncoding": "Utf8"}
    )
    assert (settings.DicomWeb.Root, settings.DicomWeb.Host, settings.HttpTimeout) == ("/pacs", "h", 5)
    assert settings.codec == "utf-8"


def test_the_environment_overrides_the_document(tmp_path: Path) -> None:
    environment = {"DICOMWEB_ROOT": "/there", "DICOMWEB_HTTP_TIMEOUT": "7", "DICOMWEB_QIDO_CASE_SENSITIVE": "True"}
    settings = from_document(tmp_path, {"DicomWeb": {"Root": "/here"}, "HttpTimeout": 5}, **environment)
    assert (settings.DicomWeb.Root, settings.HttpTimeout, settings.DicomWeb.QidoCaseSensitive) == ("/there", 7, True)


@pytest.mark.parametrize("option", [*Settings.model_fields, *DicomWebSettings.model_fields])
def test_every_option_has_a_variable(option: str) -> None:
    if option != "DicomWeb":
        assert load({variable(option): ""}) if option in ("Host", "PublicRoot", "Bucket", "Table") else variable(option)


@pytest.mark.parametrize(
    ("document", "environment", "says"),
    [
        ({"NoSuch": 1}, {}, "NoSuch is not an option"),
        ({"DicomWeb": {"NoSuch": 1}}, {}, "DicomWeb.NoSuch is not an option"),
        ({"HttpTimeout": "soon"}, {}, "HttpTimeout='soon'"),
        ({"HttpTimeout": 0}, {}, "HttpTimeout=0"),
        ({"DefaultEncoding": "EBCDIC"}, {}, "expected one of Arabic"),
        ({"DicomWeb": {"StudiesMetadata": "Some"}}, {}, "DicomWeb.StudiesMetadata='Some'"),
        ({"DicomWeb": {"OtherBinaryMode": "ArrayOfValues"}}, {}, "has no Value for these VRs; expected BulkDataURI or"),
        ({"DicomWeb": []}, {}, "expected a JSON object"),
        ({"DicomWeb": {"Root": "/"}}, {}, "expected a path such as"),
        ({"DicomWeb": {"Root": "/wado"}}, {}, "expected two paths"),
        ({"DicomWeb": {"Host": "a b"}}, {}, "expected host or host:port"),
        ({}, {"DICOMWEB_NO_SUCH": "1"}, "unknown environment variable DICOMWEB_NO_SUCH"),
        ({}, {"DICOMWEB_ENABLE": "perhaps"}, "DicomWeb.Enable='perhaps'"),
        ({}, {"DICOMWEB_HTTP_TIMEOUT": "soon"}, "HttpTimeout='soon'"),
    ],
)
def test_a_bad_setting_stops_the_start(
    tmp_path: Path, document: object, environment: dict[str, str], says: str
) -> None:
    with pytest.raises(InvalidSettings, match=says):
        from_document(tmp_path, document, **environment)


def test_a_document_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="expected a readable JSON file"):
        load({"DICOMWEB_SETTINGS": str(tmp_path / "none.json")})


def test_what_the_command_line_client_reads_is_no_setting() -> None:
    assert load({"DICOMWEB_URL": "http://x", "DICOMWEB_USER": "a:b"}) == load({})
