"""The stack deployed in the local AWS, with IAM enforced; one for all tests of a run."""

from collections.abc import Iterator

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx
import pytest

from local.stack import REGION, OwnAws, local_aws


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
