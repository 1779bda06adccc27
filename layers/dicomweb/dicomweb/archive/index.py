"""The index. What it holds can be retrieved; counts are exact under any number of writers.

Every write is a transaction over the rows of some instances, their series' and study's counts, and, for a new study,
its search entries. Conditions name what was read before; when they fail, the rows are read again.
"""

import secrets
import time
from collections.abc import Iterator
from itertools import islice

from dicomweb.archive import keys
from dicomweb.archive.items import instance_row, kept_of, others_of, series_row, study_row, upload_item, upload_row
from dicomweb.archive.keys import Bounds
from dicomweb.archive.plans import fitting, plan_add, plan_recount, plan_remove, plan_renew
from dicomweb.archive.rows import InstanceRow, NewInstance, SeriesRow, StudyRow, UploadRow, of_each_patient
from dicomweb.archive.table import TRANSACTION, Item, Key, Table, Write
from dicomweb.dicom.attributes import Kept

_PAGE = 128  # entries read at first


class Index:
    """One table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._known_months: set[str] = set()

    # Reading

    def studies(self, uids: list[str]) -> dict[str, StudyRow]:
        """The rows of those studies that exist; counts may be those of a moment ago."""
        wanted = [keys.study_key(uid) for uid in uids]
        items = self.table.batch_get(wanted, consistent=False)
        # One that was stored a moment ago may be missing in the cheaper read: what is stored is found.
        if missing := [key for key in wanted if key not in items]:
            items |= self.table.batch_get(missing)
        return {row.study: row for item in items.values() for row in [study_row(item)]}

    def study(self, study: str) -> StudyRow | None:
        item = self.table.get(keys.study_key(study))
        return study_row(item) if item else None

    def study_with_series(self, study: str) -> tuple[StudyRow | None, list[SeriesRow]]:
        """A study and all its series, in one read."""
        items = list(self.table.query(f"S#{study}"))
        own = [study_row(item) for item in items if item["sk"] == keys.STUDY_ROW]
        series = [series_row(item) for item in items if item["sk"].startswith(keys.SERIES_ROW)]
        return (own[0] if own else None), series

    def series_of(self, study: str) -> list[SeriesRow]:
        """The series of a study."""
        return [series_row(item) for item in self.table.query(f"S#{study}", begins_with=keys.SERIES_ROW)]

    def one_series(self, study: str, series: str) -> SeriesRow | None:
        item = self.table.get(keys.series_key(study, series))
        return series_row(item) if item else None

    def instances_of(self, study: str, series: str) -> list[InstanceRow]:
        """The instances of a series."""
        return [instance_row(item) for item in self.table.query(f"I#{study}/{series}")]

    def instance(self, study: str, series: str, instance: str) -> InstanceRow | None:
        item = self.table.get(keys.instance_key(study, series, instance))
        return instance_row(item) if item else None

    def studies_by_date(self, within: Bounds) -> Iterator[tuple[str, list[Kept]]]:
        """(study, what its row holds as that of each of its patients) of the studies within, newest first."""
        ends = keys.month_of(within.low), keys.month_of(within.high)
        for month in self.table.query(keys.MONTHS, between=ends, forward=False):
            for entry in self._newest_first(keys.month_partition(month["sk"]), within):
                yield entry["study"], of_each_patient(kept_of(entry), others_of(entry))

    def studies_by_value(self, tag: str, value: str, within: Bounds) -> Iterator[str]:
        """Studies whose PatientID or AccessionNumber is this one, folded; newest first."""
        return (entry["study"] for entry in self._newest_first(keys.exact_partition(tag, value), within))

    def studies_by_name(self, tag: str, name: str, within: Bounds) -> Iterator[str]:
        """Studies with this name, folded, newest first."""
        of_name = Bounds(*(f"{keys.name_key(name)}#{at}" for at in within))
        return (entry["study"] for entry in self._newest_first(keys.name_partition(tag, name), of_name))

    def studies_by_beginning(self, tag: str, beginning: str, most: int, within: Bounds) -> list[str] | None:
        """Studies with a name that begins like this, folded, newest first; None when there are more than `most`."""
        entries = self.table.query(
            keys.name_partition(tag, beginning), begins_with=keys.name_key(beginning), page=most + 1
        )
        found = list(islice(entries, most + 1))
        if len(found) > most:
            return None
        newest_first = sorted(found, key=lambda entry: entry["at"], reverse=True)
        return [entry["study"] for entry in newest_first if within.low <= entry["at"] <= within.high]

    def studies_by_gram(self, tag: str, gram: str, within: Bounds) -> Iterator[tuple[str, list[str]]]:
        """(study, its texts, folded) of studies whose attribute has a gram, newest first."""
        return (
            (entry["study"], entry["texts"]) for entry in self._newest_first(keys.gram_partition(tag, gram), within)
        )

    def _newest_first(self, partition: str, within: Bounds) -> Iterator[Item]:
        return self.table.query(partition, between=within, forward=False, page=_PAGE)

    def paths_of_uid(self, uid: str) -> list[tuple[str, str]]:
        """(study, series) of every series or instance with this UID."""
        found = self.table.query(uid, index=keys.UID_INDEX)
        paths = [keys.path_of_row(item["pk"], item["sk"]) for item in found]
        return [(path[0], path[1]) for path in paths]

    def path_of_orthanc_id(self, identifier: str) -> tuple[str, ...]:
        """The UIDs that lead to the study, series or instance with this identifier; none when there is none."""
        for item in self.table.query(identifier, index=keys.ORTHANC_INDEX):
            return keys.path_of_row(item["pk"], item["sk"])
        return ()

    def studies_of_patient(self, identifier: str) -> list[str]:
        """The studies of the patient with this identifier of Orthanc's, newest first."""
        found = self.table.query(keys.patient_partition(identifier), forward=False)
        return [entry["study"] for entry in found]

    def place(self, pages: str, offset: int) -> str:
        """The place kept for an offset of these pages of a search, "" when there is none any more."""
        item = self.table.get(keys.place_key(pages, offset))
        return item["place"] if item and item["expires"] > time.time() else ""

    def upload(self, upload: str) -> UploadRow | None:
        """An upload session that has not expired."""
        item = self.table.get(keys.upload_key(upload))
        return upload_row(item) if item and item["expires"] > time.time() else None

    # Writing

    def keep_upload(self, row: UploadRow) -> None:
        self.table.put_now(upload_item(row))

    def forget_upload(self, upload: str) -> None:
        self.table.delete_now(keys.upload_key(upload))

    def secret(self) -> bytes:
        """The secret of this archive by which UIDs are replaced, made when it is first wanted."""
        pk, sk = keys.SECRET
        made = {"pk": pk, "sk": sk, "value": secrets.token_bytes(32)}

        def plan() -> tuple[list[Write], Item]:
            found = self.table.get(keys.SECRET)
            return ([], found) if found else ([self.table.put(made, "attribute_not_exists(pk)")], made)

        return bytes(self.table.transact(plan)["value"])

    def keep_place(self, pages: str, offset: int, place: str, seconds: int) -> None:
        """Keep the place of an offset for some time."""
        pk, sk = keys.place_key(pages, offset)
        self.table.put_now({"pk": pk, "sk": sk, "place": place, "expires": int(time.time()) + seconds})

    def add(self, instances: list[NewInstance]) -> dict[str, InstanceRow]:
        """Index instances of one study; the rows of those that were there already, by SOP Instance UID.

        All of one call are found together or not at all, up to about 95 instances; more are cut.

        Raises:
            ArchiveBusy: other writers kept getting in between.
        """
        known: dict[str, InstanceRow] = {}
        pending = instances
        while pending:
            batch, pending = fitting(pending)
            self._mark_month(batch[0])
            known |= self.table.transact(lambda batch=batch: plan_add(self.table, batch))  # type: ignore[misc]
        return known

    def label(self, study: str, labels: frozenset[str]) -> None:
        """Give a study these labels, and no others.

        Raises:
            ArchiveBusy: other writers kept getting in between.
        """
        expression, values = ("SET labels = :l", {":l": set(labels)}) if labels else ("REMOVE labels", {})

        def plan() -> tuple[list[Write], None]:
            there = self.table.get(keys.study_key(study))
            values_now = values | ({":v": there["version"]} if there else {})
            update = self.table.update(keys.study_key(study), expression, values_now, "version = :v")
            return ([update] if there else []), None

        self.table.transact(plan)

    def recount(self, study: str) -> bool:
        """Make the counts of a study those of its instances; whether any was wrong."""
        changed, is_cut = False, True
        while is_cut:
            wrote = [0]

            def plan(wrote: list[int] = wrote) -> tuple[list[Write], tuple[bool, list[Key]]]:
                writes, result = plan_recount(self.table, study)
                wrote[0] = len(writes)
                return writes, result

            is_cut, entries = self.table.transact(plan)
            changed = changed or bool(wrote[0])
            for key in entries:
                self.table.delete_now(key)
        return changed

    def bury(self, study: str, series: str, instance: str, seconds: int) -> None:
        """Remember for some time that something was deleted."""
        pk, sk = keys.tombstone_key(study, series, instance)
        self.table.put_now({"pk": pk, "sk": sk, "expires": int(time.time()) + seconds})

    def unbury(self, study: str, series: str, instance: str) -> None:
        self.table.delete_now(keys.tombstone_key(study, series, instance))

    def is_buried(self, study: str, series: str, instance: str) -> bool:
        """Whether something that is not there was deleted, by itself or with what it was in."""
        of_study, of_series = keys.tombstone_key(study), keys.tombstone_key(study, series)
        itself = keys.tombstone_key(study, series, instance)
        if any(self._is_buried(key) for key in dict.fromkeys((itself, of_series))):
            return True
        # A study that was stored again may never have had it.
        return self._is_buried(of_study) and self.study(study) is None

    def _is_buried(self, key: Key) -> bool:
        item = self.table.get(key)
        return item is not None and item["expires"] > time.time()

    def remove(self, rows: list[InstanceRow]) -> None:
        """Take instances of one series out of the index, and the series and study with the last of them.

        At most REMOVED_AT_ONCE; a study's search entries go in the same transaction, as far as there is room.
        """
        for key in self.table.transact(lambda: plan_remove(self.table, rows)):
            self.table.delete_now(key)

    def renew(self, kept: dict[Key, Kept]) -> None:
        """Let rows, by their keys, hold other attributes; those that are not there any more are left out."""
        wanted = list(kept)
        for start in range(0, len(wanted), TRANSACTION):
            batch = wanted[start : start + TRANSACTION]
            self.table.transact(lambda batch=batch: plan_renew(self.table, batch, kept))  # type: ignore[misc]

    def among(self, rows: list[InstanceRow]) -> set[str]:
        """The SOP Instance UIDs of those that are in the index (now, again); at most TRANSACTION."""
        there = self.table.batch_get(keys.instance_key(row.study, row.series, row.instance) for row in rows)
        return {uid for _, uid in there}

    def _mark_month(self, new: NewInstance) -> None:
        # Apart from the transaction: every new study of a month would meet the others there.
        month = keys.month_of(keys.at_of(new.row.study, new.study_kept.attributes))
        if month not in self._known_months:
            self.table.put_now({"pk": keys.MONTHS, "sk": month})
            self._known_months.add(month)
