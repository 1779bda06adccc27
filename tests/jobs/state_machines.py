"""The state machines of jobs in moto, with the real definition and the real handlers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaFunction

from dicomweb.archive import Archive
from dicomweb.settings import settings
from tests.builders import ROOT, an_archive, handler_of

_STEPS = ("plan_job", "work_job", "finish_job")
_KINDS = ("store", "retrieve", "delete")
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@contextmanager
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive whose jobs run."""
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
        machines = _machines(role)
        variables = {"BUCKET": "archive", "TABLE": "index", "ALLOWED_NETWORKS": "127.0.0.0/8", **machines}
        for name, value in variables.items():
            monkeypatch.setenv(f"DICOMWEB_{name}", value)
        settings.cache_clear()
        archive = an_archive(
            AllowedNetworks=["127.0.0.0/8"],
            StoreJob=machines["STORE_JOB"],
            RetrieveJob=machines["RETRIEVE_JOB"],
            DeleteJob=machines["DELETE_JOB"],
        )
        handlers = {step: handler_of(step) for step in _STEPS}
        monkeypatch.setattr(LambdaFunction, "_invoke_lambda", _invoking(handlers))
        yield archive
        settings.cache_clear()


def _machines(role: str) -> dict[str, str]:
    functions = boto3.client("lambda")
    arns = {
        step: functions.create_function(
            FunctionName=step, Runtime="python3.13", Role=role, Handler="app.handler", Code={"ZipFile": b"any"}
        )["FunctionArn"]
        for step in _STEPS
    }
    definition = (ROOT / "functions/plan_job/state_machine.asl.json").read_text()
    names = {"Partition": "aws", "PlanArn": "plan_job", "WorkArn": "work_job", "FinishArn": "finish_job"}
    for name, step in names.items():
        definition = definition.replace(f"${{{name}}}", arns.get(step, step))
    # What waits for another worker waits a quarter of a minute; here half a second.
    definition = definition.replace('"IntervalSeconds": 15', '"IntervalSeconds": 1')
    steps = boto3.client("stepfunctions")
    return {
        f"{kind.upper()}_JOB": steps.create_state_machine(name=f"{kind}-job", definition=definition, roleArn=role)[
            "stateMachineArn"
        ]
        for kind in _KINDS
    }


def _invoking(handlers: dict[str, Any]) -> Any:
    def invoke(function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        taken = json.loads(event) if isinstance(event, str | bytes) else event
        try:
            return json.dumps(handlers[function.function_name](taken, None)), False, ""
        except Exception as error:  # noqa: BLE001 — as the runtime does
            told = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": []}
            return json.dumps(told), True, ""

    return invoke
