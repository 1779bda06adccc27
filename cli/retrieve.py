"""Retrieve into a folder: what is missing there, until all that the server promises has arrived (PS3.18 §10.4)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import httpx

from cli.errors import InvalidArgument, Refused, Stopped
from cli.folder import Folder, Instance
from cli.outcomes import MB
from cli.progress import Bar, count_bar
from cli.service import StudiesService, fault_of
from dicomweb.dicom.json_model import text_of
from dicomweb.dicom.media_types import DICOM, MULTIPART
from dicomweb.dicom.media_types import parse as parse_media_type
from dicomweb.dicom.multipart import read_parts
from dicomweb.dicom.part10 import INSTANCE, SERIES
from dicomweb.dicom.readable_values import printable
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidBody

_CHUNK = 256 * 1024  # bytes
_NOT_LET_IN = frozenset({401, 403})
_LEVELS = ("studies", "series", "instances")


@dataclass(frozen=True)
class Plan:
    """What is wanted: (study[, series[, instance]]), and where it goes.

    Attributes:
        overwrite: also what is in the folder already.
    """

    uids: tuple[str, ...]
    folder: Path
    transfer_syntax: str = "*"
    parallel: int = 4
    overwrite: bool = False


@dataclass
class Result:
    """Attributes: missing: what the server promised and did not give; faults: what was said about it."""

    retrieved: int = 0
    already_there: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    missing: list[Instance] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_interrupted: bool = False

    def lines(self) -> Iterator[str]:
        """The summary for people."""
        if not self.is_interrupted:
            yield from (f"missing: {each.path}" for each in self.missing)
            yield from dict.fromkeys(self.faults)
        yield f"{self.retrieved} retrieved, {self.already_there} already there, {len(self.missing)} missing"
        rate = self.bytes_written / MB / self.seconds if self.seconds else 0
        yield f"{self.bytes_written / MB:.1f} MB in {self.seconds:.1f} s, {rate:.1f} MB/s"
        if self.is_interrupted:
            yield "interrupted: the same command goes on with what is missing"


def parse(resource: str) -> tuple[str, ...]:
    """STUDY[/SERIES[/INSTANCE]].

    Raises:
        InvalidArgument
    """
    uids = tuple(resource.strip("/").split("/"))
    if len(uids) > len(_LEVELS) or not all(map(is_uid, uids)):
        raise InvalidArgument(f"{resource!r}: expected STUDY[/SERIES[/INSTANCE]], each a UID of digits and dots")
    return uids


def retrieve(service: StudiesService, plan: Plan) -> Result:
    """Raises Unreachable, Refused, InvalidArgument, CannotWrite."""
    if plan.transfer_syntax != "*" and not is_uid(plan.transfer_syntax):
        raise InvalidArgument(f"--transfer-syntax {plan.transfer_syntax!r}: expected a UID, or *")
    started = time.monotonic()
    promised = _promised(service, plan.uids)
    folder, result = Folder(plan.folder), Result()
    missing = promised if plan.overwrite else [each for each in promised if not folder.has(each)]
    result.already_there = len(promised) - len(missing)
    try:
        with count_bar("Retrieving", len(missing)) as bar:
            _Fetching(service, plan, folder, result, bar).fetch(promised, missing)
    except KeyboardInterrupt:
        result.is_interrupted = True
    result.seconds = time.monotonic() - started
    return result


def _promised(service: StudiesService, uids: tuple[str, ...]) -> list[Instance]:
    """What a search finds of a resource."""
    study, *below = uids
    parameters = list(zip(("SeriesInstanceUID", "SOPInstanceUID"), below, strict=False))
    fields = [("includefield", "SeriesInstanceUID"), ("includefield", "SOPInstanceUID")]
    found = []
    for page in service.search(f"studies/{study}/instances", parameters + fields):
        for row in page.rows:
            instance = Instance(study, text_of(row, SERIES), text_of(row, INSTANCE))
            # They become names of files: nothing but a UID may.
            if not is_uid(instance.series) or not is_uid(instance.instance):
                raise Refused(f"{service.url}: a row of the search lacks a UID, or has one that is none", 200)
            found.append(instance)
    if not found:
        raise Refused(f"{service.url} has no {_path(uids)}", 404)
    return list(dict.fromkeys(found))


def _path(uids: tuple[str, ...]) -> str:
    return "/".join(f"{level}/{uid}" for level, uid in zip(_LEVELS, uids, strict=False))


class _Fetching:
    """Fetches until nothing is missing, or nothing more comes."""

    def __init__(self, service: StudiesService, plan: Plan, folder: Folder, result: Result, bar: Bar) -> None:
        self._service = service
        self._plan = plan
        self._folder = folder
        self._result = result
        self._bar = bar
        self._arrived: set[Instance] = set()
        self._refused: set[Instance] = set()
        self._lock = threading.Lock()

    def fetch(self, promised: list[Instance], missing: list[Instance]) -> None:
        """Raises CannotWrite, Refused, KeyboardInterrupt."""
        retries = self._service.retries
        resources = _resources(promised, missing)
        for attempt in range(1, retries.attempts + 1):
            self._result.missing = missing
            try:
                self._fetch_all(resources)
            finally:
                self._result.missing = [each for each in missing if each not in self._arrived]
            left = [each for each in self._result.missing if each not in self._refused]
            if not left:
                return
            if attempt < retries.attempts:
                self._result.faults = []
                # What a broken answer left out is asked for by itself.
                resources = [(each.study, each.series, each.instance) for each in left]
                retries.pause(attempt)

    def _fetch_all(self, resources: list[tuple[str, ...]]) -> None:
        with ThreadPoolExecutor(self._plan.parallel) as pool:
            futures = [pool.submit(self._fetch_one, uids) for uids in resources]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._service.retries.stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch_one(self, uids: tuple[str, ...]) -> None:
        try:
            self._receive(uids)
        except Refused as error:
            if error.status in _NOT_LET_IN:
                raise
            given_up = {
                each for each in self._result.missing if (each.study, each.series, each.instance)[: len(uids)] == uids
            }
            with self._lock:
                self._refused |= given_up
            self._result.faults.append(str(error))
        except (httpx.TransportError, InvalidBody) as error:
            self._result.faults.append(f"{_path(uids)}: the answer broke off: {fault_of(error)}")

    def _receive(self, uids: tuple[str, ...]) -> None:
        accept = f'{MULTIPART}; type="{DICOM}"; transfer-syntax={self._plan.transfer_syntax}'
        with self._service.get(_path(uids), accept) as response, self._folder.incoming() as opened:
            self._result.faults += [printable(text) for text in response.headers.get_list("warning")]
            media_type = parse_media_type(response.headers.get("content-type", ""))
            if media_type.name != MULTIPART:
                raise InvalidBody(f"Content-Type is {media_type.name!r}; expected {MULTIPART}")
            boundary = media_type.parameters.get("boundary", "")
            for part in read_parts(self._chunks(response), boundary, lambda: self._folder.open(opened)):
                if part.fault:
                    self._result.faults.append(f"{_path(uids)}: {part.fault}")
                elif instance := self._folder.take(part.content, uids[0]):
                    self._note(instance, part.content.size)
                else:
                    self._result.faults.append(f"{_path(uids)}: a part is no DICOM file of this study")
                part.content.discard()
                opened.clear()

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        for chunk in response.iter_bytes(_CHUNK):
            if self._service.retries.stop.is_set():
                raise Stopped
            yield chunk

    def _note(self, instance: Instance, size: int) -> None:
        with self._lock:
            if instance not in self._arrived:
                self._bar.advance(1)
            self._arrived.add(instance)
            self._result.retrieved = len(self._arrived)
            self._result.bytes_written += size


def _resources(promised: list[Instance], missing: list[Instance]) -> list[tuple[str, ...]]:
    """A series of which all is missing is one request; other instances are one each."""
    whole = {series: len(list(group)) for series, group in groupby(sorted(promised), lambda each: each.series)}
    resources: list[tuple[str, ...]] = []
    for series, group in groupby(sorted(missing), lambda each: each.series):
        instances = list(group)
        if len(instances) == whole[series] > 1:
            resources.append((instances[0].study, series))
        else:
            resources += [(each.study, each.series, each.instance) for each in instances]
    return resources
