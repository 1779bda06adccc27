"""Whatever path of the index a search takes, it finds what a look at every row finds, in the same order."""

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomweb.archive import Archive, keys
from dicomweb.archive.index import Index
from dicomweb.archive.rows import InstanceRow, NewInstance
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Table
from dicomweb.dicom.attributes import Kept
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.matching import Matching, matches
from dicomweb.dicom.query import parse_query
from dicomweb.settings import Settings
from dicomweb.transactions.paging import search_page
from dicomweb.transactions.search import count, search
from local.memory_dynamodb import MemoryDynamoDB

NAMES = [
    "Doe^Jane",
    "Doe^John",
    "doering^max",
    "Müller^Zoë",
    "Li^Jo",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "",
    "Smith^John^^Dr",
    "Иванов^Иван",
]
IDS = ["P1", "p1", "P2", "12345", "99123", "A-5", ""]
DATES = ["20240131", "20240201", "20231231", "2024.01.31", "19700101", ""]
TIMES = ["", "1015", "101530.5", "235959"]
STUDY = st.fixed_dictionaries(
    {
        "00100010": st.sampled_from(NAMES),
        "00100020": st.sampled_from(IDS),
        "00080050": st.sampled_from(IDS),
        "00080020": st.sampled_from(DATES),
        "00080030": st.sampled_from(TIMES),
        "00081030": st.sampled_from(["Knee", "Head", ""]),
        "modality": st.sampled_from(["CT", "MR"]),
    }
)
NAME_PATTERNS = [
    "Doe^Jane",
    "doe*",
    "D*",
    "*oe*",
    "*an*",
    "*山田*",
    "山田*",
    "*zoe",
    "Muller^*",
    "*^Jo",
    "Smith^John",
    "?oe^J*",
    "=山田*",
    "*Иван*",
    "S*h*",
]
ID_PATTERNS = ["P1", "p*", "*23*", "*123*", "A-5", "?1", "*5"]
QUERY = st.fixed_dictionaries(
    {},
    optional={
        "PatientName": st.sampled_from(NAME_PATTERNS),
        "PatientID": st.sampled_from(ID_PATTERNS),
        "AccessionNumber": st.sampled_from(ID_PATTERNS),
        "StudyDate": st.sampled_from(["20240131", "20240101-", "-20240131", "20231231-20240131"]),
        "StudyTime": st.sampled_from(["1015", "1000-1100", "1000-"]),
        "StudyDescription": st.sampled_from(["knee", "*e*"]),
        "ModalitiesInStudy": st.sampled_from(["CT", "MR"]),
        "StudyInstanceUID": st.sampled_from(["1.1,1.2,1.3,9.9", "1.5"]),
        "SeriesInstanceUID": st.sampled_from(["1.2.1", "1.3.1,1.4.1"]),
        "fuzzymatching": st.sampled_from(["true", "false"]),
        "emptyvaluematching": st.just("true"),
    },
)


def a_row(values: dict[str, str], uid: str) -> DataSet:
    vrs = {"00100010": "PN", "00100020": "LO", "00080050": "SH", "00080020": "DA", "00080030": "TM", "00081030": "LO"}
    row: DataSet = {"0020000D": {"vr": "UI", "Value": [uid]}}
    for tag, vr in vrs.items():
        text: Any = values[tag]
        if vr == "PN" and text:
            text = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False))
        row[tag] = {"vr": vr, "Value": [text]} if text else {"vr": vr}
    return row


def an_archive_of(studies: list[dict[str, str]]) -> Archive:
    index = Index(Table(cast(Any, MemoryDynamoDB()), "index"))
    for number, values in enumerate(studies, 1):
        add_study(index, number, values)
    return Archive(cast(Storage, None), index, Settings())


def add_study(index: Index, number: int, values: dict[str, str]) -> None:
    uid = f"1.{number}"
    series: DataSet = {"0020000E": {"vr": "UI", "Value": [f"{uid}.1"]}}
    row = InstanceRow(uid, f"{uid}.1", f"{uid}.1.1", Kept({}), "1.2.840.10008.1.2.1", 1, "", "f", 0, "", b"", {})
    index.add([NewInstance(row, Kept(series), Kept(a_row(values, uid)), values["modality"], "1.9")])


def brute_force(studies: list[dict[str, str]], query: dict[str, str]) -> list[str]:
    parsed = parse_query("study", list(query.items()), {})
    how = Matching(fuzzy=parsed.fuzzy)
    found = []
    for number, values in enumerate(studies, 1):
        uid = f"1.{number}"
        document = a_row(values, uid) | {
            "00080061": {"vr": "CS", "Value": [values["modality"]]},
            "0020000E": {"vr": "UI", "Value": [f"{uid}.1"]},
        }
        if matches(document, parsed.keys, how):
            found.append((*keys.order_of(document), uid))
    return [uid for *_, uid in sorted(found, reverse=True)]


def uids(rows: list[DataSet]) -> list[str]:
    return [text_of(row, "0020000D") for row in rows]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STUDY, max_size=25), QUERY, st.integers(1, 7))
def test_every_path_finds_what_a_look_at_every_row_finds(
    studies: list[dict[str, str]], query: dict[str, str], limit: int
) -> None:
    archive, expected = an_archive_of(studies), brute_force(studies, query)
    everything = parse_query("study", list(query.items()), {})
    assert uids(search(archive, everything, "").rows) == expected
    assert count(archive, everything) == len(expected)
    pages: list[str] = []
    for offset in range(0, len(expected) + limit, limit):
        page = search(
            archive, parse_query("study", [*query.items(), ("limit", str(limit)), ("offset", str(offset))], {}), ""
        )
        assert bool(page.remaining) is (offset + limit < len(expected))
        pages += uids(page.rows)
    assert pages == expected


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STUDY, min_size=3, max_size=15), st.lists(STUDY, max_size=5), QUERY, st.integers(1, 4))
@pytest.mark.parametrize("order", ["", "PatientName"])
def test_no_row_comes_twice_or_is_missing_while_studies_arrive(
    order: str, studies: list[dict[str, str]], arriving: list[dict[str, str]], query: dict[str, str], limit: int
) -> None:
    archive = an_archive_of(studies)
    expected = brute_force(studies, query)
    parameters = [*query.items(), ("limit", str(limit)), *([("orderby", order)] if order else [])]
    seen: list[str] = []
    remaining = 1
    while remaining:
        page = search_page(archive, parse_query("study", [*parameters, ("offset", str(len(seen)))], {}), "", "viewer")
        seen += uids(page.rows)
        remaining = page.remaining
        if arriving:
            add_study(archive.index, 100 + len(arriving), arriving.pop())
    assert len(set(seen)) == len(seen)
    assert [uid for uid in seen if int(uid[2:]) < 100] == expected or order
    assert set(expected) <= set(seen)


def test_another_reader_counts_its_own_pages() -> None:
    studies = [dict.fromkeys(("00100010", "00100020", "00080050", "00080030", "00081030"), "")] * 4
    archive = an_archive_of([study | {"00080020": "20240101", "modality": "CT"} for study in studies])

    def page(reader: str, offset: int) -> list[str]:
        query = parse_query("study", [("limit", "2"), ("offset", str(offset))], {})
        return uids(search_page(archive, query, "", reader).rows)

    assert page("a", 0) == ["1.4", "1.3"]
    add_study(archive.index, 5, studies[0] | {"00080020": "20240102", "modality": "CT"})
    assert page("a", 2) == ["1.2", "1.1"]
    assert page("b", 2) == ["1.3", "1.2"]
    assert page("b", 0) == ["1.5", "1.4"]


@pytest.mark.parametrize(
    ("order", "tag", "descending"), [("PatientID", "00100020", False), ("-StudyDate", "00080020", True)]
)
def test_order_by(order: str, tag: str, descending: bool) -> None:
    studies = [
        {
            "00100010": "",
            "00100020": id_,
            "00080050": "",
            "00080020": date,
            "00080030": "",
            "00081030": "",
            "modality": "CT",
        }
        for id_, date in (("b", "20240101"), ("a", "20240301"), ("", "20240201"), ("c", ""))
    ]
    rows = search(an_archive_of(studies), parse_query("study", [("orderby", order)], {}), "").rows
    values = [text_of(row, tag) for row in rows]
    present = [value for value in values if value]
    assert present == sorted(present, reverse=descending)
    assert values[len(present) :] == [""] * (len(values) - len(present))
