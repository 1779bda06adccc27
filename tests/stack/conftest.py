"""The stack deployed in the local AWS, with IAM enforced; one for all tests of a run."""

from collections.abc import Iterator
from datetime import timedelta

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx
import pytest

from dicomweb.archive import Archive, connect, storage
from dicomweb.settings import load
from local.stack import REGION, LocalAws, OwnAws, local_aws
from tests.stack.hosts import a_host, variables


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnAws]:
    with local_aws(tmp_path_factory.mktemp("stack"), enforce_iam=True) as aws:
        aws.deploy()
        yield aws


class Signed(httpx.Auth):
    """AWS Signature Version 4, as an API with AWS_IAM asks for."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        credentials = botocore.credentials.Credentials("test", "test")
        url = str(request.url)
        signed = botocore.awsrequest.AWSRequest(
            request.method, url, data=request.content, headers={"Host": request.url.netloc.decode()}
        )
        botocore.auth.SigV4Auth(credentials, "execute-api", REGION).add_auth(signed)
        request.headers.update(dict(signed.headers))
        yield request


@pytest.fixture
def api(aws: OwnAws) -> Iterator[httpx.Client]:
    """A signing client of the deployed REST API."""
    with httpx.Client(base_url=aws.outputs().api, auth=Signed(), timeout=60) as client:
        yield client


@pytest.fixture
def steady(aws: LocalAws) -> Iterator[httpx.Client]:
    """A client of the Studies Service of a host that is not killed."""
    with a_host(aws) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def deployed_archive(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The archive of the stack, looked at past every host; here no writer is taken to be at work still."""
    found = variables(aws)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(storage, "_IN_FLIGHT", timedelta(0))
    return connect(load(found))
