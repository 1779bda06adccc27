"""How a remote server is connected to: TLS by its definition and the settings, the proxy, connections that are kept."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import httpcore
import httpx

from dicomweb.client.addresses import GuardedBackend
from dicomweb.errors import RemoteFailed
from dicomweb.server_definition import ServerDefinition
from dicomweb.settings import Settings


def transport_to(definition: ServerDefinition, settings: Settings) -> httpx.HTTPTransport:
    """Connections to a server: to allowed addresses alone, or by the proxy of the settings.

    Raises:
        RemoteFailed: a certificate or key cannot be used.
    """
    context = _tls(definition, settings) if definition.Url.startswith("https") else ssl.create_default_context()
    transport = httpx.HTTPTransport(verify=context, trust_env=False)
    shared: Any = {"ssl_context": context, "max_connections": 32, "keepalive_expiry": 15.0}
    if settings.HttpProxy:
        # The proxy connects, and says to whom; where it is, the settings say.
        proxy = httpx.Proxy(settings.HttpProxy)
        transport._pool = httpcore.HTTPProxy(proxy_url=str(proxy.url), proxy_auth=proxy.raw_auth, **shared)
    else:
        transport._pool = httpcore.ConnectionPool(network_backend=GuardedBackend(settings.AllowedNetworks), **shared)
    return transport


def _tls(definition: ServerDefinition, settings: Settings) -> ssl.SSLContext:
    authorities = settings.HttpsCACertificates
    try:
        if _is_pem(authorities):
            context = ssl.create_default_context(cadata=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities or certifi.where())
        if not settings.HttpsVerifyPeers:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if definition.CertificateFile:
            with _as_file(definition.CertificateFile) as certificate, _as_file(definition.CertificateKeyFile) as key:
                # With no password given, none is asked for at the terminal either.
                context.load_cert_chain(certificate, key or None, lambda: definition.CertificateKeyPassword)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", "") or type(error).__name__
        raise RemoteFailed(
            f"a certificate or key of its definition or of the settings cannot be used: {reason}"
        ) from None
    return context


def _is_pem(text: str) -> bool:
    return "-----BEGIN" in text


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """The name of a file, for PEM text too: the TLS library reads files alone."""
    if not _is_pem(text):
        yield text
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pem"
        path.touch(mode=0o600)
        path.write_text(text)
        yield str(path)
