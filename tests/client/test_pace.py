"""A remote server that sends too slowly to ever be done."""

import time
from typing import Any

import httpcore
import pytest

from dicomweb.client.pace import Paced


class Slow(httpcore.NetworkStream):
    """A byte a read; a clock that each read moves."""

    def __init__(self, clock: list[float], step_s: float, size: int = 1) -> None:
        self._clock, self._step_s, self._size = clock, step_s, size

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._clock[0] += self._step_s
        return b"x" * self._size

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_byte_now_and_then_ends_after_a_minute(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 10))
    for _ in range(7):
        stream.read(100)
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(100)
    assert clock[0] == 80  # ten for the first byte, which nobody counts


def test_a_first_byte_may_take_its_time(clock: list[float]) -> None:
    Paced(Slow(clock, 500)).read(100)


def test_a_slow_line_that_moves_is_waited_for(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 1, size=2000))
    for _ in range(500):
        stream.read(4000)


def test_each_exchange_begins_anew(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 10))
    for _ in range(5):
        stream.write(b"again")
        for _ in range(5):
            stream.read(100)


def test_what_the_reader_does_in_between_does_not_count(clock: list[float]) -> None:
    stream: Any = Paced(Slow(clock, 0.001))
    for _ in range(10):
        stream.read(100)
        clock[0] += 100
