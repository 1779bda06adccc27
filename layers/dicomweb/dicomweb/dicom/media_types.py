"""Media types: parsing, and choosing what to answer (PS3.18 §8.7, RFC 9110 §12.5.1). Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dicomweb.errors import BadRequest, NotAcceptable

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
ZIP = "application/zip"
MULTIPART = "multipart/related"

# Transfer syntax → the media type of its frames and bulk pixel data (PS3.18 Tables 8.7.3-4 and 8.7.3-5).
FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg", "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg", "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls", "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx", "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc", "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc", "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl", "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.100": "video/mpeg2", "1.2.840.10008.1.2.4.101": "video/mpeg2",
    "1.2.840.10008.1.2.4.102": "video/mp4", "1.2.840.10008.1.2.4.103": "video/mp4",
    "1.2.840.10008.1.2.4.104": "video/mp4", "1.2.840.10008.1.2.4.105": "video/mp4",
    "1.2.840.10008.1.2.4.106": "video/mp4", "1.2.840.10008.1.2.4.107": "video/mp4",
    "1.2.840.10008.1.2.4.108": "video/mp4",
}  # fmt: skip

# Names of earlier editions (PS3.18 2014a, 2015c), and mistaken ones, that user agents still send.
_FORMER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/x-jls": "image/jls", "image/x-dicom-rle": "image/dicom-rle", "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jpeg-ls": "image/jls", "image/dicom+rle": "image/dicom-rle", "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx", "image/dicom+jpeg-jp2": "image/jp2",
}  # fmt: skip

_MOST_QUOTED = 200  # characters of a header in a message
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z/-]+"
# A parameter value is a token or a quoted string; a boundary may hold more than a token may (RFC 2046 §5.1.1).
_PARAMETER = re.compile(r';\s*([^=;,\s"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,"]*)\s*')
_RANGE = re.compile(rf'\s*({_NAME})\s*((?:;\s*[^=;,\s"]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^;,"]*)\s*|;\s*)*)')

_MOST_RANGES, _LONGEST_RANGE = 100, 1000
_ELEMENT = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_QUALITY = re.compile(r"\d*\.?\d+|\d+\.", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range. For multipart/related, `type` is a parameter like any other.

    Attributes:
        name: in lower case.
        parameters: names in lower case; values as written, without quotes.
    """

    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    quality: float = 1.0

    @property
    def part_type(self) -> str:
        """The root type of a multipart/related, in lower case, without parameters that stand inside its quotes."""
        return self.parameters.get("type", "").split(";")[0].strip().lower()

    @property
    def transfer_syntax(self) -> str:
        """The transfer-syntax parameter, inside the quotes of `type` or outside, "" when absent."""
        inside = parse(f"x/x;{self.parameters['type'].partition(';')[2]}") if "type" in self.parameters else None
        return self.parameters.get("transfer-syntax") or (
            inside.parameters.get("transfer-syntax", "") if inside else ""
        )


def parse(text: str) -> MediaType:
    """One media type, as in Content-Type."""
    match = _RANGE.match(text)
    if not match:
        return MediaType("")
    parameters = {name.lower(): _unquote(value) for name, value in _PARAMETER.findall(match[2])}
    return MediaType(match[1].lower(), parameters)


def parse_accept(text: str) -> list[MediaType]:
    """The media ranges of an Accept header, best first; an empty one accepts all (RFC 9110 §12.5.1).

    Raises:
        BadRequest: an element is none.
    """
    elements = [element.strip() for element in _ELEMENT.findall(text)]
    if len(elements) > _MOST_RANGES or max(map(len, elements), default=0) > _LONGEST_RANGE:
        raise BadRequest(f"Accept has more than {_MOST_RANGES} media types, or one of over {_LONGEST_RANGE} characters")
    ranges = [_range(element) for element in elements if element]
    if not ranges and text.strip():
        raise BadRequest("Accept has commas and no media type; expected some such as application/dicom+json")
    ranges = ranges or [MediaType("*/*")]
    return sorted(ranges, key=lambda range_: -range_.quality)


def _range(text: str) -> MediaType:
    if not _RANGE.fullmatch(text):
        raise BadRequest(f"{text[:80]!r} in Accept is no media type; expected some such as application/dicom+json")
    parsed = parse(text)
    quality = parsed.parameters.pop("q", "1")
    if not _QUALITY.fullmatch(quality) or not 0 <= float(quality) <= 1:
        raise BadRequest(f"q={quality[:20]} in Accept: expected a number from 0 to 1")
    return MediaType(parsed.name, parsed.parameters, float(quality))


def _unquote(value: str) -> str:
    value = value.strip()
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to answer.

    Attributes:
        name: the media type of the answer, or of each part.
        multipart: whether it is packed as multipart/related.
        transfer_syntax: what the content is in, "" where that says nothing, "*" for several.
        on_request: given only to who asks for this transfer syntax, or for any with `*`.
    """

    name: str
    multipart: bool = False
    transfer_syntax: str = ""
    on_request: bool = False

    def __str__(self) -> str:
        syntax = f"; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else ""
        return f'{MULTIPART}; type="{self.name}"{syntax}' if self.multipart else f"{self.name}{syntax}"


def choose(accept: str, offers: Sequence[Offer], about: str = "") -> Offer:
    """The first offer, in the order of the user agent's preference, that it accepts.

    A range without transfer-syntax accepts the one that is offered. The most specific range that covers an offer says
    how much it is wanted; q=0 is not at all.

    Args:
        about: what the user agent should know when nothing fits.
    Raises:
        BadRequest: accept is no Accept header.
        NotAcceptable: none is accepted; the message lists the offers.
    """
    ranges = parse_accept(accept)
    wanted: list[tuple[float, int, Offer]] = []
    for offer in offers:
        covering = [(_specificity(each), -place) for place, each in enumerate(ranges) if _accepts(each, offer)]
        if covering:
            place = -max(covering)[1]
            wanted.append((ranges[place].quality, -place, offer))
    best = max(wanted, key=lambda each: each[:2], default=None)  # of equal ones the first that is offered
    if best and best[0] > 0:
        return best[2]
    available = ", ".join(str(offer) for offer in offers)
    raise NotAcceptable(f"cannot answer with {accept[:_MOST_QUOTED]!r}; available: {available}{about and f'; {about}'}")


def _specificity(range_: MediaType) -> tuple[int, bool]:
    named = range_.part_type if range_.name == MULTIPART else range_.name
    return (0 if named in ("*/*", "*") else 1 if named.endswith("/*") or not named else 2), bool(range_.transfer_syntax)


def _accepts(wanted: MediaType, offer: Offer) -> bool:
    if wanted.name in ("*/*", "*"):
        named = True
    elif offer.multipart:
        named = wanted.name in (MULTIPART, "multipart/*") and _covers(wanted.part_type or "*/*", offer.name)
    else:
        named = _covers(wanted.name, offer.name)
    default = () if offer.on_request else ("",)
    return named and wanted.transfer_syntax in ("*", offer.transfer_syntax, *default)


def _covers(range_: str, name: str) -> bool:
    return _FORMER_NAMES.get(range_, range_) in (name, "*/*", name.split("/")[0] + "/*")
