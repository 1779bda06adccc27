from dataclasses import replace

import pytest

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import SeriesRow
from dicomweb.errors import NotFound
from dicomweb.settings import Settings
from dicomweb.transactions import compaction
from dicomweb.transactions.compaction import compact_study, renew_study
from dicomweb.transactions.metadata import is_compacted
from tests.builders import a_series
from tests.transactions.test_store import store


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored just now counts as old."""
    monkeypatch.setattr(compaction, "_QUIET_S", -1)


def series_of(archive: Archive) -> list[SeriesRow]:
    return archive.index.series_of("1.2.3")


def test_each_series_is_compacted_once(archive: Archive, quiet: None) -> None:
    store(archive, *a_series(2), *a_series(1, series="1.2.3.2"))
    assert compact_study(archive, "1.2.3") is True
    assert [is_compacted(archive, row) for row in series_of(archive)] == [True, True]
    assert compact_study(archive, "1.2.3") is False


def test_a_series_that_changed_is_compacted_again(archive: Archive, quiet: None) -> None:
    store(archive, *a_series(1))
    compact_study(archive, "1.2.3")
    store(archive, *a_series(2)[1:])
    assert not is_compacted(archive, series_of(archive)[0])
    assert compact_study(archive, "1.2.3") is True


def test_a_series_that_is_being_written_is_left_alone(archive: Archive) -> None:
    store(archive, *a_series(1))
    assert compact_study(archive, "1.2.3") is False
    assert not is_compacted(archive, series_of(archive)[0])


@pytest.mark.parametrize(
    ("section", "base"),
    [({}, ""), ({"Host": "here"}, ""), ({"Host": "here", "Ssl": True, "PublicRoot": "/pacs/"}, "https://here/pacs")],
)
def test_references_start_at_the_address_in_the_settings(
    archive: Archive, quiet: None, section: dict[str, object], base: str
) -> None:
    store(archive, *a_series(1))
    own = replace(archive, settings=Settings.model_validate({"DicomWeb": section}))
    compact_study(own, "1.2.3")
    assert archive.storage.read(keys.series_object("1.2.3", "1.2.3.1"))[1]["base"] == base


def test_one_damaged_series_does_not_keep_the_others(archive: Archive, quiet: None) -> None:
    store(archive, *a_series(1))
    store(archive, *a_series(1, series="1.2.3.2"))
    (row,) = archive.index.instances_of("1.2.3", "1.2.3.1")
    archive.storage.delete([keys.fragment_object("1.2.3", "1.2.3.1", row.fragment)])
    assert compact_study(archive, "1.2.3") is True
    assert [is_compacted(archive, row) for row in series_of(archive)] == [False, True]


def test_renewing_writes_every_series(archive: Archive) -> None:
    store(archive, *a_series(1), *a_series(1, series="1.2.3.2"))
    renew_study(archive, "1.2.3", "http://here")
    assert [is_compacted(archive, row) for row in series_of(archive)] == [True, True]
    with pytest.raises(NotFound):
        renew_study(archive, "1.2.9", "http://here")
