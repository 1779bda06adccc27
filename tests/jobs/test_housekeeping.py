from datetime import UTC, datetime, timedelta

import pytest

from dicomweb.archive import Archive
from dicomweb.errors import BadRequest
from dicomweb.jobs import housekeeping
from tests.builders import a_file
from tests.transactions.test_store import store


def test_steps_go_on_where_the_one_before_ended(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    store(archive, a_file(), a_file(StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1", SOPInstanceUID="1.2.4.1.1"))
    monkeypatch.setattr(housekeeping, "connect", lambda _: archive)
    step = housekeeping.step_handler(seconds=0)
    first = step({"task": "reindex"}, None)
    assert (first["done"], first["studies"]) == (False, 1)
    second = step(first, None)
    assert (second["done"], second["studies"], second["next"]) == (True, 2, "")


def test_an_unknown_task_says_which_there_are(archive: Archive) -> None:
    with pytest.raises(BadRequest, match="reindex"):
        housekeeping.housekeep(archive, "paint", "", 1)


def test_only_studies_of_so_many_days_are_looked_at(archive: Archive) -> None:
    dates = {"1.2.3": f"{datetime.now(UTC) - timedelta(days=13):%Y%m%d}", "1.2.4": "20240131", "1.2.5": ""}
    for study, date in dates.items():
        uids = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1", "SOPInstanceUID": f"{study}.1.1"}
        store(archive, a_file(StudyDate=date, **uids))
    assert housekeeping.housekeep(archive, "compact", "", 10, days=14).studies == 1
    assert housekeeping.housekeep(archive, "compact", "", 10).studies == 3


def test_steps_hand_on_the_number_of_days(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "connect", lambda _: archive)
    done = housekeeping.step_handler(seconds=0)({"task": "compact", "days": 14}, None)
    assert (done["done"], done["days"]) == (True, 14)
