"""A remote DICOMweb server: one exchange with it, its errors as ours, its answer bounded."""

import base64
import json
import logging
import re
import ssl
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import certifi
import httpcore
import httpx

from dicomweb.client.addresses import GuardedBackend
from dicomweb.dicom.gzip_stream import inflated
from dicomweb.errors import AddressRefused, BadRequest, InvalidBody, NotFoundThere, RemoteFailed, RemoteUnavailable
from dicomweb.server_definition import ServerDefinition
from dicomweb.settings import Settings

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DOCUMENT_BYTES = 64 * 1024 * 1024  # of an answer that is read as a whole, unless LimitRemoteBytes is less
_CONNECT_S, _LEAST_S, _FOREVER_S = 10, 0.5, 10.0**9
_AGENT = "dicomweb"
# What a redirect to another server may be told.
_HARMLESS = frozenset({"accept", "accept-encoding", "user-agent"})


class Answer:
    """What a remote server answers: status, headers, and a body that is read once.

    Attributes:
        fault: why the body ended before it was complete; None as long as it did not.
    """

    def __init__(self, response: httpx.Response, most_bytes: int) -> None:
        self._response = response
        self._most_bytes = most_bytes
        self.status = response.status_code
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        self.fault: RemoteFailed | None = None

    def header(self, name: str) -> str:
        return str(self._response.headers.get(name, ""))

    def raw(self) -> Iterator[bytes]:
        """The body as it was sent, with its Content-Encoding, as it comes.

        Raises:
            RemoteFailed: it was cut off, or is too long.
        """
        with _translated(self._response.request.url.host):
            yield from _bounded(self._response.iter_raw(), self._most_bytes)

    def chunks(self) -> Iterator[bytes]:
        """The body without its Content-Encoding, ended where it breaks off: `fault` says why."""
        try:
            yield from self._decoded()
        except RemoteFailed as error:
            self.fault = error

    def content(self) -> bytes:
        """The whole body, which is a document rather than images.

        Raises:
            RemoteFailed: it was cut off, or is too long.
        """
        return b"".join(_bounded(self._decoded(), min(_DOCUMENT_BYTES, self._most_bytes)))

    def _decoded(self) -> Iterator[bytes]:
        """Some servers send what they keep in gzip, though we accept no coding."""
        coding = self.header("content-encoding").strip().lower() or "identity"
        if coding == "identity":
            yield from self.raw()
        elif coding in ("gzip", "x-gzip"):
            try:
                yield from _bounded(inflated(self.raw()), self._most_bytes)
            except InvalidBody as error:
                raise RemoteFailed(f"the answer: {error}") from error
        else:
            raise RemoteFailed(
                f"the answer has the Content-Encoding {coding[:40]!r}; expected none, as it was asked for"
            )

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            RemoteFailed: it is none.
        """
        try:
            return json.loads(self.content())
        except (ValueError, RecursionError) as error:
            kind = self.header("content-type").partition(";")[0][:64] or "of no media type"
            raise RemoteFailed(f"the answer ({self.status}) is {kind}; expected JSON") from error

    def expect_success(self) -> None:
        """Raises RemoteFailed, or one of its kind, for a status that is none of success."""
        status = self.status
        if 200 <= status < 300:
            return
        if status in (404, 410):
            raise NotFoundThere(f"the remote server answered {status}: it has no such resource")
        if status in (401, 403, 407):
            raise RemoteFailed(
                f"the remote server answered {status}: it does not let us in; see the credentials in its definition"
            )
        if status in (408, 429) or (status >= 500 and status not in (501, 505)):
            raise RemoteUnavailable(f"the remote server answered {status}", _retry_after(self.header("retry-after")))
        raise RemoteFailed(f"the remote server answered {status}")


class Remote:
    """A server that a definition leads to; connections are kept for the next exchange."""

    def __init__(self, definition: ServerDefinition, settings: Settings) -> None:
        if definition.Pkcs11:
            raise RemoteFailed("its definition asks for Pkcs11, a hardware key, which this server cannot use")
        for logger in ("httpx", "httpcore"):  # they write whole URLs: patients' names are in queries
            logging.getLogger(logger).setLevel(logging.WARNING)
        self.definition = definition
        self._most_bytes = settings.LimitRemoteBytes
        self._timeout_s = definition.Timeout or settings.HttpTimeout
        self._connect_s = min(self._timeout_s, _CONNECT_S)
        self._http = httpx.Client(transport=_transport(definition, settings), trust_env=False)
        self._credentials = dict(definition.HttpHeaders)
        if definition.Username:
            pair = f"{definition.Username}:{definition.Password}".encode()
            self._credentials["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"  # RFC 7617

    @contextmanager
    def exchange(
        self,
        method: str,
        path: str,
        *,
        arguments: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | None = None,
        within_s: float = _FOREVER_S,
    ) -> Iterator[Answer]:
        """One request and its answer, while the answer is read.

        Args:
            path: below the server's URL, percent-encoded.
            headers: those that take the place of the definition's.
            body: sent in chunks, unless a header Content-Length tells its size.
            within_s: seconds that the caller has; less than the server's own time, when they are fewer.
        Raises:
            RemoteUnavailable: no answer.
            AddressRefused: the server is where none may be.
        """
        url = self.definition.Url + path.lstrip("/") + query_of(arguments or {})
        sent = httpx.Headers({"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity"})
        sent.update(self._credentials)
        sent.update(dict(headers or {}))
        with _translated(urlsplit(url).hostname or ""):
            timeout = httpx.Timeout(min(self._timeout_s, max(within_s, _LEAST_S)), connect=self._connect_s)
            response = self._follow(method, url, sent, body, timeout)
        try:
            yield Answer(response, self._most_bytes)
        finally:
            response.close()

    def _follow(
        self, method: str, url: str, headers: httpx.Headers, body: Iterable[bytes] | None, timeout: httpx.Timeout
    ) -> httpx.Response:
        """Redirects of a GET are followed, to allowed addresses; to another server without credentials."""
        for _ in range(_MOST_REDIRECTS + 1):
            request = self._http.build_request(method, url, headers=headers, content=body, timeout=timeout)
            response = self._http.send(request, stream=True)
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return response
            response.close()
            if method != "GET":
                raise RemoteFailed(
                    f"the remote server redirects a {method} elsewhere; its definition needs the URL it redirects to"
                )
            target = urljoin(url, response.headers["location"])
            if urlsplit(target).scheme not in ("http", "https"):
                raise AddressRefused("the remote server redirects to a URL that is neither http nor https")
            if _origin(target) != _origin(url):
                headers = httpx.Headers({name: value for name, value in headers.items() if name in _HARMLESS})
            url = target
        raise RemoteFailed(f"the remote server redirects more than {_MOST_REDIRECTS} times")


def connect(definition: ServerDefinition, settings: Settings) -> Remote:
    """The server of a definition.

    Raises:
        RemoteFailed: the definition cannot be used here; the message says why.
    """
    return _connected(definition.model_dump_json(), settings.model_dump_json())


@lru_cache(maxsize=32)
def _connected(definition: str, settings: str) -> Remote:
    return Remote(ServerDefinition.model_validate_json(definition), Settings.model_validate_json(settings))


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


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _transport(definition: ServerDefinition, settings: Settings) -> httpx.HTTPTransport:
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


def _retry_after(text: str) -> float:
    """Seconds (RFC 9110 §10.2.3); 0 for none."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _bounded(chunks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most_bytes:
            raise RemoteFailed(f"the answer is longer than {most_bytes} bytes, the most of its kind (LimitRemoteBytes)")
        yield chunk


@contextmanager
def _translated(host: str) -> Iterator[None]:
    """Foreign errors become ours, once. Their texts are not passed on: a URL with a query may be in them."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise RemoteUnavailable(f"{host} did not answer in time ({type(error).__name__})") from error
    except httpx.ProxyError as error:
        raise RemoteUnavailable("the proxy (HttpProxy) did not let us through") from error
    except httpx.ConnectError as error:
        if isinstance(cause := _tls_error(error), ssl.SSLError):
            raise RemoteFailed(f"{host}: no TLS connection: {cause.reason or type(cause).__name__}") from error
        raise RemoteUnavailable(f"{host} cannot be connected to; is its URL right, does it run?") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise RemoteUnavailable(f"{host} cut the connection off, or does not speak HTTP") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise RemoteFailed(f"{host}: the exchange failed: {type(error).__name__}") from error


def _tls_error(error: BaseException | None) -> BaseException | None:
    while error and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
