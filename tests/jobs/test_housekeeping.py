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
