"""Every S3 key, every DynamoDB key, and who reads them. One page.

S3
    studies/{study}/series/{series}/instances/{instance}.dcm   the received bytes, unchanged; their SHA-256 beside them
    studies/…/instances/{instance}-{content}.dcm               the same of an instance whose content was replaced
    conflicts/{study}/{series}/{instance}/{sha256}.dcm         other content under a known UID, set aside
    jobs/{job}/request.json, batches/{batch}.json              what a job was asked for, and what each batch of it is
    jobs/{job}/manifest.json                                   the numbers of its batches, for its state machine
    jobs/{job}/outcomes/{batch}.json                           what became of each instance; all expire after a month
    incoming/…                                                 files, bodies and ZIP files to be stored, then removed
    incoming/uploads/{upload}                                  the same, from an upload session
    uploads/{upload}.json                                      what became of it; expires after a month
    failed/…, failed/….json                                    what could not be stored, and why
    metadata/{study}/{series}/parts/{fragment}.json.gz         metadata of the instances of one request, one a line
    metadata/{study}/{series}/series.json.gz                   all of a series as one JSON array, made when it is read
    layouts/{study}/{series}/{fragment}/{instance}.frames      16 bytes a frame, for long frame tables
    layouts/{study}/{series}/{fragment}/{instance}.bulk.json.gz  bulk data ranges, for long lists of them
    transcoded/{study}/{series}/{instance}/{content}.dcm       an instance transcoded; expires after a day
    thumbnails/{study}[/{series}[/{instance}]]/{content}       small pictures; expire after a month
    responses/{content}                                        answers over the Lambda limit; expire after a day

DynamoDB (pk, sk)                                               read by
    S#{study}, STUDY                 a study's row and counts   StudyInstanceUID; after every search path below
    S#{study}, SERIES#{series}       a series' row and count    the series of a study
    S#{study}, PATIENT#{identifier}  a further patient of it    Orthanc's identifier of the study, made of PatientID
    I#{study}/{series}, {instance}   an instance's row and      the instances of a series; frames, bulk data and
                                     the place of its bytes     metadata of one instance
    MONTH#{yyyymm}, {at}             a study's row again        walks by StudyDate, newest first; no filter
    MONTHS, {yyyymm}                 that a month has studies   skips empty months
    {keyword}#{value}, {at}          a study                    PatientID, AccessionNumber: exact
    {keyword}#{letter}, {name}#{at}  a study                    PatientName, ReferringPhysicianName: exact or prefix
    {keyword}~{gram}, {at}           a study                    PatientName, PatientID, AccessionNumber: text inside
    ORTHANC#{identifier}, {at}       a study                    Orthanc's identifier of a patient
    PLACES#{pages}, {offset}         where a page ended         the next page of a search; expires after minutes
    GONE#{study}, {series}/{instance}  that it was deleted      what is not found; expires after a time
    UPLOAD#{upload}, UPLOAD         an upload session           what is received of it
    USERS, {name}                   a user                  hash of the password, roles, labels
    LOGIN#{who}, LOGIN              failed logins           how many lately; expires after minutes
    SERVERS, {name}                 a remote server         its definition, without what is secret
    JOBS, {job}                     a job                   what is shown of it, newest first
    JOB#{job}, {batch}              a batch of it           how far it is, and who works on it
    SECRET, uids                    32 random bytes             replacing UIDs, the same by the same
    index `uid`: uid → pk, sk                                   SeriesInstanceUID or SOPInstanceUID alone
    index `orthanc`: identifier → pk, sk                        Orthanc's identifier of a study, series or instance

`at` is {date}#{time}#{study}: the order of every search, descending. Text is folded: without case and accents.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dicomweb.dicom.folding import fold
from dicomweb.dicom.json_model import DataSet, text_of

STUDY_ROW = "STUDY"
SERIES_ROW = "SERIES#"
PATIENT_ROW = "PATIENT#"
MONTHS = "MONTHS"
SECRET = ("SECRET", "uids")
NO_DATE = "-"  # sorts behind every date when read descending
UID_INDEX, ORTHANC_INDEX = "uid", "orthanc"

EXACT = {"00100020": "PatientID", "00080050": "AccessionNumber"}
NAMES = {"00100010": "PatientName", "00080090": "ReferringPhysicianName"}
GRAMS = {"00100010": "PatientName", "00100020": "PatientID", "00080050": "AccessionNumber"}
GRAM, LONG_GRAM = 3, 5  # letters
_LONGEST = 400  # bytes of a value in a key; DynamoDB takes 1024 bytes of sort key


STUDIES = "studies/"
CONFLICTS, INCOMING, FAILED = "conflicts/", "incoming/", "failed/"
_UPLOADS = f"{INCOMING}uploads/"


def instance_object(study: str, series: str, instance: str, content: str = "") -> str:
    name = f"{instance}-{content}" if content else instance
    return f"studies/{study}/series/{series}/instances/{name}.dcm"


def instance_folder(study: str, series: str = "", instance: str = "") -> str:
    """What the keys of the objects of a study, a series or an instance start with."""
    parts = [f"{STUDIES}{study}/series/"] + ([f"{series}/instances/"] if series else [])
    return "".join(parts + ([f"{instance}"] if instance else []))


def path_of_instance_object(key: str) -> tuple[str, str, str] | None:
    """The study, series and instance whose object has this key; None for another object."""
    match = re.fullmatch(r"studies/([0-9.]+)/series/([0-9.]+)/instances/([0-9.]+)(?:-[0-9a-f]+)?\.dcm", key)
    return (match[1], match[2], match[3]) if match else None


def metadata_folder(study: str) -> str:
    return f"metadata/{study}/"


def layouts_folder(study: str) -> str:
    return f"layouts/{study}/"


def conflict_object(study: str, series: str, instance: str, sha256: str) -> str:
    return f"{CONFLICTS}{study}/{series}/{instance}/{sha256}.dcm"


def upload_object(upload: str) -> str:
    return f"{_UPLOADS}{upload}"


def upload_of(key: str) -> str:
    """The upload session that an object came by, "" for none."""
    return key.removeprefix(_UPLOADS) if key.startswith(_UPLOADS) else ""


def result_object(upload: str) -> str:
    return f"uploads/{upload}.json"


def fragment_object(study: str, series: str, fragment: str) -> str:
    return f"metadata/{study}/{series}/parts/{fragment}.json.gz"


def series_object(study: str, series: str) -> str:
    return f"metadata/{study}/{series}/series.json.gz"


def frames_object(study: str, series: str, fragment: str, instance: str) -> str:
    return f"layouts/{study}/{series}/{fragment}/{instance}.frames"


def bulk_object(study: str, series: str, fragment: str, instance: str) -> str:
    return f"layouts/{study}/{series}/{fragment}/{instance}.bulk.json.gz"


def transcoded_object(study: str, series: str, instance: str, content: str) -> str:
    return f"transcoded/{study}/{series}/{instance}/{content}.dcm"


def thumbnail_object(uids: tuple[str, ...], content: str) -> str:
    return "/".join(("thumbnails", *uids, content))


Key = tuple[str, str]


def study_key(study: str) -> Key:
    return f"S#{study}", STUDY_ROW


def series_key(study: str, series: str) -> Key:
    return f"S#{study}", SERIES_ROW + series


def instance_key(study: str, series: str, instance: str) -> Key:
    return f"I#{study}/{series}", instance


def path_of_row(pk: str, sk: str) -> tuple[str, ...]:
    """The UIDs of the study, series or instance that a row is of."""
    path = tuple(pk[2:].split("/"))
    if pk.startswith("I#"):
        return (*path, sk)
    return (*path, sk.removeprefix(SERIES_ROW)) if sk.startswith(SERIES_ROW) else path


def tombstone_key(study: str, series: str = "", instance: str = "") -> Key:
    return f"GONE#{study}", f"{series}/{instance}"


def upload_key(upload: str) -> Key:
    return f"UPLOAD#{upload}", "UPLOAD"


def patient_key(study: str, identifier: str) -> Key:
    return f"S#{study}", PATIENT_ROW + identifier


def patient_partition(identifier: str) -> str:
    return f"ORTHANC#{identifier}"


def place_key(pages: str, offset: int) -> Key:
    return f"PLACES#{pages}", str(offset)


SERVERS, JOBS, USERS = "SERVERS", "JOBS", "USERS"


def user_key(name: str) -> Key:
    return USERS, name


def login_key(who: str) -> Key:
    return f"LOGIN#{who}", "LOGIN"


def server_key(name: str) -> Key:
    return SERVERS, name


def job_key(job: str) -> Key:
    return JOBS, job


def batch_partition(job: str) -> str:
    return f"JOB#{job}"


def batch_key(job: str, batch: int) -> Key:
    return batch_partition(job), f"{batch:06}"


def job_object(job: str, name: str, batch: int | None = None) -> str:
    """Its request, its manifest, or what a batch is or came to."""
    return f"jobs/{job}/{name}.json" if batch is None else f"jobs/{job}/{name}/{batch:06}.json"


class Bounds(NamedTuple):
    """The first and the last `at` to be read, both included."""

    low: str = NO_DATE
    high: str = ":"  # behind every digit


EVERYTHING = Bounds()


def month_of(at: str) -> str:
    """The month of an `at` or of a date; NO_DATE for studies without a date."""
    return at.partition("#")[0][:6]


def month_partition(month: str) -> str:
    return f"MONTH#{month}"


def exact_partition(tag: str, value: str) -> str:
    return f"{EXACT[tag]}#{cut(fold(value))}"


def name_partition(tag: str, folded: str) -> str:
    return f"{NAMES[tag]}#{folded[0]}"


def name_key(folded: str) -> str:
    """A name as it stands in keys: `#` ends it there."""
    return cut(folded.replace("#", " "))


def gram_partition(tag: str, gram: str) -> str:
    return f"{GRAMS[tag]}~{gram}"


def grams_of(folded: str) -> set[str]:
    """Three and five letters of a word; two where one is outside ASCII, as names in Chinese characters are short.

    Three letters find `*doe*`; of five letters there are so many that even among millions of numbers few share them.
    """
    words = re.split(r"[\^\s]+", folded)
    ascii_ = {gram for size in (GRAM, LONG_GRAM) for word in words for gram in _runs(word, size) if gram.isascii()}
    return ascii_ | {gram for word in words for gram in _runs(word, 2) if not gram.isascii()}


def _runs(word: str, size: int) -> Iterator[str]:
    return (word[start : start + size] for start in range(len(word) - size + 1))


def cut(folded: str) -> str:
    """As much of a text as a key holds."""
    return folded.encode()[:_LONGEST].decode(errors="ignore")


def order_of(row: DataSet) -> tuple[str, str]:
    """(date, time) of a study as they stand in keys: digits alone."""
    date = "".join(char for char in text_of(row, "00080020") if char.isdigit())
    time = "".join(char for char in text_of(row, "00080030") if char.isdigit())
    return (date if len(date) == 8 else NO_DATE), time[:12]


def at_of(study: str, row: DataSet) -> str:
    """The place of a study in the order of every search."""
    date, time = order_of(row)
    return f"{date}#{time}#{study}"
