"""Attributes as parameters name them: keyword, tag, path into sequences, private dictionary (PS3.18 §8.3.4.1). Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import add_private_dict_entries, dictionary_VR, keyword_for_tag, tag_for_keyword

from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.errors import InvalidQuery

_TAG = re.compile(r"([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})")
# A list of attributes is separated by commas, and a tag may have one: 0010,0020,PatientName.
_IN_LIST = re.compile(r"[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}(?![^,\s])|[^,\s]+")
# Capitals begin keywords; digits in brackets, with commas or dots are meant as tags.
_READS_AS_ATTRIBUTE = re.compile(r"[.( ]*[A-Z]|(?=.*\d)[0-9A-Fa-f(][0-9A-Fa-f,(). ]{4,}|.*\.[A-Z0-9]")
_MOST_STEPS = 16  # of a dotted path


class UnknownAttribute(InvalidQuery):
    """A name that reads as an attribute and is none."""


@dataclass(frozen=True, slots=True)
class PrivateAttribute:
    """A private attribute; the block of its tag is that of its creator in each file."""

    tag: str
    vr: str
    creator: str


def keywords() -> dict[str, str]:
    """Of every attribute of PS3.6, by tag."""
    return {f"{tag:08X}": entry[4] for tag, entry in DicomDictionary.items()}


def private_dictionary(entries: Mapping[str, list[str | int]], creator: str) -> dict[str, PrivateAttribute]:
    """By name, from Orthanc's form: {"0021,10ae": ["IS", "Name", 1, 1, "Creator"]}; creator for those without."""
    return {
        str(entry[1]): PrivateAttribute(
            tag.replace(",", "").upper(), str(entry[0]), str(entry[4]) if len(entry) > 4 else creator
        )
        for tag, entry in entries.items()
    }


def register_private(private: Mapping[str, PrivateAttribute]) -> None:
    """Let files that do not say the VR of private attributes be read by a dictionary, in all of this process."""
    for name, attribute in private.items():
        if attribute.creator:
            entry = {int(attribute.tag, 16): (attribute.vr, "1-n", name, "")}
            add_private_dict_entries(attribute.creator, entry)


def parse_path(name: str) -> tuple[str, ...]:
    """Tags of an attribute: keyword, GGGGEEEE, GGGG,EEEE, or several of them joined by dots.

    Raises:
        UnknownAttribute: one of them is none, or is in what is no sequence.
    """
    parts = name.split(".")
    if len(parts) > _MOST_STEPS:
        raise InvalidQuery(f"{name[:60]!r}… has {len(parts)} steps; expected at most {_MOST_STEPS}")
    path = tuple(_tag(part, name) for part in parts)
    for tag in path[:-1]:
        if vr_of(tag) not in ("SQ", "UN"):
            raise UnknownAttribute(f"{name[:80]!r} is no attribute: {keyword_for_tag(int(tag, 16))} is no sequence")
    return path


def parse_list(text: str) -> list[str]:
    """The names of a list of attributes."""
    return _IN_LIST.findall(text)


def reads_as_attribute(name: str) -> bool:
    """Whether a parameter is meant as an attribute, if only by somebody who mistook its name."""
    return bool(_TAG.fullmatch(name) or _READS_AS_ATTRIBUTE.match(name))


def vr_of(tag: str) -> str:
    """The VR a standard attribute is matched as; UN for private and unknown ones."""
    try:
        return dictionary_VR(int(tag, 16))[:2]
    except KeyError:
        return "UN"


def is_private(tag: str) -> bool:
    return int(tag[:4], 16) & 1 == 1


def is_private_creator(tag: str) -> bool:
    """(gggg,0010) to (gggg,00FF) of an odd group reserve blocks (PS3.5 §7.8.1)."""
    return is_private(tag) and tag[4:6] == "00" and tag[6:] >= "10"


def creator_tag(tag: str) -> str:
    """Where the creator of a private attribute stands."""
    return f"{tag[:4]}00{tag[4:6]}"


def in_block_of(document: DataSet, tag: str, creator: str) -> str:
    """The tag that a private attribute has in a data set, by the block its creator reserved; "" when it has none."""
    for name in document:
        if name[:4] == tag[:4] and is_private_creator(name) and text_of(document, name) == creator:
            return f"{tag[:4]}{name[6:]}{tag[6:]}"
    return ""


def select_private(document: DataSet, wanted: Iterable[tuple[str, str]]) -> DataSet:
    """Private attributes by (tag, creator), each with its creator (PS3.18 §10.6.3.3); "" takes any creator."""
    found: DataSet = {}
    for tag, creator in wanted:
        own = in_block_of(document, tag, creator) if creator else tag
        for name in (creator_tag(own), own) if own in document else ():
            if name in document:
                found[name] = document[name]
    return found


def _tag(part: str, name: str) -> str:
    if match := _TAG.fullmatch(part):
        return (match[1] + match[2]).upper()
    tag = tag_for_keyword(part) if part else None
    if tag is None:
        raise UnknownAttribute(
            f"{name[:80]!r} is no attribute: "
            "expected a keyword such as PatientID, a tag such as 00100020, or several with dots"
        )
    return f"{tag:08X}"
