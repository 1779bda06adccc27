"""The record of who did what, in a log group of its own (CloudWatch Logs)."""

import json
import threading
import time
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive.aws_client import connect_service


class AuditLog:
    """A log group, and a stream of it for this process."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._client = connect_service("logs")
        self._stream = ""
        self._lock = threading.Lock()

    def write(self, record: dict[str, Any]) -> str:
        """Add a record; what went wrong, "" for nothing. Answers do not depend on it, and an alarm sees it."""
        event = {"timestamp": int(time.time() * 1000), "message": json.dumps(record)}
        try:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._begun_stream(), logEvents=[event])
        except (ClientError, BotoCoreError) as error:
            return type(error).__name__
        return ""

    def _begun_stream(self) -> str:
        with self._lock:
            if not self._stream:
                name = f"{time.strftime('%Y/%m/%d')}/{uuid.uuid4().hex}"
                self._client.create_log_stream(logGroupName=self._group, logStreamName=name)
                self._stream = name
            return self._stream
