"""A Store Instances Response read instance by instance (PS3.18 §10.5.3 and Annex I.2). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.outcomes import Failed, Stored, explained, failed
from cli.sources import Identified
from dicomweb.dicom.json_model import DataSet, items_of
from dicomweb.dicom.readable_values import printable, values
from dicomweb.dicom.store_response import OUT_OF_RESOURCES

_REFERENCED_SOP_SEQUENCE, _FAILED_SOP_SEQUENCE, _OTHER_FAILURES_SEQUENCE = "00081199", "00081198", "0008119A"
_REFERENCED_SOP_INSTANCE_UID, _ERROR_COMMENT = "00081155", "00000902"
_FAILURE_REASON, _WARNING_REASON = "00081197", "00081196"
NOT_SAID = "the server did not say what became of it"


@dataclass(slots=True)
class Answer:
    """What is known, and what to ask further.

    Attributes:
        busy: failures that may be none a moment later: the server was out of resources.
        alone: what is to be sent alone: some failures name no instance, so that they could be of any of these.
    """

    outcomes: list[Stored | Failed] = field(default_factory=list)
    busy: list[Failed] = field(default_factory=list)
    alone: list[Identified] = field(default_factory=list)


def read_answer(files: Sequence[Identified], body: DataSet) -> Answer:
    """What became of the files of one request; no two of them have the same UID."""
    stored = {_uid(item): item for item in items_of(body, _REFERENCED_SOP_SEQUENCE)}
    failures = {_uid(item): item for item in items_of(body, _FAILED_SOP_SEQUENCE)}
    named = {file.instance for file in files}
    # A server may read another UID than we do, from the File Meta Information of a broken file.
    others = items_of(body, _OTHER_FAILURES_SEQUENCE) + [item for uid, item in failures.items() if uid not in named]
    answer = Answer()
    for file in files:
        failure = failures.get(file.instance)
        if failure is None and len(files) == 1:  # whatever failed is this one, and so is what was stored
            failure = next(iter(others), None)
        if failure is not None:
            fault = failed(file, _comment(failure), _number(failure, _FAILURE_REASON))
            (answer.busy if fault.reason == OUT_OF_RESOURCES else answer.outcomes).append(fault)
        elif file.instance in stored:
            answer.outcomes.append(Stored(file, _warning(stored[file.instance])))
        elif not file.instance and len(files) == 1 and stored:
            answer.outcomes.append(Stored(file, _warning(next(iter(stored.values())))))
        elif others:
            answer.alone.append(file)
        else:
            answer.outcomes.append(failed(file, NOT_SAID))
    return answer


def _uid(item: DataSet) -> str:
    return next((str(value) for value in values(item, _REFERENCED_SOP_INSTANCE_UID)), "")


def _number(item: DataSet, tag: str) -> int | None:
    return next((value for value in values(item, tag) if isinstance(value, int)), None)


def _warning(item: DataSet) -> str:
    reason = _number(item, _WARNING_REASON)
    return printable(explained(reason, _comment(item))) if reason else ""


def _comment(item: DataSet) -> str:
    return next((str(value) for value in values(item, _ERROR_COMMENT)), "")
