"""Which attributes stand for a study, a series and an instance in the index and in answers (PS3.18 §10.6.3.3). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dicomweb.dicom.attribute_names import parse_path, vr_of
from dicomweb.dicom.json_model import DataSet, dumps, select
from dicomweb.dicom.match_keys import BINARY
from dicomweb.errors import InvalidQuery, InvalidSettings

STUDY, SERIES, INSTANCE = LEVELS = ("study", "series", "instance")
PATIENT_GROUP = "0010"


def _tags(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Returned when nothing more is asked for (PS3.18 Tables 10.6.3-3 to 10.6.3-5), as far as a file holds them.
DEFAULTS = {
    STUDY: _tags(
        "00080005 00080020 00080030 00080050 00080090 00080201 00100010 00100020 00100030 00100040 "
        "0020000D 00200010"
    ),
    SERIES: _tags("00080005 00080060 00080201 0008103E 0020000E 00200011 00400244 00400245 00400275"),
    INSTANCE: _tags("00080005 00080016 00080018 00080201 00200013 00280008 00280010 00280011 00280100"),
}  # fmt: skip
# Known from the archive, not from a file.
RETRIEVE_URL, AVAILABILITY, AVAILABLE_TRANSFER_SYNTAX = "00081190", "00080056", "00083002"
MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY = "00080061", "00080062"
SERIES_IN_STUDY, INSTANCES_IN_STUDY, INSTANCES_IN_SERIES = "00201206", "00201208", "00201209"
COMPUTED = {
    STUDY: _tags("00080056 00080061 00080062 00081190 00201206 00201208"),
    SERIES: _tags("00081190 00201209"),
    INSTANCE: _tags("00080056 00081190 00083002"),
}

# Kept in the index for matching and for includefield, beside the defaults and the whole patient group (0010,xxxx):
# General Study (PS3.3 C.7.2.1) and Patient Study (C.7.2.2); General Series (C.7.3.1) and General Equipment (C.7.5.1);
# General Image (C.7.6.1). What is in no table is matched on the metadata.
_INDEXED = {
    STUDY: _tags(
        "00080051 00081030 00081032 00081048 00081060 00081080 00081084 00321032 00321033 00321060 "
        "00321064 00380010"
    ),
    SERIES: _tags(
        "00080021 00080031 00080070 00080080 00080081 00081010 00081040 00081050 00081070 00081090 00180010 00180015 "
        "00181000 00181020 00181030 00185100 00200052 00200060 00400253 00400254 00540081"
    ),
    INSTANCE: _tags(
        "00080008 00080012 00080013 00080022 00080023 00080032 00080033 0008002A 00200012 00200100 "
        "00280002 00280004"
    ),
}  # fmt: skip
_LARGEST = 16 * 1024  # characters of JSON; a larger value is not indexed: it would slow every row down
_LARGEST_ROW = 32 * 1024  # characters of JSON
# How many values of an attribute that leads to studies count: each has search entries of its own, a study one date. The
# Standard gives all of them one value (PS3.6), of 64 characters at most (PS3.5 §6.2).
_SEARCHED = {"00080020": 1, "00100010": 2, "00100020": 2, "00080050": 2, "00080090": 2}
_TEXTS = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})
_LARGEST_SEARCHED = 1024  # characters of JSON; more is as if it were not there


@dataclass(frozen=True, slots=True)
class Kept:
    """What a row of the index holds of a file.

    Attributes:
        extra: the attributes of ExtraMainDicomTags that were looked for when it was made.
        omitted: attributes that the file has and the row has not, for their size.
    """

    attributes: DataSet
    extra: frozenset[str] = frozenset()
    omitted: frozenset[str] = frozenset()


class IndexedAttributes:
    """What rows hold: the tables above and, by level, more that the settings name."""

    def __init__(self, extra: Mapping[str, frozenset[str]] | None = None) -> None:
        self.extra = {level: (extra or {}).get(level, frozenset()) for level in LEVELS}
        self._tags = {
            level: DEFAULTS[level] | _INDEXED[level] | COMPUTED[level] | self.extra[level] for level in LEVELS
        }

    def level_of(self, tag: str) -> str:
        """The level whose rows hold an attribute; attributes of no level are those of instances."""
        if tag[:4] == PATIENT_GROUP:
            return STUDY
        # Timezone Offset From UTC and Specific Character Set are at every level: the first is asked.
        return next((level for level in LEVELS if tag in self._tags[level]), INSTANCE)

    def holds(self, tag: str) -> bool:
        """Whether rows hold an attribute; otherwise only the metadata do."""
        return tag[:4] == PATIENT_GROUP or any(tag in tags for tags in self._tags.values())

    def lacks(self, kept: Kept, tag: str) -> bool:
        """Whether the file may have an attribute of a row's level that the row does not show."""
        level = self.level_of(tag)
        return tag in kept.omitted or (tag in self.extra[level] and tag not in kept.extra)

    def row_of(self, metadata: DataSet, level: str) -> Kept:
        """What the index keeps of an instance's metadata for its study, series or itself.

        An attribute with another VR than its own is kept if both are text; nothing else of it could be compared.
        """
        tags = self._tags[level]
        if level == STUDY:
            tags |= {tag for tag in metadata if tag[:4] == PATIENT_GROUP}
        row: DataSet = {}
        omitted = set()
        room = _LARGEST_ROW
        for tag, attribute in select(metadata, tags).items():
            vr = vr_of(tag)
            if attribute["vr"] != vr and not {attribute["vr"], vr} <= _TEXTS:
                continue
            attribute = attribute | {"vr": vr}
            if tag in _SEARCHED and "Value" in attribute:
                attribute = attribute | {"Value": attribute["Value"][: _SEARCHED[tag]]}
            size = len(dumps(attribute))
            if "BulkDataURI" not in attribute and size <= min(
                _LARGEST_SEARCHED if tag in _SEARCHED else _LARGEST, room
            ):
                row[tag] = attribute
                room -= size
            elif tag not in _SEARCHED:
                omitted.add(tag)
        return Kept(row, self.extra[level], frozenset(omitted))

    def is_current(self, kept: Kept, level: str) -> bool:
        """Whether a row shows all that the settings name for its level."""
        return self.extra[level] <= kept.extra

    def renewed(self, kept: Kept, metadata: DataSet, level: str) -> Kept:
        """A row with what the settings name beside what it holds."""
        fresh, extra = self.row_of(metadata, level), self.extra[level]
        attributes = kept.attributes | select(fresh.attributes, extra)
        return Kept(attributes, kept.extra | extra, (kept.omitted - extra) | (fresh.omitted & extra))


def indexed_attributes(extra: Mapping[Any, Iterable[str]]) -> IndexedAttributes:
    """The attributes that ExtraMainDicomTags adds: {"Patient" | "Study" | "Series" | "Instance": names or tags}.

    Raises:
        InvalidSettings: a name that is no attribute of the Standard, or a binary one.
    """
    known = IndexedAttributes()
    wanted: dict[str, set[str]] = {level: set() for level in LEVELS}
    for title, names in extra.items():
        for name in names:
            tag = standard_tag(name, "ExtraMainDicomTags")
            if not known.holds(tag) and not any(tag in tags for tags in wanted.values()):
                wanted[_LEVEL_OF_TITLE[title]].add(tag)
    return IndexedAttributes({level: frozenset(tags) for level, tags in wanted.items()})


_LEVEL_OF_TITLE = {"Patient": STUDY, "Study": STUDY, "Series": SERIES, "Instance": INSTANCE}  # Orthanc's names


def standard_tag(name: str, option: str) -> str:
    """The tag of an attribute that a setting names.

    Raises:
        InvalidSettings: it is none of the Standard, or a binary one.
    """
    try:
        (tag,) = parse_path(name)
    except (InvalidQuery, ValueError) as error:
        raise InvalidSettings(f"{option}: {name!r} is no attribute of the Standard") from error
    if vr_of(tag) in ("UN", *BINARY):
        raise InvalidSettings(f"{option}: {name!r} is binary or private; expected one that can be compared")
    return tag
