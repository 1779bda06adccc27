"""Delete: instances, series and studies (an extension; PS3.18 has no such transaction). Index first, then objects."""

from dicomweb.archive import Archive, keys
from dicomweb.archive.plans import REMOVED_AT_ONCE
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.store_response import Outcome
from dicomweb.errors import NotFound
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.reconcile import store_objects

_DAY_S = 24 * 3600


def delete_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> None:
    """Delete a study, a series or an instance.

    A crash leaves a smaller study with right counts, and at most objects that nothing finds.

    Raises:
        NotFound: there is none.
    """
    rows = find_instances(archive, study, series, instance)
    # First: it is asked only for what is not found.
    bury(archive, study, series, instance)
    for uid in dict.fromkeys(row.series for row in rows):
        of_series = [row for row in rows if row.series == uid]
        for start in range(0, len(of_series), REMOVED_AT_ONCE):
            _delete_batch(archive, of_series[start : start + REMOVED_AT_ONCE])
        if archive.index.one_series(study, uid) is None:
            # By name, not by prefix: a store that begins now writes fragments of its own.
            fragments = dict.fromkeys(keys.fragment_object(study, uid, row.fragment) for row in of_series)
            archive.storage.delete([keys.series_object(study, uid), *fragments])
    _forget_pictures(archive, *filter(None, (study, series, instance)))


def count_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> int:
    """How many instances a delete would remove."""
    if instance:
        return 1
    row = archive.index.one_series(study, series) if series else archive.index.study(study)
    return row.instance_count if row else 0


def bury(archive: Archive, study: str, series: str = "", instance: str = "") -> None:
    """Remember, for as long as the settings say, that something was deleted."""
    if days := archive.settings.KeepDeletedDays:
        archive.index.bury(study, series, instance, days * _DAY_S)


def _forget_pictures(archive: Archive, *uids: str) -> None:
    """Pictures of what is deleted must not stay for a month; those of what it was in show it too."""
    of_parents = [keys.thumbnail_object(uids[:depth], "") for depth in range(1, len(uids))]
    found = [each.key for each in archive.storage.objects(keys.thumbnail_object(uids, ""))]
    for folder in of_parents:
        found += [each.key for each in archive.storage.objects(folder) if "/" not in each.key.removeprefix(folder)]
    if found:
        archive.storage.delete(found)


def undelete_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> list[Outcome]:
    """Bring back what was deleted, as long as the bucket has its versions; what became of each instance.

    Raises:
        NotFound: nothing deleted is there any more.
    """
    wanted = tuple(filter(None, (study, series, instance)))
    found = archive.storage.delete_markers(keys.instance_folder(study, series, instance))
    # A UID may begin like another one.
    paths = {key: keys.path_of_instance_object(key) or () for key in found}
    markers = {key: marker for key, marker in found.items() if paths[key][: len(wanted)] == wanted}
    if not markers:
        raise NotFound("nothing that was deleted is there any more")
    for key, marker in markers.items():
        archive.storage.undelete(key, marker)
    archive.index.unbury(study, series, instance)
    return store_objects(archive, list(markers))


def _delete_batch(archive: Archive, rows: list[InstanceRow]) -> None:
    archive.index.remove(rows)
    markers = archive.storage.delete([key for row in rows for key in _objects_of(row)])
    # Somebody may have stored the same bytes again between the two: what is in the index must be retrievable.
    back = archive.index.among(rows)
    for row in rows:
        key = row.object_key
        if row.instance in back and markers.get(key):
            archive.storage.undelete(key, markers[key])


def _objects_of(row: InstanceRow) -> list[str]:
    objects = [row.object_key]
    if row.frames.startswith("table:") and not row.frame_table:
        objects.append(keys.frames_object(row.study, row.series, row.fragment, row.instance))
    if row.bulk is None:
        objects.append(keys.bulk_object(row.study, row.series, row.fragment, row.instance))
    return objects
