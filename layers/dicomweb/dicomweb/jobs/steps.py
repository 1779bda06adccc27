"""The functions of the steps of a job, as its state machine calls them."""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils

from dicomweb.archive import Archive, connect
from dicomweb.archive.jobs import FAILURE
from dicomweb.errors import JobRefused, NotFound, RemoteFailed
from dicomweb.jobs import running
from dicomweb.jobs.states import finish
from dicomweb.metrics import COUNT, emit
from dicomweb.settings import settings

Handler = Callable[[dict[str, Any], Any], Any]

logger = Logger()


def plan_handler() -> Handler:
    """Takes {"job", "attempt"}; gives them with the bucket and the key of the manifest of batches."""
    archive = _connect()
    return lambda event, _context: running.plan(archive, event["job"], event["attempt"])


def work_handler(seconds: float) -> Handler:
    """Takes {"job", "attempt", "batch"}; gives whether the batch is done, beside what it took."""
    archive = _connect()

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        done = running.work(archive, event["job"], event["attempt"], event["batch"], seconds)
        return {"done": True} if done else event | {"done": False}

    return handler


def finish_handler() -> Handler:
    """Takes {"job", "attempt"}, and the "error" that ended the state machine where one did."""
    archive = _connect()

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        job = finish(archive, event["job"], event["attempt"], _error(event.get("error")))
        ended = "JobsFailed" if job.state == FAILURE else "JobsDone"
        emit(archive.settings.MetricsNamespace, {}, {ended: (COUNT, 1)})
        return {"job": job.job, "state": job.state}

    return handler


def _connect() -> Archive:
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    return connect(settings())


_KINDS: dict[str, type[Exception]] = {"NotFound": NotFound, "Gone": NotFound, "NotFoundThere": NotFound}


def _error(caught: dict[str, str] | None) -> Exception | None:
    """What a state machine caught, as the error that it was: its class, and its message."""
    if caught is None:
        return None
    name = caught.get("Error", "")
    try:
        message = str(json.loads(caught.get("Cause", "")).get("errorMessage", ""))
    except (ValueError, AttributeError):
        message = ""
    if name.startswith("Remote") or name in ("AddressRefused", *_KINDS):
        return _KINDS.get(name, RemoteFailed)(message)
    return JobRefused(f"a step of its state machine ended with {name}: {message}")
