"""Dates and times of attributes and keys as moments (PS3.5 §6.2 DA, TM, DT; PS3.4 C.2.2.2.5). Pure."""

import re
from datetime import datetime, timedelta

# A date and the time that completes it: one moment together (PS3.4 C.2.2.2.5, combined datetime matching).
TIME_OF = {
    "00080012": "00080013", "00080020": "00080030", "00080021": "00080031", "00080022": "00080032",
    "00080023": "00080033", "00100030": "00100032", "00400002": "00400003", "00400244": "00400245",
    "00400250": "00400251",
}  # fmt: skip
DATE_OF = {time: date for date, time in TIME_OF.items()}

_PARTS = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6}))?([+-]\d{4})?")


def earliest(text: str) -> datetime | None:
    """The first moment that a date, or a date and time cut off anywhere, stands for; None when it is none."""
    moment, _ = _moments(text)
    return moment


def latest(text: str) -> datetime | None:
    """The last moment that it stands for: 20240131 ends at 23:59:59.999999."""
    _, moment = _moments(text)
    return moment


def plain(text: str) -> str:
    """Without the dots and colons that ACR-NEMA put into dates and times; the fraction of a second keeps its dot."""
    text = text.strip()
    if "-" not in text[1:] and re.fullmatch(r"\d{4}\.\d\d\.\d\d", text):
        text = text.replace(".", "")
    return text.replace(":", "")


def offset_of(text: str) -> timedelta | None:
    """An offset from UTC such as +0100 (PS3.3 C.12.1.1.8); None when there is none or it is no offset."""
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", text.strip())
    if not match or int(match[2]) > 14 or int(match[3]) > 59:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -offset if match[1] == "-" else offset


def shifted(moment: datetime, by: timedelta) -> datetime:
    """A moment seen from another timezone; at the ends of the calendar it stays."""
    try:
        return moment + by
    except OverflowError:
        return moment


def _moments(text: str) -> tuple[datetime | None, datetime | None]:
    match = _PARTS.fullmatch(plain(text))
    if not match:
        return None, None
    given = [int(part) for part in match.groups()[:6] if part]
    fraction = match[7] or ""
    first = [1, 1, 1, 0, 0, 0]
    start = given + first[len(given) :]
    start[5] = min(start[5], 59)  # a leap second has no moment of its own here
    try:
        year, month, day, hour, minute, second = start
        low = datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")))
    except ValueError:
        return None, None
    try:
        return low, _end(low, len(given), fraction)
    except OverflowError:
        return low, datetime.max


def _end(low: datetime, given: int, fraction: str) -> datetime:
    if given == 6:
        return low + timedelta(microseconds=10 ** (6 - len(fraction)) - 1)
    if given == 1:
        return low.replace(month=12, day=31, hour=23, minute=59, second=59, microsecond=999999)
    if given == 2:
        following = low.replace(day=28) + timedelta(days=4)
        low = following - timedelta(days=following.day)
        return low.replace(hour=23, minute=59, second=59, microsecond=999999)
    length = {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}[given]
    return low + length - timedelta(microseconds=1)
