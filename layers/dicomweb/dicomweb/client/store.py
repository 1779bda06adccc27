"""Store at a remote server (STOW-RS, PS3.18 §10.5): instances sent as they are stored, the answer read one by one."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dicomweb.client.remote import Answer, Remote
from dicomweb.dicom.json_model import DataSet, first, items_of, text_of
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, DICOM_XML, MULTIPART
from dicomweb.dicom.multipart import new_boundary, write_end, write_part
from dicomweb.dicom.store_response import OUT_OF_RESOURCES, in_words
from dicomweb.dicom.xml_reader import read_xml
from dicomweb.errors import ContentRefused, InvalidDicom, RemoteFailed

_REFERENCED, _FAILED, _OTHERS = "00081199", "00081198", "0008119A"
_INSTANCE, _REASON, _WARNING = "00081155", "00081197", "00081196"
_LATER = frozenset({OUT_OF_RESOURCES})  # what may succeed another time
_OF_CONTENT = frozenset({400, 413, 415, 422})  # statuses that half of the instances may not have
_WITH_FAILURES = frozenset({200, 202, 409})  # statuses whose body tells of each instance (PS3.18 Table 10.5.3-1)


class Outgoing(NamedTuple):
    """The bytes of an instance on their way; size in bytes."""

    size: int
    content: Iterable[bytes]


class Verdict(NamedTuple):
    """What a server says of an instance: why it is not stored, "" for stored; whether it may be another time; else
    what it did to it."""

    reason: str
    may_succeed_later: bool = False
    warning: str = ""


def store(
    remote: Remote, outgoing: Iterator[Outgoing], sizes: list[int], headers: Mapping[str, str], within_s: float
) -> "Verdicts":
    """Send instances in one request; what the server says of each.

    Args:
        outgoing: taken as they are sent; where the server takes no chunks, exactly those of `sizes`.
        sizes: bytes of each.
        within_s: seconds that the caller has.
    Raises:
        RemoteUnavailable: it did not take the request; the same may succeed later.
        ContentRefused: it does not take all of these.
        RemoteFailed: it never will, or does not say what became of it.
    """
    boundary = new_boundary()
    sent = {
        "Accept": DICOM_JSON,
        **headers,
        "Content-Type": f'{MULTIPART}; type="{DICOM}"; boundary={boundary}',
    }
    if not remote.definition.has("ChunkedTransfers"):
        overhead = sum(len(_head(boundary, size)) for size in sizes) + len(write_end(boundary))
        sent["Content-Length"] = str(sum(sizes) + overhead)
    with remote.exchange("POST", "studies", headers=sent, body=_body(boundary, outgoing), within_s=within_s) as answer:
        if answer.status == 411:
            raise RemoteFailed(
                "the remote server answered 411: it takes no chunks; set ChunkedTransfers to false in its definition"
            )
        if answer.status in _OF_CONTENT:
            raise ContentRefused(f"the remote server answered {answer.status} to the store")
        if answer.status not in _WITH_FAILURES:
            answer.expect_success()
        try:
            return Verdicts(_response(answer))
        except (AttributeError, TypeError, ValueError) as error:
            raise RemoteFailed(f"the answer ({answer.status}) is no Store Instances Response") from error


class Verdicts:
    """The Store Instances Response (PS3.18 §10.5.3, Annex I.2)."""

    def __init__(self, response: DataSet) -> None:
        self._stored = {_instance(item): _number(item, _WARNING) for item in items_of(response, _REFERENCED)}
        self._failed = {_instance(item): _number(item, _REASON) for item in items_of(response, _FAILED)}
        self._others = [_number(item, _REASON) for item in items_of(response, _OTHERS)]

    def of(self, instance: str) -> Verdict:
        """What became of an instance."""
        if instance in self._failed:
            reason = self._failed[instance]
            return Verdict(f"the server refused it: {_why(reason)}", reason in _LATER)
        if instance in self._stored:
            warning = self._stored[instance]
            return Verdict("", warning=f"the server took it with a warning: {_why(warning)}" if warning else "")
        if self._others:
            return Verdict(
                f"the server does not name it among those it stored; it failed some: {_why(self._others[0])}"
            )
        return Verdict("the server does not name it among those it stored")


def _instance(item: DataSet) -> str:
    return text_of(item, _INSTANCE).rstrip(" \0")  # UI is padded to even length (PS3.5 §6.2)


def _number(item: DataSet, tag: str) -> int:
    """A Failure or Warning Reason, which some servers write as text; 0 for what is none."""
    value = first(item, tag)
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _why(reason: int) -> str:
    return in_words(reason) if reason else "it does not say why"


def _head(boundary: str, size: int) -> bytes:
    return write_part(boundary, {"Content-Type": DICOM, "Content-Length": str(size)})


def _body(boundary: str, outgoing: Iterator[Outgoing]) -> Iterator[bytes]:
    for size, content in outgoing:
        yield _head(boundary, size)
        yield from content
    yield write_end(boundary)


def _response(answer: Answer) -> DataSet:
    if answer.header("content-type").partition(";")[0].strip().lower() in (DICOM_XML, "application/xml", "text/xml"):
        try:
            return read_xml(answer.content())
        except InvalidDicom as error:
            raise RemoteFailed(f"the answer ({answer.status}) is no Store Instances Response") from error
    response = answer.json()
    if isinstance(response, list) and len(response) == 1:  # some servers answer an array
        response = response[0]
    if not isinstance(response, dict):
        raise RemoteFailed(f"the answer ({answer.status}) is no Store Instances Response")
    return {str(tag).upper(): attribute for tag, attribute in response.items()}
