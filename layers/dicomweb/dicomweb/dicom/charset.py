"""Text of a data set as Unicode (PS3.3 C.12.1.1.2, PS3.5 §6.1). Pure.

ISO 2022 code extensions are two registers: G0 for bytes below 80H, G1 for those above. An escape sequence loads a set
into one of them, and a delimiter puts both back to the first value of Specific Character Set (PS3.5 §6.1.2.5.3).
"""

import re
from collections.abc import Sequence

# Specific Character Set (PS3.3 Tables C.12-2 to C.12-5) → the codec that reads its bytes when nothing is escaped.
# ISO_IR 13 is JIS X 0201: Shift JIS has its Katakana in the same places.
_CODECS = {
    "ISO_IR 6": "ascii", "ISO_IR 100": "iso8859_1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5", "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9", "ISO_IR 203": "iso8859_15", "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis_620", "ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk",
    "ISO_IR 149": "euc_kr", "ISO_IR 58": "gb2312", "ISO_IR 87": "ascii", "ISO_IR 159": "ascii",
}  # fmt: skip

# Sets that may not be combined with others (PS3.3 Table C.12-5): an escape in them means nothing.
_WITHOUT_EXTENSIONS = frozenset({"gb18030", "gbk", "utf-8"})

# Escape sequence → (register, codec, escape that the codec itself wants) (PS3.3 Tables C.12-3 and C.12-4).
_ESCAPES = {
    b"(B": (0, "ascii", b""), b"(J": (0, "shift_jis", b""), b"$B": (0, "iso2022_jp", b"\x1b$B"),
    b"$@": (0, "iso2022_jp", b"\x1b$@"), b"$(D": (0, "iso2022_jp_1", b"\x1b$(D"),
    b"-A": (1, "iso8859_1", b""), b"-B": (1, "iso8859_2", b""), b"-C": (1, "iso8859_3", b""),
    b"-D": (1, "iso8859_4", b""), b"-L": (1, "iso8859_5", b""), b"-G": (1, "iso8859_6", b""),
    b"-F": (1, "iso8859_7", b""), b"-H": (1, "iso8859_8", b""), b"-M": (1, "iso8859_9", b""),
    b"-b": (1, "iso8859_15", b""), b"-T": (1, "tis_620", b""), b")I": (1, "shift_jis", b""),
    b"$)C": (1, "euc_kr", b""), b"$)A": (1, "gb2312", b""),
}  # fmt: skip
_RUN = re.compile(rb"\x1b(\$[()][A-Z]|\$[@B]|[()\-][A-Za-z])|([^\x1b]+)|\x1b", re.DOTALL)


def codecs_of(names: Sequence[str], default: str) -> tuple[str, ...]:
    """The codecs for the values of Specific Character Set; `default` where the first names none or is unknown."""
    first = names[0].strip() if names else ""
    if first:
        return (_CODECS.get(_defined_term(first), default),)
    return ("ascii" if len(names) > 1 else default,)


def _defined_term(name: str) -> str:
    """ISO 2022 IR 100 is read as ISO_IR 100, and so are ISO IR 100, ISO-IR-100 and the like, which some files have."""
    if match := re.fullmatch(r"ISO[ _-]?(?:2022[ _-]?)?IR[ _-]?(\d+)", name, re.IGNORECASE):
        return f"ISO_IR {match[1]}"
    return "ISO_IR 192" if name.upper() in ("UTF-8", "UTF8") else name.upper().removeprefix("ISO 2022 ")


def decode(value: bytes, codecs: tuple[str, ...], delimiters: bytes = b"\\\r\n\f\t") -> str:
    """Decode a value; what its character set cannot mean becomes U+FFFD, never an error."""
    if b"\x1b" not in value or codecs[0] in _WITHOUT_EXTENSIONS:
        return value.decode(codecs[0], "replace")
    text: list[str] = []
    register: list[tuple[str, bytes]] = [("ascii", b""), (codecs[0], b"")]
    for escape, run in _RUN.findall(value):
        if escape in _ESCAPES:
            side, codec, own_escape = _ESCAPES[escape]
            register[side] = (codec, own_escape)
        elif run:
            text.append(_decode_run(run, register, codecs, delimiters))
    return "".join(text)


def _decode_run(run: bytes, register: list[tuple[str, bytes]], codecs: tuple[str, ...], delimiters: bytes) -> str:
    text: list[str] = []
    for part in re.findall(rb"[\x00-\x7f]+|[\x80-\xff]+", run):
        if part[0] >= 0x80:
            text.append(part.decode(register[1][0], "replace"))
            continue
        codec, own_escape = register[0]
        if own_escape:
            # Two-byte sets have no delimiters in them: a control character ends the set.
            cut = next((i for i, byte in enumerate(part) if byte < 0x20), len(part))
            text.append((own_escape + part[:cut] + b"\x1b(B").decode(codec, "replace"))
            part = part[cut:]
        if any(byte in delimiters for byte in part):
            register[:] = [("ascii", b""), (codecs[0], b"")]
        # In JIS X 0201 5CH is the yen sign, yet in DICOM it stays the delimiter (PS3.5 §6.1.2.5.3).
        text.append(part.decode("ascii", "replace"))
    return "".join(text)
