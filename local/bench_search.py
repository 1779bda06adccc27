"""`make bench-search`: what a page of 100 costs on each path of the index, in archives of growing size.

Synthetic studies of a hospital's make (names and numbers drawn with realistic frequencies, 400 studies a day) in an
in-memory DynamoDB that counts calls and read units as the service does. SIZES="1000 10000" for other sizes.
"""

import os
import random
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

from rich.console import Console
from rich.progress import track
from rich.table import Table as Sheet

from dicomweb.archive import Archive, keys
from dicomweb.archive.entries import entry_items
from dicomweb.archive.index import Index
from dicomweb.archive.items import study_item
from dicomweb.archive.rows import NewInstance
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Table, marshal
from dicomweb.dicom.attributes import Kept
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.query import parse_query
from dicomweb.settings import Settings
from dicomweb.transactions.paging import search_page
from local.memory_dynamodb import MemoryDynamoDB, Meter

_A_DAY = 400  # studies
_LAST_DAY = date(2024, 12, 31)
_FAMILY = ["Smith", "Jones", "Miller", "Garcia", "Wong", "Nguyen", "Kowalski", "Schmidt"]
_FAMILY += ["Rossi", "Novak", "Silva", "Khan", "Ivanova", "Yamada", "Okafor", "Larsen"]
_GIVEN = ["Mary", "John", "Anna", "Peter", "Li", "Minh", "Sofia", "Marco", "Jan", "Olga"]
_GIVEN += ["Kenji", "Ada", "Lars", "Omar", "Eva", "Paul", "Lucia", "Hugo", "Ines", "Max"]
_DESCRIPTIONS = ["CT Chest", "CT Abdomen", "MR Knee left", "MR Brain", "CR Thorax", "US Abdomen", "MG Screening"]


@dataclass(frozen=True)
class Path:
    """A search and the path that it shows."""

    name: str
    query: dict[str, str]


_PATHS = [
    Path("no key: newest first", {}),
    Path("StudyDate range", {"StudyDate": "20241101-20241130"}),
    Path("StudyInstanceUID list of 100", {"StudyInstanceUID": ",".join(f"1.2.{n}" for n in range(100))}),
    Path("PatientID", {"PatientID": "P00000007"}),
    Path("PatientID, *text*", {"PatientID": "*0000007*"}),
    Path("PatientID, *frequent text*", {"PatientID": "*123*"}),
    Path("AccessionNumber, *text*", {"AccessionNumber": "*000042*"}),
    Path("AccessionNumber", {"AccessionNumber": "A000000042"}),
    Path("PatientName, exact", {"PatientName": "Zwiebelfisch^Rara"}),
    Path("PatientName, beginning", {"PatientName": "Zwieb*"}),
    Path("PatientName, frequent, exact", {"PatientName": "Smith^John^A"}),
    Path("PatientName, frequent beginning", {"PatientName": "Smi*"}),
    Path("PatientName, *text*", {"PatientName": "*mith*"}),
    Path("PatientName, *rare text*", {"PatientName": "*iebelf*"}),
    Path("PatientName, *text* in a month", {"PatientName": "*mith*", "StudyDate": "20241201-20241231"}),
    Path("PatientName, fuzzy", {"PatientName": "zwiebelfish", "fuzzymatching": "true"}),
    Path("ModalitiesInStudy and month", {"ModalitiesInStudy": "CT", "StudyDate": "20241201-20241231"}),
]


def a_study(number: int, dice: random.Random) -> DataSet:
    """One study's row; number 0 is the newest."""
    day = _LAST_DAY - timedelta(days=number // _A_DAY)
    # One in a thousand has a name that hardly anybody has: at most a hundred of them, whatever the size.
    rare = number % 10 == 3 and number < 1000
    name = "Zwiebelfisch^Rara" if rare else f"{dice.choice(_FAMILY)}^{dice.choice(_GIVEN)}^{dice.choice('ABCDEFGH')}"
    patient = 7 if number < 1000 and number % 50 == 0 else 1000 + dice.randrange(10_000_000)
    texts = {
        "00080020": ("DA", f"{day:%Y%m%d}"),
        "00080030": ("TM", f"{dice.randrange(7, 19):02d}{dice.randrange(60):02d}{dice.randrange(60):02d}"),
        "00080050": ("SH", f"A{number:09d}"),
        "00081030": ("LO", dice.choice(_DESCRIPTIONS)),
        "00100020": ("LO", f"P{patient:08d}"),
        "00100030": ("DA", f"{dice.randrange(1930, 2015)}0101"),
        "00100040": ("CS", dice.choice("FM")),
        "0020000D": ("UI", f"1.2.{number}"),
        "00200010": ("SH", f"S{number}"),
    }
    row: DataSet = {tag: {"vr": vr, "Value": [text]} for tag, (vr, text) in texts.items()}
    return row | {"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}}


def fill(database: MemoryDynamoDB, first: int, last: int) -> None:
    """Put the items of studies straight into the table, as transactions would have left them."""
    months = set()
    for number in track(range(first, last), f"Indexing up to {last:,} studies …", transient=True):
        row = a_study(number, random.Random(number))  # noqa: S311
        new = cast(NewInstance, _New(row, f"1.2.{number}"))
        counts = {
            ":n": 300,
            ":s": 4,
            ":m": {"CT" if number % 3 else "MR"},
            ":c": {"1.2.840.10008.5.1.4.1.1.2"},
            ":v": "0" * 32,
        }
        item = study_item(new, counts)
        for each in (item, *entry_items(item)):
            database.put_item(Item=marshal(each))
        months.add(keys.month_of(keys.order_of(row)[0]))
    for month in months:
        database.put_item(Item=marshal({"pk": keys.MONTHS, "sk": month}))


class _New:
    """As much of a NewInstance as a study's item is made from."""

    def __init__(self, row: DataSet, study: str) -> None:
        self.study_kept = Kept(row)
        self.row = type("Row", (), {"study": study})


def main() -> None:
    """Fill, search, print."""
    console = Console()
    sizes = [int(size) for size in os.environ.get("SIZES", "1000 10000 100000").split()]
    database = MemoryDynamoDB()
    archive = Archive(cast(Storage, None), Index(Table(cast(Any, database), "index")), Settings())
    figures: dict[str, list[str]] = {path.name: [] for path in _PATHS}
    before = 0
    for size in sizes:
        fill(database, before, size)
        before = size
        for path in _PATHS:
            database.meter = Meter()
            started = time.perf_counter()
            query = parse_query("study", [*path.query.items(), ("limit", "100")], {})
            rows = len(search_page(archive, query, "", "bench").rows)
            ms = (time.perf_counter() - started) * 1000
            meter = database.meter
            figures[path.name].append(f"{rows} · {meter.calls} · {meter.read_units:.0f} · {meter.items} · {ms:.0f}")
    sheet = Sheet("path: rows · calls · read units · items read · ms", *(f"{size:,} studies" for size in sizes))
    for name, cells in figures.items():
        sheet.add_row(name, *cells)
    console.print(sheet)


if __name__ == "__main__":
    main()
