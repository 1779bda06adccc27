"""A remote server that misbehaves: what it does is scripted, one behaviour a request, the last one for ever.

    with misbehaving(answers(503), silent) as remote: …

A behaviour reads of the request what it likes, sends what it likes, and the connection is closed behind it.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.builders import MULTIPART, a_body

_CHUNK = 64 * 1024  # bytes
_LONGEST_S = 60.0  # that a behaviour waits for the other side


class Gone(Exception):
    """The other side closed the connection."""


@dataclass
class Request:
    """What came; the body as far as it was read, without its chunks.

    Attributes:
        headers: names in lower case.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


class Exchange:
    """One request on a connection of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._buffer = b""
        self._is_read = False
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        pairs = (line.partition(":") for line in lines[1:])
        self.request = Request(method, target, {name.lower(): value.strip() for name, _, value in pairs})

    def read_body(self) -> bytes:
        """The whole body, which the request keeps."""
        headers = self.request.headers
        if self._is_read:
            return self.request.body
        self._is_read = True
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                self.request.body += self._exactly(size + 2)[:-2]
            self._exactly(2)
        else:
            self.request.body += self._exactly(int(headers.get("content-length", "0")))
        return self.request.body

    def read_some(self, size: int) -> None:
        """So many bytes of the body as it is sent."""
        self._exactly(size)

    def send(self, *chunks: bytes) -> None:
        """Raises Gone."""
        try:
            for chunk in chunks:
                self.connection.sendall(chunk)
        except OSError as error:
            raise Gone from error

    def wait_until_gone(self, seconds: float = _LONGEST_S) -> bool:
        """Whether the other side closes the connection in this time."""
        self.connection.settimeout(seconds)
        try:
            while self.connection.recv(_CHUNK):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _more(self) -> None:
        try:
            chunk = self.connection.recv(_CHUNK)
        except OSError as error:
            raise Gone from error
        if not chunk:
            raise Gone
        self._buffer += chunk


Behaviour = Callable[[Exchange], None]


class Misbehaving:
    """The server.

    Attributes:
        url: of its Studies Service.
        requests: those that came, in order.
        connection_count: connections that were made.
    """

    def __init__(self, behaviours: tuple[Behaviour, ...], host: str, tls: ssl.SSLContext | None) -> None:
        self._behaviours = list(behaviours)
        self._tls = tls
        self._listening = socket.create_server((host, 0), backlog=128)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.faults: list[Exception] = []
        self.requests: list[Request] = []
        self.connection_count = 0
        self.port = self._listening.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}/dicom-web"
        threading.Thread(target=self._accept, daemon=True).start()

    def is_left_alone(self, seconds: float = 5) -> bool:
        """Whether all connections are closed in this time."""
        ends = time.monotonic() + seconds
        while self._connections and time.monotonic() < ends:
            time.sleep(0.02)
        return not self._connections

    def behaves(self, *behaviours: Behaviour) -> None:
        """What it does from now on."""
        with self._lock:
            self._behaviours = list(behaviours)

    def close(self) -> None:
        self._listening.close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.add(connection)
            self.connection_count += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            connection.settimeout(_LONGEST_S)
            if self._tls:
                connection = self._tls.wrap_socket(plain, server_side=True)
            exchange = Exchange(connection)
            with self._lock:
                self.requests.append(exchange.request)
                behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            behaviour(exchange)
        except (Gone, OSError):
            pass
        except Exception as error:  # noqa: BLE001 — the test is told at its end
            self.faults.append(error)
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            connection.close()
            self._connections.discard(plain)


@contextmanager
def misbehaving(
    *behaviours: Behaviour, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Misbehaving]:
    """A server, as long as the test goes on."""
    server = Misbehaving(behaviours or (silent,), host, tls)
    try:
        yield server
    finally:
        server.close()
    assert not server.faults, server.faults


# Behaviours


def silent(exchange: Exchange) -> None:
    """Never answers."""
    exchange.wait_until_gone()


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """What goes before a body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Connection": "close", **(headers or {})}.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1")


def answers(status: int = 200, body: bytes = b"", content_type: str = "", **headers: str) -> Behaviour:
    """A whole answer; underscores in the names of headers are hyphens."""
    written = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        written["Content-Type"] = content_type
    return after_reading(head(status, written), body)


def after_reading(*chunks: bytes) -> Behaviour:
    """Reads the request, sends these bytes, and closes the connection."""

    def behave(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(*chunks)

    return behave


def without_reading(*chunks: bytes) -> Behaviour:
    """Does not read the body."""
    return lambda exchange: exchange.send(*chunks)


def cuts_what_is_sent(size: int) -> Behaviour:
    """Reads so many bytes of the body, and closes the connection."""
    return lambda exchange: exchange.read_some(size)


def drips(start: bytes, each: bytes, every_s: float) -> Behaviour:
    """Sends the same bytes every now and then."""

    def behave(exchange: Exchange) -> None:
        exchange.send(start)
        while not exchange.wait_until_gone(every_s):
            exchange.send(each)

    return behave


def endless(start: bytes, each: bytes) -> Behaviour:
    """Sends the same bytes for ever, as fast as they are taken."""

    def behave(exchange: Exchange) -> None:
        exchange.send(start)
        while True:
            exchange.send(each)

    return behave


def tunnels(port: int) -> Behaviour:
    """As a proxy that is asked to CONNECT (RFC 9110 §9.3.6): to this port of this machine, whatever the name."""

    def behave(exchange: Exchange) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=_LONGEST_S) as target:
            exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(target, exchange.connection), daemon=True)
            back.start()
            _copy(exchange.connection, target)
            back.join()

    return behave


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def html(status: int = 200) -> Behaviour:
    return answers(status, b"<html><body>DOE^JANE hunter2</body></html>", "text/html")


def answers_json(document: object, status: int = 200, content_type: str = "application/dicom+json") -> Behaviour:
    return answers(status, json.dumps(document).encode(), content_type)


def rows(*paths: tuple[str, str]) -> Behaviour:
    """A search of instances, by series and instance."""
    found = [
        {"0020000E": {"vr": "UI", "Value": [series]}, "00080018": {"vr": "UI", "Value": [instance]}}
        for series, instance in paths
    ]
    return answers_json(found)


def parts(*files: bytes) -> Behaviour:
    """A retrieve."""
    return answers(200, a_body(files), MULTIPART)


def redirects(location: str, status: int = 302) -> Behaviour:
    return answers(status, Location=location)


def store_response(stored: Mapping[str, int] | list[str], failed: Mapping[str, int] | None = None) -> dict[str, object]:
    """A Store Instances Response (PS3.18 Annex I.2).

    Args:
        stored: instances, with their Warning Reasons where they have some.
        failed: instances with their Failure Reasons.
    """

    def items(instances: Mapping[str, int] | list[str], reason: str) -> list[dict[str, object]]:
        reasons = instances if isinstance(instances, Mapping) else {}
        return [
            {
                "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
                "00081155": {"vr": "UI", "Value": [each]},
                **({reason: {"vr": "US", "Value": [reasons[each]]}} if each in reasons else {}),
            }
            for each in instances
        ]

    document: dict[str, object] = {}
    if stored:
        document["00081199"] = {"vr": "SQ", "Value": items(stored, "00081196")}
    if failed:
        document["00081198"] = {"vr": "SQ", "Value": items(failed, "00081197")}
    return document
