"""A structured report as a document to read: text/plain and text/html. Pure."""

from collections.abc import Iterator
from html import escape

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.structured_report import ContentItem, Report, read_report

_DEEPEST_HEADING = 6
_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.25em 0 .5em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt, .relationship, .observed { opacity: .75; }
dd { margin: 0; }
dd, .value { white-space: pre-wrap; overflow-wrap: anywhere; }
.name { font-weight: 600; }
.item { margin: .5em 0; }
section section { margin-inline-start: 1rem; }
ul { margin: .25em 0; }
:target { outline: 2px solid; outline-offset: 2px; }
"""
# Nothing in the document may be run or fetched, whatever its values hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_text(metadata: DataSet) -> str:
    """text/plain: a line an item, indented by level; lines end with a line feed."""
    report = read_report(metadata)
    lines = [report.title, "=" * min(len(report.title), 79), ""]
    width = max((len(label) for label, _ in report.header), default=0) + 2
    for label, value in report.header:
        lines += _indented(f"{label + ':':{width}}", value, " " * width)
    lines.append("")
    numbers = _numbers(report)
    targets = {item.reference for item in report.content}
    for item in report.content:
        indent = "  " * (item.level - 1)
        if item.is_container and item.level == 1:
            lines.append("")
        mark = f"[{item.number}] " if item.number in targets else ""
        lines += _indented(indent + mark, _sentence(item, numbers), indent + "    ")
    return "\n".join([*lines, "", *report.notes]).rstrip("\n") + "\n"


def _indented(start: str, text: str, indent: str) -> list[str]:
    first, *rest = text.split("\n")
    return [(start + first).rstrip(), *((indent + line).rstrip() for line in rest)]


def _sentence(item: ContentItem, numbers: set[str]) -> str:
    relationship = f"({item.relationship}) " if item.relationship else ""
    observed = f" (observed {item.observed})" if item.observed else ""
    if item.reference:
        return f"{relationship}{_reference(item, numbers)}"
    if item.is_container:
        return f"{relationship}{item.name or 'Container'}{observed}"
    return f"{relationship}{item.name}{': ' if item.name else ''}{item.value}{observed}"


def _reference(item: ContentItem, numbers: set[str]) -> str:
    return f"item {item.reference}" + ("" if item.reference in numbers else " (not shown)")


def _numbers(report: Report) -> set[str]:
    return {"1"} | {item.number for item in report.content}  # 1 is the document


def to_html(metadata: DataSet) -> str:
    """text/html: a whole document for UTF-8, without scripts; it loads nothing."""
    report = read_report(metadata)
    title = escape(report.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 id="item-1">{title}</h1>\n{_header(report)}</header>\n'
        f"<main>\n{''.join(_content(report))}</main>\n{_notes(report)}</body>\n</html>\n"
    )


def _header(report: Report) -> str:
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>\n" for label, value in report.header)
    return f"<dl>\n{rows}</dl>\n" if rows else ""


def _notes(report: Report) -> str:
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in report.notes)
    return f'<footer role="note">\n{notes}</footer>\n' if notes else ""


def _content(report: Report) -> Iterator[str]:
    """The tree in the order of reading: a container is a section with a heading, what is below other items a list."""
    numbers = _numbers(report)
    open_items: list[tuple[ContentItem, bool]] = []  # and whether it has a list
    for item in report.content:
        while len(open_items) >= item.level:
            yield _end(*open_items.pop(), _is_listed(open_items))
        if open_items and not open_items[-1][0].is_container and not open_items[-1][1]:
            open_items[-1] = (open_items[-1][0], True)
            yield "<ul>\n"
        yield _start(item, _is_listed(open_items), numbers)
        open_items.append((item, False))
    while open_items:
        yield _end(*open_items.pop(), _is_listed(open_items))


def _is_listed(open_items: list[tuple[ContentItem, bool]]) -> bool:
    return bool(open_items) and open_items[-1][1]


def _start(item: ContentItem, listed: bool, numbers: set[str]) -> str:
    tag = "li" if listed else "section" if item.is_container else "div"
    parts = []
    if item.relationship:
        parts.append(f'<span class="relationship">({escape(item.relationship)})</span>')
    if item.reference:
        text = escape(_reference(item, numbers))
        parts.append(f'<a href="#item-{item.reference}">{text}</a>' if item.reference in numbers else text)
    elif item.is_container:
        parts.append(escape(item.name or "Container"))
    else:
        if item.name:
            parts.append(f'<span class="name">{escape(item.name)}:</span>')
        parts.append(f'<span class="value">{escape(item.value)}</span>')
    if item.observed:
        parts.append(f'<span class="observed">(observed {escape(item.observed)})</span>')
    text = " ".join(parts)
    if item.is_container and not item.reference:
        text = _heading(text, item.level + 1)
    css = "" if tag == "section" else ' class="item"'
    return f'<{tag} id="item-{item.number}"{css}>{text}\n'


def _heading(text: str, level: int) -> str:
    if level <= _DEEPEST_HEADING:
        return f"<h{level}>{text}</h{level}>"
    return f'<h{_DEEPEST_HEADING} aria-level="{level}">{text}</h{_DEEPEST_HEADING}>'


def _end(item: ContentItem, has_list: bool, listed: bool) -> str:
    tag = "li" if listed else "section" if item.is_container else "div"
    return ("</ul>\n" if has_list else "") + f"</{tag}>\n"
