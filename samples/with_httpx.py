"""Store, search, retrieve and send with httpx alone: the HTTP of it in full.

with_httpx.py URL REMOTE FILE…
"""

import os
import sys
import time
import uuid
from pathlib import Path

import httpx

DICOM, DICOM_JSON = "application/dicom", "application/dicom+json"


def main(url: str, remote: str, *paths: str) -> None:
    user, _, password = os.environ.get("DICOMWEB_USER", "").partition(":")
    with httpx.Client(base_url=url, auth=(user, password) if user else None, timeout=60) as http:
        study = store(http, [Path(path).read_bytes() for path in paths])
        search(http, study)
        retrieve(http, study)
        if remote:
            send(http, remote, study)


def store(http: httpx.Client, files: list[bytes]) -> str:
    """Several files in one request; the UID of the first one's study."""
    boundary = uuid.uuid4().hex
    parts = [f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode() + file + b"\r\n" for file in files]
    answer = http.post(
        "/dicom-web/studies",
        content=b"".join(parts) + f"--{boundary}--\r\n".encode(),
        headers={"Content-Type": f'multipart/related; type="{DICOM}"; boundary={boundary}', "Accept": DICOM_JSON},
    )
    # 202: some are stored. 409: none is; the answer says why, instance by instance.
    if answer.status_code not in (200, 202, 409):
        answer.raise_for_status()
    result = answer.json()
    for failed in result.get("00081198", {}).get("Value", []):
        print("not stored:", failed["00081155"]["Value"][0], failed["00000902"]["Value"][0])
    stored = result["00081199"]["Value"]
    print("stored:", len(stored))
    retrieve_url: str = stored[0]["00081190"]["Value"][0]
    return retrieve_url.split("/studies/")[1].split("/")[0]


def search(http: httpx.Client, study: str) -> None:
    """Attributes are asked for by keyword; those of the answer are by tag."""
    wanted = {"StudyInstanceUID": study, "includefield": "StudyDescription", "limit": 10}
    for row in http.get("/dicom-web/studies", params=wanted, headers={"Accept": DICOM_JSON}).raise_for_status().json():
        (name, *_) = row["00100010"].get("Value", [{}])
        print("found:", name.get("Alphabetic"), row["00201208"]["Value"][0], "instances")


def retrieve(http: httpx.Client, study: str) -> None:
    """Metadata, then a picture of each instance, in the window of its file."""
    metadata = (
        http.get(f"/dicom-web/studies/{study}/metadata", headers={"Accept": DICOM_JSON}).raise_for_status().json()
    )
    for instance in metadata:
        series, uid = (instance[tag]["Value"][0] for tag in ("0020000E", "00080018"))
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{uid}"
        # Answers over the limit of Lambda come by a redirect to S3, which follows without the password.
        file = http.get(path, headers={"Accept": DICOM}, follow_redirects=True).raise_for_status().content
        picture = http.get(f"{path}/rendered", headers={"Accept": "image/png"}, follow_redirects=True)
        print("retrieved:", uid, len(file), "bytes, picture", picture.status_code)


def send(http: httpx.Client, remote: str, study: str) -> None:
    """What is sent is a job; it says when it is done, and what became of each instance."""
    wanted = {"Resources": [study], "Synchronous": False}
    job = http.post(f"/dicom-web/servers/{remote}/stow", json=wanted).raise_for_status().json()["ID"]
    while (state := http.get(f"/jobs/{job}").raise_for_status().json())["State"] in ("Pending", "Running"):
        time.sleep(0.5)
    print("sent:", state["State"], state["InstancesSucceeded"], "of", state["Content"]["InstancesCount"])
    for outcome in http.get(f"/jobs/{job}/outcomes").raise_for_status().json():
        print(" ", outcome["SOPInstanceUID"], outcome["Status"], outcome.get("Reason", ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
