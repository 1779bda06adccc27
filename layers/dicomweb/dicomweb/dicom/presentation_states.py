"""Which images a presentation state is for (PS3.3 C.11.11, Table 10-3). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb.dicom.json_model import DataSet, items_of, text_of

GRAYSCALE, COLOR, PSEUDO_COLOR = (f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 3))
APPLIED = (GRAYSCALE, COLOR, PSEUDO_COLOR)  # what is applied to images; other kinds mix several
_ROOT = "1.2.840.10008.5.1.4.1.1.11."  # of the SOP classes of all kinds (PS3.4 Table B.5-1)

_SOP_CLASS, _SERIES = "00080016", "0020000E"
_REFERENCED_SERIES, _REFERENCED_IMAGES = "00081115", "00081140"
_REFERENCED_INSTANCE, _REFERENCED_FRAMES = "00081155", "00081160"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a presentation state is for, in the study of the state.

    Attributes:
        frames: from 1; None for all.
    """

    series: str
    instance: str
    frames: frozenset[int] | None

    def covers(self, instance: str, frame: int) -> bool:
        return self.instance == instance and (self.frames is None or frame in self.frames)


def is_presentation_state(attributes: DataSet) -> bool:
    return text_of(attributes, _SOP_CLASS).startswith(_ROOT)


def is_applied(attributes: DataSet) -> bool:
    """Whether it is a presentation state of a kind that is applied."""
    return text_of(attributes, _SOP_CLASS) in APPLIED


def references_of(state: DataSet) -> Iterator[Reference]:
    """The images that a presentation state is for, in its order."""
    for series in items_of(state, _REFERENCED_SERIES):
        yield from _references(series, text_of(series, _SERIES))


def find_item(state: DataSet, sequence: str, instance: str, frame: int) -> tuple[DataSet, str] | None:
    """The first item of a sequence that is for a frame, and the path to it."""
    return next(find_items(state, sequence, instance, frame), None)


def find_items(state: DataSet, sequence: str, instance: str, frame: int) -> Iterator[tuple[DataSet, str]]:
    """The items of a sequence that are for a frame: those that name it, and those that name no image."""
    for number, item in enumerate(items_of(state, sequence), 1):
        if not items_of(item, _REFERENCED_IMAGES) or any(each.covers(instance, frame) for each in _references(item)):
            yield item, f"{sequence}/{number}/"


def _references(item: DataSet, series: str = "") -> Iterator[Reference]:
    for image in items_of(item, _REFERENCED_IMAGES):
        numbers = image.get(_REFERENCED_FRAMES, {}).get("Value")
        frames = None if numbers is None else frozenset(number for number in numbers if isinstance(number, int))
        yield Reference(series, text_of(image, _REFERENCED_INSTANCE), frames)
