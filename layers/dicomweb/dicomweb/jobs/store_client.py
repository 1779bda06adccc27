"""The job that stores at a remote server (Orthanc's DicomWebStowClient): each instance once, as it is stored here."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import Job
from dicomweb.archive.rows import InstanceRow
from dicomweb.client.remote import Remote, connect
from dicomweb.client.store import Outgoing, store
from dicomweb.errors import ContentRefused, NotFound, RemoteFailed, RemoteUnavailable
from dicomweb.jobs.states import MOST_NAMED
from dicomweb.jobs.watch import Add, Outcome, Watch
from dicomweb.transactions.remote_servers import find_server
from dicomweb.transactions.resources import find_resource, instances_of_resource

_MB = 1024 * 1024
_AHEAD = 4  # objects read before they are sent


def plan(archive: Archive, job: Job, add: Add) -> dict[str, Any]:
    """Cut the instances of the resources into batches, each a request; what the job shows of them.

    Raises:
        NotFound: one of the resources does not exist.
    """
    resources = [find_resource(archive, name) for name in dict.fromkeys(job.request["Resources"])]
    named: dict[str, list[str]] = {}
    for resource in resources:
        named.setdefault(resource.level, []).append(resource.identifier)
    rows = {row.path: row for resource in resources for row in instances_of_resource(archive, resource)}
    for batch in _batches(archive, iter(rows.values())):
        add(len(batch), {"Instances": [[*row.path, row.object_key, row.size] for row in batch]})
    named["Instances"] = [row.identifier for row in islice(rows.values(), MOST_NAMED)]
    shown = {level: identifiers[:MOST_NAMED] for level, identifiers in sorted(named.items())}
    return {"Resources": shown if rows else None, "Server": job.server, "InstancesCount": str(len(rows))}


def work(archive: Archive, job: Job, batch: dict[str, Any], watch: Watch) -> None:
    """Send what is left of a batch."""
    every = [_Instance(*each) for each in batch["Instances"]]
    left = [each for each in every if each.path not in watch.outcomes]
    try:
        remote = connect(find_server(archive, job.server), archive.settings)
    except (NotFound, RemoteFailed) as error:
        _fail(watch, left, str(error))
        return
    _send(_Sending(archive, job, remote, watch), left)


class _Instance:
    def __init__(self, study: str, series: str, instance: str, key: str, size: int) -> None:
        self.path = (study, series, instance)
        self.key = key
        self.size = size


class _Sending:
    """What a request is made of."""

    def __init__(self, archive: Archive, job: Job, remote: Remote, watch: Watch) -> None:
        self.archive = archive
        self.headers = job.headers
        self.remote = remote
        self.watch = watch

    def outgoing(self, instances: list[_Instance], sent: list[_Instance]) -> Iterator[Outgoing]:
        """The bytes of instances; those that were begun are put into `sent`.

        Raises:
            _Gone: the bytes of one are not there any more.
        """
        may_end_early = self.remote.definition.has("ChunkedTransfers")
        storage = self.archive.storage
        opened = storage.map_ahead(self._open, instances, _AHEAD)
        for instance, content in zip(instances, opened, strict=True):
            if may_end_early and sent and self.watch.should_stop:
                return
            sent.append(instance)
            yield Outgoing(instance.size, self._counted(content))

    def _open(self, instance: _Instance) -> Iterator[bytes]:
        try:
            return self.archive.storage.read_soon(instance.key, instance.size)
        except NotFound as error:
            raise _Gone(instance) from error

    def _counted(self, content: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in content:
            yield chunk
            self.watch.moved(len(chunk))


class _Gone(Exception):
    """An instance was deleted while its job was under way."""

    def __init__(self, instance: _Instance) -> None:
        super().__init__()
        self.instance = instance


def _send(sending: _Sending, left: list[_Instance]) -> None:
    """Send instances, until each has an outcome or the watch is over."""
    watch = sending.watch
    while left and not watch.should_stop:
        sent: list[_Instance] = []
        attempt = watch.attempt
        try:
            sizes = [each.size for each in left]
            verdicts = store(sending.remote, sending.outgoing(left, sent), sizes, sending.headers, watch.left_s)
        except _Gone as error:
            _fail(watch, [error.instance], "it was deleted here while the job was under way")
        except RemoteUnavailable as error:
            if not watch.try_again(error) and not watch.should_stop:
                _fail(watch, left, f"{error} (attempt {attempt})", attempt)
        except ContentRefused as error:
            if len(left) == 1:
                _fail(watch, left, str(error), attempt)
            else:  # one of them may be what it refuses, or there are too many
                middle = len(left) // 2
                _send(sending, left[:middle])
                _send(sending, left[middle:])
        except RemoteFailed as error:
            _fail(watch, left, str(error), attempt)
        else:
            if not sent:
                _fail(watch, left, "the remote server answered before anything was sent", attempt)
            later = []
            for instance in sent:
                verdict = verdicts.of(instance.path[2])
                if verdict.may_succeed_later:
                    later.append(verdict.reason)
                else:
                    watch.record(Outcome(*instance.path, verdict.reason, attempt, warning=verdict.warning))
            if later and not watch.try_again(RemoteUnavailable(later[0])) and not watch.should_stop:
                _fail(watch, [each for each in left if each.path not in watch.outcomes], later[0], attempt)
        left = [each for each in left if each.path not in watch.outcomes]


def _fail(watch: Watch, instances: list[_Instance], reason: str, attempt: int = 1) -> None:
    watch.record(*(Outcome(*each.path, reason, attempt) for each in instances))


def _batches(archive: Archive, rows: Iterator[InstanceRow]) -> Iterator[list[InstanceRow]]:
    """In order, as many as one request may have; a larger instance alone."""
    section = archive.settings.DicomWeb
    most, most_bytes = section.StowMaxInstances, section.StowMaxSize * _MB
    batch: list[InstanceRow] = []
    size = 0
    for row in rows:
        if batch and ((most and len(batch) == most) or (most_bytes and size + row.size > most_bytes)):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += row.size
    if batch:
        yield batch
