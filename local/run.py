"""`make run`: the local AWS with the deployed stack, and the ASGI host in front of it, until Ctrl-C or SIGTERM."""

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from rich.console import Console

from local.stack import LOOPBACK, OwnAws, StackError, local_aws

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
LOCAL_PAGES = "http://localhost:*,http://127.0.0.1:*"  # may ask, such as a viewer on another port


def main() -> None:
    """Serve until stopped; exit 1 with a message when that is not possible."""
    console = Console(stderr=True, highlight=False)
    port, host = port_of("PORT", "8080"), os.environ.get("HOST", "127.0.0.1")
    data = Path(os.environ.get("DATA_DIR", ".data"))
    # SIGTERM while things are being set up leaves as Ctrl-C does; uvicorn puts its own handlers in place later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_free(host, port, "make run PORT=8081")
        with console.status("Starting the local AWS …") as status, local_aws(data) as aws:
            status.update("Deploying template.yaml into it …")
            aws.deploy()
            status.stop()
            serve(aws, host, port, data)
    except StackError as error:
        console.print(str(error), markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Stopped.")


def port_of(variable: str, otherwise: str) -> int:
    """The port that a variable of the environment says; exits with a message where that is none."""
    if not (text := os.environ.get(variable, otherwise)).isdecimal() or not 0 < int(text) < 65536:
        sys.exit(f"{variable}={text}: expected a number from 1 to 65535")
    return int(text)


def check_free(host: str, port: int, another: str) -> None:
    """Raises StackError when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(
                f"port {port} of {host} is taken; stop what listens there, or give another: {another}"
            ) from error


def serve(aws: OwnAws, host: str, port: int, data: Path) -> None:
    """The ASGI host on the stack's own bucket and table."""
    outputs = aws.outputs()
    # What somebody allows for himself counts.
    defaults = {"DICOMWEB_ALLOWED_NETWORKS": LOOPBACK, "DICOMWEB_ALLOWED_ORIGINS": LOCAL_PAGES}
    own = {name: os.environ.get(name, value) for name, value in defaults.items()}
    os.environ.update({**aws.variables(), **outputs.variables(), **own})
    # Settings and clients are made when the application is, from the environment above.
    from dicomweb.api.asgi import make_app
    from dicomweb.errors import InvalidSettings

    try:
        app = make_app()
        if host not in LOOPBACK_HOSTS and not app.state.archive.settings.AuthenticationEnabled:
            raise StackError(
                f"HOST={host} is open to others: set DICOMWEB_AUTHENTICATION_ENABLED=true, and RegisteredUsers"
            )
    except InvalidSettings as error:
        raise StackError(str(error)) from error
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=10, server_header=False
    )
    section = app.state.archive.settings.DicomWeb
    ready = f"DICOMweb at http://{host}:{port}{section.Root} and {section.WadoRoot} · data in {data} · Ctrl-C stops"
    server = _Announcing(config, ready)
    threading.Thread(target=_stop_with, args=(aws, server), daemon=True).start()
    server.run()


class _Announcing(uvicorn.Server):
    """Says that it is ready once it is."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, *arguments: object, **named: object) -> None:
        await super().startup(*arguments, **named)  # type: ignore[arg-type]
        if self.started:
            print(self._ready, flush=True)


def _stop_with(aws: OwnAws, server: uvicorn.Server) -> None:
    """Without its AWS the host cannot answer: stop it too, and say why."""
    code = aws.process.wait()
    if not server.should_exit:
        print(f"MiniStack ended with {code}; see {aws.data / 'aws.log'}", file=sys.stderr)
        server.should_exit = True


if __name__ == "__main__":
    main()
