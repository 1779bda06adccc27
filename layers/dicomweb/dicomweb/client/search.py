"""Search at a remote server (QIDO-RS, PS3.18 §10.6): its rows, and which instances it has of a study or a series."""

from collections.abc import Iterator, Mapping
from typing import Any

from dicomweb.client.remote import Remote
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import NotFoundThere, RemoteFailed, RemoteUnavailable

_SERIES, _INSTANCE = "0020000E", "00080018"
_PAGE = 1000  # rows asked for at a time; a server may give fewer
_MOST = 1_000_000  # instances of one study

InstancePath = tuple[str, str]
"""(SeriesInstanceUID, SOPInstanceUID)"""


def search(
    remote: Remote, path: str, arguments: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> list[DataSet]:
    """The rows of a search.

    Raises:
        RemoteFailed: the server does not answer it, or with something else than rows.
    """
    accepts = {"Accept": "application/dicom+json", **(headers or {})}
    with remote.exchange("GET", path, arguments=arguments, headers=accepts) as answer:
        answer.expect_success()
        if answer.status == 204:
            return []
        rows = answer.json()
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise RemoteFailed("the answer is no array of DICOM JSON objects (PS3.18 §10.6.3.3)")
    return rows


def instances_of(remote: Remote, path: tuple[str, ...], headers: Mapping[str, str]) -> list[InstancePath] | None:
    """The instances that a study or a series has there, in the server's order; None when it does not say.

    Args:
        path: the UID of the study, and of the series where one is meant.
    Raises:
        RemoteUnavailable: it does not answer now.
    """
    series = path[1] if len(path) > 1 else ""
    of_series = f"/series/{series}" if series else ""
    found: dict[InstancePath, None] = {}
    try:
        # Until a page has nothing new: a server may give fewer rows than asked for, or not know `offset`.
        while len(found) < _MOST:
            paging = {"limit": str(_PAGE), "offset": str(len(found)), "includefield": _SERIES}
            rows = search(remote, f"studies/{path[0]}{of_series}/instances", paging, headers)
            page = dict.fromkeys(_paths(rows, series))
            if page.keys() <= found.keys():
                break
            found |= page
    except NotFoundThere:
        return []
    except RemoteUnavailable:
        raise
    except RemoteFailed:
        return None
    return list(found)


def simplified(rows: list[DataSet], names: Mapping[str, str]) -> list[dict[str, dict[str, Any]]]:
    """Rows in the form of Orthanc's client: one value an attribute, as text, with its name.

    Args:
        names: keywords of attributes by tag.
    """
    return [{tag: _simplified(tag, attribute, names) for tag, attribute in sorted(row.items())} for row in rows]


def _simplified(tag: str, attribute: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    described: dict[str, Any] = {"Group": int(tag[:4], 16), "Element": int(tag[4:], 16), "vr": attribute["vr"]}
    if name := names.get(tag):
        described["Name"] = name
    values = attribute.get("Value")
    value = values[0] if isinstance(values, list) and values else None
    if isinstance(value, dict):
        value = value.get("Alphabetic")  # a sequence has none
    return described if value is None else {**described, "Value": value if isinstance(value, int) else str(value)}


def _paths(rows: list[DataSet], series: str) -> Iterator[InstancePath]:
    for row in rows:
        path = (series or text_of(row, _SERIES), text_of(row, _INSTANCE))
        if not all(map(is_uid, path)):
            raise RemoteFailed("a row of the answer lacks the UID of its series or instance")
        yield path


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(
        isinstance(attribute, dict) and isinstance(attribute.get("vr"), str) and _is_tag(tag)
        for tag, attribute in row.items()
    )


def _is_tag(tag: str) -> bool:
    return len(tag) == 8 and all(char in "0123456789ABCDEFabcdef" for char in tag)
