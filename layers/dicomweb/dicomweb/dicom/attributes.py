"""Which attributes stand for a study, a series and an instance in the index and in answers (PS3.18 §10.6.3.3). Pure."""

from typing import Any

from dicomweb.dicom.json_model import DataSet, dumps, select
from dicomweb.dicom.query import vr_of

STUDY, SERIES, INSTANCE = LEVELS = ("study", "series", "instance")


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
_LARGEST = 4096  # bytes of JSON; a larger value is not indexed: it would slow every row down
_LARGEST_ROW = 32 * 1024  # bytes of JSON
# Each value of these has a search entry of its own; the Standard gives them one (PS3.6).
SEARCHED = _tags("00100010 00100020 00080050 00080090")
_MOST_VALUES = 2


def level_of(tag: str) -> str:
    """The level whose rows hold an attribute; attributes of no level are those of instances."""
    if tag[:4] == "0010":
        return STUDY
    for level in LEVELS:
        # Timezone Offset From UTC and Specific Character Set are at every level: the first is asked.
        if tag in DEFAULTS[level] or tag in _INDEXED[level] or tag in COMPUTED[level]:
            return level
    return INSTANCE


def is_indexed(tag: str) -> bool:
    """Whether rows hold an attribute; otherwise only the metadata do."""
    return tag[:4] == "0010" or any(
        tag in DEFAULTS[level] or tag in _INDEXED[level] or tag in COMPUTED[level] for level in LEVELS
    )


def row_of(metadata: DataSet, level: str) -> DataSet:
    """What the index keeps of an instance's metadata for its study, series or itself.

    An attribute with another VR than its own is not kept: nothing of it could be compared.
    """
    tags = DEFAULTS[level] | _INDEXED[level]
    if level == STUDY:
        tags |= {tag for tag in metadata if tag[:4] == "0010"}
    row: DataSet = {}
    room = _LARGEST_ROW
    for tag, attribute in select(metadata, tags).items():
        size = len(dumps(attribute))
        if "BulkDataURI" in attribute or size > min(_LARGEST, room) or attribute["vr"] != vr_of(tag):
            continue
        row[tag] = _with_few_values(attribute) if tag in SEARCHED else attribute
        room -= size
    return row


def _with_few_values(attribute: dict[str, Any]) -> dict[str, Any]:
    return attribute | {"Value": attribute["Value"][:_MOST_VALUES]} if "Value" in attribute else attribute
