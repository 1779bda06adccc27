"""What other servers drop while they answer 200: here it is stored, or the answer says what is wrong with it."""

import gzip
import re
from typing import Any, NamedTuple

import httpx
import pytest

from tests.api.test_store import FAILED, OTHER, STORED
from tests.builders import BOUNDARY, MULTIPART, a_body, a_series

DICOM = "Content-Type: application/dicom"
FILES = a_series(3)
BODY = a_body(FILES)
SEMICOLON = 'multipart/related; type="application/dicom"; boundary="a;b"'


def with_second(headers: str, content: bytes = FILES[1]) -> bytes:
    """Three parts, of which the one in the middle has other headers."""
    parts = [(DICOM, FILES[0]), (headers, content), (DICOM, FILES[2])]
    body = b"".join(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + each + b"\r\n" for head, each in parts)
    return body + f"--{BOUNDARY}--\r\n".encode()


class Sent(NamedTuple):
    """A request of three files, how many of them are stored, and what is said of the others."""

    body: bytes
    stored: int
    says: str = ""
    content_type: str = MULTIPART
    coding: str = "identity"


@pytest.mark.parametrize(
    "sent",
    [
        Sent(with_second("X-Name: no type"), 3),
        Sent(BODY.replace(DICOM.encode() + b"\r\n", b""), 3),  # no headers at all
        Sent(with_second("Content-Type: text/plain"), 2, "part 2: the part is text/plain; expected application/dicom"),
        Sent(BODY.replace(DICOM.encode(), b"Content-Type: image/jpeg", 1), 2, "part 1: the part is image/jpeg"),
        Sent(BODY.replace(b"\r\n", b"\n"), 0, "lines do not end in CRLF"),
        Sent(with_second(f"{DICOM}\n\n")[:-2].replace(b"\n\n\r\n\r\n", b"\n\n"), 2, "part 2: a boundary comes before"),
        Sent(with_second(f"{DICOM}\r\nContent-Length: 9"), 2, "part 2: Content-Length is 9, but no boundary follows"),
        Sent(with_second(f"{DICOM}\r\nContent-Length: 999999"), 2, "part 2: Content-Length is 999999, but no boundary"),
        Sent(with_second(f"{DICOM}\r\nContent-Length: 1e3"), 2, "part 2: Content-Length is '1e3', expected a number"),
        Sent(BODY[:-100], 2, "part 3: the body ends inside the part: truncated"),
        Sent(BODY[: BODY.rindex(DICOM.encode()) + 5], 2, "part 3: the body ends in the headers"),
        Sent(BODY[: -len("--\r\n")], 3, "the body ends after a boundary: a part or the closing -- is missing"),
        Sent(gzip.compress(BODY), 3, coding="gzip"),
        Sent(gzip.compress(BODY)[:-100], 0, "the gzip is cut off", coding="gzip"),
        Sent(BODY, 0, "the body is no gzip", coding="gzip"),
        Sent(gzip.compress(BODY[:-100] + bytes(80_000_000), 9), 2, "part 3: .*times longer when inflated", coding="gzip"),
        Sent(BODY, 0, "expected identity or gzip", coding="br"),
        Sent(a_body(FILES, "a;b"), 3, content_type=SEMICOLON),
        Sent(a_body(FILES, "a;b"), 0, "part 1: the boundary is followed by ';b'", content_type=SEMICOLON.replace('"a;b"', "a;b")),
        Sent(b"", 0, "the body is empty"),
        Sent(a_body([]), 0, "the body has no parts"),
    ],
)  # fmt: skip
def test_what_is_sent_is_stored_or_said(server: str, sent: Sent) -> None:
    headers = {"Content-Type": sent.content_type, "Content-Encoding": sent.coding}
    answer = httpx.post(f"{server}/studies", content=sent.body, headers=headers)
    told: dict[str, Any] = answer.json()
    failures = [item for tag in (FAILED, OTHER) for item in told.get(tag, {}).get("Value", ())]
    said = [each["00000902"]["Value"][0] for each in failures] or [told.get("Message", "")]
    assert len(told.get(STORED, {}).get("Value", ())) == sent.stored
    assert len(httpx.get(f"{server}/instances").json()) == sent.stored
    assert (answer.status_code == 200) == (sent.says == "")
    assert any(re.search(sent.says, text) for text in said), said
