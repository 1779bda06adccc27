"""Delete: instances, series and studies (an extension; PS3.18 has no such transaction). Index first, then objects."""

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.transactions.retrieve import find_instances

_BATCH = 80  # instances taken out of the index at once


def delete_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> None:
    """Delete a study, a series or an instance.

    A crash leaves a smaller study with right counts, and at most objects that nothing finds.

    Raises:
        NotFound: there is none.
    """
    rows = find_instances(archive, study, series, instance)
    for uid in dict.fromkeys(row.series for row in rows):
        of_series = [row for row in rows if row.series == uid]
        for start in range(0, len(of_series), _BATCH):
            batch = of_series[start : start + _BATCH]
            archive.index.remove(batch)
            archive.storage.delete([key for row in batch for key in _objects_of(row)])
        if archive.index.one_series(study, uid) is None:
            archive.storage.delete(list(archive.storage.list_keys(keys.metadata_prefix(study, uid))))


def _objects_of(row: InstanceRow) -> list[str]:
    objects = [keys.instance_object(row.study, row.series, row.instance)]
    if row.frames.startswith("table:") and not row.frame_table:
        objects.append(keys.frames_object(row.study, row.series, row.instance))
    if row.bulk is None:
        objects.append(keys.bulk_object(row.study, row.series, row.instance))
    return objects
