import pytest

from dicomweb.dicom.store_response import CANNOT_UNDERSTAND, Failed, Outcome, Stored, store_response

STORED = Stored("1.2", "1.2.1", "1.2.1.1", "1.9")
FAILED = Failed(2, CANNOT_UNDERSTAND, "no UID", "1.2.1.2", "1.9")
UNKNOWN = Failed(3, CANNOT_UNDERSTAND, "not a DICOM file")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [([STORED], 200), ([STORED, FAILED], 202), ([FAILED], 409), ([UNKNOWN], 409)],  # PS3.18 Table 10.5.3-1
)
def test_status(outcomes: list[Outcome], status: int) -> None:
    assert store_response(outcomes, "", "http://x")[0] == status


def test_every_part_is_named() -> None:
    _, body = store_response([STORED, FAILED, UNKNOWN], "", "http://x")
    assert body["00081199"]["Value"][0]["00081155"]["Value"] == ["1.2.1.1"]
    assert body["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert "not a DICOM file" in body["0008119A"]["Value"][0]["00000902"]["Value"][0]


def test_the_retrieve_url_leads_to_the_one_study_of_the_request() -> None:
    _, body = store_response([STORED], "", "http://x/dicom-web")
    assert body["00081190"]["Value"] == ["http://x/dicom-web/studies/1.2"]
    _, body = store_response([STORED, Stored("1.3", "1.3.1", "1.3.1.1", "1.9")], "", "http://x")
    assert "00081190" not in body
