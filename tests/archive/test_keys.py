import pytest

from dicomweb.archive import keys
from dicomweb.dicom import attributes
from dicomweb.dicom.json_model import DataSet
from tests.builders import an_instance


def a_study_row(**changes: object) -> DataSet:
    return attributes.row_of(an_instance(**changes).metadata, attributes.STUDY)


def test_a_study_is_found_by_each_group_of_its_patients_name() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎")
    partitions = {pk for (pk, _), _ in keys.entries_of("1.2", row) if "#" in pk}
    assert partitions == {"PatientID#p1", "PatientName#y", "PatientName#山"}


def test_names_are_found_by_three_letters_or_two_chinese_characters() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Li^Jo=山田^太郎", PatientID="P1")
    grams = {pk.partition("~")[2] for (pk, _), _ in keys.entries_of("1.2", row) if "~" in pk}
    assert grams == {"li^", "i^j", "^jo", "山田", "田^", "^太", "太郎"}


@pytest.mark.filterwarnings("ignore")  # of pydicom, about the length
def test_values_with_too_many_grams_are_in_one_place_of_their_own() -> None:
    row = a_study_row(PatientName="".join(chr(97 + n % 26) + chr(97 + n // 26) for n in range(60)))
    entries = list(keys.entries_of("1.2", row))
    assert "PatientName~" in {pk for (pk, _), _ in entries}
    assert len(entries) < 60


def test_studies_without_a_date_come_last() -> None:
    assert keys.order_of(a_study_row(StudyDate="")) < keys.order_of(a_study_row(StudyDate="00010101"))


def test_a_long_value_is_cut_to_what_a_key_holds() -> None:
    row = a_study_row() | {"00100020": {"vr": "LO", "Value": ["x" * 3000]}}
    assert all(len(part) < 1024 for key, _ in keys.entries_of("1.2", row) for part in key)
