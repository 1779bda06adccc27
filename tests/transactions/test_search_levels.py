"""Series and instances: whatever path and page, a search finds what a look at every row finds, in the same order."""

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
from dicomweb.dicom.matching import matches
from dicomweb.dicom.query import parse_query
from dicomweb.settings import Settings
from dicomweb.transactions.paging import search_page
from dicomweb.transactions.search import count
from local.memory_dynamodb import MemoryDynamoDB

NUMBER = st.sampled_from([None, 1, 2, 10])
INSTANCE = st.fixed_dictionaries({"00200013": NUMBER, "00280008": st.sampled_from([1, 3])})
SERIES = st.tuples(
    st.fixed_dictionaries({"00080060": st.sampled_from(["CT", "MR"]), "00200011": NUMBER}),
    st.lists(INSTANCE, min_size=1, max_size=3),
)
STUDY = st.tuples(
    st.fixed_dictionaries(
        {
            "00080020": st.sampled_from(["20240131", "20240201", "19700101", None]),
            "00100020": st.sampled_from(["P1", "P2"]),
        }
    ),
    st.lists(SERIES, min_size=1, max_size=2),
)
QUERY = st.fixed_dictionaries(
    {},
    optional={
        "PatientID": st.sampled_from(["P1", "p*"]),
        "StudyDate": st.sampled_from(["20240101-", "-20240131"]),
        "Modality": st.sampled_from(["CT", "MR"]),
        "SeriesNumber": st.sampled_from(["1", "10"]),
        "InstanceNumber": st.sampled_from(["1", "2"]),
        "NumberOfFrames": st.just("3"),
        "StudyInstanceUID": st.sampled_from(["1.1", "1.1,1.2"]),
        "SeriesInstanceUID": st.just("1.1.1,1.2.1"),
        "SOPInstanceUID": st.just("1.1.1.1,1.2.1.2"),
    },
)
VRS = {"00080020": "DA", "00100020": "LO", "00080060": "CS", "00200011": "IS", "00200013": "IS", "00280008": "IS"}

Study = tuple[dict[str, Any], list[tuple[dict[str, Any], list[dict[str, Any]]]]]


def attributes(values: dict[str, Any], **uids: str) -> DataSet:
    row: DataSet = {tag[1:]: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
    for tag, value in values.items():
        row[tag] = {"vr": VRS[tag]} if value is None else {"vr": VRS[tag], "Value": [value]}
    return row


def rows_of(number: int, study: Study) -> list[tuple[DataSet, DataSet, DataSet]]:
    """(study, series, instance) attributes of each instance."""
    of_study, all_series = study
    rows = []
    for s, (of_series, instances) in enumerate(all_series, 1):
        for i, of_instance in enumerate(instances, 1):
            uid = f"1.{number}.{s}"
            rows.append(
                (
                    attributes(of_study, t0020000D=f"1.{number}"),
                    attributes(of_series, t0020000E=uid),
                    attributes(of_instance, t00080018=f"{uid}.{i}"),
                )
            )
    return rows


def add(index: Index, rows: list[tuple[DataSet, DataSet, DataSet]]) -> None:
    new = []
    for study, series, instance in rows:
        uids = text_of(study, "0020000D"), text_of(series, "0020000E"), text_of(instance, "00080018")
        row = InstanceRow(*uids, Kept(instance), "1.2.840.10008.1.2.1", 1, "", "f", 0, "", b"", {})
        new.append(NewInstance(row, Kept(series), Kept(study), text_of(series, "00080060"), "1.9"))
    index.add(new)


def number(row: DataSet, tag: str) -> float:
    return float(row[tag]["Value"][0]) if "Value" in row[tag] else float("inf")


def brute_force(level: str, studies: list[Study], query: dict[str, str]) -> list[str]:
    wanted = parse_query(level, list(query.items()), {}).keys
    found = set()
    for n, study in enumerate(studies, 1):
        for of_study, of_series, of_instance in rows_of(n, study):
            document = of_study | of_series | of_instance
            if matches(document, wanted):
                date, time = keys.order_of(of_study)
                place: tuple[Any, ...] = (number(of_series, "00200011"), text_of(of_series, "0020000E"))
                if level == "instance":
                    place += (number(of_instance, "00200013"), text_of(of_instance, "00080018"))
                found.add((f"{date}#{time}#1.{n}", place))
    by_place = sorted(found, key=lambda each: each[1])
    return [place[-1] for _, place in sorted(by_place, key=lambda each: each[0], reverse=True)]


def uids(level: str, rows: list[DataSet]) -> list[str]:
    return [text_of(row, "0020000E" if level == "series" else "00080018") for row in rows]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STUDY, min_size=1, max_size=6), st.lists(STUDY, max_size=3), QUERY, st.integers(1, 4))
@pytest.mark.parametrize("level", ["series", "instance"])
def test_every_page_is_what_a_look_at_every_row_finds(
    level: str, studies: list[Study], arriving: list[Study], query: dict[str, str], limit: int
) -> None:
    index = Index(Table(cast(Any, MemoryDynamoDB()), "index"))
    for n, study in enumerate(studies, 1):
        add(index, rows_of(n, study))
    archive = Archive(cast(Storage, None), index, Settings())
    expected = brute_force(level, studies, query)
    assert count(archive, parse_query(level, list(query.items()), {})) == len(expected)
    seen: list[str] = []
    remaining = 1
    while remaining:
        parameters = [*query.items(), ("limit", str(limit)), ("offset", str(len(seen)))]
        page = search_page(archive, parse_query(level, parameters, {}), "", "viewer")
        seen += uids(level, page.rows)
        remaining = page.remaining
        if arriving:
            add(index, rows_of(100 + len(arriving), arriving.pop()))
    assert len(set(seen)) == len(seen)
    assert [uid for uid in seen if int(uid.split(".")[1]) < 100] == expected
