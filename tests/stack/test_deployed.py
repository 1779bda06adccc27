"""The stack deployed into the local AWS, through its REST API, with the template's IAM policies enforced."""

import httpx

from local.stack import LocalAws
from tests.builders import a_file
from tests.stack import journey


def test_nobody_enters_unsigned(aws: LocalAws) -> None:
    assert httpx.get(f"{aws.outputs().api}/dicom-web/studies").status_code == 403


def test_store_search_retrieve_delete(api: httpx.Client) -> None:
    journey.store_search_retrieve_delete(api)


def test_an_answer_over_the_lambda_limit_goes_by_s3(api: httpx.Client) -> None:
    journey.retrieve_what_is_over_the_lambda_limit(api)


def test_urls_have_the_stage(api: httpx.Client) -> None:
    answer = api.post("/dicom-web/studies", content=a_file(), headers={"Content-Type": "application/dicom"})
    assert answer.json()["00081190"]["Value"][0].endswith("/v1/dicom-web/studies/1.2.3")
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204
