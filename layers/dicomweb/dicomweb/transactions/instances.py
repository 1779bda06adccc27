"""Instances by their path, in order."""

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.errors import Gone, NotFound
from dicomweb.transactions.search_order import in_order, series_in_order


def find_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> list[InstanceRow]:
    """The instances of a study, a series, or the one named, in (series, instance) number order.

    Raises:
        NotFound: there are none.
        Gone: they were deleted.
    """
    index = archive.index
    if instance:
        row = index.instance(study, series, instance)
        rows = [row] if row else []
    elif series:
        rows = in_order(index.instances_of(study, series))
    else:
        uids = [row.series for row in series_in_order(index.series_of(study))]
        of_series = archive.storage.map_ahead(lambda uid: index.instances_of(study, uid), uids, 4)
        rows = [row for rows in of_series for row in in_order(rows)]
    if not rows:
        raise missing(archive, study, series, instance)
    return rows


def missing(archive: Archive, study: str, series: str = "", instance: str = "") -> NotFound:
    """The error for what is not there: never was, or was deleted."""
    levels = (("instance", instance), ("series", series), ("study", study))
    path = " in ".join(f"{level} {uid}" for level, uid in levels if uid)
    if archive.index.is_buried(study, series, instance):
        return Gone(f"{path} was deleted")
    return NotFound(f"no {path}")


def transfer_syntaxes(rows: list[InstanceRow]) -> list[str]:
    """The transfer syntaxes in which instances are stored, each once."""
    return sorted({row.transfer_syntax for row in rows})
