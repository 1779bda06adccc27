"""The index. What it holds can be retrieved; counts are exact under any number of writers.

Every write is a transaction over the rows of some instances, their series' and study's counts, and, for a new study,
its search entries. Conditions name what was read before; when they fail, the rows are read again.
"""

import time
from collections.abc import Iterator
from itertools import islice

from dicomweb.archive import keys
from dicomweb.archive.keys import Bounds
from dicomweb.archive.rows import (
    InstanceRow,
    NewInstance,
    SeriesRow,
    StudyRow,
    entry_items,
    instance_item,
    instance_row,
    kept_item,
    kept_of,
    new_version,
    series_item,
    series_row,
    study_item,
    study_row,
)  # fmt: skip
from dicomweb.archive.table import TRANSACTION, Item, Key, Table, Write
from dicomweb.dicom.attributes import Kept
from dicomweb.dicom.json_model import text_of

REMOVED_AT_ONCE = 36  # instances; beside a study's and a series' row and most search entries of a study
_ENTRIES = 60  # search entries of a study that are written with its first instances
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

    def studies_by_date(self, within: Bounds) -> Iterator[tuple[str, Kept]]:
        """(study, what its row holds) of the studies within, newest first."""
        ends = keys.month_of(within.low), keys.month_of(within.high)
        for month in self._table.query(keys.MONTHS, between=ends, forward=False):
            for entry in self._newest_first(keys.month_partition(month["sk"]), within):
                yield entry["study"], kept_of(entry)

    def studies_by_value(self, tag: str, value: str, within: Bounds) -> Iterator[str]:
        """Studies whose PatientID or AccessionNumber is this one, folded; newest first."""
        return (entry["study"] for entry in self._newest_first(keys.exact_partition(tag, value), within))

    def studies_by_name(self, tag: str, name: str, within: Bounds) -> Iterator[str]:
        """Studies with this name, folded, newest first."""
        of_name = Bounds(*(f"{keys.name_key(name)}#{at}" for at in within))
        return (entry["study"] for entry in self._newest_first(keys.name_partition(tag, name), of_name))

    def studies_by_beginning(self, tag: str, beginning: str, most: int, within: Bounds) -> list[str] | None:
        """Studies with a name that begins like this, folded, newest first; None when there are more than `most`."""
        entries = self._table.query(
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
        return self._table.query(partition, between=within, forward=False, page=_PAGE)

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

    def place(self, pages: str, offset: int) -> str:
        """The place kept for an offset of these pages of a search, "" when there is none any more."""
        item = self._table.get(keys.place_key(pages, offset))
        return item["place"] if item and item["expires"] > time.time() else ""

    # Writing

    def keep_place(self, pages: str, offset: int, place: str, seconds: int) -> None:
        """Keep the place of an offset for some time."""
        pk, sk = keys.place_key(pages, offset)
        self._table.put_now({"pk": pk, "sk": sk, "place": place, "expires": int(time.time()) + seconds})

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

        At most REMOVED_AT_ONCE; a study's search entries go in the same transaction, as far as there is room.
        """
        for key in self._table.transact(lambda: self._plan_remove(rows)):
            self._table.delete_now(key)

    def renew(self, kept: dict[Key, Kept]) -> None:
        """Let rows, by their keys, hold other attributes; those that are not there any more are left out."""
        wanted = list(kept)
        for start in range(0, len(wanted), TRANSACTION):
            batch = wanted[start : start + TRANSACTION]
            self._table.transact(lambda batch=batch: self._plan_renew(batch, kept))  # type: ignore[misc]

    def _plan_renew(self, batch: list[Key], kept: dict[Key, Kept]) -> tuple[list[Write], None]:
        there = self._table.batch_get(batch)
        writes = []
        for key in there:
            values = kept_item(kept[key])
            set_ = ", ".join(f"{name} = :{name}" for name in values)
            remove = ", ".join(name for name in ("extra", "omitted") if name not in values)
            expression = f"SET {set_}" + (f" REMOVE {remove}" if remove else "")
            named = {f":{name}": value for name, value in values.items()}
            writes.append(self._table.update(key, expression, named, _EXISTS))
        return writes, None

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
        version = new_version()
        writes += [self._table.put(instance_item(new.row), _ABSENT) for new in added]
        new_series: dict[str, str] = {}  # modality by UID
        for uid in {new.row.series for new in added}:
            members = [new for new in added if new.row.series == uid]
            key = keys.series_key(study, uid)
            if key in there:
                more = {":v": version, ":n": len(members), ":c": {new.sop_class for new in members}}
                expression = "SET version = :v ADD instances :n, sop_classes :c"
                writes.append(self._table.update(key, expression, more, _EXISTS))
            else:
                new_series[uid] = members[0].modality
                writes.append(self._table.put(series_item(members, version), _ABSENT))
        counts = {
            ":v": version,
            ":n": len(added),
            ":s": len(new_series),
            ":m": set(new_series.values()),
            ":c": {new.sop_class for new in added},
        }
        if keys.study_key(study) in there:
            expression = "SET version = :v ADD instances :n, series :s, sop_classes :c"
            if new_series:
                expression += ", modalities :m"
            else:
                counts.pop(":m")
            writes.append(self._table.update(keys.study_key(study), expression, counts, _EXISTS))
        else:
            item = study_item(added[0], counts)
            writes.append(self._table.put(item, _ABSENT))
            entries = entry_items(item)
            # Those for which there is no room lead nowhere until the row is there.
            for entry in entries[_ENTRIES:]:
                self._table.put_now(entry)
            writes += [self._table.put(entry, "") for entry in entries[:_ENTRIES]]
        return writes, known

    def _plan_remove(self, rows: list[InstanceRow]) -> tuple[list[Write], list[Key]]:
        """The transaction, and the keys of search entries that it has no room for."""
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
            return writes, []
        version = new_version()
        writes += [self._table.delete(keys.instance_key(study, series, row.instance), _EXISTS, {}) for row in present]
        last_of_series = series_there["instances"] == len(present)
        left = series_there["sop_classes"]
        if last_of_series:
            same = {":v": series_there["version"]}
            writes.append(self._table.delete(keys.series_key(study, series), "version = :v", same))
        else:
            if len(left) > 1:
                left = self._sop_classes(study, series, but={row.instance for row in present})
            values: Item = {":v": version, ":n": -len(present), ":c": left, ":old": series_there["version"]}
            expression = "SET version = :v, sop_classes = :c ADD instances :n"
            writes.append(self._table.update(keys.series_key(study, series), expression, values, "version = :old"))
        if study_there["instances"] == len(present):
            same = {":v": study_there["version"]}
            writes.append(self._table.delete(keys.study_key(study), "version = :v", same))
            entries = [(entry["pk"], entry["sk"]) for entry in entry_items(study_there)]
            room = TRANSACTION - len(writes)
            writes += [self._table.delete(key, "", {}) for key in entries[:room]]
            return writes, entries[room:]
        values = {":v": version, ":n": -len(present), ":s": -int(last_of_series), ":old": study_there["version"]}
        expression = "SET version = :v"
        if last_of_series or left != series_there["sop_classes"]:
            rows_there = list(self._table.query(f"S#{study}", begins_with=keys.SERIES_ROW))
            others = [row for row in rows_there if row["sk"] != series_there["sk"]]
            still_there = [] if last_of_series else [series_there | {"sop_classes": left}]
            expression += ", modalities = :m, sop_classes = :c"
            values |= {
                ":m": {row["modality"] for row in others + still_there},
                ":c": set().union(*(row["sop_classes"] for row in others + still_there)),
            }
        writes.append(
            self._table.update(
                keys.study_key(study), expression + " ADD instances :n, series :s", values, "version = :old"
            )
        )
        return writes, []

    def _sop_classes(self, study: str, series: str, *, but: set[str]) -> set[str]:
        """The SOP classes of the instances of a series but some."""
        rows = self.instances_of(study, series)
        return {text_of(row.attributes, "00080016") for row in rows if row.instance not in but}

    def _mark_month(self, new: NewInstance) -> None:
        # Apart from the transaction: every new study of a month would meet the others there.
        month = keys.month_of(keys.at_of(new.row.study, new.study_kept.attributes))
        if month not in self._known_months:
            self._table.put_now({"pk": keys.MONTHS, "sk": month})
            self._known_months.add(month)


def _fitting(instances: list[NewInstance]) -> tuple[list[NewInstance], list[NewInstance]]:
    """Cut off what fits into one transaction beside a row for each series, the study's, and its search entries."""
    entries = 1 + sum(1 for _ in keys.entries_of(instances[0].row.study, instances[0].study_kept.attributes))
    room = TRANSACTION - 1 - min(entries, _ENTRIES)
    series: set[str] = set()
    for count, new in enumerate(instances):
        series.add(new.row.series)
        if count and count + 1 + len(series) > room:
            return instances[:count], instances[count:]
    return instances, []
