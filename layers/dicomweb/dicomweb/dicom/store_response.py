"""The Store Instances Response (PS3.18 §10.5.3 and Annex I.2): what was stored, what failed, and why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb.dicom.json_model import DataSet

# Failure Reasons (PS3.18 Table I.2-2; PS3.4 Table B.2-1; PS3.7 Annex C).
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

# The one Warning Reason (PS3.18 §I.2.1) that there is here: nothing stored is coerced, and nothing of it discarded.
DOES_NOT_MATCH_SOP_CLASS = 0xB007

# What other servers mean by theirs (PS3.18 §I.2; PS3.4 Table B.2-1; PS3.7 Annex C).
_WORDS = {
    PROCESSING_FAILURE: "processing failure",
    DUPLICATE_INSTANCE: "duplicate SOP instance",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0212: "mistyped argument",
    OUT_OF_RESOURCES: "out of resources",
    0xA900: "data set does not match its SOP class",
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    DOES_NOT_MATCH_SOP_CLASS: "data set does not match its SOP class",
    CANNOT_UNDERSTAND: "cannot understand",
    0xC122: "transfer syntax not supported",
    0xC409: "no such SOP class",
}

# Store Transaction status (PS3.18 Table 10.5.3-1): (any stored, any failed or warned of) → status
STATUS = {(True, False): 200, (True, True): 202, (False, True): 409}


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is in the archive, now or already.

    Attributes:
        identifier: Orthanc's.
        warning: a Warning Reason, 0 for none; comment: what is meant.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    identifier: str = ""
    warning: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that is not.

    Attributes:
        part: its place in the request, from 1.
        instance, sop_class: "" where they are not known.
    """

    part: int
    reason: int
    comment: str
    instance: str = ""
    sop_class: str = ""


Outcome = Stored | Failed


def store_response(outcomes: Sequence[Outcome], study: str, base: str) -> tuple[int, DataSet]:
    """Status and body of a Store transaction.

    Args:
        study: the study named in the request's path, "" when none is.
        base: the URL of the service, in front of /studies.
    """
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    studies = {outcome.study for outcome in stored} or ({study} if study else set())
    body: DataSet = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
    if len(studies) == 1:  # the Retrieve URL is that of one study; with several, those of the items lead on
        body["00081190"] = _value("UR", f"{base}/studies/{studies.pop()}")
    sequences = {
        "00081198": [_failed_item(outcome) for outcome in failed if outcome.instance],
        "00081199": [_stored_item(outcome, base) for outcome in stored],
        # Parts that cannot be named by their UIDs (PS3.18 Table I.2-1, Other Failures Sequence).
        "0008119A": [_reason(outcome) for outcome in failed if not outcome.instance],
    }
    body |= {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}
    return STATUS[bool(stored), bool(failed) or any(outcome.warning for outcome in stored)], body


def in_words(reason: int) -> str:
    """A Failure or Warning Reason for people: `A901H (data set does not match its SOP class)`.

    A7xx, A9xx and Cxxx are families, whose last digits each server chooses (PS3.4 Table B.2-1).
    """
    family = reason & (0xF000 if reason >= CANNOT_UNDERSTAND else 0xFF00)
    words = _WORDS.get(reason) or _WORDS.get(family)
    return f"{reason:04X}H ({words})" if words else f"{reason:04X}H"


def _stored_item(outcome: Stored, base: str) -> DataSet:
    url = f"{base}/studies/{outcome.study}/series/{outcome.series}/instances/{outcome.instance}"
    item = {**_reference(outcome.sop_class, outcome.instance), "00081190": _value("UR", url)}
    if outcome.warning:
        item |= {"00000902": _value("LO", outcome.comment), "00081196": _value("US", outcome.warning)}
    return item


def _failed_item(outcome: Failed) -> DataSet:
    return {**_reference(outcome.sop_class, outcome.instance), **_reason(outcome)}


def _reference(sop_class: str, instance: str) -> DataSet:
    sop = {"00081150": _value("UI", sop_class)} if sop_class else {"00081150": {"vr": "UI"}}
    return {**sop, "00081155": _value("UI", instance)}


def _reason(outcome: Failed) -> DataSet:
    # Error Comment says in words what the number cannot; dcm4chee answers it in the same place.
    return {
        "00000902": _value("LO", f"part {outcome.part}: {outcome.comment}"),
        "00081197": _value("US", outcome.reason),
    }


def _value(vr: str, value: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
