"""Searches while studies arrive: no error, and no row that is half there."""

import itertools
import threading
import time
from typing import Any, cast

from dicomweb.archive import Archive
from dicomweb.archive.index import Index
from dicomweb.archive.table import Table
from dicomweb.dicom.json_model import text_of
from dicomweb.dicom.query import parse_query
from dicomweb.dicom.store_response import Stored
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.search import search
from local.memory_dynamodb import MemoryDynamoDB
from tests.builders import a_series
from tests.transactions.test_store import store

SECONDS = 60
QUERIES = [
    ("study", "PatientName", "doe*"),
    ("study", "PatientName", "*an*"),
    ("study", "StudyDate", "20240101-"),
    ("study", "Modality", "CT"),
    ("series", "PatientID", "P1"),
    ("instance", "StudyInstanceUID", "1.1,1.2,1.3"),
    ("study", "KVP", "120"),
    ("study", "fuzzymatching", "true"),
]


def test_eight_stores_and_eight_searches_for_a_minute(archive: Archive) -> None:
    archive = Archive(archive.storage, Index(Table(cast(Any, MemoryDynamoDB()), "index")), archive.settings)
    errors: list[BaseException] = []
    numbers, done = itertools.count(1), time.monotonic() + SECONDS
    worked = [0] * 16

    def store_some(worker: int) -> None:
        while time.monotonic() < done:
            study = f"1.{next(numbers) % 40 + 1}"
            series = f"{study}.{worker + 1}"
            files = a_series(2, study, f"{series}.{worked[worker]}", KVP="120")
            assert all(isinstance(outcome, Stored) for outcome in store(archive, *files))
            worked[worker] += 1

    def search_some(worker: int) -> None:
        level, keyword, value = QUERIES[worker % 8]
        while time.monotonic() < done:
            for row in search(archive, parse_query(level, [(keyword, value), ("limit", "20")], {}), "").rows:
                study = text_of(row, "0020000D")
                assert text_of(row, "00100010")
                if level == "study":
                    assert int(text_of(row, "00201208")) >= int(text_of(row, "00201206")) >= 1
                    assert len(find_instances(archive, study)) >= int(text_of(row, "00201208"))
            worked[worker] += 1

    def guarded(work: Any, worker: int) -> None:
        try:
            work(worker)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(store_some, n)) for n in range(8)]
    threads += [threading.Thread(target=guarded, args=(search_some, n)) for n in range(8, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(worked), worked
