"""The URL of the service as the user agent sees it: in front of every RetrieveURL, BulkDataURI and Content-Location."""

import re

from fastapi import Request

from dicomweb.api.app import settings_of

# What API Gateway puts in front of the path: the stage. Set by the Lambda host.
PREFIX_IN_SCOPE = "dicomweb.prefix"

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
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
    first_hop = request.headers.get("forwarded", "").split(",")[0]
    found = {name.lower(): quoted or plain for name, quoted, plain in _FORWARDED.findall(first_hop)}
    found |= {
        name: value.split(",")[0].strip()
        for name in ("host", "proto")
        if (value := request.headers.get(f"x-forwarded-{name}", ""))
    }
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
    if not at_standard_port and (host == "localhost" or re.fullmatch(r"[\d.]+", host)):
        # Some clients leave the port out (dicomweb-client does): links must lead back to this server all the same. A
        # name may be that of a proxy at a standard port; an address is our own.
        return f"{host}:{port}"
    return host
