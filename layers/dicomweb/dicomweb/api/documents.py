"""What is shown as it is, or as text: video, encapsulated documents, structured reports (PS3.18 §8.7.4)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.json_model import first, text_of
from dicomweb.dicom.media_types import FRAME_TYPES, OCTET_STREAM
from dicomweb.dicom.report_documents import to_html, to_text
from dicomweb.dicom.structured_report import is_structured_report
from dicomweb.dicom.uids import VIDEO
from dicomweb.errors import NotAcceptable
from dicomweb.transactions.bulk_data import PIXEL_DATA_PATHS, find_bulk_data
from dicomweb.transactions.rendered import metadata_of

HTML, TEXT = "text/html", "text/plain"
_DOCUMENT, _DOCUMENT_BYTES, _DOCUMENT_TYPE = "00420011", "00420015", "00420012"
# What a browser may be handed as what it says it is; a page or a picture with scripts in it is not among them.
_DOCUMENT_TYPES = ("application/pdf", "text/xml", "application/xml", "model/stl", "model/obj", "model/mtl")
# Nothing in a document may run or load anything (CSP Level 3). Browsers show no PDF in a sandbox; its scripts cannot
# leave it; a video is played by a page that the browser makes under the same policy.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_POLICIES = {"application/pdf": _POLICY, "video": "default-src 'none'; media-src *; style-src 'unsafe-inline'; sandbox"}
_CHARSETS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "iso-8859-1": "iso8859_1", "iso-8859-2": "iso8859_2",
    "iso-8859-5": "iso8859_5", "iso-8859-7": "iso8859_7", "iso-8859-15": "iso8859_15", "shift_jis": "shift_jis",
    "gb18030": "gb18030", "euc-kr": "euc_kr",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """An instance in a form of its own.

    Attributes:
        media_type: with its parameters.
        open: the bytes from a start on, so many of them.
    """

    media_type: str
    length: int
    open: Callable[[int, int], Iterator[bytes]]


Documents = dict[str, Callable[[], Document]]
"""Forms of an instance by media type, the default first."""


def find_documents(archive: Archive, row: InstanceRow, parameters: Mapping[str, str]) -> Documents:
    """The forms of an instance that is no image, by media type, the default first; none when it has no form.

    Raises:
        NotAcceptable: a character set that is not known.
    """
    if row.transfer_syntax in VIDEO and row.image is not None:
        media_type = FRAME_TYPES[row.transfer_syntax]
        return {media_type: lambda: _bulk(archive, row, PIXEL_DATA_PATHS[0], media_type, None)}
    metadata = metadata_of(archive, row)
    if "BulkDataURI" in metadata.get(_DOCUMENT, {}):
        said = text_of(metadata, _DOCUMENT_TYPE).lower()
        media_type = said if said in _DOCUMENT_TYPES else OCTET_STREAM
        return {media_type: lambda: _bulk(archive, row, _DOCUMENT, media_type, first(metadata, _DOCUMENT_BYTES))}
    if is_structured_report(metadata):
        wanted = parameters.get("charset", "utf-8").lower()
        names = [name.partition(";")[0].strip() for name in wanted.split(",")]
        charset = next(("utf-8" if name == "*" else name for name in names if name == "*" or name in _CHARSETS), "")
        if not charset:
            raise NotAcceptable(f"charset={wanted[:40]!r}: expected one of {', '.join(_CHARSETS)}")
        return {
            HTML: lambda: _text(to_html(metadata), HTML, "utf-8"),
            TEXT: lambda: _text(to_text(metadata), TEXT, charset),
        }
    return {}


def safe_headers(media_type: str) -> dict[str, str]:
    """What keeps a document of a media type from doing harm in a browser."""
    policy = _POLICIES.get(media_type) or _POLICIES.get(media_type.partition("/")[0]) or f"{_POLICY}; sandbox"
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}


def _bulk(archive: Archive, row: InstanceRow, path: str, media_type: str, length: object) -> Document:
    value = find_bulk_data(archive, row, path)
    # A value has even length; what the document's own is may be said apart (PS3.3 C.24.2).
    size = length if isinstance(length, int) and value.length - 1 <= length <= value.length else value.length
    return Document(media_type, size, value.open)


def _text(text: str, media_type: str, charset: str) -> Document:
    content = text.encode(_CHARSETS[charset], "replace")
    return Document(f"{media_type}; charset={charset}", len(content), lambda at, size: iter([content[at : at + size]]))
