from xml.etree import ElementTree as ET

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomweb.dicom.xml_model import to_xml
from tests.builders import a_data_set, a_file
from tests.dicom.test_json_model import written_as

NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def attribute_of(ds: Dataset, tag: str) -> ET.Element:
    root = ET.fromstring(to_xml(written_as(ds, "1.2.840.10008.1.2.1")))  # noqa: S314 — our own
    (found,) = (each for each in root if each.get("tag") == tag)
    return found


def test_names_have_groups_and_components() -> None:
    found = attribute_of(a_data_set(PatientName="Doe^Jane^M^Dr=山田", SpecificCharacterSet="ISO_IR 192"), "00100010")
    assert (found.get("vr"), found.get("keyword")) == ("PN", "PatientName")
    name = found.find(f"{NAMESPACE}PersonName")
    assert name is not None
    assert name.findtext(f"{NAMESPACE}Alphabetic/{NAMESPACE}FamilyName") == "Doe"
    assert name.findtext(f"{NAMESPACE}Alphabetic/{NAMESPACE}NamePrefix") == "Dr"
    assert name.findtext(f"{NAMESPACE}Ideographic/{NAMESPACE}FamilyName") == "山田"


def test_values_are_numbered_and_empty_ones_left_out() -> None:
    values = attribute_of(a_data_set(OtherPatientIDs=["DERIVED", "", "A<B&C"]), "00101000")
    assert [(value.get("number"), value.text) for value in values] == [("1", "DERIVED"), ("3", "A<B&C")]


def test_items_hold_attributes_and_no_stray_value() -> None:
    ds = a_data_set()
    ds.ReferencedImageSequence = Sequence([Dataset(), Dataset()])
    ds.ReferencedImageSequence[0].ReferencedFrameNumber = 3
    items = list(attribute_of(ds, "00081140"))
    assert [(item.tag, item.get("number"), len(item)) for item in items] == [
        (f"{NAMESPACE}Item", "1", 1),
        (f"{NAMESPACE}Item", "2", 0),
    ]


def test_private_attributes_name_their_creator_and_mask_their_block() -> None:
    ds = a_data_set()
    ds.private_block(0x0009, "ACME", create=True).add_new(0x01, "LO", "X")
    assert attribute_of(ds, "00090001").get("privateCreator") == "ACME"


def test_bulk_data_are_references() -> None:
    (bulk,) = attribute_of(a_data_set(), "7FE00010")
    assert (bulk.tag, str(bulk.get("uri")).endswith("/bulkdata/7FE00010")) == (f"{NAMESPACE}BulkData", True)


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    assert a_file()
    assert attribute_of(a_data_set(PatientComments="a\x01b"), "00104000")[0].text == "a\ufffdb"


def test_lines_end_as_they_did() -> None:
    # A bare carriage return would be read as a line feed.
    assert attribute_of(a_data_set(PatientComments="one\r\ntwo"), "00104000")[0].text == "one\r\ntwo"


def test_no_component_of_a_name_is_lost() -> None:
    (name,) = attribute_of(a_data_set(PatientName="A^B^C^D^E^F"), "00100010")
    assert name.findtext(f"{NAMESPACE}Alphabetic/{NAMESPACE}NameSuffix") == "E^F"
