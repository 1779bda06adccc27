"""`make ohif`: the OHIF viewer as npm has it, on a port of its own, for the server of `make run`."""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from local.run import check_free, port_of
from local.stack import StackError

VERSION = "3.13.2"
_SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="  # as npm says it
_FOLDER = Path(__file__).parent.parent / ".cache" / "ohif"  # ignored by git


class OhifError(Exception):
    """It cannot be had; the message says why."""


def main() -> None:
    """Serve until stopped; exit 1 with a message when that is not possible."""
    console = Console(stderr=True, highlight=False)
    host, port = "127.0.0.1", port_of("OHIF_PORT", "3000")
    server = os.environ.get("SERVER_URL") or f"http://127.0.0.1:{port_of('PORT', '8080')}"
    try:
        check_free(host, port, "make ohif OHIF_PORT=3001")
        with console.status(f"Fetching OHIF {VERSION} (50 MB, once) …"):
            folder = fetch()
    except (OhifError, StackError) as error:
        console.print(str(error), markup=False)
        sys.exit(1)
    console.print(f"OHIF {VERSION} at http://{host}:{port} · studies of {server}/dicom-web · Ctrl-C stops")
    uvicorn.run(application(folder, server), host=host, port=port, log_level="warning")


def fetch() -> Path:
    """The folder of the built viewer.

    Raises:
        OhifError: there is no npm, it does not give the package, or gives another one.
    """
    folder = _FOLDER / VERSION
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _unpack(_package(), folder)
    return folder / "package" / "dist"


def _package() -> Path:
    if shutil.which("npm") is None:
        raise OhifError("npm is not on this machine; it brings OHIF")
    command = ["npm", "pack", f"@ohif/app@{VERSION}", "--pack-destination", str(_FOLDER), "--silent"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise OhifError(f"npm does not give @ohif/app {VERSION}: {done.stderr.strip()[-500:]}")
    package = _FOLDER / done.stdout.strip().splitlines()[-1]
    if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != _SHA512:
        package.unlink()
        raise OhifError(f"what npm gives as @ohif/app {VERSION} is something else")
    return package


def _unpack(package: Path, folder: Path) -> None:
    unpacked = folder.with_suffix(".new")
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(package) as archive:
        files = [member for member in archive if member.name.startswith("package/dist/")]
        archive.extractall(unpacked, members=files, filter="data")
    package.unlink()
    unpacked.rename(folder)


def application(folder: Path, server: str) -> Starlette:
    """The viewer, with a configuration for a server: its URL without the path of a service."""
    written = f"window.config = {json.dumps(configuration(server), indent=2)};\n"

    async def configure(_request: object) -> Response:
        return Response(written, media_type="text/javascript", headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/app-config.js", configure), Mount("/", _Viewer(directory=folder, html=True))])


class _Viewer(StaticFiles):
    """The files; any other path is one of the viewer's own pages."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or Path(path).suffix in (".js", ".css", ".wasm", ".map"):
                raise
            return await super().get_response("index.html", scope)


def configuration(server: str) -> dict[str, Any]:
    """OHIF's (docs.ohif.org, Configuration)."""
    source = {
        "friendlyName": "DICOMweb",
        "name": "dicomweb",
        "qidoRoot": f"{server}/dicom-web",
        "wadoRoot": f"{server}/dicom-web",
        "wadoUriRoot": f"{server}/wado",
        "qidoSupportsIncludeField": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "supportsStow": True,
        "dicomUploadEnabled": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "bulkDataURI": {"enabled": True},
        "singlepart": "video,pdf",
        "omitQuotationForMultipartRequest": True,
    }
    return {
        "name": "config/dicomweb.js",
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": source,
            }
        ],
    }


if __name__ == "__main__":
    main()
