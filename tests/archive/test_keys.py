from dicomweb.archive import keys
from dicomweb.dicom.attributes import STUDY, IndexedAttributes
from dicomweb.dicom.json_model import DataSet
from tests.builders import an_instance


def a_study_row(**changes: object) -> DataSet:
    return IndexedAttributes().row_of(an_instance(**changes).metadata, STUDY).attributes


def test_a_study_is_found_by_each_group_of_its_patients_name() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎")
    partitions = {pk for (pk, _), _ in keys.entries_of("1.2", row) if "#" in pk}
    assert partitions == {"PatientID#p1", "PatientName#y", "PatientName#山"}


def test_names_are_found_by_three_or_five_letters_of_a_word_or_two_chinese_characters() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Marks^Jo=山田^太郎", PatientID="P1")
    grams = {pk.partition("~")[2] for (pk, _), _ in keys.entries_of("1.2", row) if "~" in pk}
    assert grams == {"mar", "ark", "rks", "marks", "山田", "太郎"}


def test_studies_without_a_date_come_last() -> None:
    assert keys.order_of(a_study_row(StudyDate="")) < keys.order_of(a_study_row(StudyDate="00010101"))


def test_a_long_value_is_cut_to_what_a_key_holds() -> None:
    row = a_study_row() | {"00100020": {"vr": "LO", "Value": ["x" * 3000]}}
    assert all(len(part) < 1024 for key, _ in keys.entries_of("1.2", row) for part in key)
