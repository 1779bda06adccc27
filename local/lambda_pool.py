"""Lambda execution environments as plain subprocesses: AWS's own runtime client behind a loopback Runtime API.

An environment is one `python -m awslambdaric` and one small HTTP server that speaks the Lambda Runtime API (2018-06-01)
to it. Environments stay warm in a pool, as they do in AWS. Standard library only, as it runs beside MiniStack too.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Function:
    """What one environment runs."""

    arn: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    variables: dict[str, str]
    timeout_s: float


@dataclass(frozen=True)
class Result:
    """What an invocation gave; the payload of an error is {"errorType", "errorMessage", "stackTrace"}."""

    payload: bytes
    is_error: bool


class Environment:
    """One warm subprocess."""

    def __init__(self, function: Function, log: IO[bytes] | None) -> None:
        self._function = function
        self._events: queue.Queue[tuple[str, bytes, float] | None] = queue.Queue()
        self._results: dict[str, queue.Queue[Result]] = {}
        self.failed_to_start = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", function.handler],
            cwd=function.code,
            env=self._variables(),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def invoke(self, payload: bytes) -> Result:
        """Run the handler once, within the function's time."""
        function = self._function
        request = str(uuid.uuid4())
        self._results[request] = queue.Queue()
        self._events.put((request, payload, time.time() + function.timeout_s))
        try:
            return self._results[request].get(timeout=function.timeout_s)
        except queue.Empty:
            self.stop()
            return _error("Sandbox.Timedout", f"{request} Task timed out after {function.timeout_s:.2f} seconds")
        finally:
            del self._results[request]

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None and not self.failed_to_start

    def stop(self) -> None:
        self._process.kill()
        self._events.put(None)
        threading.Thread(target=self._server.shutdown, daemon=True).start()

    # What the Runtime API calls.

    def next_event(self) -> tuple[dict[str, str], bytes] | None:
        """Wait for an invocation; (headers, event)."""
        item = self._events.get()
        if item is None:
            return None
        request, payload, deadline = item
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._function.arn,
        }, payload

    def finish(self, request: str, result: Result) -> None:
        if request in self._results:
            self._results[request].put(result)

    def fail_to_start(self, payload: bytes) -> None:
        self.failed_to_start = True
        self._finish_all(Result(payload, True))

    def _finish_all(self, result: Result) -> None:
        for waiting in list(self._results.values()):
            waiting.put(result)

    def _watch(self) -> None:
        code = self._process.wait()
        self._finish_all(_error("Runtime.ExitError", f"Runtime exited with {code}"))

    def _variables(self) -> dict[str, str]:
        function = self._function
        python_path = [function.code, *(layer / "python" for layer in function.layers)]
        passed_on = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or name.startswith("AWS_ENDPOINT_URL_")
        }
        return {
            **passed_on,
            **function.variables,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "LAMBDA_TASK_ROOT": str(function.code),
            "_HANDLER": function.handler,
            "PYTHONPATH": os.pathsep.join(map(str, python_path)),
            "TZ": ":UTC",
        }


class Pool:
    """Warm environments by key; a new one is made when all of a key are busy."""

    def __init__(self, log: IO[bytes] | None = None) -> None:
        self._log = log
        self._idle: dict[Hashable, list[Environment]] = {}
        self._all: list[Environment] = []
        self._lock = threading.Lock()

    def invoke(self, key: Hashable, function: Callable[[], Function], payload: bytes) -> Result:
        environment = self._take(key)
        if environment is None:
            environment = Environment(function(), self._log)
            with self._lock:
                self._all.append(environment)
        result = environment.invoke(payload)
        if environment.is_alive:
            with self._lock:
                self._idle.setdefault(key, []).append(environment)
        return result

    def close(self) -> None:
        for environment in self._all:
            environment.stop()

    def _take(self, key: Hashable) -> Environment | None:
        with self._lock:
            idle = self._idle.get(key, [])
            while idle:
                environment = idle.pop()
                if environment.is_alive:
                    return environment
        return None


def _error(kind: str, message: str) -> Result:
    return Result(json.dumps({"errorType": kind, "errorMessage": message}).encode(), True)


def _handler_of(environment: Environment) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # without a buffer and with Nagle's algorithm each answer takes 40 ms
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if (event := environment.next_event()) is None:
                self.close_connection = True
                return
            self._answer(200, *event)

        def do_POST(self) -> None:
            payload = self._body()
            *_, request, action = self.path.split("/")
            if (request, action) == ("init", "error"):
                environment.fail_to_start(payload)
            elif action in ("response", "error"):
                environment.finish(request, Result(payload, action == "error"))
            self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

        def _body(self) -> bytes:
            if "Content-Length" in self.headers:
                return self.rfile.read(int(self.headers["Content-Length"]))
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

    return RuntimeApi
