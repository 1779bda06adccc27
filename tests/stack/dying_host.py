"""The ASGI host, killed with SIGKILL at one of its writes: `python -m tests.stack.dying_host PORT WRITE before|after`."""

import itertools
import os
import signal
import sys
from typing import Any

import uvicorn
from botocore.httpsession import URLLib3Session


def die_at(write: int, when: str) -> None:
    """Let the process be killed before or after its n-th call of AWS that writes."""
    send, numbers = URLLib3Session.send, itertools.count(1)

    def send_or_die(session: Any, request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
        writes = (
            operation in ("TransactWriteItems", "PutItem", "DeleteItem")
            if operation
            else request.method not in ("GET", "HEAD")
        )
        is_last = writes and next(numbers) == write
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(session, request)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    URLLib3Session.send = send_or_die  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    die_at(int(sys.argv[2]), sys.argv[3])
    from dicomweb.api.asgi import make_app

    uvicorn.run(make_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
