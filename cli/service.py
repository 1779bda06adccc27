"""The Studies Service of a server (PS3.18 §10), over HTTP: requests, retries, redirects, pages."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from cli.errors import InvalidArgument, Refused, Unreachable
from cli.retries import RETRIED, Retries
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.media_types import DICOM_JSON
from dicomweb.dicom.readable_values import printable

_CONNECT_S = 10
_PAGE = 1000  # rows asked for at once
_MOST_REDIRECTS = 5
_LONGEST_MESSAGE = 400  # characters of an answer that is no success
EXPECTED_URL = "expected the URL of a Studies Service, such as http://127.0.0.1:8080/dicom-web"
# What helps with a status; the server's own message stands before it.
_HINTS = {
    401: "expected --user name:password, or --header 'Authorization: …'",
    403: "expected --user or --header of somebody who may do this",
    404: EXPECTED_URL,
    405: EXPECTED_URL,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a search, and what the server said beside them."""

    rows: list[DataSet]
    warnings: list[str]


class StudiesService:
    """A server's Studies Service; threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        headers: Iterable[str] = (),
        user: str = "",
        timeout_s: float = 300,
        connections: int = 4,
        retries: Retries | None = None,
    ) -> None:
        """Raises InvalidArgument: a URL, header or user that is none."""
        self._root = _url(url)
        self.url = str(self._root.copy_with(username=None, password=None))
        self.retries = retries or Retries()
        self.has_answered = False  # A URL that never did is more likely wrong than busy: it is not asked again.
        # Threads are the limit: a search does not wait until an upload of gigabytes leaves its connection.
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S), pool=None)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=2 * connections)
        self._http = httpx.Client(headers=_headers(headers), auth=_user(user), timeout=timeout, limits=limits)
        # A redirect may lead to another host (to S3, say), which must not see what this one is told.
        self._elsewhere = httpx.Client(timeout=timeout, limits=limits)

    def close(self) -> None:
        self._http.close()
        self._elsewhere.close()

    def search(self, path: str, parameters: list[tuple[str, str]], limit: int = 0) -> Iterator[Page]:
        """Pages of a search until its end (PS3.18 §8.3.4.4), or until there are `limit` rows.

        Raises:
            Unreachable, Refused
        """
        offset, before = 0, None
        while not limit or offset < limit:
            asked = min(_PAGE, limit - offset) if limit else _PAGE
            page, has_more = self._page(path, [*parameters, ("limit", str(asked)), ("offset", str(offset))])
            if page.rows and page.rows == before:
                raise Refused(f"{self.url}/{path}: the server gives the same page for every offset", 200)
            if page.rows or page.warnings:
                yield page
            if not page.rows or not (has_more or len(page.rows) >= asked):
                return
            offset, before = offset + len(page.rows), page.rows

    def post(self, path: str, body: Iterator[bytes], headers: dict[str, str]) -> httpx.Response:
        """One attempt; raises httpx.TransportError."""
        response = self._http.post(f"{self._root}/{path}", content=body, headers=headers)
        self.has_answered = True
        return response

    def ask(self, method: str, path: str, document: object = None) -> httpx.Response:
        """An answer of some JSON, whatever its status.

        Raises:
            Unreachable.
        """
        response = self._answer(self._http.build_request(method, f"{self._root}/{path}", json=document))
        response.read()
        return response

    def put(self, url: str, content: Iterator[bytes], size: int) -> httpx.Response:
        """One attempt to put something where the server says; raises httpx.TransportError.

        It is not told who asks: the URL lets them in.
        """
        return self._elsewhere.put(url, content=content, headers={"Content-Length": str(size)})

    @contextmanager
    def get(self, path: str, accept: str, parameters: list[tuple[str, str]] | None = None) -> Iterator[httpx.Response]:
        """A successful answer whose body is still to be read.

        Raises:
            Unreachable, Refused
        """
        request = self._http.build_request(
            "GET", f"{self._root}/{path}", params=httpx.QueryParams(tuple(parameters or ())), headers={"Accept": accept}
        )
        response = self._answer(request)
        try:
            if not response.is_success:
                raise refused(response)
            yield response
        finally:
            response.close()

    def unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self.url} does not answer: {fault_of(error)}; {EXPECTED_URL}")

    def _page(self, path: str, parameters: list[tuple[str, str]]) -> tuple[Page, bool]:
        for attempt in range(1, self.retries.attempts + 1):
            try:
                with self.get(path, DICOM_JSON, parameters) as response:
                    response.read()
                break
            except httpx.TransportError as error:  # the body broke off
                if attempt == self.retries.attempts:
                    raise self.unreachable(error) from error
                self.retries.pause(attempt)
        said = [text for text in response.headers.get_list("warning") if text.startswith("299")]
        has_more = any("results" in text for text in said)
        warnings = [printable(text.partition('"')[2].rstrip('"')) for text in said if "results" not in text]
        if response.status_code == 204 or not response.content:  # no results, as servers of earlier editions say it
            return Page([], warnings), False
        try:
            rows = response.json()
        except ValueError as error:
            raise Refused(f"{self.url}/{path}: the answer is no JSON; {EXPECTED_URL}", response.status_code) from error
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Refused(f"{self.url}/{path}: the answer is no list of data sets; {EXPECTED_URL}", 200)
        return Page(rows, warnings), has_more

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(1, self.retries.attempts + 1):
            try:
                response = self._follow(self._http.send(request, stream=True))
            except httpx.TransportError as error:
                is_unknown = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not self.has_answered
                if is_unknown or attempt == self.retries.attempts:
                    raise self.unreachable(error) from error
                self.retries.pause(attempt)
                continue
            self.has_answered = True
            if response.status_code not in RETRIED or attempt == self.retries.attempts:
                return response
            response.close()
            self.retries.pause(attempt, response)
        raise AssertionError("at least one attempt is made")

    def _follow(self, response: httpx.Response) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS):
            target = response.next_request
            if not response.is_redirect or target is None:
                break
            response.close()
            if _origin(target.url) == _origin(self._root):
                response = self._http.send(target, stream=True)
            else:
                response = self._elsewhere.send(self._elsewhere.build_request("GET", target.url), stream=True)
        return response


def refused(response: httpx.Response) -> Refused:
    """An answer that is no success, with what the server said and what helps."""
    status = response.status_code
    hint = _HINTS.get(status, "")
    url = response.request.url.copy_with(username=None, password=None, query=None)
    return Refused(f"{url}: {message_of(response)}{'; ' if hint else ''}{hint}", status)


def message_of(response: httpx.Response) -> str:
    """What an answer that is no success says, with its status."""
    try:
        response.read()
        document = response.json()
        text = str(document.get("Message") or document.get("message") or "") if isinstance(document, dict) else ""
    except (httpx.HTTPError, ValueError):
        text = ""
    if not text and response.is_stream_consumed and "html" not in response.headers.get("content-type", ""):
        text = response.text.strip()
    said = f"{response.status_code} {response.reason_phrase}".strip()
    return printable(f"{said}: {text[:_LONGEST_MESSAGE]}" if text else said)


def fault_of(error: Exception) -> str:
    """What went wrong on the way; some errors of sockets have no words."""
    return str(error) or type(error).__name__


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.rstrip("/"))
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidArgument(f"--url {text!r}: {error}; {EXPECTED_URL}") from error
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise InvalidArgument(f"--url {text!r}; {EXPECTED_URL}")
    return url


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # The value may be a secret: it is not repeated.
        if not colon or not name.strip() or not line.isascii() or not line.isprintable():
            raise InvalidArgument(f"--header {name.strip()!r}: expected 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


def _user(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    name, colon, password = text.partition(":")
    if not colon:
        raise InvalidArgument(f"--user {name!r}: expected name:password")
    return name, password
