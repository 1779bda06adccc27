"""Compaction: the metadata of a series as one object, before somebody asks for them."""

import logging
import time

from dicomweb.archive import Archive
from dicomweb.archive.rows import changed_s
from dicomweb.errors import NotFound
from dicomweb.transactions.metadata import compact_series, is_compacted

log = logging.getLogger(__name__)

_QUIET_S = 60  # seconds without a change: more instances of the series are not on their way


def compact_study(archive: Archive, study: str) -> bool:
    """Compact the series of a study that are not, and are not being written; whether there were any."""
    section = archive.settings.DicomWeb
    if not section.EnableMetadataCache:
        return False
    changed = False
    for series in archive.index.series_of(study):
        if changed_s(series.version) > time.time() - _QUIET_S or is_compacted(archive, series):
            continue
        try:
            compact_series(archive, series, section.base_url)
        except NotFound as error:  # deleted since its row was read, or damaged: the others can be compacted
            log.warning("no metadata of series %s: %s", series.series, error)
            continue
        changed = True
    return changed


def renew_study(archive: Archive, study: str, base: str) -> None:
    """Compact every series of a study anew.

    Raises:
        NotFound: no such study.
    """
    rows = archive.index.series_of(study)
    if not rows:
        raise NotFound(f"no study {study}")
    for series in rows:
        compact_series(archive, series, base)
