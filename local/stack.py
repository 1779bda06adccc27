"""The deployed shape on this machine: MiniStack as AWS, `template.yaml` built and deployed into it by the SAM CLI."""

import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx

from dicomweb.identity import ADMIN
from dicomweb.passwords import hash_password

ROOT = Path(__file__).parent.parent
BUILT = ROOT / ".aws-sam"
STACK = "dicomweb"
REGION = "us-east-1"
LOOPBACK = "127.0.0.0/8,::1/128"  # where remote servers may be, as for the functions
_SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers")
_RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_OVERRIDES = ["--parameter-overrides", f"Stage=local LambdaRuntime={_RUNTIME}"]
_START_S, _STOP_S, _BUILD_S = 60, 20, 300


class StackError(Exception):
    """The local AWS did not start, or the stack could not be built or deployed; the message says why."""


@dataclass(frozen=True)
class Outputs:
    """What the deployed stack is made of."""

    bucket: str
    table: str
    api: str
    jobs: dict[str, str]

    def variables(self) -> dict[str, str]:
        """The settings of a host in front of it."""
        return {
            "DICOMWEB_BUCKET": self.bucket,
            "DICOMWEB_TABLE": self.table,
            "DICOMWEB_SECRETS_PREFIX": f"{STACK}/",
            "DICOMWEB_ALLOWED_NETWORKS": LOOPBACK,
            **self.jobs,
        }


def fingerprint() -> str:
    """A digest of all that is built and deployed."""
    digest = hashlib.sha256(_RUNTIME.encode())
    for source in _SOURCES:
        path = ROOT / source
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def build() -> None:
    """`sam build` for the Python of this environment, unless it is built already."""
    BUILT.mkdir(exist_ok=True)
    with _lock(BUILT, "is being built by another process", _BUILD_S):
        _build(BUILT / "fingerprint", fingerprint())


def _build(mark: Path, wanted: str) -> None:
    if mark.exists() and mark.read_text() == wanted:
        return
    mark.unlink(missing_ok=True)
    variables = {"LAMBDA_PYTHON": _RUNTIME, "UV": str(Path(sys.executable).parent / "uv")}
    _sam(["build", "--config-env", "local", *_OVERRIDES], variables)
    mark.write_text(wanted)


class LocalAws:
    """A MiniStack and its data."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def variables(self) -> dict[str, str]:
        """The environment in which AWS's tools talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def outputs(self) -> Outputs:
        """The names that the deployed stack was given."""
        found = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        values = {output["OutputKey"]: output["OutputValue"] for output in found}
        return Outputs(
            values["BucketName"],
            values["TableName"],
            f"{self.url}/restapis/{values['ApiId']}/v1/_user_request_",
            {f"DICOMWEB_{kind}_JOB": values[f"{kind.title()}JobArn"] for kind in ("STORE", "RETRIEVE", "DELETE")},
        )

    def let_in(self, name: str, password: str) -> None:
        """Make a user of the deployed API who may do everything."""
        item = {
            "password": {"S": hash_password(password)},
            "roles": {"L": [{"S": ADMIN}]},
            "labels": {"L": [{"S": "*"}]},
        }
        self._client("dynamodb").put_item(
            TableName=self.outputs().table, Item={"pk": {"S": "USERS"}, "sk": {"S": name}, **item}
        )

    def _client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


class OwnAws(LocalAws):
    """A MiniStack that this process started."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes], port: int) -> None:
        super().__init__(data, port)
        self.process = process

    def deploy(self) -> None:
        """`sam deploy`, unless this data folder has the same stack deployed already."""
        mark = self.data / "deployed"
        wanted = fingerprint()
        if mark.exists() and mark.read_text() == wanted:
            return
        build()
        _sam(["deploy", "--config-env", "local", "--region", REGION, *_OVERRIDES], self.variables())
        self._save()
        mark.write_text(wanted)

    def stop(self) -> None:
        """Stop gracefully: its standard input ends."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _save(self) -> None:
        saved = self.data / "aws" / "saved"
        saved.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + _START_S
        while not saved.exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise StackError("MiniStack did not save its state")
            time.sleep(0.05)


@contextmanager
def local_aws(data: Path, *, enforce_iam: bool = False) -> Iterator[OwnAws]:
    """MiniStack on a free port of 127.0.0.1, its state in `data`.

    Raises:
        StackError: the data are in use by another process, or MiniStack does not start.
    """
    data.mkdir(parents=True, exist_ok=True)
    with _lock(data, "is in use by another `make run`; stop it, or give another DATA_DIR", _STOP_S) as lock:
        aws = _start(data, lock, enforce_iam)
        try:
            yield aws
        finally:
            aws.stop()


@contextmanager
def _lock(folder: Path, otherwise: str, wait_s: float) -> Iterator[int]:
    """A folder for one process at a time; it may pass the lock on: then it is free when that process has ended too."""
    with (folder / "lock").open("a") as file:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StackError(f"{folder} {otherwise}") from None
                time.sleep(0.2)
        yield file.fileno()


def _start(data: Path, lock: int, enforce_iam: bool) -> OwnAws:
    port = free_port()
    state = (data / "aws").resolve()
    state.mkdir(exist_ok=True)
    variables = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AUTH": "true" if enforce_iam else "false",
        # `sam deploy` and the tests sign as this root user.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    with (data / "aws.log").open("ab") as log:
        process = subprocess.Popen(
            [ROOT / ".venv/ministack/bin/python", ROOT / "local/ministack_launcher.py"],
            env={**_inherited(), **variables},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C goes to us alone; we stop it in our own order
            pass_fds=(lock,),
        )
    aws = OwnAws(data, process, port)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StackError(f"MiniStack ended with {process.returncode}; see {data / 'aws.log'}")
        try:
            httpx.get(f"{aws.url}/_ministack/health", timeout=2)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            (data / "port").write_text(str(port))
            return aws
    process.kill()
    raise StackError(f"MiniStack did not answer within {_START_S} s; see {data / 'aws.log'}")


def running_aws(data: Path) -> LocalAws | None:
    """The MiniStack that another process runs on these data, None when there is none."""
    try:
        aws = LocalAws(data, int((data / "port").read_text()))
        httpx.get(f"{aws.url}/_ministack/health", timeout=2)
    except (OSError, ValueError, httpx.TransportError):
        return None
    return aws


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _inherited() -> dict[str, str]:
    """Our environment without the settings of this project and of somebody's AWS account."""
    ours = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "UV_CACHE_DIR", "XDG_CACHE_HOME")
    return {name: value for name, value in os.environ.items() if name in ours or name.startswith(("PIP_", "UV_"))}


def _sam(arguments: list[str], variables: Mapping[str, str]) -> None:
    bin_ = Path(sys.executable).parent
    done = subprocess.run(
        [bin_ / "sam", *arguments],
        cwd=ROOT,
        env={**_inherited(), "SAM_CLI_TELEMETRY": "0", **variables, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"sam {arguments[0]} failed:\n{done.stdout[-4000:]}")


if __name__ == "__main__":
    try:
        build()
    except StackError as error:
        sys.exit(str(error))
    print(f"built into {BUILT.relative_to(ROOT)}")
