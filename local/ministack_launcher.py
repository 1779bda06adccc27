"""MiniStack, the local AWS, with what it lacks for us. Runs in an environment of its own: `ministack_launcher.py`.

1. Items of DynamoDB tables are kept in SQLite as they are written: an answered write survives `kill -9`. MiniStack
   alone saves them at a graceful stop.
2. Everything else (tables, functions, APIs, roles) is saved on SIGUSR1: after a deployment.
3. Functions run through AWS's own runtime client in warm subprocesses: errors keep their class.
4. Objects of S3 stay in their files (`ministack_objects.py`).
5. It stops when its standard input ends: it never outlives the process that started it.
"""

import io
import json
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import lambda_pool
import ministack_objects
from ministack import app
from ministack.core import lambda_runtime, persistence
from ministack.services import dynamodb, lambda_svc

_SEAMS = [
    (dynamodb, "_set_item"), (dynamodb, "_remove_item"), (dynamodb, "handle_request"), (dynamodb, "get_state"),
    (dynamodb, "load_persisted_state"), (dynamodb, "_tables"), (lambda_svc, "_execute_function_warm"),
    (lambda_svc, "_resolve_layer_zip"), (lambda_runtime, "execution_credentials"), (persistence, "save_all"),
    (app, "_build_persistence_save_dict"), (app, "main"),
]  # fmt: skip


class Items:
    """The items of all tables, in SQLite: one transaction for each request."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # WAL without a sync at each commit: safe when a process is killed, not when the power fails.
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE IF NOT EXISTS items (arn, pk, sk, item, PRIMARY KEY (arn, pk, sk)) WITHOUT ROWID;"
        )
        self._open = False

    def put(self, table: Any, pk: Any, sk: Any, item: Any) -> None:
        self._begin()
        row = (table["TableArn"], _key(pk), _key(sk), json.dumps(item))
        self._db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)

    def remove(self, table: Any, pk: Any, sk: Any) -> None:
        self._begin()
        row = (table["TableArn"], _key(pk), _key(sk))
        self._db.execute("DELETE FROM items WHERE arn = ? AND pk = ? AND sk = ?", row)

    def commit(self) -> None:
        if self._open:
            self._db.execute("COMMIT")
            self._open = False

    def of_table(self, arn: str) -> list[tuple[Any, Any, Any]]:
        rows = self._db.execute("SELECT pk, sk, item FROM items WHERE arn = ?", (arn,))
        return [(json.loads(pk), json.loads(sk), json.loads(item)) for pk, sk, item in rows]

    def _begin(self) -> None:
        if not self._open:
            self._db.execute("BEGIN")
            self._open = True


def _key(value: Any) -> str:
    return json.dumps(value)


def keep_items(items: Items) -> None:
    """Write every change of an item through to SQLite, and read all of them back at the start."""
    set_item, remove_item, handle = dynamodb._set_item, dynamodb._remove_item, dynamodb.handle_request
    get_state, load_state = dynamodb.get_state, dynamodb.load_persisted_state

    def set_and_keep(table: Any, pk: Any, sk: Any, item: Any) -> Any:
        result = set_item(table, pk, sk, item)
        items.put(table, pk, sk, item)
        return result

    def remove_and_forget(table: Any, pk: Any, sk: Any) -> Any:
        result = remove_item(table, pk, sk)
        items.remove(table, pk, sk)
        return result

    async def handle_and_commit(*arguments: Any) -> Any:
        try:
            return await handle(*arguments)
        finally:
            items.commit()

    def state_without_items() -> Any:
        state = get_state()
        for table in state["tables"].all_values():
            table["items"] = {}
        return state

    def load_with_items(state: Any) -> None:
        load_state(state)
        for table in dynamodb._tables.all_values():
            for pk, sk, item in items.of_table(table["TableArn"]):
                set_item(table, pk, sk, item)

    dynamodb._set_item, dynamodb._remove_item = set_and_keep, remove_and_forget
    dynamodb.handle_request = handle_and_commit
    dynamodb.get_state, dynamodb.load_persisted_state = state_without_items, load_with_items


def run_functions_in(pool: lambda_pool.Pool) -> None:
    """Run functions through the pool instead of MiniStack's own workers."""
    unpacked: dict[str, Path] = {}

    def unpack(key: str, archive: bytes) -> Path:
        if key not in unpacked:
            folder = Path(tempfile.mkdtemp(prefix="lambda-"))
            with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                zipped.extractall(folder)
            unpacked[key] = folder
        return unpacked[key]

    def execute(function: Any, event: Any, _request_id: str) -> dict[str, Any]:
        config = function.get("config") or function
        arn = config["FunctionArn"]
        version = f"{arn} {config.get('CodeSha256')} {config.get('LastModified')}"

        def describe() -> lambda_pool.Function:
            region = arn.split(":")[3]
            layers = [ref if isinstance(ref, str) else ref["Arn"] for ref in config.get("Layers", [])]
            variables = {
                "AWS_REGION": region,
                "AWS_DEFAULT_REGION": region,
                "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
                "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
                "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{config['FunctionName']}",
                "AWS_LAMBDA_LOG_STREAM_NAME": "local",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
                **(config.get("Environment") or {}).get("Variables", {}),
                **lambda_runtime.execution_credentials(config),
            }
            return lambda_pool.Function(
                arn=arn,
                handler=config["Handler"],
                code=unpack(version, function["code_zip"]),
                layers=tuple(unpack(layer, lambda_svc._resolve_layer_zip(layer)) for layer in layers),
                variables=variables,
                timeout_s=config.get("Timeout", 3),
            )

        result = pool.invoke(version, describe, json.dumps(event).encode())
        body = json.loads(result.payload) if result.payload else None
        return {"body": body, "log": "", **({"error": True} if result.is_error else {})}

    lambda_svc._execute_function_warm = execute


def save_on_signal() -> None:
    """Save all services' state on SIGUSR1, and say so in a file beside it."""

    def save(*_: object) -> None:
        persistence.save_all(app._build_persistence_save_dict())
        (Path(os.environ["STATE_DIR"]) / "saved").touch()

    signal.signal(signal.SIGUSR1, save)


def stop_with_parent() -> None:
    """Stop gracefully when standard input ends."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    for module, name in [*_SEAMS, *ministack_objects.SEAMS]:
        if not hasattr(module, name):
            raise SystemExit(f"{module.__name__}.{name} is gone: this launcher fits ministack 1.5.33")
    keep_items(Items(Path(os.environ["STATE_DIR"]) / "items.sqlite"))
    ministack_objects.keep_objects_in_files()
    pool = lambda_pool.Pool(sys.stderr.buffer)
    run_functions_in(pool)
    save_on_signal()
    stop_with_parent()
    try:
        app.main()
    finally:
        pool.close()


if __name__ == "__main__":
    main()
