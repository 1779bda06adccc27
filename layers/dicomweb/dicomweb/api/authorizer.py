"""The authorizer of API Gateway: who asks is found out once, and kept by the gateway for some time.

What they may do is decided where a request arrives, by the one table of `authorization.py`: a policy is kept for all
routes.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils

from dicomweb.api.observing import audit_record, keep_record
from dicomweb.archive import Archive, connect
from dicomweb.errors import NotAuthenticated, TooManyFailures
from dicomweb.identity import Identity
from dicomweb.settings import settings
from dicomweb.transactions.authentication import authenticate

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger()


class Unauthorized(Exception):
    """API Gateway answers 401 where an authorizer's error has the message `Unauthorized`."""


def authorizer_handler() -> Handler:
    """The function that takes a request's headers, and gives a policy and who asks."""
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    archive = connect(settings())

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        source = event.get("requestContext", {}).get("identity", {}).get("sourceIp", "")
        try:
            identity = authenticate(archive, headers.get("authorization", ""), source)
        except TooManyFailures:
            _record(archive, source, 429)
            return _policy(event, "Deny", "", {})
        except NotAuthenticated as error:
            if headers.get("authorization"):
                _record(archive, source, 401)
            raise Unauthorized("Unauthorized") from error
        return _policy(event, "Allow", identity.name, _told(identity))

    return handler


def _record(archive: Archive, source: str, status: int) -> None:
    """That somebody was not let in: the request reaches no other function."""
    if archive.settings.AuditLogGroup:
        keep_record(archive, audit_record("", source, "LogIn", status))


def identity_from(context: dict[str, Any]) -> Identity | None:
    """Who asks, as the authorizer said it."""
    if "roles" not in context:
        return None
    labels = json.loads(context["labels"])
    seen = None if labels is None else frozenset(labels)
    return Identity(context.get("principalId", ""), frozenset(json.loads(context["roles"])), seen)


def _told(identity: Identity) -> dict[str, str]:
    labels = None if identity.labels is None else sorted(identity.labels)
    return {"roles": json.dumps(sorted(identity.roles)), "labels": json.dumps(labels)}


def _policy(event: dict[str, Any], effect: str, name: str, told: dict[str, str]) -> dict[str, Any]:
    api, stage, *_ = event["methodArn"].split("/")
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api}/{stage}/*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": name or "nobody", "policyDocument": document, "context": told}
