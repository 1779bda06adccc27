"""The stack deployed into the local AWS, through its REST API, with the template's IAM policies enforced."""

import json
import time

import httpx

from dicomweb.dicom.orthanc_ids import orthanc_id
from local.stack import LocalAws
from tests.builders import MULTIPART, a_body, a_file
from tests.stack import journey
from tests.stack.hosts import client


def test_nobody_enters_who_is_not_known(aws: LocalAws) -> None:
    url = f"{aws.outputs().api}/dicom-web/studies"
    for auth in (None, ("tester", "wrong"), ("nobody", "wrong")):
        assert httpx.get(url, auth=auth).status_code == 401  # the challenge is in the template: MiniStack leaves it out


def test_store_search_retrieve_delete(api: httpx.Client) -> None:
    journey.store_search_retrieve_delete(api)


def test_an_answer_over_the_lambda_limit_goes_by_s3(api: httpx.Client) -> None:
    journey.retrieve_what_is_over_the_lambda_limit(api)


def test_who_did_what_is_in_a_log_group_of_its_own(aws: LocalAws, user: tuple[str, str], api: httpx.Client) -> None:
    assert api.get("/dicom-web/studies/9.8.7.6/metadata").status_code == 404
    httpx.get(f"{aws.outputs().api}/dicom-web/studies", auth=("nobody", "wrong"))
    logs = client(aws.url, "logs")
    (group,) = (
        each["logGroupName"] for each in logs.describe_log_groups()["logGroups"] if "Audit" in each["logGroupName"]
    )
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    records = [
        json.loads(event["message"])
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]
    (record,) = (each for each in records if each.get("StudyInstanceUID") == "9.8.7.6")
    assert (record["who"], record["transaction"], record["outcome"]) == (user[0], "RetrieveStudyMetadata", "failure")
    assert [each["status"] for each in records if each["transaction"] == "LogIn"]


def test_urls_have_the_stage(api: httpx.Client) -> None:
    answer = api.post("/dicom-web/studies", content=a_file(), headers={"Content-Type": "application/dicom"})
    assert answer.json()["00081190"]["Value"][0].endswith("/v1/dicom-web/studies/1.2.3")
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204


def test_housekeeping_runs_as_a_state_machine(aws: LocalAws, api: httpx.Client) -> None:
    stepfunctions = client(aws.url, "stepfunctions")
    api.post("/dicom-web/studies", content=a_file(), headers={"Content-Type": "application/dicom"})
    machines = stepfunctions.list_state_machines()["stateMachines"]
    (machine,) = (each for each in machines if "Housekeeping" in each["name"])
    execution = stepfunctions.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"task": "reindex"}')
    deadline = time.monotonic() + 60
    while (state := stepfunctions.describe_execution(executionArn=execution["executionArn"]))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert state["status"] == "SUCCEEDED", state.get("cause")
    assert json.loads(state["output"])["studies"] == 1
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204


def test_what_is_dropped_into_the_bucket_is_stored(aws: LocalAws, api: httpx.Client) -> None:
    s3 = client(aws.url, "s3")
    bucket = aws.outputs().bucket
    for number in (1, 2):
        file = a_file(SOPInstanceUID=f"1.2.3.1.{number}")
        s3.put_object(Bucket=bucket, Key=f"incoming/a folder/{number}.dcm", Body=file)
    s3.put_object(Bucket=bucket, Key="incoming/no.dcm", Body=b"no DICOM")

    def left() -> list[str]:
        listed = [s3.list_objects_v2(Bucket=bucket, Prefix=prefix) for prefix in ("incoming/", "failed/")]
        return [each["Key"] for found in listed for each in found.get("Contents", ())]

    deadline = time.monotonic() + 60
    while left() != ["failed/no.dcm", "failed/no.dcm.json"]:
        assert time.monotonic() < deadline, left()
        time.sleep(0.3)
    (study,) = api.get("/dicom-web/studies").json()
    assert study["00201208"]["Value"] == [2]
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204


def test_an_upload_session_from_its_first_part_to_its_answer(api: httpx.Client) -> None:
    body = a_body([a_file(SOPInstanceUID=f"1.2.3.1.{number}") for number in (1, 2)])
    session = api.post("/dicom-web/uploads", json={"Size": len(body), "ContentType": MULTIPART}).json()
    assert httpx.put(session["Parts"][0]["Url"], content=body).status_code == 200
    path = f"/dicom-web/uploads/{session['Id']}"
    assert api.post(f"{path}/complete").status_code == 202
    deadline = time.monotonic() + 60
    while (state := api.get(path).json())["State"] != "Done":
        assert time.monotonic() < deadline, state
        time.sleep(0.3)
    assert (state["Status"], len(state["Response"]["00081199"]["Value"])) == (200, 2)
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204


def test_a_nightly_schedule_starts_the_compaction(aws: LocalAws) -> None:
    events = client(aws.url, "events")
    (rule,) = (rule for rule in events.list_rules()["Rules"] if rule.get("ScheduleExpression"))
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert json.loads(target["Input"]) == {"task": "compact", "days": 14}


def test_the_metadata_cache_is_renewed_by_orthancs_route(api: httpx.Client) -> None:
    api.post("/dicom-web/studies", content=a_file(), headers={"Content-Type": "application/dicom"})
    for name in (orthanc_id("P1", "1.2.3"), "1.2.3"):
        answer = api.post(f"/studies/{name}/update-dicomweb-cache")
        assert (answer.status_code, answer.json()) == (200, {})
    (document,) = api.get("/dicom-web/studies/1.2.3/metadata").json()
    assert "/v1/dicom-web/studies/1.2.3/" in document["7FE00010"]["BulkDataURI"]
    assert api.delete("/dicom-web/studies/1.2.3").status_code == 204
