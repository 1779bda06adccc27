"""Search at a remote server (QIDO-RS, PS3.18 §10.6): its rows, and which instances it has of a study or a series."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dicomweb.client.paths import path_of
from dicomweb.client.remote import Remote
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import RemoteFailed, RemoteUnavailable

_SERIES, _INSTANCE = "0020000E", "00080018"
_PAGE = 1000  # rows asked for at a time; a server may give fewer
_MOST_PAGES = 2000
_TAG, _VR = re.compile(r"[0-9A-Fa-f]{8}"), re.compile(r"[A-Z]{2}")

InstancePath = tuple[str, str]
"""(SeriesInstanceUID, SOPInstanceUID)"""


class Listing(NamedTuple):
    """The instances that a server names, in its order; whether it can be told that there are no others."""

    paths: list[InstancePath]
    is_whole: bool


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
    return [{tag.upper(): attribute for tag, attribute in row.items()} for row in rows]


def instances_of(remote: Remote, path: tuple[str, ...], headers: Mapping[str, str]) -> Listing:
    """The instances that a study or a series has there, as far as the server says.

    Args:
        path: the UID of the study, and of the series where one is meant.
    Raises:
        RemoteUnavailable: it does not answer now.
    """
    series = path[1] if len(path) > 1 else ""
    found: dict[InstancePath, None] = {}
    try:
        for _ in range(_MOST_PAGES):
            paging = {"limit": str(_PAGE), "offset": str(len(found)), "includefield": _SERIES}
            rows = search(remote, f"{path_of(*path)}/instances", paging, headers)
            page = dict.fromkeys(_paths(rows, series))
            if page.keys() <= found.keys():
                # The same rows again: the server knows no `offset`, and may have more than it gives at once.
                return Listing(list(found), is_whole=not page)
            found |= page
    except RemoteUnavailable:
        raise
    except RemoteFailed:  # it cannot search
        pass
    return Listing(list(found), is_whole=False)


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
    value = values[0] if values else None
    if isinstance(value, dict):
        value = value.get("Alphabetic")  # a sequence has none
    if isinstance(value, int):
        return {**described, "Value": value}
    # Half of a surrogate pair is no text that could be written.
    is_text = isinstance(value, str | float)
    return {**described, "Value": str(value).encode(errors="replace").decode()} if is_text else described


def _paths(rows: list[DataSet], series: str) -> Iterator[InstancePath]:
    for row in rows:
        path = (series or text_of(row, _SERIES), text_of(row, _INSTANCE))
        if not all(map(is_uid, path)):
            raise RemoteFailed("a row of the answer lacks the UID of its series or instance")
        yield path


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and all(_TAG.fullmatch(tag) and _is_attribute(row[tag]) for tag in row)


def _is_attribute(attribute: object) -> bool:
    return (
        isinstance(attribute, dict)
        and isinstance(vr := attribute.get("vr"), str)
        and _VR.fullmatch(vr) is not None
        and isinstance(attribute.get("Value", []), list)
    )
