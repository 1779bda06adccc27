"""Paths and queries below the URL of a remote server. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from dicomweb.errors import BadRequest


def checked_path(uri: str) -> str:
    """The path of a resource below a server's URL.

    Raises:
        BadRequest: it is none, or leads elsewhere.
    """
    if "?" in uri:
        raise BadRequest('the arguments of a GET belong in the field "Arguments"; a "?" in Uri is not taken')
    decoded = unquote(uri)
    segments = re.split(r"[/\\]", decoded)
    leads_elsewhere = "://" in decoded or decoded.startswith("//") or ".." in segments or "\\" in decoded
    if leads_elsewhere or not re.fullmatch(r"[\x21-\x7e\u00a1-\U0010ffff ]*", decoded) or "#" in decoded:
        raise BadRequest(f"Uri is {uri[:200]!r}; expected a path below the server's URL, such as /studies")
    return quote(decoded.lstrip("/"), safe="/:@!$&'()*+,;=-._~")


def path_of(*uids: str) -> str:
    """The path of a study, a series or an instance, by the UIDs that lead to it (PS3.18 §10.1)."""
    return "/".join(f"{level}/{uid}" for level, uid in zip(("studies", "series", "instances"), uids, strict=False))


def query_of(arguments: Mapping[str, str]) -> str:
    """The query of a URL, in the order of its names: a name without a value stands alone."""
    pairs = ((quote(name, safe=""), quote(value, safe="")) for name, value in sorted(arguments.items()))
    text = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    return f"?{text}" if text else ""
