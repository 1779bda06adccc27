import pytest

from dicomweb.dicom.orthanc_ids import is_orthanc_id, orthanc_id


def test_a_study_has_the_identifier_that_orthanc_gives_it() -> None:
    # Computed by Orthanc 1.13.0 for pydicom's CT_small.dcm.
    uid = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
    assert orthanc_id("1CT1", uid) == "8a8cf898-ca27c490-d0c7058c-929d0581-2bbf104d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8a8cf898-ca27c490-d0c7058c-929d0581-2bbf104d", True),
        ("8A8CF898-ca27c490-d0c7058c-929d0581-2bbf104d", False),
        ("8a8cf898-ca27c490-d0c7058c-929d0581", False),
        ("1.2.3", False),
    ],
)
def test_identifiers_are_told_from_uids(text: str, expected: bool) -> None:
    assert is_orthanc_id(text) is expected
