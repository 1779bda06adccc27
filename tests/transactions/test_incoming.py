"""Objects under incoming/: what they hold is stored once, what cannot be is said; nothing is lost in between."""

import io
import json
import re
import tracemalloc
import zipfile
from typing import Any

import boto3
import pytest

from dicomweb.archive import Archive
from dicomweb.archive.index import Index
from dicomweb.dicom.store_response import Failed, Stored
from dicomweb.errors import ArchiveBusy, NotFound
from dicomweb.transactions.incoming import Dropped, read_result, store_incoming
from tests.builders import MULTIPART, a_body, a_file, a_series, store_dropped

KEY = "incoming/a folder/ü.dcm"
BOMB = 100_000_000  # bytes


def put(content: bytes, key: str = KEY, content_type: str = "binary/octet-stream") -> str:
    answer = boto3.client("s3").put_object(Bucket="archive", Key=key, Body=content, ContentType=content_type)
    return answer.get("VersionId", "")


def objects(prefix: str) -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="archive", Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", ())]


def reasons(key: str = KEY) -> Any:
    target = key.replace("incoming/", "failed/", 1) + ".json"
    return json.loads(boto3.client("s3").get_object(Bucket="archive", Key=target)["Body"].read())


def a_zip(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


ZIPPED = a_zip(*((f"study/{number}.dcm", file) for number, file in enumerate(a_series(3))))


@pytest.mark.parametrize(
    ("content", "content_type", "count"),
    [
        (a_file(), "application/dicom", 1),
        (a_file(), "binary/octet-stream", 1),
        (a_body(a_series(3)), MULTIPART, 3),
        (a_body(a_series(3)), "binary/octet-stream", 3),  # its first line says the boundary
        (a_body(a_series(3), "x" * 73), "binary/octet-stream", 3),  # as long as Orthanc's
        (ZIPPED, "application/zip", 3),
        (a_zip(("DICOMDIR", b"x"), ("a/", b""), ("../../etc/a.dcm", a_file())), "", 1),  # no path is followed
    ],
)
def test_what_is_dropped_is_stored_and_removed(archive: Archive, content: bytes, content_type: str, count: int) -> None:
    outcomes = store_dropped(archive, KEY, put(content, content_type=content_type))
    assert [type(each) for each in outcomes] == [Stored] * count
    assert archive.index.studies(["1.2.3"])["1.2.3"].instance_count == count
    assert (objects("incoming/"), objects("failed/")) == ([], [])


def test_being_told_twice_changes_nothing(archive: Archive) -> None:
    version = put(a_file())
    assert store_dropped(archive, KEY, version)
    study = archive.index.studies(["1.2.3"])["1.2.3"]
    assert store_dropped(archive, KEY, version) == []
    assert archive.index.studies(["1.2.3"])["1.2.3"] == study


def test_an_object_that_is_put_again_is_stored_too_in_any_order(archive: Archive) -> None:
    first, second = (put(file) for file in a_series(2))
    for version in (second, first, second):
        store_dropped(archive, KEY, version)
    assert archive.index.studies(["1.2.3"])["1.2.3"].instance_count == 2
    assert objects("incoming/") == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no DICOM at all", "not a DICOM file"),
        (b"", "empty"),
        (b"PK\3\4 and no more", "no ZIP file"),
        (a_zip(), "there is no file in it"),
        (a_zip(("inner.zip", ZIPPED)), "a ZIP file inside a ZIP file"),
        (a_zip(("zeros", bytes(80_000_000))), "times longer when inflated"),
        (ZIPPED[:200] + bytes(50) + ZIPPED[250:], "it cannot be read from the ZIP file"),
        (a_file()[:-20], "truncated|cut off"),
        (a_body([a_file()])[:-30], "truncated"),
        (a_file(StudyInstanceUID="1.2.3").replace(b"UI\x06\x001.2.3\0", b"UI\x06\x00../../", 1), "UID"),
    ],
)
def test_what_cannot_be_stored_is_moved_aside_with_its_reasons(archive: Archive, content: bytes, says: str) -> None:
    outcomes = store_dropped(archive, KEY, put(content))
    assert any(isinstance(each, Failed) for each in outcomes)
    assert objects("incoming/") == []
    assert objects("failed/") == ["failed/a folder/ü.dcm", "failed/a folder/ü.dcm.json"]

    assert re.search(says, reasons()["Failures"][0]["Comment"])


def test_one_bad_file_of_a_zip_is_named_and_the_others_are_stored(archive: Archive) -> None:
    content = a_zip(("good.dcm", a_file()), ("folder/notes.txt", b"read me"), ("good2.dcm", a_series(2)[1]))
    store_dropped(archive, KEY, put(content))
    assert archive.index.studies(["1.2.3"])["1.2.3"].instance_count == 2
    told = reasons()
    assert (told["Stored"], told["Failed"], told["Failures"][0]["Name"]) == (2, 1, "folder/notes.txt")


def a_bomb(method: int) -> bytes:
    """A file, a hundred megabytes of zeros, and another file."""
    file, (first, second) = io.BytesIO(), a_series(2)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("first.dcm", first)
        archive.writestr("bomb", bytes(BOMB), method)
        archive.writestr("second.dcm", second)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (a_bomb(zipfile.ZIP_DEFLATED), "times longer when inflated"),
        (a_bomb(zipfile.ZIP_DEFLATED).replace(BOMB.to_bytes(4, "little"), b"\0\1\0\0"), "Bad CRC-32"),  # says 256 bytes
        (a_bomb(zipfile.ZIP_BZIP2), "compressed by method 12"),
        (a_bomb(zipfile.ZIP_LZMA), "compressed by method 14"),
        (a_zip(("a", a_file()), ("b", ZIPPED), ("c", a_series(2)[1])), "a ZIP file inside a ZIP file"),
        (a_zip(("a", a_file()), ("../../b", b"no DICOM"), ("/c", a_series(2)[1])), "not a DICOM file"),
        (a_zip(("a", a_file()), ("b", b""), ("c", a_series(2)[1])), "empty"),
    ],
)
def test_what_is_bad_in_a_zip_is_refused_in_little_memory_and_the_others_are_stored(
    archive: Archive, content: bytes, says: str
) -> None:
    tracemalloc.start()
    try:
        _, bad, _ = store_dropped(archive, KEY, put(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(bad, Failed)
    assert says in bad.comment
    assert peak < 32 * 1024 * 1024
    assert [row.instance for row in archive.index.instances_of("1.2.3", "1.2.3.1")] == ["1.2.3.1.1", "1.2.3.1.2"]


def test_objects_that_are_stored_together_have_outcomes_and_reasons_of_their_own(archive: Archive) -> None:
    first, second, third, fourth = a_series(4)
    contents = {
        "incoming/zip": a_zip(("good", first), ("notes.txt", b"read me"), ("good2", second)),
        "incoming/none": b"",
        "incoming/no zip": b"PK",
        "incoming/parts": a_body([third, b"no DICOM"]),
        "incoming/file": fourth,
    }
    dropped = [Dropped(key, put(content, key)) for key, content in contents.items()]
    outcomes = store_incoming(archive, [*dropped, Dropped("incoming/gone"), Dropped("studies/x"), *dropped])
    assert [len(each) if isinstance(each, list) else type(each) for each in outcomes.values()] == [
        *(3, 1, 1, 2, 1, 0),
        NotFound,
    ]
    assert archive.index.studies(["1.2.3"])["1.2.3"].instance_count == 4
    assert objects("incoming/") == []
    failures = {key: reasons(key)["Failures"] for key in contents if key != "incoming/file"}
    assert [each["Name"] for each in failures["incoming/zip"]] == ["notes.txt"]
    assert [len(each) for each in failures.values()] == [1, 1, 1, 1]
    assert "failed/file.json" not in objects("failed/")


def test_what_cannot_be_stored_now_stays(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise ArchiveBusy("other writers kept getting in between")

    version = put(a_file())
    with monkeypatch.context() as patched:
        patched.setattr(Index, "add", busy)
        with pytest.raises(ArchiveBusy):
            store_dropped(archive, KEY, version)
    assert objects("incoming/") == [KEY]
    assert [type(each) for each in store_dropped(archive, KEY, version)] == [Stored]


def test_an_upload_has_its_result(archive: Archive) -> None:

    key = "incoming/uploads/abc"
    outcomes = store_dropped(archive, key, put(a_zip(("a", a_file()), ("b", b"x")), key))
    assert read_result(archive, "abc") == outcomes
