"""A remote server that sends, or takes, too slowly to ever be done."""

import time

import httpcore
import pytest

from dicomweb.client.pace import Paced

TIMEOUT_S = 60


class Slow(httpcore.NetworkStream):
    """So many bytes a read, and a clock that each read and each write moves."""

    def __init__(self, clock: list[float], step_s: float, size: int = 1) -> None:
        self._clock, self._step_s, self._size = clock, step_s, size

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._clock[0] += self._step_s
        return b"x" * self._size

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._clock[0] += self._step_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def read(stream: Paced, times: int, timeout_s: float = TIMEOUT_S) -> None:
    for _ in range(times):
        stream.read(4000, timeout_s)


@pytest.mark.parametrize(("timeout_s", "ends_s"), [(60, 80), (20, 40)])
def test_a_byte_now_and_then_ends_with_the_timeout(clock: list[float], timeout_s: float, ends_s: float) -> None:
    stream = Paced(Slow(clock, 10))
    with pytest.raises(httpcore.ReadTimeout):
        read(stream, 100, timeout_s)
    assert clock[0] == ends_s  # ten for the first byte, which nobody counts


def test_a_first_byte_may_take_its_time(clock: list[float]) -> None:
    read(Paced(Slow(clock, 500)), 1)


def test_a_slow_line_that_moves_is_waited_for(clock: list[float]) -> None:
    read(Paced(Slow(clock, 1, size=2000)), 500)


def test_each_exchange_begins_anew(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 10))
    for _ in range(5):
        stream.write(b"again", TIMEOUT_S)
        read(stream, 5)


def test_what_is_done_in_between_does_not_count(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 0.001))
    for _ in range(10):
        stream.write(b"x", TIMEOUT_S)
        clock[0] += 100
    for _ in range(10):
        read(stream, 1)
        clock[0] += 100


def test_who_takes_a_few_bytes_now_and_then_is_given_up(clock: list[float]) -> None:
    stream = Paced(Slow(clock, 30))
    with pytest.raises(httpcore.WriteTimeout):
        stream.write(bytes(10_000_000), TIMEOUT_S)
    assert clock[0] == 90


def test_who_takes_bytes_as_a_slow_line_does_is_waited_for(clock: list[float]) -> None:
    Paced(Slow(clock, 1)).write(bytes(10_000_000), TIMEOUT_S)
