"""Pages of a search: each goes on where the page before it ended, whatever has been stored or deleted since.

`offset` counts rows, and the newest come first: a study that arrives while pages are read would push a row of the last
page onto the next. So the place where an answer was cut is kept for a while, for the user agent that may ask on from
there; its next page starts behind that place, and costs no more than the first one. Any other offset counts.
"""

import hashlib
from dataclasses import asdict, replace

from dicomweb.archive import Archive
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.query import Query
from dicomweb.transactions.search import Page, search
from dicomweb.transactions.search_order import place_as_text, place_from_text, place_of

_KEPT_S = 300  # seconds


def search_page(archive: Archive, query: Query, base: str, reader: str) -> Page:
    """One answer to a search.

    Args:
        base: the URL of the service, in front of /studies.
        reader: what tells one user agent from another.
    Raises:
        SearchTooBroad: too many rows had to be looked at.
    """
    pages = _pages_of(query, reader)
    kept = archive.index.place(pages, query.offset) if query.offset else ""
    page = search(archive, query, base, place_from_text(kept) if kept else None)
    if page.remaining and page.rows:
        place = place_as_text(place_of(page.rows[-1], query.level))
        archive.index.keep_place(pages, query.offset + len(page.rows), place, _KEPT_S)
    return page


def _pages_of(query: Query, reader: str) -> str:
    """One name for all pages of a search by one user agent."""
    of_search = asdict(replace(query, offset=0)) | {"include": sorted(query.include), "timezone": str(query.timezone)}
    return hashlib.sha256(f"{reader} {dumps(of_search)}".encode()).hexdigest()
