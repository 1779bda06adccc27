"""When a request is sent again, and how long after (RFC 9110 §10.2.3, §15.6; RFC 6585 §4)."""

import random
import threading
from dataclasses import dataclass, field

import httpx

from cli.errors import Stopped

# Too Many Requests, Bad Gateway, Service Unavailable, Gateway Timeout: the same request may succeed later.
RETRIED = frozenset({429, 502, 503, 504})
_LONGEST_S = 60


@dataclass(frozen=True)
class Retries:
    """How often a request is sent at most, and the pauses between: each twice as long as the one before.

    Attributes:
        stop: set when the user ends the command; then nothing is waited for.
    """

    attempts: int = 6
    first_s: float = 0.5
    stop: threading.Event = field(default_factory=threading.Event)

    def pause(self, attempt: int, response: httpx.Response | None = None) -> None:
        """Wait after an attempt, counted from 1, as long as the server asks for.

        Raises:
            Stopped: the user ended the command.
        """
        asked = response.headers.get("retry-after", "") if response else ""
        # Clients that were refused together should not come back together.
        seconds = self.first_s * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 — no secret
        if asked.isascii() and asked.isdecimal():
            seconds = float(asked[:6])
        if self.stop.wait(min(seconds, _LONGEST_S)):
            raise Stopped
