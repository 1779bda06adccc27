"""What is deployed is what the package serves, and fits AWS's limits."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform

from dicomweb.api.app import ORTHANC, STUDIES_SERVICE
from dicomweb.api.capabilities import ROUTERS
from local.stack import BUILT, build
from tests import dockerfile
from tests.builders import ROOT, template

LARGEST_PACKAGE = 250 * 1024 * 1024  # bytes of a function with its layers, unzipped
ROOTS = {STUDIES_SERVICE: "/dicom-web", ORTHANC: ""}


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in template()["Resources"].items() if each["Type"] == kind}


def events_of(function: str) -> list[dict[str, Any]]:
    return list(template()["Resources"][function]["Properties"]["Events"].values())


@pytest.fixture(scope="module")
def built() -> Path:
    build()
    return BUILT / "build"


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_templates_routes_are_those_of_the_routers() -> None:
    deployed = {
        (event["Properties"]["Method"], event["Properties"]["Path"].replace("{path+}", "{path}"))
        for function in resources("AWS::Serverless::Function").values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    }
    served = {
        (method, ROOTS.get(str(router.tags[0]), "/wado") + route.path.replace("{path:path}", "{path}"))
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
    heads = {path for method, path in deployed if method == "HEAD"}
    events = [event["Properties"] for name in ("WadoRs", "Rendered", "WadoUri") for event in events_of(name)]
    retrieved = {event["Path"] for event in events if event["Method"] == "GET"}
    assert heads == {path.replace("{path+}", "{path}") for path in retrieved}
    assert {(method, path) for method, path in deployed if method != "HEAD"} == served


def test_every_function_has_its_folder() -> None:
    folders = {each["Properties"]["CodeUri"] for each in resources("AWS::Serverless::Function").values()}
    assert folders == {f"functions/{path.parent.name}" for path in (ROOT / "functions").glob("*/app.py")}


def test_functions_without_the_imaging_layer_start_without_numpy() -> None:
    for function in resources("AWS::Serverless::Function").values():
        if {"Ref": "ImagingLayer"} in function["Properties"].get("Layers", []):
            continue
        app = ROOT / function["Properties"]["CodeUri"] / "app.py"
        code = "import sys, runpy; sys.modules.update(dict.fromkeys(('numpy', 'PIL'))); runpy.run_path(sys.argv[1])"
        started = subprocess.run([sys.executable, "-c", code, app], capture_output=True, text=True, check=False)
        assert started.returncode == 0, f"{app}: {started.stderr[-1000:]}"


def test_no_policy_has_a_wildcard_action_or_resource() -> None:
    for function in resources("AWS::Serverless::Function").values():
        for policy in function["Properties"].get("Policies", []):
            for statement in policy["Statement"]:
                assert "*" not in json.dumps(statement["Action"])
                assert statement["Resource"] != "*"


def test_the_container_may_what_the_functions_of_the_api_may_and_nothing_more() -> None:
    functions = [each["Properties"] for each in resources("AWS::Serverless::Function").values()]
    of_api = [each for each in functions if any(event["Type"] == "Api" for event in each.get("Events", {}).values())]
    allowed = {
        pair for each in of_api for policy in each.get("Policies", []) for pair in _permissions(policy["Statement"])
    }
    (policy,) = template()["Resources"]["ServiceRole"]["Properties"]["Policies"]
    assert set(_permissions(policy["PolicyDocument"]["Statement"])) == allowed


def _permissions(statements: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(action, resource) of each; conditions are left out."""
    for statement in statements:
        for action in _several(statement["Action"]):
            for resource in _several(statement["Resource"]):
                yield action, json.dumps(resource)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_container_is_made_for_who_names_an_image_alone() -> None:
    parsed = template()
    kinds = ("AWS::ECS::", "AWS::EC2::", "AWS::ElasticLoadBalancingV2::", "AWS::ApplicationAutoScaling::")
    of_service = [each for each in parsed["Resources"].values() if each["Type"].startswith(kinds)]
    assert len(of_service) == 10
    assert {each.get("Condition") for each in of_service} == {"HasService"}
    assert parsed["Parameters"]["ServiceImage"]["Default"] == ""


def test_the_container_is_as_the_image_is_made() -> None:
    (container,) = template()["Resources"]["ServiceTask"]["Properties"]["ContainerDefinitions"]
    balancer = template()["Resources"]["Balancer"]["Properties"]
    waits = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert [container["User"]] == dockerfile.instructions("USER")
    assert container["MountPoints"][0]["ContainerPath"] == dockerfile.environment()["TMPDIR"]
    assert container["PortMappings"][0]["ContainerPort"] == dockerfile.option("--port")
    assert int(waits["idle_timeout.timeout_seconds"]) < dockerfile.option("--timeout-keep-alive")
    assert dockerfile.option("--timeout-graceful-shutdown") < container["StopTimeout"]


def test_who_is_not_known_is_challenged() -> None:
    (api,) = resources("AWS::Serverless::Api").values()
    responses = api["Properties"]["GatewayResponses"]
    assert responses["UNAUTHORIZED"]["ResponseParameters"]["Headers"]["WWW-Authenticate"].startswith("'Basic realm=")
    assert {name for name, each in responses.items() if "ResponseParameters" not in each} == set()


def test_nobody_is_let_in_unknown() -> None:
    (api,) = resources("AWS::Serverless::Api").values()
    assert api["Properties"]["Auth"]["DefaultAuthorizer"] == "Users"


def test_api_gateway_answers_preflights_itself_and_asks_nobody_who_they_are() -> None:
    paths = _transformed()["Resources"]["Api"]["Properties"]["Body"]["paths"]
    for path, methods in paths.items():
        integration = methods["options"]["x-amazon-apigateway-integration"]
        assert integration["type"].lower() == ("aws_proxy" if path == "/dicom-web" else "mock")
        assert methods["options"].get("security", []) in ([], [{"NONE": []}]), path
    answer = paths["/dicom-web/studies"]["options"]["x-amazon-apigateway-integration"]["responses"]["default"]
    allowed = answer["responseParameters"]["method.response.header.Access-Control-Allow-Methods"]
    assert "DELETE" in allowed


def test_api_gateway_calls_the_functions_by_its_own_permission() -> None:
    # With SAM's default a caller would need lambda:InvokeFunction beside execute-api:Invoke.
    transformed = _transformed()
    integrations = [
        method["x-amazon-apigateway-integration"]
        for path in transformed["Resources"]["Api"]["Properties"]["Body"]["paths"].values()
        for method in path.values()
    ]
    assert len(integrations) >= 20
    assert not any("credentials" in integration for integration in integrations)


def _transformed() -> dict[str, Any]:
    """What SAM makes of the template."""
    parsed = template()
    for each in parsed["Resources"].values():  # where they will be does not matter here
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in each.get("Properties", {}):
                each["Properties"][name] = "s3://bucket/key"
    transformed: dict[str, Any] = transform(parsed, {"AWS::Region": "us-east-1"}, _NoManagedPolicies())
    return transformed


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def test_access_logs_have_no_query_strings() -> None:
    (api,) = resources("AWS::Serverless::Api").values()
    assert not re.search(r"querystring|requestOverride|\$input", api["Properties"]["AccessLogSetting"]["Format"])


def test_layers_hold_bytecode_and_functions_fit(built: Path) -> None:
    layers = [built / name for name in resources("AWS::Serverless::LayerVersion")]
    for layer in layers:
        sources = [path for path in (layer / "python").rglob("*.py") if "__pycache__" not in path.parts]
        compiled = [
            path
            for path in (layer / "python").rglob("*.pyc")
            if f"cpython-{sys.version_info[0]}{sys.version_info[1]}" in path.name
        ]
        assert sources
        assert len(compiled) >= 0.99 * len(sources)
    for name in resources("AWS::Serverless::Function"):
        assert size_of(built / name) + sum(size_of(layer) for layer in layers) < LARGEST_PACKAGE


def test_bytecode_is_never_compared_with_the_clock(built: Path) -> None:
    # Flags 1: hash-based and unchecked (PEP 552); timestamps would be wrong once zipped.
    compiled = next((built / "DicomwebLayer").rglob("*.pyc"))
    assert compiled.read_bytes()[4:8] == b"\1\0\0\0"


def test_sam_builds_for_the_python_that_is_deployed(tmp_path: Path) -> None:
    python = shutil.which("python3.13")
    if python is None or subprocess.run([python, "-c", ""], check=False).returncode:
        pytest.skip("no Python 3.13 here: make deploy asks for it")
    command = [
        "sam",
        "build",
        "--config-env",
        "prod",
        "--build-dir",
        str(tmp_path),
        "--template",
        str(ROOT / "template.yaml"),
    ]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "DicomwebLayer").rglob("*.cpython-313.pyc"))


def test_the_template_is_valid() -> None:
    command = ["sam", "validate", "--lint", "--template", str(ROOT / "template.yaml")]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    bin_ = str(Path(sys.executable).parent)
    path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", "UV": f"{bin_}/uv"}


def test_the_dashboard_is_json_and_looks_at_metrics_that_there_are() -> None:
    body = template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[\w:.]+\}", "x", body))["widgets"]
    assert len({(each["x"], each["y"]) for each in widgets}) == len(widgets) == 10
    source = "".join(path.read_text() for path in (ROOT / "layers/dicomweb/dicomweb").rglob("*.py"))
    for name in re.findall(r'MetricName=\\"(\w+)\\"', body):
        assert f'"{name}"' in source
    alarms = [each["Properties"] for each in resources("AWS::CloudWatch::Alarm").values()]
    own = {each["MetricName"] for each in alarms if each.get("Namespace") == {"Ref": "AWS::StackName"}}
    assert own == {"JobsFailed", "AuditFailures"}
    assert all(f'"{name}"' in source for name in own)


def test_every_function_that_asks_who_it_is_records_what_they_did() -> None:
    for name, function in resources("AWS::Serverless::Function").items():
        events = [each["Properties"] for each in function["Properties"].get("Events", {}).values()]
        is_closed = any("Path" in each and each.get("Auth", {}).get("Authorizer") != "NONE" for each in events)
        may = {action for policy in function["Properties"].get("Policies", []) for action in _actions(policy)}
        assert ("logs:PutLogEvents" in may) == (is_closed or name == "Authorizer"), name


def _actions(policy: dict[str, Any]) -> set[str]:
    return {action for action, _ in _permissions(policy["Statement"])}
