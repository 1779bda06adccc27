"""Text as a search compares it: without case and accents, in any script; names by group and word. Pure."""

import re
import unicodedata

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
# Stands for a character that folds to several (ß to ss): `?` is one character of the name, not of what it folds to.
SEVERAL = "\ue000"
# Combining classes of signs that are no letters of their own: accents, and the points of Hebrew and Arabic. Others make
# another letter or syllable: the voicing of kana, Thai vowels and tones, the viramas of India (Unicode §4.3).
_ACCENTS = frozenset({1, *range(10, 36), *range(200, 241)})


def fold(text: str) -> str:
    """What two texts must share to be the same for a search. Folding twice changes nothing."""
    return fold_piece(text).strip()


def fold_piece(text: str) -> str:
    """The same of a piece of a text, whose spaces count."""
    if text.isascii():
        return text.lower()
    # Decomposed again after casefold: it makes accents, and compatibility forms hide capitals.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(char for char in decomposed if unicodedata.combining(char) not in _ACCENTS)
    return unicodedata.normalize("NFC", letters)


def fold_by_character(text: str) -> str:
    """The same, but SEVERAL for each character that folds to more than one."""
    folded = [fold_piece(char) for char in unicodedata.normalize("NFC", text)]
    return "".join(each if len(each) <= 1 else SEVERAL for each in folded).strip()


def name_texts(value: object) -> list[str]:
    """The component groups of a person name in the DICOM JSON Model, without what means nothing (PS3.5 §6.2.1)."""
    groups = [value.get(group) for group in NAME_GROUPS] if isinstance(value, dict) else [value]
    return [plain_name(str(group)) for group in groups if group]


def plain_name(group: str) -> str:
    """A component group without spaces around components and delimiters behind the last of them."""
    return re.sub(r" *\^ *", "^", group.strip()).rstrip("^ ")


def name_words(name: str) -> list[str]:
    """The words of a name, folded, without wild cards."""
    # Letters, marks and digits: a vowel sign does not end a word.
    return "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in fold(name)).split()


def literal_runs(wanted: str) -> list[str]:
    """The folded text between the wild cards of a pattern: what a match must contain."""
    return [fold_piece(piece) for piece in re.split(r"[*?]+", wanted) if piece]
