"""What every host must do, whatever stands in front of it: store, search, retrieve, delete over HTTP."""

import httpx

from tests.builders import MULTIPART, a_body, a_file

SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.1"
MB = 1024 * 1024


def store_search_retrieve_delete(http: httpx.Client) -> None:
    """One small study, from POST to 404."""
    files = [a_file(SOPInstanceUID=f"1.2.3.1.{number}", InstanceNumber=number) for number in (1, 2)]
    stored = http.post("/dicom-web/studies", content=a_body(files), headers={"Content-Type": MULTIPART})
    assert (stored.status_code, len(stored.json()["00081199"]["Value"])) == (200, 2), stored.text

    found = http.get("/dicom-web/studies", params={"PatientName": "doe*", "StudyDate": "20240101-"})
    assert found.headers["content-type"] == "application/dicom+json"
    (row,) = found.json()
    assert row["00201208"]["Value"] == [2]
    assert len(http.get(f"{SERIES}/instances").json()) == 2
    assert http.get("/dicom-web/instances", params={"SOPInstanceUID": "1.2.3.1.2"}).json()

    returned = http.get("/dicom-web/studies/1.2.3", headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert returned.status_code == 200
    assert all(file in returned.content for file in files)
    assert len(http.get(f"{SERIES}/metadata").json()) == 2
    frame = http.get(f"{SERIES}/instances/1.2.3.1.1/frames/1", headers={"Accept": "application/octet-stream"})
    assert frame.content == b"".join(number.to_bytes(2, "little") for number in range(16))
    uri = {"requestType": "WADO", "objectUID": "1.2.3.1.1"}
    assert http.get("/wado", params=uri | {"contentType": "application/dicom"}).content == files[0]
    anonymous = http.get("/wado", params=uri | {"anonymize": "yes"})
    assert (anonymous.status_code, b"Doe" in anonymous.content) == (200, False)
    for path in ("", "/series/1.2.3.1", "/series/1.2.3.1/instances/1.2.3.1.1"):
        small = http.get(f"/dicom-web/studies/1.2.3{path}/thumbnail", headers={"Accept": "image/png"})
        assert (small.status_code, small.content[:4]) == (200, b"\x89PNG")
    for picture in (http.get("/wado", params=uri), http.get(f"{SERIES}/instances/1.2.3.1.1/rendered")):
        assert (picture.headers["content-type"], picture.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")

    assert http.get("/dicom-web/studies", params={"limit": "-1"}).status_code == 400
    assert http.delete("/dicom-web/studies/1.2.3").status_code == 204
    assert http.get("/dicom-web/studies/1.2.3").status_code == 410


def retrieve_what_is_over_the_lambda_limit(http: httpx.Client) -> None:
    """An answer of 9 MB: 307 to S3, where the whole answer is."""
    files = [
        a_file(SOPInstanceUID=f"1.2.3.1.{n}", Rows=1024, Columns=1536, PixelData=bytes([n]) * 3 * MB) for n in (1, 2, 3)
    ]
    for file in files:
        stored = http.post("/dicom-web/studies", content=a_body([file]), headers={"Content-Type": MULTIPART})
        assert stored.status_code == 200, stored.text
    answer = http.get("/dicom-web/studies/1.2.3", follow_redirects=False)
    assert answer.status_code == 307, answer.text[:500]
    redirected = httpx.get(answer.headers["location"], timeout=60)
    assert redirected.status_code == 200
    assert redirected.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert all(file in redirected.content for file in files)
    assert http.delete("/dicom-web/studies/1.2.3").status_code == 204
