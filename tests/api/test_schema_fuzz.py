"""Requests made of what OpenAPI says, right ones and wrong ones: none is an unexpected error."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from moto import mock_aws
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from starlette.testclient import TestClient

from dicomweb.api.app import mounted
from dicomweb.api.asgi import make_app
from dicomweb.api.capabilities import ROUTERS
from dicomweb.api.descriptions import operations, path_parameters
from dicomweb.settings import Settings
from tests.builders import MULTIPART, a_body, a_series, an_archive

OPERATIONS = sorted((each.method, each.path) for each in operations(mounted(ROUTERS, Settings())))
EXAMPLES = 15  # of each operation and mode


def takes(method: str, path: str) -> bool:
    """Whether an operation takes anything that may be wrong; names of servers and files are any text."""
    (found,) = (each for each in operations(mounted(ROUTERS, Settings())) if (each.method, each.path) == (method, path))
    return bool(found.description.parameters or found.description.takes or set(path_parameters(path)) - {"name"})


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    """The description of a server with a study."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "us-east-1")
        app = make_app(an_archive())
        TestClient(app).post("/dicom-web/studies", content=a_body(a_series(2)), headers={"Content-Type": MULTIPART})
        yield schemathesis.openapi.from_asgi("/dicom-web/openapi.json", app)


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    # What takes nothing cannot be asked for wrongly.
    [
        (*each, mode)
        for each in OPERATIONS
        for mode in GenerationMode
        if mode == GenerationMode.POSITIVE or takes(*each)
    ],
)
def test_no_request_is_an_unexpected_error(described: Any, method: str, path: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,  # what fails here fails for who looks into it
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(checks=[not_a_server_error])

    ask()
