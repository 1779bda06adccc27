from dicomweb.archive import keys
from dicomweb.archive.entries import entry_items
from dicomweb.archive.keys import Key
from dicomweb.dicom.json_model import DataSet, dumps
from tests.archive.test_keys import a_study_row


def entries(row: DataSet) -> list[Key]:
    item = {"pk": "S#1.2", "at": keys.at_of("1.2", row), "attributes": dumps(row)}
    return [(entry["pk"], entry["sk"]) for entry in entry_items(item)]


def test_a_study_is_found_by_each_group_of_its_patients_name() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎")
    partitions = {pk for pk, _ in entries(row) if "#" in pk and not pk.startswith(("MONTH", "ORTHANC"))}
    assert partitions == {"PatientID#p1", "PatientName#y", "PatientName#山"}


def test_names_are_found_by_three_or_five_letters_of_a_word_or_two_chinese_characters() -> None:
    row = a_study_row(SpecificCharacterSet="ISO_IR 192", PatientName="Marks^Jo=山田^太郎", PatientID="P1")
    grams = {pk.partition("~")[2] for pk, _ in entries(row) if "~" in pk}
    assert grams == {"mar", "ark", "rks", "marks", "山田", "太郎"}


def test_a_long_value_is_cut_to_what_a_key_holds() -> None:
    row = a_study_row() | {"00100020": {"vr": "LO", "Value": ["x" * 3000]}}
    assert all(len(part) < 1024 for key in entries(row) for part in key)
