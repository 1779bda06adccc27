"""Executions of state machines: Step Functions runs what is too long for a request."""

import json
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dicomweb.archive.aws_client import connect_service, translated
from dicomweb.errors import ArchiveRefused, NotFound

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_SERVICE, _MISSING = "Step Functions", "there is no such execution, or no such state machine"


class Executions:
    """Of the state machines of one account."""

    def start(self, machine: str, name: str, content: dict[str, Any]) -> str:
        """Start one; its ARN. With a name that has run before, the one that it names is meant."""
        if not machine:
            raise ArchiveRefused("no state machine for this: see the settings StoreJob, RetrieveJob and DeleteJob")
        with translated(_SERVICE, _MISSING):
            try:
                started = self._client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(content))
            except self._client.exceptions.ExecutionAlreadyExists:
                return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        return started["executionArn"]

    def stop(self, execution: str, cause: str) -> None:
        """End one; one that has ended stays as it is."""
        with suppress(NotFound, ArchiveRefused), translated(_SERVICE, _MISSING):
            self._client.stop_execution(executionArn=execution, error=cause, cause=cause)

    def is_running(self, execution: str) -> bool:
        try:
            with translated(_SERVICE, _MISSING):
                return self._client.describe_execution(executionArn=execution)["status"] == "RUNNING"
        except NotFound:
            return False

    @cached_property
    def _client(self) -> "SFNClient":
        client: SFNClient = connect_service("stepfunctions")
        return client
