import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicomweb.dicom.json_model import dumps, with_base
from dicomweb.dicom.part10 import read_file
from tests.builders import a_data_set, a_file, an_instance


def written_as(ds: Dataset, transfer_syntax: str) -> dict[str, dict[str, object]]:
    return read_file(a_file(ds, transfer_syntax=transfer_syntax), "iso8859_1").metadata


@pytest.mark.parametrize(
    ("keyword", "value", "tag", "expected"),
    [
        (
            "PatientName",
            "Doe^Jane=山田=やまだ",
            "00100010",
            [{"Alphabetic": "Doe^Jane", "Ideographic": "山田", "Phonetic": "やまだ"}],
        ),
        ("SliceThickness", "5.000000", "00180050", ["5.000000"]),  # the text of DS is kept
        ("InstanceNumber", 7, "00200013", [7]),
        ("ImageType", ["DERIVED", "", "AXIAL"], "00080008", ["DERIVED", None, "AXIAL"]),
        ("FrameIncrementPointer", 0x00181063, "00280009", ["00181063"]),
        ("RecommendedDisplayFrameRateInFloat", float("nan"), "00089459", ["NaN"]),
        ("RecommendedDisplayFrameRateInFloat", float("-inf"), "00089459", ["-Infinity"]),
        ("RecommendedDisplayFrameRateInFloat", 0.5, "00089459", [0.5]),
        ("PatientComments", "one\\two", "00104000", ["one\\two"]),  # LT has one value
        ("PatientID", None, "00100020", None),
    ],
)
def test_values(keyword: str, value: object, tag: str, expected: object) -> None:
    ds = a_data_set(SpecificCharacterSet="ISO_IR 192", **{keyword: value} if value is not None else {keyword: ""})
    assert written_as(ds, "1.2.840.10008.1.2.1")[tag].get("Value") == expected


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_metadata_do_not_depend_on_how_the_file_is_written(syntax: str) -> None:
    ds = a_data_set(SmallestImagePixelValue=3, ImagePositionPatient=[1, 2, "3.50"])
    ds.ReferencedImageSequence = Sequence([Dataset()])
    ds.ReferencedImageSequence[0].ReferencedFrameNumber = [1, 2]
    expected = written_as(ds, "1.2.840.10008.1.2.1")
    assert written_as(ds, syntax) == expected


def test_implicit_values_are_signed_when_the_pixels_are() -> None:
    ds = a_data_set(PixelRepresentation=1)
    ds.add_new(0x00280106, "SS", -5)
    assert written_as(ds, ImplicitVRLittleEndian)["00280106"] == {"vr": "SS", "Value": [-5]}


def test_an_empty_attribute_has_a_vr_alone() -> None:
    assert an_instance(AccessionNumber="").metadata["00080050"] == {"vr": "SH"}


def test_what_is_no_integer_stays_text() -> None:
    file = a_file(InstanceNumber=12).replace(b"IS\x02\x0012", b"IS\x02\x00x2")
    assert read_file(file, "ascii").metadata["00200013"]["Value"] == ["x2"]


def test_binary_values_are_referenced_and_their_place_is_known() -> None:
    ds = a_data_set()
    ds.ReferencedImageSequence = Sequence([Dataset(), Dataset()])
    ds.ReferencedImageSequence[1].add_new(0x00091001, "OB", b"ABCD")
    file = a_file(ds)
    instance = read_file(file, "ascii")
    root = "/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/bulkdata"
    nested = instance.metadata["00081140"]["Value"][1]["00091001"]
    assert nested == {"vr": "OB", "BulkDataURI": f"{root}/00081140/2/00091001"}
    place = instance.bulk["00081140/2/00091001"]
    assert file[place.start : place.start + place.length] == b"ABCD"


def test_the_answer_says_utf8() -> None:
    assert an_instance(SpecificCharacterSet="ISO_IR 100").metadata["00080005"]["Value"] == ["ISO_IR 192"]


def test_a_base_is_put_in_front_of_references_and_of_nothing_else() -> None:
    text = dumps({"a": {"BulkDataURI": "/studies/1"}, "b": {"Value": ['"BulkDataURI":"/studies/1"']}}).encode()
    placed = with_base(text, "http://one/dicom-web")
    assert placed.count(b"http://one") == 1
    assert with_base(placed, "http://two/root", "http://one/dicom-web").count(b"http://two/root/studies/1") == 1


def test_large_integers_that_json_readers_would_round_are_strings() -> None:
    ds = a_data_set()
    ds.add_new(0x00091001, "UV", 2**60)
    assert written_as(ds, "1.2.840.10008.1.2.1")["00091001"]["Value"] == [str(2**60)]
