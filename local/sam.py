"""The real SAM CLI without Docker: `python -m local.sam local start-api …`.

Routing, layers, environment and events stay SAM's own; what would be a container is a subprocess of `lambda_pool`.
"""

import atexit
import json
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from samcli.cli.main import cli
from samcli.commands.local.cli_common import invoke_context
from samcli.local.apigw import local_apigw_service

from local.lambda_pool import Function, Pool

_SEAMS = [
    (invoke_context, "ContainerManager"),
    (invoke_context.InvokeContext, "lambda_runtime"),
    (local_apigw_service.LocalApigwService, "_should_base64_decode_body"),
]


class _Runtime:
    """What SAM asks of `samcli.local.lambdafn.runtime.LambdaRuntime`."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self._folder = folder

    def invoke(self, config: Any, event: Any, *_: object, stdout: Any = None, **options: Any) -> None:
        payload = event.encode() if isinstance(event, str) else event
        run = partial(self._pool.invoke, config.full_path, partial(self._describe, config), payload)
        if options.get("invocation_type") == "Event":
            threading.Thread(target=run, daemon=True).start()
            return
        result = run()
        answer = result.payload
        if result.is_error:  # SAM knows an error of the function by these keys alone
            error = json.loads(answer)
            known = {key: error[key] for key in ("errorMessage", "errorType", "stackTrace") if key in error}
            answer = json.dumps(known).encode()
        stdout.write_str(answer.decode())
        stdout.flush()

    def _describe(self, config: Any) -> Function:
        variables = config.env_vars.resolve()
        region = variables.get("AWS_REGION", "us-east-1")
        return Function(
            arn=f"arn:aws:lambda:{region}:123456789012:function:{config.name}",
            handler=config.handler,
            code=Path(config.code_abs_path),
            layers=tuple(self._folder / layer.codeuri for layer in config.layers if layer.codeuri),
            variables=variables,
            timeout_s=config.timeout or 3,
        )

    def clean_runtime_containers(self) -> None:
        self._pool.close()

    def clean_running_containers_and_related_resources(self) -> None:
        self._pool.close()


class _NoContainers:
    """SAM asks whether Docker is there before it starts."""

    is_docker_reachable = True

    def __init__(self, *_: object, **__: object) -> None:
        pass


def main() -> None:
    """Run the SAM CLI with our arguments."""
    for owner, name in _SEAMS:
        if not hasattr(owner, name):
            sys.exit(f"{owner.__name__}.{name} is gone: this fits aws-sam-cli 1.170.0")
    pool = Pool(sys.stderr.buffer)
    atexit.register(pool.close)
    invoke_context.ContainerManager = _NoContainers
    runtimes: dict[int, _Runtime] = {}
    invoke_context.InvokeContext.lambda_runtime = property(
        lambda context: runtimes.setdefault(id(context), _Runtime(pool, Path(context.get_cwd())))
    )
    # AWS decodes every answer of an API whose binary type is */*; SAM only when Accept names its type to the letter.
    local_apigw_service.LocalApigwService._should_base64_decode_body = staticmethod(
        lambda binary_types, _request, _headers, is_encoded: is_encoded and "*/*" in binary_types
    )
    cli(prog_name="sam")


if __name__ == "__main__":
    main()
