"""A remote DICOMweb server: one exchange with it, its errors as ours, its answer bounded."""

import base64
import json
import logging
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from dicomweb.client.addresses import check_literal
from dicomweb.client.paths import query_of
from dicomweb.client.transport import transport_to
from dicomweb.dicom.gzip_stream import inflated
from dicomweb.errors import AddressRefused, InvalidBody, NotFoundThere, RemoteFailed, RemoteUnavailable
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
        # A proxy resolves names itself; what is no name is checked before it is asked.
        self._networks = tuple(settings.AllowedNetworks) if settings.HttpProxy else None
        self._timeout_s = definition.Timeout or settings.HttpTimeout
        self._connect_s = min(self._timeout_s, _CONNECT_S)
        self._http = httpx.Client(transport=transport_to(definition, settings), trust_env=False)
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
            if self._networks is not None:
                check_literal(urlsplit(url).hostname or "", self._networks)
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


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


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
