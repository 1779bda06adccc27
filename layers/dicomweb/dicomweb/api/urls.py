"""The URL of the service as the user agent sees it: in front of every RetrieveURL, BulkDataURI and Content-Location."""

import re

from fastapi import Request

from dicomweb.api.app import settings_of

# What API Gateway puts in front of the path: the stage. Set by the Lambda host.
PREFIX_IN_SCOPE = "dicomweb.prefix"

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_FIRST_HOP = re.compile(r'(?:[^",]|"[^"]*")*')
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_FORWARDED = re.compile(r'(?:^|[;,\s])(host|proto)\s*=\s*(?:"([^"]*)"|([^;,\s]*))', re.IGNORECASE)


def base_url(request: Request) -> str:
    """scheme://host/root, without a slash at the end.

    The host is, in this order: the setting `Host`, X-Forwarded-Host, Forwarded (RFC 7239), Host.
    """
    section = settings_of(request).DicomWeb
    forwarded = _forwarded(request)
    scheme = forwarded.get("proto") or ("https" if section.Ssl else request.url.scheme)
    host = section.Host or forwarded.get("host") or _own_host(request)
    root = "/" + section.PublicRoot.strip("/") if section.PublicRoot else section.Root
    return f"{scheme}://{host}{request.scope.get(PREFIX_IN_SCOPE, '')}{root.rstrip('/')}"


def _forwarded(request: Request) -> dict[str, str]:
    first_hop = _FIRST_HOP.match(request.headers.get("forwarded", ""))
    found = {
        name.lower(): quoted or plain for name, quoted, plain in _FORWARDED.findall(first_hop[0] if first_hop else "")
    }
    found |= {
        name: value.split(",")[0].strip()
        for name in ("host", "proto")
        if (value := request.headers.get(f"x-forwarded-{name}", ""))
    }
    port = request.headers.get("x-forwarded-port", "").split(",")[0].strip()
    if port.isdecimal() and "host" in found and not re.search(r":\d+$", found["host"]):
        found["host"] += "" if port in ("80", "443") else f":{port}"
    if not _HOST.fullmatch(found.get("host", "")):
        found.pop("host", None)
    if found.get("proto", "").lower() not in ("http", "https"):
        found.pop("proto", None)
    return {name: value.lower() if name == "proto" else value for name, value in found.items()}


def _own_host(request: Request) -> str:
    name, port = request.scope.get("server") or ("localhost", None)
    at_standard_port = port in (None, {"http": 80, "https": 443}.get(request.url.scheme))
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        return str(name) if at_standard_port else f"{name}:{port}"
    if (
        at_standard_port
        or PREFIX_IN_SCOPE in request.scope
        or re.search(r":\d+$", host)
        or any(name in request.headers for name in _OF_PROXIES)
    ):
        return host
    # Some clients leave the port out (dicomweb-client does): links must lead back to this server all the same. A proxy
    # says that it is one, or the setting `Host` does.
    return f"{host}:{port}"
