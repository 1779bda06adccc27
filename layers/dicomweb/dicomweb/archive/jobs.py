"""Jobs: what is shown of each, how far each of its batches is, and what became of every instance.

A job is one item, written where its version is still the one that was read. A batch belongs to one worker at a time, by
a lease that ends when the worker says nothing any more.
"""

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dicomweb.archive import keys
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Item, Table, attempts
from dicomweb.errors import NotFound

PENDING, RUNNING, PAUSED, SUCCESS, FAILURE = "Pending", "Running", "Paused", "Success", "Failure"
LEASE_S = 45  # seconds that a worker keeps a batch without a word
_INLINE = 100_000  # bytes of a request that stay in the item

Error = tuple[int, str, str]
"""Code, description and details, as in Orthanc."""

NO_ERROR: Error = (0, "Success", "")


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        type: as Orthanc names it.
        request: what it was asked for.
        headers: what is sent to the server beside what its definition says; kept nowhere but in `secret`.
        secret: the name of the secret that has them, "" for none.
        attempt: changes with each start; who works for another one stops.
        execution: the ARN of its execution, "" where the host itself works on it.
        batches: how many; None until it is planned.
        created_s, started_s, changed_s, completed_s: seconds since 1970; 0 for not yet.
        runtime_s: seconds it ran before its last start.
        content: what it came to, for who asks: counts, and the resources it names.
    """

    job: str
    type: str
    request: dict[str, Any]
    server: str = ""
    priority: int = 0
    state: str = PENDING
    attempt: int = 1
    execution: str = ""
    batches: int | None = None
    created_s: float = 0
    started_s: float = 0
    changed_s: float = 0
    completed_s: float = 0
    runtime_s: float = 0
    error: Error = NO_ERROR
    content: dict[str, Any] = field(default_factory=dict)
    secret: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.state in (SUCCESS, FAILURE)

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is to work on it."""
        return self.state in (PENDING, RUNNING)


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch is.

    Attributes:
        total: instances in it; 0 where the remote server alone knows.
        succeeded, failed: how many of them are done.
        sent_bytes: over the network, either way.
        retries: how often something was tried again.
        owner, lease_s: who works on it, and until when it is theirs.
    """

    number: int
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    sent_bytes: int = 0
    retries: int = 0
    is_done: bool = False
    owner: str = ""
    lease_s: float = 0


class JobTable:
    """The jobs of one archive."""

    def __init__(self, table: Table, storage: Storage, keep_s: int) -> None:
        self._table = table
        self._storage = storage
        self._keep_s = keep_s

    def create(self, job: Job) -> Job:
        """Keep a new job."""
        job = replace(job, created_s=time.time(), changed_s=time.time())
        if len(request := json.dumps(job.request)) > _INLINE:
            self._storage.write(keys.job_object(job.job, "request"), request.encode(), "application/json")
        self._table.put_now(self._item(job))
        return job

    def find(self, job: str) -> Job:
        """Raises NotFound."""
        item = self._table.get(keys.job_key(job)) if _is_job(job) else None
        if item is None or item["expires"] < time.time():
            raise NotFound(f"no job {job[:64]}")
        return self._job(item)

    def is_wanted(self, job: str, attempt: int) -> bool:
        """Whether who works on a job for this start of it is to go on."""
        item = self._table.get(keys.job_key(job))
        document = json.loads(item["job"]) if item else {}
        return (document.get("state"), document.get("attempt")) == (RUNNING, attempt)

    def all(self) -> Iterator[Job]:
        """All of them, newest first."""
        return (self._job(item) for item in self._table.query(keys.JOBS, forward=False))

    def change(self, job: str, change: Callable[[Job], Job | None]) -> Job:
        """Write what a job becomes; None for no change. It is asked again when somebody else was faster.

        Raises:
            NotFound: no such job.
            ArchiveBusy: somebody else always was.
        """
        for _ in attempts(f"others kept changing job {job}; try again"):
            item = self._table.get(keys.job_key(job))
            if item is None:
                raise NotFound(f"no job {job[:64]}")
            found = self._job(item)
            if (changed := change(found)) is None:
                return found
            changed = replace(changed, changed_s=time.time())
            if self._table.put_if(self._item(changed), "version = :version", {":version": item["version"]}):
                return changed
        raise AssertionError  # attempts ends with an error

    def remove(self, job: str) -> None:
        """Forget a job and all that it came to."""
        for item in list(self._table.query(keys.batch_partition(job))):
            self._table.delete_now((item["pk"], item["sk"]))
        if objects := [each.key for each in self._storage.objects(f"jobs/{job}/")]:
            self._storage.delete(objects)
        self._table.delete_now(keys.job_key(job))

    # Batches

    def plan(self, job: str, number: int, total: int, work: dict[str, Any], retries: int) -> Batch:
        """Keep what a batch is to do."""
        self._storage.write(keys.job_object(job, "batches", number), json.dumps(work).encode(), "application/json")
        batch = Batch(number, total, retries=retries)
        self._table.put_now(self._batch_item(job, batch))
        return batch

    def work_of(self, job: str, number: int) -> dict[str, Any]:
        """What a batch is to do."""
        work: dict[str, Any] = json.loads(self._storage.read_bytes(keys.job_object(job, "batches", number)))
        return work

    def batches(self, job: str) -> list[Batch]:
        """All of a job."""
        return [_batch(item) for item in self._table.query(keys.batch_partition(job))]

    def claim(self, job: str, number: int, owner: str) -> Batch | None:
        """The batch, which is the caller's for LEASE_S seconds; None when it is somebody else's."""
        item = self._table.get(keys.batch_key(job, number))
        if item is None:
            raise NotFound(f"job {job} has no batch {number}")
        return self.keep(job, replace(_batch(item), owner=owner))

    def keep(self, job: str, batch: Batch, lease_s: int = LEASE_S) -> Batch | None:
        """Write how far a batch is; the caller has it for so many seconds more. None when it is somebody else's."""
        now = time.time()
        kept = replace(batch, lease_s=now + lease_s if lease_s else 0)
        mine = {":owner": batch.owner, ":now": int(now)}
        is_mine = self._table.put_if(self._batch_item(job, kept), "lease < :now OR worker = :owner", mine)
        return kept if is_mine else None

    def write_outcomes(self, job: str, number: int, outcomes: list[dict[str, Any]]) -> None:
        """Keep what became of the instances of a batch."""
        self._storage.write(keys.job_object(job, "outcomes", number), json.dumps(outcomes).encode(), "application/json")

    def outcomes(self, job: str, number: int) -> list[dict[str, Any]]:
        """What became of the instances of a batch, as far as it is."""
        try:
            found: list[dict[str, Any]] = json.loads(self._storage.read_bytes(keys.job_object(job, "outcomes", number)))
        except NotFound:
            return []
        return found

    def write_manifest(self, job: str, numbers: list[int]) -> str:
        """The batches that are still to be done, as a state machine reads them; the key of the object."""
        key = keys.job_object(job, "manifest")
        self._storage.write(key, json.dumps(numbers).encode(), "application/json")
        return key

    # Items

    def _item(self, job: Job) -> Item:
        pk, sk = keys.job_key(job.job)
        document = {name: value for name, value in asdict(job).items() if name not in ("job", "request", "headers")}
        request = json.dumps(job.request)
        return {
            "pk": pk,
            "sk": sk,
            "version": secrets.token_hex(8),
            "request": request if len(request) <= _INLINE else "",
            "job": json.dumps(document),
            "expires": int(job.created_s) + self._keep_s,
        }

    def _job(self, item: Item) -> Job:
        request = item["request"] or self._storage.read_bytes(keys.job_object(item["sk"], "request"))
        document = json.loads(item["job"])
        return Job(item["sk"], request=json.loads(request), **{**document, "error": tuple(document["error"])})

    def _batch_item(self, job: str, batch: Batch) -> Item:
        pk, sk = keys.batch_key(job, batch.number)
        document = {name: value for name, value in asdict(batch).items() if name not in ("number", "owner", "lease_s")}
        expires = int(time.time()) + self._keep_s
        lease = {"worker": batch.owner, "lease": int(batch.lease_s)}
        return {"pk": pk, "sk": sk, "batch": json.dumps(document), "expires": expires, **lease}


def _batch(item: Item) -> Batch:
    document = json.loads(item["batch"])
    return Batch(int(item["sk"]), owner=item["worker"], lease_s=float(item["lease"]), **document)


def new_job_id() -> str:
    """A UUID whose order is that of time (RFC 9562 §5.7)."""
    value = int(time.time() * 1000) << 80 | 7 << 76 | secrets.randbits(76)
    return str(uuid.UUID(int=value & ~(3 << 62) | 2 << 62))


def _is_job(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
