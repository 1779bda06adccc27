"""The index. What it holds can be retrieved; counts are exact under any number of writers.

Every write is a transaction over the rows of some instances, their series' and study's counts, and, for a new study,
its search entries. Conditions name what was read before; when they fail, the rows are read again.
"""

import heapq
import json
import uuid
from collections.abc import Iterator
from itertools import islice

from dicomweb.archive import keys
from dicomweb.archive.rows import (
    InstanceRow,
    NewInstance,
    SeriesRow,
    StudyRow,
    entry_items,
    instance_item,
    instance_row,
    series_item,
    series_row,
    study_item,
    study_row,
)  # fmt: skip
from dicomweb.archive.table import TRANSACTION, Item, Table, Write
from dicomweb.dicom.json_model import DataSet

REMOVED_AT_ONCE = 36  # instances; beside a study's and a series' row and the search entries of a study
_PAGE = 128  # entries read at first
_ABSENT, _EXISTS = "attribute_not_exists(pk)", "attribute_exists(pk)"


class Index:
    """One table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known_months: set[str] = set()

    # Reading

    def studies(self, uids: list[str]) -> dict[str, StudyRow]:
        """The rows of those studies that exist; counts may be those of a moment ago."""
        wanted = [keys.study_key(uid) for uid in uids]
        items = self._table.batch_get(wanted, consistent=False)
        # One that was stored a moment ago may be missing in the cheaper read: what is stored is found.
        if missing := [key for key in wanted if key not in items]:
            items |= self._table.batch_get(missing)
        return {row.study: row for item in items.values() for row in [study_row(item)]}

    def series_of(self, study: str) -> list[SeriesRow]:
        """The series of a study."""
        return [series_row(item) for item in self._table.query(f"S#{study}", begins_with=keys.SERIES_ROW)]

    def one_series(self, study: str, series: str) -> SeriesRow | None:
        item = self._table.get(keys.series_key(study, series))
        return series_row(item) if item else None

    def instances_of(self, study: str, series: str) -> list[InstanceRow]:
        """The instances of a series."""
        return [instance_row(item) for item in self._table.query(f"I#{study}/{series}")]

    def instance(self, study: str, series: str, instance: str) -> InstanceRow | None:
        item = self._table.get(keys.instance_key(study, series, instance))
        return instance_row(item) if item else None

    def studies_by_date(self, first: str, last: str) -> Iterator[tuple[str, DataSet]]:
        """(study, attributes) of the studies dated in [first, last], newest first; NO_DATE is before all dates."""
        months = self._table.query(keys.MONTHS, between=(keys.month_of(first), keys.month_of(last)), forward=False)
        for month in months:
            partition = keys.month_partition(month["sk"])
            # `$` comes after the `#` that ends a date.
            for entry in self._table.query(partition, between=(first, last + "$"), forward=False, page=_PAGE):
                yield entry["study"], json.loads(entry["attributes"])

    def studies_by_value(self, tag: str, value: str) -> Iterator[str]:
        """Studies whose PatientID or AccessionNumber is this one, folded; newest first."""
        for item in self._table.query(keys.exact_partition(tag, value), forward=False, page=_PAGE):
            yield item["study"]

    def studies_by_name(self, tag: str, prefix: str, most: int) -> list[str] | None:
        """Studies with a name that begins like this, folded, newest first; None when there are more than `most`."""
        entries = self._table.query(keys.name_partition(tag, prefix), begins_with=prefix, page=most + 1)
        found = list(islice(entries, most + 1))
        if len(found) > most:
            return None
        return [item["study"] for item in sorted(found, key=lambda item: item["at"], reverse=True)]

    def studies_by_gram(self, tag: str, gram: str) -> Iterator[tuple[str, list[str]]]:
        """(study, its texts, folded) of studies in whose attribute a gram may be, newest first."""
        partitions = [keys.gram_partition(tag, each) for each in (gram, "")]
        pages = [self._table.query(partition, forward=False, page=_PAGE) for partition in partitions]
        for item in heapq.merge(*pages, key=lambda item: item["at"], reverse=True):
            yield item["study"], item["texts"]

    def paths_of_uid(self, uid: str) -> list[tuple[str, str]]:
        """(study, series) of every series or instance with this UID."""
        paths = []
        for item in self._table.query(uid, index=keys.UID_INDEX):
            if item["pk"].startswith("S#"):
                paths.append((item["pk"][2:], uid))
            else:
                study, _, series = item["pk"][2:].partition("/")
                paths.append((study, series))
        return paths

    # Writing

    def add(self, instances: list[NewInstance]) -> dict[str, str]:
        """Index instances of one study; the SHA-256 of those that were there already, by SOP Instance UID.

        All of one call are found together or not at all, up to about 95 instances; more are cut.

        Raises:
            ArchiveBusy: other writers kept getting in between.
        """
        known: dict[str, str] = {}
        pending = instances
        while pending:
            batch, pending = _fitting(pending)
            self._mark_month(batch[0])
            known |= self._table.transact(lambda batch=batch: self._plan_add(batch))  # type: ignore[misc]
        return known

    def remove(self, rows: list[InstanceRow]) -> None:
        """Take instances of one series out of the index, and the series and study with the last of them.

        At most REMOVED_AT_ONCE; a study's search entries go in the same transaction.
        """
        self._table.transact(lambda: self._plan_remove(rows))

    def among(self, rows: list[InstanceRow]) -> set[str]:
        """The SOP Instance UIDs of those that are in the index (now, again); at most TRANSACTION."""
        there = self._table.batch_get(keys.instance_key(row.study, row.series, row.instance) for row in rows)
        return {uid for _, uid in there}

    def _plan_add(self, batch: list[NewInstance]) -> tuple[list[Write], dict[str, str]]:
        study = batch[0].row.study
        series = {new.row.series: new for new in batch}
        wanted = [keys.study_key(study)]
        wanted += [keys.series_key(study, uid) for uid in series]
        wanted += [keys.instance_key(study, new.row.series, new.row.instance) for new in batch]
        there = self._table.batch_get(wanted)
        known: dict[str, str] = {}
        added: list[NewInstance] = []
        for new in batch:
            item = there.get(keys.instance_key(study, new.row.series, new.row.instance))
            if item:
                known[new.row.instance] = item["sha256"]
            else:
                added.append(new)
        writes: list[Write] = []
        if not added:
            return writes, known
        version = uuid.uuid4().hex
        writes += [self._table.put(instance_item(new.row), _ABSENT) for new in added]
        new_series = 0
        for uid in {new.row.series for new in added}:
            members = [new for new in added if new.row.series == uid]
            key = keys.series_key(study, uid)
            if key in there:
                more = {":v": version, ":n": len(members), ":c": {new.sop_class for new in members}}
                expression = "SET version = :v ADD instances :n, sop_classes :c"
                writes.append(self._table.update(key, expression, more, _EXISTS))
            else:
                new_series += 1
                writes.append(self._table.put(series_item(members, version), _ABSENT))
        counts = {
            ":v": version,
            ":n": len(added),
            ":s": new_series,
            ":m": {new.modality for new in added},
            ":c": {new.sop_class for new in added},
        }
        if keys.study_key(study) in there:
            expression = "SET version = :v ADD instances :n, series :s, modalities :m, sop_classes :c"
            writes.append(self._table.update(keys.study_key(study), expression, counts, _EXISTS))
        else:
            item = study_item(added[0], counts)
            writes.append(self._table.put(item, _ABSENT))
            writes += [self._table.put(entry, "") for entry in entry_items(item)]
        return writes, known

    def _plan_remove(self, rows: list[InstanceRow]) -> tuple[list[Write], None]:
        writes: list[Write] = []
        study, series = rows[0].study, rows[0].series
        there = self._table.batch_get(
            [
                keys.study_key(study),
                keys.series_key(study, series),
                *(keys.instance_key(study, series, row.instance) for row in rows),
            ]
        )
        study_there, series_there = there.get(keys.study_key(study)), there.get(keys.series_key(study, series))
        present = [row for row in rows if keys.instance_key(study, series, row.instance) in there]
        if not present or not study_there or not series_there:
            return writes, None
        version = uuid.uuid4().hex
        writes += [self._table.delete(keys.instance_key(study, series, row.instance), _EXISTS, {}) for row in present]
        last_of_series = series_there["instances"] == len(present)
        if last_of_series:
            same = {":v": series_there["version"]}
            writes.append(self._table.delete(keys.series_key(study, series), "version = :v", same))
        else:
            values: Item = {":v": version, ":n": -len(present)}
            writes.append(
                self._table.update(keys.series_key(study, series), "SET version = :v ADD instances :n", values, _EXISTS)
            )
        if study_there["instances"] == len(present):
            same = {":v": study_there["version"]}
            writes.append(self._table.delete(keys.study_key(study), "version = :v", same))
            writes += [self._table.delete((entry["pk"], entry["sk"]), "", {}) for entry in entry_items(study_there)]
            return writes, None
        values = {":v": version, ":n": -len(present), ":s": -int(last_of_series), ":old": study_there["version"]}
        expression = "SET version = :v"
        if last_of_series:
            others = [
                row
                for row in self._table.query(f"S#{study}", begins_with=keys.SERIES_ROW)
                if row["sk"] != series_there["sk"]
            ]
            expression += ", modalities = :m, sop_classes = :c"
            values |= {
                ":m": {row["modality"] for row in others},
                ":c": set().union(*(row["sop_classes"] for row in others)),
            }
        writes.append(
            self._table.update(
                keys.study_key(study), expression + " ADD instances :n, series :s", values, "version = :old"
            )
        )
        return writes, None

    def _mark_month(self, new: NewInstance) -> None:
        # Apart from the transaction: every new study of a month would meet the others there.
        date, _ = keys.order_of(new.study_attributes)
        month = keys.month_of(date)
        if month not in self._known_months:
            self._table.put_now({"pk": keys.MONTHS, "sk": month})
            self._known_months.add(month)


def _fitting(instances: list[NewInstance]) -> tuple[list[NewInstance], list[NewInstance]]:
    """Cut off what fits into one transaction beside a row for each series, the study's, and its search entries."""
    entries = len(list(keys.entries_of(instances[0].row.study, instances[0].study_attributes)))
    room = TRANSACTION - 2 - entries
    series: set[str] = set()
    for count, new in enumerate(instances):
        series.add(new.row.series)
        if count and count + 1 + len(series) > room:
            return instances[:count], instances[count:]
    return instances, []
