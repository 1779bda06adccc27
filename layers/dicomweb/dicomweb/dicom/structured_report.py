"""A structured report read from its metadata: what stands above it, and its content tree (PS3.3 C.17). Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomweb.dicom.content_items import CONTAINER, VALUE_TYPE, concept_name, value_of
from dicomweb.dicom.json_model import DataSet, first, items_of, text_of
from dicomweb.dicom.readable_values import date, date_time, person_name, printable, time, uid_name, values

MAX_LEVELS = 32  # templates of the Standard have about ten
MAX_ITEMS = 10_000  # content items that are shown

_CONTENT = "0040A730"
_SOP_CLASS = "00080016"
_SR_CLASSES = "1.2.840.10008.5.1.4.1.1.88."  # every SR Storage, and Key Object Selection Document Storage (PS3.4 B.5)
# Relationship Type → what it is called (PS3.3 Table C.17.3.2-1); CONTAINS needs no word.
_RELATIONSHIPS = {
    "CONTAINS": "",
    "HAS OBS CONTEXT": "observation context",
    "HAS ACQ CONTEXT": "acquisition context",
    "HAS CONCEPT MOD": "modifier",
    "HAS PROPERTIES": "property",
    "INFERRED FROM": "inferred from",
    "SELECTED FROM": "selected from",
}
_SEXES = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One item of the tree.

    Attributes:
        number: positions from the root, 1.2.1, as Referenced Content Item Identifier counts them (PS3.3 C.17.3.2.5).
        level: 1 for what the document contains.
        relationship: to the item above; "" where that contains it.
        reference: the number of the item that stands here by reference, else "".
        observed: when, if the item says so.
    """

    number: str
    level: int
    relationship: str
    is_container: bool
    name: str
    value: str
    reference: str
    observed: str


@dataclass(frozen=True, slots=True)
class Report:
    """Attributes: header: (label, value) of what stands above the content. notes: what is not shown."""

    title: str
    header: list[tuple[str, str]]
    content: list[ContentItem]
    notes: list[str]


def is_structured_report(metadata: DataSet) -> bool:
    """It has content in a container, or is of an SR class, among which Key Object Selection counts."""
    has_content = _CONTENT in metadata and text_of(metadata, VALUE_TYPE) == CONTAINER
    return has_content or text_of(metadata, _SOP_CLASS).startswith(_SR_CLASSES)


def read_report(metadata: DataSet) -> Report:
    """The report in these metadata, as far as it is well-formed and within MAX_LEVELS and MAX_ITEMS."""
    name = concept_name(metadata) or uid_name(text_of(metadata, _SOP_CLASS)) or "Structured report"
    rows = ((label, printable(value)) for label, read in _HEADER for value in read(metadata))
    content: list[ContentItem] = []
    notes: list[str] = []
    deep = 0
    for item, below in _walk(metadata):
        if len(content) == MAX_ITEMS:
            notes.append(f"Only the first {MAX_ITEMS} content items are shown.")
            break
        content.append(item)
        if below and item.level == MAX_LEVELS:
            deep += below
    if not content:
        notes.append("The document has no content.")
    if deep:
        notes.append(f"{deep} content items below level {MAX_LEVELS}, and what they contain, are not shown.")
    return Report(printable(name), [(label, value) for label, value in rows if value], content, notes)


def _walk(metadata: DataSet) -> Iterator[tuple[ContentItem, int]]:
    """Every item with the count of those directly below it, in the order of reading."""
    stack = [iter(_numbered(metadata, "1"))]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        number, item = found
        below = _numbered(item, number)
        yield _content_item(item, number, len(stack)), len(below)
        if len(stack) < MAX_LEVELS:
            stack.append(iter(below))


def _numbered(item: DataSet, number: str) -> list[tuple[str, DataSet]]:
    return [(f"{number}.{position}", below) for position, below in enumerate(items_of(item, _CONTENT), 1)]


def _content_item(item: DataSet, number: str, level: int) -> ContentItem:
    relationship = text_of(item, "0040A010")
    return ContentItem(
        number=number,
        level=level,
        relationship=_RELATIONSHIPS.get(relationship, printable(relationship)),
        is_container=text_of(item, VALUE_TYPE) == CONTAINER,
        name=printable(concept_name(item)),
        value=printable(value_of(item)),
        reference=".".join(printable(str(position)) for position in values(item, "0040DB73")),
        observed=printable(date_time(text_of(item, "0040A032"))),
    )


def _one(tag: str, form: Callable[[str], str] = str) -> Callable[[DataSet], list[str]]:
    return lambda metadata: [form(text_of(metadata, tag))]


def _names(tag: str) -> Callable[[DataSet], list[str]]:
    return lambda metadata: [person_name(first(metadata, tag))]


def _moment(day: str, hours: str) -> Callable[[DataSet], list[str]]:
    return lambda metadata: [f"{date(text_of(metadata, day))} {time(text_of(metadata, hours))}".strip()]


def _observers(metadata: DataSet) -> list[str]:
    """Who verified the document, for which organization, and when (PS3.3 Table C.17-2)."""
    return [
        ", ".join(part for part in parts if part)
        for observer in items_of(metadata, "0040A073")
        for parts in [
            (
                person_name(first(observer, "0040A075")),
                text_of(observer, "0040A027"),
                date_time(text_of(observer, "0040A030")),
            )
        ]
    ]


# Label → values; what is empty is left out.
_HEADER: list[tuple[str, Callable[[DataSet], list[str]]]] = [
    ("Patient", _names("00100010")),
    ("Patient ID", _one("00100020")),
    ("Birth date", _one("00100030", date)),
    ("Sex", _one("00100040", lambda sex: _SEXES.get(sex, sex))),
    ("Study date", _moment("00080020", "00080030")),
    ("Study description", _one("00081030")),
    ("Accession number", _one("00080050")),
    ("Referring physician", _names("00080090")),
    ("Institution", _one("00080080")),
    ("Content date", _moment("00080023", "00080033")),
    ("Observed", _one("0040A032", date_time)),
    ("Completion", _one("0040A491")),
    ("Completion description", _one("0040A492")),
    ("Verification", _one("0040A493")),
    ("Verified by", _observers),
]
