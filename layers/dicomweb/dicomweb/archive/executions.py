"""Executions of state machines: Step Functions runs what is too long for a request."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive.s3_client import AGENT, code_of
from dicomweb.errors import ArchiveBusy, ArchiveRefused, NotFound

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_GONE = frozenset({"ExecutionDoesNotExist", "StateMachineDoesNotExist"})
_REFUSALS = frozenset({"AccessDeniedException", "ValidationException", "InvalidArn"})


class Executions:
    """Of the state machines of one account."""

    def start(self, machine: str, name: str, content: dict[str, Any]) -> str:
        """Start one; its ARN. With a name that has run before, the one that it names is meant."""
        if not machine:
            raise ArchiveRefused("no state machine for this: see the settings StoreJob, RetrieveJob and DeleteJob")
        try:
            with _translated():
                answer = self._client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(content))
                return answer["executionArn"]
        except _Running:
            return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"

    def stop(self, execution: str, cause: str) -> None:
        """End one; one that has ended stays as it is."""
        with suppress(NotFound, ArchiveRefused), _translated():
            self._client.stop_execution(executionArn=execution, error=cause, cause=cause)

    def is_running(self, execution: str) -> bool:
        try:
            with _translated():
                return self._client.describe_execution(executionArn=execution)["status"] == "RUNNING"
        except NotFound:
            return False

    @cached_property
    def _client(self) -> "SFNClient":
        config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"}, user_agent=AGENT)
        return boto3.client("stepfunctions", config=config)


class _Running(Exception):
    """The name of an execution is taken."""


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign errors become ours, once."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code == "ExecutionAlreadyExists":
            raise _Running from error
        if code in _GONE:
            raise NotFound("there is no such execution, or no such state machine") from error
        if code in _REFUSALS:
            raise ArchiveRefused(f"Step Functions refused it: {code}") from error
        raise ArchiveBusy(f"Step Functions answered {code}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"Step Functions did not answer: {type(error).__name__}") from error
