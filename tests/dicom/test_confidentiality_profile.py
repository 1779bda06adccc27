"""The table of the Basic Application Level Confidentiality Profile, against another transcript of it."""

import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as transcript
from pydicom.datadict import dictionary_description

from dicomweb.dicom.confidentiality_profile import BASIC_PROFILE, BASIC_PROFILE_REPEATING, BEYOND_BASIC_PROFILE

ACTIONS = {
    "D": transcript.D_TAGS, "Z": transcript.Z_TAGS, "X": transcript.X_TAGS, "U": transcript.U_TAGS,
    "Z/D": transcript.Z_D_TAGS, "X/Z": transcript.X_Z_TAGS, "X/D": transcript.X_D_TAGS,
    "X/Z/D": transcript.X_Z_D_TAGS, "X/Z/U*": transcript.X_Z_U_STAR_TAGS,
}  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
def test_the_rows_of_an_action_are_those_of_the_transcript(action: str) -> None:
    expected = {tag[0] << 16 | tag[1] for tag in ACTIONS[action] if len(tag) == 2}
    assert {tag for tag, found in BASIC_PROFILE.items() if found == action} == expected


def test_repeating_groups_are_those_of_the_transcript() -> None:
    for group, number, _, _ in (tag for tag in ACTIONS["X"] if len(tag) == 4):
        tag = group << 16 | number
        assert any(tag & mask == rest for mask, rest in BASIC_PROFILE_REPEATING)


def test_rows_that_were_added_are_none_of_the_table_and_known() -> None:
    assert not set(BEYOND_BASIC_PROFILE) & set(BASIC_PROFILE)
    assert all(dictionary_description(tag) for tag in BEYOND_BASIC_PROFILE)
