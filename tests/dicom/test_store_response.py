import pytest

from dicomweb.dicom.store_response import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH_SOP_CLASS,
    Failed,
    Outcome,
    Stored,
    in_words,
    store_response,
)

STORED = Stored("1.2", "1.2.1", "1.2.1.1", "1.9")
FAILED = Failed(2, CANNOT_UNDERSTAND, "no UID", "1.2.1.2", "1.9")
UNKNOWN = Failed(3, CANNOT_UNDERSTAND, "not a DICOM file")
WARNED = Stored("1.2", "1.2.1", "1.2.1.3", "1.9", warning=DOES_NOT_MATCH_SOP_CLASS, comment="it says 1.8 and 1.9")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [  # PS3.18 Table 10.5.3-1
        ([STORED], 200),
        ([STORED, FAILED], 202),
        ([STORED, WARNED], 202),
        ([WARNED], 202),
        ([FAILED], 409),
        ([UNKNOWN], 409),
    ],
)
def test_status(outcomes: list[Outcome], status: int) -> None:
    assert store_response(outcomes, "", "http://x")[0] == status


def test_every_part_is_named() -> None:
    _, body = store_response([STORED, FAILED, UNKNOWN], "", "http://x")
    assert body["00081199"]["Value"][0]["00081155"]["Value"] == ["1.2.1.1"]
    assert body["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert "not a DICOM file" in body["0008119A"]["Value"][0]["00000902"]["Value"][0]


def test_a_warning_is_said_of_the_instance_that_was_stored() -> None:
    _, body = store_response([STORED, WARNED], "", "http://x")
    plain, warned = body["00081199"]["Value"]
    assert "00081196" not in plain
    assert (warned["00081196"]["Value"], warned["00000902"]["Value"]) == ([0xB007], ["it says 1.8 and 1.9"])


def test_the_retrieve_url_leads_to_the_one_study_of_the_request() -> None:
    _, body = store_response([STORED], "", "http://x/dicom-web")
    assert body["00081190"]["Value"] == ["http://x/dicom-web/studies/1.2"]
    _, body = store_response([STORED, Stored("1.3", "1.3.1", "1.3.1.1", "1.9")], "", "http://x")
    assert "00081190" not in body


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (0xA700, "A700H (out of resources)"),
        (0xA901, "A901H (data set does not match its SOP class)"),
        (0xC122, "C122H (transfer syntax not supported)"),
        (0xC123, "C123H (cannot understand)"),
        (0xB007, "B007H (data set does not match its SOP class)"),
        (0xD000, "D000H"),
        (0x0111, "0111H (duplicate SOP instance)"),
        (0x0199, "0199H"),
    ],
)
def test_reasons_are_said_in_words_and_families_known(reason: int, words: str) -> None:
    assert in_words(reason) == words
