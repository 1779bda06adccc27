from dicomweb.archive import keys
from dicomweb.dicom.attributes import STUDY, IndexedAttributes
from dicomweb.dicom.json_model import DataSet
from tests.builders import an_instance


def a_study_row(**changes: object) -> DataSet:
    return IndexedAttributes().row_of(an_instance(**changes).metadata, STUDY).attributes


def test_studies_without_a_date_come_last() -> None:
    assert keys.order_of(a_study_row(StudyDate="")) < keys.order_of(a_study_row(StudyDate="00010101"))
