"""The transactions of the index: what is written together, and on which conditions.

A plan reads the rows it depends on and states what it read as conditions: it is made again when they no longer hold.
"""

from dicomweb.archive import keys
from dicomweb.archive.entries import count_of_entries, entry_items, more_patients
from dicomweb.archive.items import instance_item, instance_row, kept_item, series_item, study_item
from dicomweb.archive.rows import InstanceRow, NewInstance, new_version
from dicomweb.archive.table import TRANSACTION, Item, Key, Table, Write
from dicomweb.dicom.attributes import Kept
from dicomweb.dicom.json_model import dumps, text_of

REMOVED_AT_ONCE = 36  # instances; beside a study's and a series' row and most search entries of a study
_ENTRIES = 60  # search entries of a study for which its first instances leave room
_RECOUNTED = 30  # series whose counts are mended at once
_ABSENT, _EXISTS = "attribute_not_exists(pk)", "attribute_exists(pk)"


def fitting(instances: list[NewInstance]) -> tuple[list[NewInstance], list[NewInstance]]:
    """Cut off what fits into one transaction beside a row for each series, the study's, and its search entries."""
    room = TRANSACTION - 1 - min(count_of_entries(instances[0]), _ENTRIES)
    series: set[str] = set()
    for count, new in enumerate(instances):
        series.add(new.row.series)
        if count and count + 1 + len(series) > room:
            return instances[:count], instances[count:]
    return instances, []


def plan_renew(table: Table, batch: list[Key], kept: dict[Key, Kept]) -> tuple[list[Write], None]:
    """What lets rows hold other attributes; those that are gone are left out."""
    there = table.batch_get(batch)
    writes = []
    for key in there:
        values = kept_item(kept[key])
        set_ = ", ".join(f"{name} = :{name}" for name in values)
        remove = ", ".join(name for name in ("extra", "omitted") if name not in values)
        expression = f"SET {set_}" + (f" REMOVE {remove}" if remove else "")
        named = {f":{name}": value for name, value in values.items()}
        writes.append(table.update(key, expression, named, _EXISTS))
    return writes, None


def plan_add(table: Table, batch: list[NewInstance]) -> tuple[list[Write], dict[str, InstanceRow]]:
    """What adds instances of one study, and the rows of those that are there already, by SOP Instance UID."""
    study = batch[0].row.study
    series = {new.row.series: new for new in batch}
    wanted = [keys.study_key(study)]
    wanted += [keys.series_key(study, uid) for uid in series]
    wanted += [keys.instance_key(study, new.row.series, new.row.instance) for new in batch]
    there = table.batch_get(wanted)
    known: dict[str, InstanceRow] = {}
    added: list[NewInstance] = []
    replacing: list[NewInstance] = []
    for new in batch:
        item = there.get(keys.instance_key(study, new.row.series, new.row.instance))
        if item:
            known[new.row.instance] = instance_row(item)
            if new.replaces and item["sha256"] != new.row.sha256:
                replacing.append(new)
        else:
            added.append(new)
    writes: list[Write] = []
    if not added and not replacing:
        return writes, known
    version = new_version()
    writes += [table.put(instance_item(new), _ABSENT) for new in added]
    for new in replacing:
        old = {":old": known[new.row.instance].sha256}
        writes.append(table.put(instance_item(new), "sha256 = :old", old))
    new_series: dict[str, str] = {}  # modality by UID
    for uid in {new.row.series for new in added + replacing}:
        members = [new for new in added if new.row.series == uid]
        classes = {new.sop_class for new in added + replacing if new.row.series == uid}
        key = keys.series_key(study, uid)
        if key in there:
            more = {":v": version, ":n": len(members), ":c": classes}
            expression = "SET version = :v ADD instances :n, sop_classes :c"
            writes.append(table.update(key, expression, more, _EXISTS))
        else:
            new_series[uid] = members[0].modality
            writes.append(table.put(series_item(members, version), _ABSENT))
    counts = {
        ":v": version,
        ":n": len(added),
        ":s": len(new_series),
        ":m": set(new_series.values()),
        ":c": {new.sop_class for new in added + replacing},
    }
    study_there = there.get(keys.study_key(study))
    item = study_there or study_item(added[0], counts)
    patients = [dumps(patient) for patient in more_patients(item, added + replacing)]
    if patients:
        item = item | {"patients": [*item.get("patients", ()), *patients]}
    if study_there:
        expression, condition = "SET version = :v", _EXISTS
        if patients:
            expression, condition = f"{expression}, patients = :p", "version = :old"
            counts |= {":p": item["patients"], ":old": study_there["version"]}
        expression += " ADD instances :n, series :s, sop_classes :c"
        if new_series:
            expression += ", modalities :m"
        else:
            counts.pop(":m")
        writes.append(table.update(keys.study_key(study), expression, counts, condition))
    else:
        writes.append(table.put(item, _ABSENT))
    if patients or not study_there:
        entries = entry_items(item)
        room = TRANSACTION - len(writes)
        # Those for which there is no room lead nowhere until the row is there.
        for entry in entries[room:]:
            table.put_now(entry)
        writes += [table.put(entry, "") for entry in entries[:room]]
    return writes, known


def plan_remove(table: Table, rows: list[InstanceRow]) -> tuple[list[Write], list[Key]]:
    """The transaction, and the keys of search entries that it has no room for."""
    writes: list[Write] = []
    study, series = rows[0].study, rows[0].series
    there = table.batch_get(
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
    writes += [table.delete(keys.instance_key(study, series, row.instance), _EXISTS, {}) for row in present]
    last_of_series = series_there["instances"] == len(present)
    left = series_there["sop_classes"]
    if last_of_series:
        same = {":v": series_there["version"]}
        writes.append(table.delete(keys.series_key(study, series), "version = :v", same))
    else:
        if len(left) > 1:
            left = _sop_classes(table, study, series, but={row.instance for row in present})
        values: Item = {":v": version, ":n": -len(present), ":c": left, ":old": series_there["version"]}
        expression = "SET version = :v, sop_classes = :c ADD instances :n"
        writes.append(table.update(keys.series_key(study, series), expression, values, "version = :old"))
    if study_there["instances"] == len(present):
        same = {":v": study_there["version"]}
        writes.append(table.delete(keys.study_key(study), "version = :v", same))
        entries = [(entry["pk"], entry["sk"]) for entry in entry_items(study_there)]
        room = TRANSACTION - len(writes)
        writes += [table.delete(key, "", {}) for key in entries[:room]]
        return writes, entries[room:]
    values = {":v": version, ":n": -len(present), ":s": -int(last_of_series), ":old": study_there["version"]}
    expression = "SET version = :v"
    if last_of_series or left != series_there["sop_classes"]:
        rows_there = list(table.query(f"S#{study}", begins_with=keys.SERIES_ROW))
        others = [row for row in rows_there if row["sk"] != series_there["sk"]]
        still_there = [] if last_of_series else [series_there | {"sop_classes": left}]
        expression += ", modalities = :m, sop_classes = :c"
        values |= {
            ":m": {row["modality"] for row in others + still_there},
            ":c": set().union(*(row["sop_classes"] for row in others + still_there)),
        }
    writes.append(
        table.update(keys.study_key(study), expression + " ADD instances :n, series :s", values, "version = :old")
    )
    return writes, []


def plan_recount(table: Table, study: str) -> tuple[list[Write], tuple[bool, list[Key]]]:
    """What makes the counts of a study those of its instances; whether there is more, and entries without room."""
    study_key = keys.study_key(study)
    study_there = table.get(study_key)
    of_series = {item["sk"]: item for item in table.query(f"S#{study}", begins_with=keys.SERIES_ROW)}
    if not study_there:
        return [], (False, [])
    rows = {
        sk: [instance_row(item) for item in table.query(f"I#{study}/{sk[len(keys.SERIES_ROW) :]}")] for sk in of_series
    }
    classes = {sk: {text_of(row.attributes, "00080016") for row in members} for sk, members in rows.items()}
    full = [sk for sk in of_series if rows[sk]]
    writes: list[Write] = []
    for sk, item in of_series.items():
        wrong = item["instances"] != len(rows[sk]) or item["sop_classes"] != classes[sk]
        if wrong and len(writes) < _RECOUNTED:
            same = {":old": item["version"]}
            if not rows[sk]:
                writes.append(table.delete((item["pk"], sk), "version = :old", same))
                continue
            values = same | {":v": new_version(), ":n": len(rows[sk]), ":c": classes[sk]}
            expression = "SET version = :v, instances = :n, sop_classes = :c"
            writes.append(table.update((item["pk"], sk), expression, values, "version = :old"))
    is_cut = len(writes) == _RECOUNTED
    counts = {
        "instances": sum(map(len, rows.values())),
        "series": len(full),
        "modalities": {of_series[sk]["modality"] for sk in full},
        "sop_classes": set().union(*(classes[sk] for sk in full)),
    }
    same = {":old": study_there["version"]}
    if not full:
        writes.append(table.delete(study_key, "version = :old", same))
        entries = [(entry["pk"], entry["sk"]) for entry in entry_items(study_there)]
        room = TRANSACTION - len(writes)
        writes += [table.delete(key, "", {}) for key in entries[:room]]
        return writes, (is_cut, entries[room:])
    if writes or any(study_there.get(name) != value for name, value in counts.items()):
        values = same | {":v": new_version()} | {f":{name}": value for name, value in counts.items()}
        expression = "SET version = :v, " + ", ".join(f"{name} = :{name}" for name in counts)
        writes.append(table.update(study_key, expression, values, "version = :old"))
    return writes, (is_cut, [])


def _sop_classes(table: Table, study: str, series: str, *, but: set[str]) -> set[str]:
    """The SOP classes of the instances of a series but some."""
    rows = [instance_row(item) for item in table.query(f"I#{study}/{series}")]
    return {text_of(row.attributes, "00080016") for row in rows if row.instance not in but}
