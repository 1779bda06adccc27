"""`dicomweb search` against our own server, on a real socket."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli import service
from dicomweb.archive import Archive
from tests.builders import a_file, a_series
from tests.cli.conftest import Command, run, serving_archive


@pytest.fixture
def three_studies(dicomweb: Command, tmp_path: Path) -> Command:
    for number, name in enumerate(["Doe^Jane", "Doe^John=山田", "Roe^[red]R"], 1):
        content = a_file(
            StudyInstanceUID=f"1.{number}", SeriesInstanceUID=f"1.{number}.1", SOPInstanceUID=f"1.{number}.1.1",
            PatientName=name, SpecificCharacterSet="ISO_IR 192", StudyDescription="a, \x1b[31mb",
        )  # fmt: skip
        (tmp_path / str(number)).write_bytes(content)
    assert dicomweb("store", tmp_path).exit_code == 0
    return dicomweb


def test_a_table_shows_studies_with_their_uids(three_studies: Command) -> None:
    result = three_studies("search", "PatientName=Doe*")
    assert result.exit_code == 0
    assert "StudyInstanceUID" in result.text
    assert "Doe^Jane" in result.text
    assert "Doe^John=山田" in result.text
    assert "Roe" not in result.text


def test_text_of_files_is_text_for_the_terminal(three_studies: Command) -> None:
    result = three_studies("search", "PatientName=Roe*")
    assert "Roe^[red]R" in result.text
    assert "\x1b" not in result.text


def test_json_is_a_row_a_line(three_studies: Command) -> None:
    result = three_studies("search", "studies", "--json")
    rows = [json.loads(line) for line in result.text.splitlines()]
    assert sorted(row["0020000D"]["Value"][0] for row in rows) == ["1.1", "1.2", "1.3"]


def test_csv_has_the_columns_of_the_table_and_those_asked_for(three_studies: Command) -> None:
    result = three_studies("search", "instances", "PatientName=Doe^Jane", "includefield=Rows,PatientSex", "--csv")
    (row,) = csv.DictReader(result.text.splitlines())
    assert row["SOPInstanceUID"] == "1.1.1.1"
    assert row["PatientName"] == "Doe^Jane"
    assert row["PatientSex"] == ""


@pytest.mark.parametrize(("limit", "expected"), [(0, 25), (7, 7), (12, 12), (100, 25)])
def test_pages_are_read_to_the_end_or_the_limit(
    dicomweb: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, expected: int
) -> None:
    for number, content in enumerate(a_series(25)):
        (tmp_path / str(number)).write_bytes(content)
    dicomweb("store", tmp_path)
    monkeypatch.setattr(service, "_PAGE", 5)
    rows = dicomweb("search", "instances", "--json", "--limit", limit).text.splitlines()
    assert len(set(rows)) == len(rows) == expected


def test_a_server_that_cuts_pages_shorter_than_asked_is_read_to_the_end(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = archive.settings.model_copy(update={"LimitFindInstances": 4})
    with serving_archive(replace(archive, settings=settings)) as url:
        monkeypatch.setenv("DICOMWEB_URL", url)
        for number, content in enumerate(a_series(10)):
            (tmp_path / str(number)).write_bytes(content)
        assert "10 stored" in run("store", tmp_path).text
        assert len(run("search", "instances", "--json").text.splitlines()) == 10
        assert "0 stored, 10 already there" in run("store", tmp_path).text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["patients"], "expected studies, series or instances"),
        (["studies", "Doe"], "expected KEY=VALUE"),
        (["=x"], "expected KEY=VALUE"),
        (["limit=5"], "expected --limit"),
        (["NoAttribute=1"], "expected a keyword such as PatientID"),  # by the server
        (["--json", "--csv"], "expected one of them"),
    ],
)
def test_a_search_that_cannot_be_meant_is_exit_code_2(dicomweb: Command, words: list[str], expected: str) -> None:
    result = dicomweb("search", *words)
    assert result.exit_code == 2
    assert expected in result.text


def test_what_the_server_ignores_is_said(three_studies: Command) -> None:
    assert "the server says: ignored: nonsense" in three_studies("search", "nonsense=1").said
