"""Index anew: rows that were made before ExtraMainDicomTags named an attribute get it from their metadata."""

import logging

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import SeriesRow
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY, Kept
from dicomweb.dicom.json_model import DataSet
from dicomweb.errors import NotFound
from dicomweb.transactions.metadata import series_documents
from dicomweb.transactions.search_order import in_order, series_in_order

log = logging.getLogger(__name__)


def reindex_study(archive: Archive, study: str) -> bool:
    """Bring the attributes that ExtraMainDicomTags names into the rows of a study; whether any row changed."""
    of_study = archive.index.study(study)
    if of_study is None:
        return False
    indexed, kept = archive.indexed, of_study.kept
    renewed: dict[keys.Key, Kept] = {}
    first: DataSet = {}  # metadata of the study's first instance
    for series in series_in_order(archive.index.series_of(study)):
        rows = in_order(archive.index.instances_of(study, series.series))
        stale = [row for row in rows if not indexed.is_current(row.kept, INSTANCE)]
        is_series_stale = not indexed.is_current(series.kept, SERIES)
        is_study_stale = not first and not indexed.is_current(kept, STUDY)
        if not (stale or is_series_stale or is_study_stale) or not (documents := _documents(archive, series)):
            continue
        for row in stale:
            if row.instance in documents:
                key = keys.instance_key(study, series.series, row.instance)
                renewed[key] = indexed.renewed(row.kept, documents[row.instance], INSTANCE)
        of_first = next((documents[row.instance] for row in rows if row.instance in documents), {})
        first = first or of_first
        if is_series_stale:
            renewed[keys.series_key(study, series.series)] = indexed.renewed(series.kept, of_first, SERIES)
    if first and not indexed.is_current(kept, STUDY):
        at = keys.at_of(study, kept.attributes)
        in_month = keys.month_partition(keys.month_of(at)), at
        renewed |= dict.fromkeys((keys.study_key(study), in_month), indexed.renewed(kept, first, STUDY))
    archive.index.renew(renewed)
    return bool(renewed)


def _documents(archive: Archive, series: SeriesRow) -> dict[str, DataSet]:
    try:
        return series_documents(archive, series)
    except NotFound as error:
        log.warning("no metadata of series %s: %s", series.series, error)
        return {}
