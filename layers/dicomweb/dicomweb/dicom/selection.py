"""The attributes that a user agent wants of metadata: `includefield`, as in searches (PS3.18 §8.3.4.3). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dicomweb.dicom.attribute_names import (
    PrivateAttribute,
    UnknownAttribute,
    creator_tag,
    is_private,
    is_private_creator,
    parse_list,
    parse_path,
    select_private,
)
from dicomweb.dicom.json_model import DataSet, select
from dicomweb.errors import InvalidQuery

# Specific Character Set, and what says whose metadata they are.
_ALWAYS = frozenset({"00080005", "00080016", "00080018", "0020000D", "0020000E"})


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted, beside what identifies an instance.

    Attributes:
        private: (tag, creator) of private attributes; "" for whichever creator.
    """

    tags: frozenset[str]
    private: tuple[tuple[str, str], ...]

    def of(self, document: DataSet) -> DataSet:
        """The attributes that are wanted, in tag order; private ones come with their creator."""
        found = select(document, self.tags | _ALWAYS) | select_private(document, self.private)
        return dict(sorted(found.items()))


def parse_selection(
    parameters: Iterable[tuple[str, str]], private: Mapping[str, PrivateAttribute] | None = None
) -> Selection | None:
    """Read the includefield parameters; None when there are none, or `all` is among them.

    A private attribute is named by the private dictionary, or by its tag; `00090010=ACME` beside it says whose it is.

    Raises:
        InvalidQuery: names that are no attributes; the message has them all.
    """
    named = private or {}
    given = dict(parameters_ := list(parameters))
    names = [name for key, value in parameters_ if key == "includefield" for name in parse_list(value)]
    tags: set[str] = set()
    wanted: set[tuple[str, str]] = set()
    unknown: list[str] = []
    for name in names:
        if name in named:
            wanted.add((named[name].tag, named[name].creator))
        elif name != "all":
            try:
                tag = parse_path(name)[0]
            except UnknownAttribute:
                unknown.append(name[:80])
                continue
            if is_private(tag) and not is_private_creator(tag):
                wanted.add((tag, given.get(creator_tag(tag), "")))
            else:
                tags.add(tag)
    if unknown:
        raise InvalidQuery(
            f"includefield: {', '.join(map(repr, unknown[:20]))}: no attribute; "
            "expected keywords such as PatientID, tags such as 00100020, or all"
        )
    return Selection(frozenset(tags), tuple(sorted(wanted))) if names and "all" not in names else None
