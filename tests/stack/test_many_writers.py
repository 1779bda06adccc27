"""Sixteen processes store overlapping halves of one study by two doors: each instance is there once, counts are exact."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

import httpx

from local.stack import LocalAws
from tests.builders import MULTIPART, a_body, a_file
from tests.stack.hosts import a_host, client

STUDY, FOLDER = "1.2.16", "sixteen"
INSTANCES, SERIES, PROCESSES, IN_REQUEST = 500, 5, 16, 50
HALF = INSTANCES // 2
TRIES = 20


def an_instance(number: int) -> bytes:
    series = f"{STUDY}.{number % SERIES + 1}"
    modality = "MR" if number % SERIES == 0 else "CT"
    return a_file(
        StudyInstanceUID=STUDY, SeriesInstanceUID=series, SOPInstanceUID=f"{series}.{number + 1}", Modality=modality
    )


def bodies(process: int) -> Iterator[bytes]:
    """What a process stores: a half, which begins where no other process's does."""
    first = process * INSTANCES // PROCESSES
    for start in range(first, first + HALF, IN_REQUEST):
        yield a_body([an_instance(number % INSTANCES) for number in range(start, start + IN_REQUEST)])


def store(process: int, url: str) -> None:
    """Post until all is stored, as a gateway does."""
    for body in bodies(process):
        for _ in range(TRIES):
            answer = httpx.post(f"{url}/studies", content=body, headers={"Content-Type": MULTIPART}, timeout=120)
            if answer.status_code == 200:
                break
            assert answer.status_code in (202, 503), answer.text[:500]
            time.sleep(0.2)
        else:
            raise AssertionError(answer.text[:500])


def drop(process: int, aws_url: str, bucket: str) -> None:
    s3 = client(aws_url, "s3")
    for number, body in enumerate(bodies(process)):
        s3.put_object(Bucket=bucket, Key=f"incoming/{FOLDER}/{process}/{number}", Body=body, ContentType=MULTIPART)


def keys(aws: LocalAws, prefix: str) -> list[str]:
    pages = client(aws.url, "s3").get_paginator("list_objects_v2").paginate(Bucket=aws.outputs().bucket, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


def test_sixteen_processes_by_two_doors(aws: LocalAws) -> None:
    bucket = aws.outputs().bucket
    with ExitStack() as stack:
        hosts = [stack.enter_context(a_host(aws)) for _ in range(2)]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
            work = [
                pool.submit(store, number, hosts[number % 4 // 2])
                if number % 2
                else pool.submit(drop, number, aws.url, bucket)
                for number in range(PROCESSES)
            ]
            for each in work:
                each.result()
        deadline = time.monotonic() + 180
        while left := keys(aws, f"incoming/{FOLDER}/"):
            assert time.monotonic() < deadline, f"{len(left)} objects are still waiting"
            time.sleep(0.5)
        assert keys(aws, f"failed/{FOLDER}/") == []
        assert keys(aws, f"conflicts/{STUDY}/") == []
        (study,) = httpx.get(f"{hosts[0]}/studies?StudyInstanceUID={STUDY}").json()
        assert study["00201208"]["Value"] == [INSTANCES]
        assert study["00201206"]["Value"] == [SERIES]
        assert study["00080061"]["Value"] == ["CT", "MR"]
        series = httpx.get(f"{hosts[0]}/studies/{STUDY}/series").json()
        assert [row["00201209"]["Value"] for row in series] == [[INSTANCES // SERIES]] * SERIES
        stored = keys(aws, f"studies/{STUDY}/")
        assert len(stored) == INSTANCES
        rows = httpx.get(f"{hosts[1]}/studies/{STUDY}/instances?limit={INSTANCES}").json()
        assert {f"{row['00080018']['Value'][0]}.dcm" for row in rows} == {key.rpartition("/")[2] for key in stored}
        assert httpx.delete(f"{hosts[0]}/studies/{STUDY}", timeout=120).status_code == 204
