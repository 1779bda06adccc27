"""The job that retrieves from a remote server (Orthanc's DicomWebWadoRetrieveClient) and stores, as by any door."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import Job
from dicomweb.client.paths import path_of
from dicomweb.client.remote import Answer, Remote, connect
from dicomweb.client.search import instances_of
from dicomweb.dicom.media_types import DICOM, MULTIPART, parse
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.store_response import OUT_OF_RESOURCES, Failed, Stored
from dicomweb.errors import InvalidBody, NotFound, NotFoundThere, RemoteFailed, RemoteUnavailable
from dicomweb.jobs.watch import Add, Outcome, Watch
from dicomweb.transactions.received import parts_of
from dicomweb.transactions.remote_servers import find_server
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

_MOST = 500  # instances that are asked for by one request; more are asked for one by one, by several workers
_ONE_BY_ONE = 100  # of those, in a batch
_MOST_IN_VAIN = 5  # instances in a row for which nobody answers, before the rest is not asked for
_OF_FILES = (MULTIPART, DICOM, "application/zip", "application/octet-stream", "")
_ANY, _STANDARD = f'{MULTIPART}; type="{DICOM}"; transfer-syntax=*', f'{MULTIPART}; type="{DICOM}"'


def plan(archive: Archive, job: Job, add: Add) -> dict[str, Any]:
    """Ask the server what it has of the resources, and cut that into batches; what the job shows of them.

    Raises:
        RemoteUnavailable: it does not answer now.
    """
    remote = connect(find_server(archive, job.server), archive.settings)
    if uri := job.request.get("Uri"):
        add(0, {"Path": uri, "Study": "", "Instances": [], "IsWhole": False})
    for path in dict.fromkeys(map(_path_of, job.request.get("Resources", ()))):
        for batch in _batches(remote, path, job.headers):
            add(len(batch["Instances"]), batch)
    return {"Server": job.server}


def work(archive: Archive, job: Job, batch: dict[str, Any], watch: Watch) -> None:
    """Retrieve what is left of a batch: the whole resource at first, then what did not come with it, one by one."""
    study = batch["Study"]
    expected = [(study, series, instance) for series, instance in batch["Instances"]]
    try:
        remote = connect(find_server(archive, job.server), archive.settings)
    except (NotFound, RemoteFailed) as error:
        watch.record(*(Outcome(*path, reason=str(error)) for path in expected or [(study, "", "")]))
        return
    retrieving = _Retrieving(archive, job, remote, watch)
    if not batch["IsWhole"]:
        retrieving.resource(batch["Path"], study)
    elif batch["Path"] and not watch.outcomes:
        retrieving.once(batch["Path"], study)
    for path in expected:
        if path not in watch.outcomes and not watch.should_stop:
            retrieving.instance(path)


class _Retrieving:
    def __init__(self, archive: Archive, job: Job, remote: Remote, watch: Watch) -> None:
        self._archive = archive
        self._remote = remote
        self._arguments: dict[str, str] = job.request.get("Arguments", {})
        self._headers = dict(job.headers)
        self._watch = watch
        self._in_vain = 0
        if "accept" not in map(str.lower, self._headers):
            universal = remote.definition.has("HasWadoRsUniversalTransferSyntax")
            self._headers["Accept"] = _ANY if universal else _STANDARD

    def once(self, path: str, study: str) -> None:
        """Retrieve a resource whose instances are known: what does not come is asked for again, one by one."""
        try:
            self._fetch(path, study)
        except RemoteUnavailable as error:
            self._watch.try_again(error)
        except RemoteFailed:
            pass  # each instance is told why

    def instance(self, path: tuple[str, str, str]) -> None:
        """Retrieve one instance, and say what became of it."""
        if self._in_vain == _MOST_IN_VAIN:
            self._watch.record(Outcome(*path, "the server does not answer: this one was not asked for", 0))
        while path not in self._watch.outcomes and not self._watch.should_stop:
            attempt = self._watch.attempt
            try:
                reason = self._fetch(path_of(*path), path[0])
                self._in_vain = 0
            except NotFoundThere:
                reason = "the server has it no more"
            except RemoteUnavailable as error:
                if self._watch.try_again(error) or self._watch.should_stop:
                    continue
                reason = f"{error} (attempt {attempt})"
                self._in_vain += 1
            except RemoteFailed as error:
                reason = str(error)
            if path not in self._watch.outcomes:
                reason = reason or "the server answered with another instance"
                self._watch.record(Outcome(*path, reason, attempt))

    def resource(self, path: str, study: str) -> None:
        """Retrieve a resource of which the server alone knows what is in it; it may be asked for as a whole again."""
        itself = (study, "", "")
        while itself not in self._watch.outcomes and not self._watch.should_stop:
            attempt = self._watch.attempt
            try:
                reason = self._fetch(path, study)
            except RemoteUnavailable as error:
                if self._watch.try_again(error) or self._watch.should_stop:
                    continue
                reason = f"{error} (attempt {attempt})"
            except RemoteFailed as error:
                reason = str(error)
            if not reason:
                return
            self._watch.record(Outcome(*itself, reason, attempt))

    def _fetch(self, path: str, study: str) -> str:
        """Retrieve and store, and record what is stored; why something of it has no name, "" for nothing.

        Raises:
            RemoteUnavailable: the answer broke off, or what came could not be stored now.
            RemoteFailed: the server does not answer with files.
        """
        attempt = self._watch.attempt
        with self._remote.exchange(
            "GET", path, arguments=self._arguments, headers=self._headers, within_s=self._watch.left_s
        ) as answer:
            answer.expect_success()
            content_type = answer.header("content-type")
            if (media_type := parse(content_type).name) not in _OF_FILES:
                raise RemoteFailed(
                    f"the remote server answered with {media_type[:64]}; expected multipart/related of {DICOM}"
                )
            torn: list[str] = []
            try:
                outcomes = store_instances(self._archive, self._parts(answer, content_type, torn), study)
            except InvalidBody as error:
                if answer.fault:
                    raise answer.fault from error
                raise RemoteFailed(f"the answer: {error}") from error
        stored = [each for each in outcomes if isinstance(each, Stored)]
        failed = [each for each in outcomes if isinstance(each, Failed)]
        self._watch.record(
            *(Outcome(each.study, each.series, each.instance, "", attempt, each.identifier) for each in stored)
        )
        if answer.fault:
            raise answer.fault
        if torn:
            raise RemoteUnavailable(f"a part of the answer is not whole: {torn[0]}")
        if any(each.reason == OUT_OF_RESOURCES for each in failed):
            raise RemoteUnavailable("not all could be stored here now")
        if self._watch.should_stop:
            return ""
        if failed:
            return f"not stored: {failed[0].comment}"
        return "" if stored else "the answer has no instance in it"

    def _parts(self, answer: Answer, content_type: str, torn: list[str]) -> Iterator[Part[Upload]]:
        """The files of an answer; those that are not whole are told in `torn`, and are not to be stored."""
        for part in parts_of(content_type, self._counted(answer), [], lambda: str(answer.fault or "")):
            if part.fault:
                torn.append(part.fault)
            yield part
            if self._watch.should_stop:
                return

    def _counted(self, answer: Answer) -> Iterator[bytes]:
        for chunk in answer.chunks():
            self._watch.moved(len(chunk))
            yield chunk


def _batches(remote: Remote, path: tuple[str, ...], headers: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A study as one request, its series when it is large, its instances when they are; as it is when nobody knows."""
    study = path[0]
    if len(path) == 3:
        yield {"Path": "", "Study": study, "Instances": [path[1:]], "IsWhole": True}
        return
    known, is_whole = instances_of(remote, path, _without_accept(headers))
    if len(known) <= _MOST or not is_whole:
        yield {"Path": path_of(*path), "Study": study, "Instances": known, "IsWhole": is_whole and bool(known)}
        return
    for series, members in groupby(sorted(known), lambda each: each[0]):
        of_series = list(members)
        if len(of_series) <= _MOST:
            yield {"Path": path_of(study, series), "Study": study, "Instances": of_series, "IsWhole": True}
            continue
        for start in range(0, len(of_series), _ONE_BY_ONE):
            instances = of_series[start : start + _ONE_BY_ONE]
            yield {"Path": "", "Study": study, "Instances": instances, "IsWhole": True}


def _path_of(resource: dict[str, str]) -> tuple[str, ...]:
    return tuple(resource[level] for level in ("Study", "Series", "Instance") if resource.get(level))


def _without_accept(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "accept"}
