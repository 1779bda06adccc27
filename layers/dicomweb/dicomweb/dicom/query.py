"""A search request's parameters (PS3.18 §8.3.4 and §10.6.1), read into one value. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from dicomweb.dicom.attribute_names import (
    PrivateAttribute,
    UnknownAttribute,
    creator_tag,
    is_private,
    is_private_creator,
    parse_list,
    parse_path,
    reads_as_attribute,
    vr_of,
)
from dicomweb.dicom.date_time import offset_of
from dicomweb.dicom.match_keys import EMPTY, Key, combine, make_key
from dicomweb.errors import InvalidQuery

_FLAGS = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_NUMBERS = ("limit", "offset")
_OTHERS = frozenset({"accept", "charset", ""})  # content negotiation, and the empty keys that some clients send
_MOST_KEYS = 100
_TIMEZONE, _CHARACTER_SET = "00080201", "00080005"


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched.

    Attributes:
        level: "study", "series" or "instance".
        keys: those that constrain; universal ones are in include.
        include: tags to return beside the defaults; "all" for every one.
        include_private: (tag, creator) of private attributes to return; "" for whichever creator.
        limit: the most rows the user agent wants; 0 leaves it to the server.
        order: (tag, descending) of an order other than the usual one.
        timezone: what dates and times of keys are in; None: whatever the files are in.
        ignored: parameters that mean nothing here, said in a Warning.
    """

    level: str
    keys: tuple[Key, ...] = ()
    include: frozenset[str] = frozenset()
    include_private: tuple[tuple[str, str], ...] = ()
    limit: int = 0
    offset: int = 0
    fuzzy: bool = False
    order: tuple[tuple[str, bool], ...] = ()
    timezone: timedelta | None = None
    ignored: tuple[str, ...] = ()


def parse_query(
    level: str,
    parameters: Iterable[tuple[str, str]],
    path: Mapping[str, str],
    private: Mapping[str, PrivateAttribute] | None = None,
    *,
    ignore_unknown: bool = False,
) -> Query:
    """Read the parameters of a search.

    Args:
        parameters: decoded names and values, in order; names may repeat.
        path: StudyInstanceUID and SeriesInstanceUID from the URL, by tag; they constrain like keys.
        private: the private dictionary, by name.
        ignore_unknown: an attribute that is none is ignored, and said so, instead of refused.
    Raises:
        InvalidQuery: an unknown attribute, or a value that its VR cannot have; the message names it.
    """
    reader = _Reader(private or {}, ignore_unknown)
    for name, value in parameters:
        if any(ord(char) < 0x20 for char in name + value) or "\ufffd" in name + value:
            raise InvalidQuery(f"{name!r} has control characters or is no UTF-8")
        reader.read(name, value)
    if len(reader.attributes) > _MOST_KEYS:
        raise InvalidQuery(f"{len(reader.attributes)} keys; expected at most {_MOST_KEYS}")
    return reader.query(level, path)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """An attribute of a request, and the value that it must match."""

    name: str
    path: tuple[str, ...]
    value: str
    private: PrivateAttribute | None


@dataclass(slots=True)
class _Reader:
    private: Mapping[str, PrivateAttribute]
    ignore_unknown: bool
    attributes: list[_Parameter] = field(default_factory=list)
    include: list[_Parameter] = field(default_factory=list)
    flags: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    order: list[tuple[str, bool]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def read(self, name: str, value: str) -> None:
        if name in _NUMBERS or name in _FLAGS:
            self._read_option(name, value)
        elif name == "includefield":
            for each in parse_list(value):
                self.include += self._attribute(each, "")
        elif name == "orderby":
            for each in parse_list(value):
                self.order += ((found.path[0], each[0] == "-") for found in self._attribute(each.lstrip("+-"), ""))
        elif name in self.private or reads_as_attribute(name):
            self.attributes += self._attribute(name, value)
        elif name not in _OTHERS:
            self.ignored.append(name)

    def _read_option(self, name: str, value: str) -> None:
        if name in self.flags or name in self.numbers:
            raise InvalidQuery(f"{name} is given twice")
        if name in _FLAGS:
            self.flags[name] = _flag(name, value)
        else:
            self.numbers[name] = _whole_number(name, value)

    def _attribute(self, name: str, value: str) -> Iterator[_Parameter]:
        """One attribute; none when it is unknown and that is to be ignored."""
        if name == "all":
            yield _Parameter(name, (name,), value, None)
        elif name in self.private:
            yield _Parameter(name, (self.private[name].tag,), value, self.private[name])
        else:
            try:
                yield _Parameter(name, parse_path(name), value, None)
            except UnknownAttribute:
                if not self.ignore_unknown:
                    raise
                self.ignored.append(name)

    def query(self, level: str, path: Mapping[str, str]) -> Query:
        keys = [Key((tag,), "UI", (uid,)) for tag, uid in path.items()]
        # A private creator beside an attribute of its block says whose that is; alone it is a key (PS3.5 §7.8.1).
        blocks = {creator_tag(each.path[0]) for each in self.attributes if _is_in_block(each)}
        creators = {each.path[0]: each.value for each in self.attributes if each.path[0] in blocks}
        timezone = None
        for each in self.attributes:
            tag = each.path[0]
            if each.path == (_CHARACTER_SET,):  # never matched (PS3.4 C.2.2.2)
                self.ignored.append(each.name)
            elif each.path == (_TIMEZONE,):
                timezone = _timezone(each) if each.value.strip("*") else None
            elif tag not in creators:
                self.include.append(each)
                keys += self._key(each, creators.get(creator_tag(tag), ""))
        return Query(
            level,
            tuple(combine(keys)),
            frozenset(each.path[0] for each in self.include if not _is_in_block(each))
            | frozenset(tag for tag, _ in self.order),
            tuple(sorted({self._private_tag(each, creators) for each in self.include if _is_in_block(each)})),
            self.numbers.get("limit", 0),
            self.numbers.get("offset", 0),
            self.flags.get("fuzzymatching", False),
            tuple(self.order),
            timezone,
            tuple(self.ignored),
        )

    def _key(self, parameter: _Parameter, creator: str) -> Iterator[Key]:
        private = parameter.private
        vr = private.vr if private else vr_of(parameter.path[-1])
        creator = private.creator if private else creator
        if self.flags.get("emptyvaluematching") and parameter.value == EMPTY:
            yield Key(parameter.path, vr, empty=True, creator=creator)
            return
        several = self.flags.get("multiplevaluematching", False)
        key = make_key(parameter.name, parameter.path, vr, parameter.value, several=several, creator=creator)
        if key:
            yield key

    def _private_tag(self, parameter: _Parameter, creators: Mapping[str, str]) -> tuple[str, str]:
        tag = parameter.path[0]
        creator = parameter.private.creator if parameter.private else creators.get(creator_tag(tag), "")
        return tag, creator


def _is_in_block(parameter: _Parameter) -> bool:
    """Whether it is a private attribute, in a block that a creator reserves."""
    tag = parameter.path[0]
    return tag != "all" and is_private(tag) and not is_private_creator(tag)


def _timezone(parameter: _Parameter) -> timedelta:
    offset = offset_of(parameter.value)
    if offset is None:
        raise InvalidQuery(f"{parameter.name}={parameter.value[:80]!r}: expected an offset from UTC such as +0100")
    return offset


def _whole_number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or len(value) > 12:
        raise InvalidQuery(f"{name} must be a whole number, 0 or more; got {value[:80]!r}")
    return int(value)


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise InvalidQuery(f"{name} must be true or false; got {value[:80]!r}")
    return value == "true"
