"""dicomweb-client, a client that people use, over a real socket."""

import re
from pathlib import Path

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from requests import HTTPError

from tests.builders import PYDICOM_FILES, a_data_set, a_file, a_series, pydicom_files

pytestmark = pytest.mark.filterwarnings("ignore")  # of the client and of pydicom, about old files

NO_STUDY = r"StudyInstanceUID \(0020,000D\) is '', expected a UID"
NO_PREFIX = "not a DICOM file: expected DICM at byte 128"
# Files of pydicom's wheel that cannot be stored, and why; DICOMDIRs and palettes belong to no study.
REFUSED = {
    "charset_files/chrSQEncoding.dcm": NO_STUDY,
    "charset_files/chrSQEncoding1.dcm": NO_STUDY,
    **{
        f"palettes/{name}.dcm": NO_STUDY
        for name in ("fall", "hotiron", "hotmetalblue", "pet", "pet20step", "spring", "summer", "winter")
    },
    "test_files/ExplVR_BigEndNoMeta.dcm": NO_PREFIX,
    "test_files/ExplVR_LitEndNoMeta.dcm": NO_PREFIX,
    "test_files/JPEGLSNearLossless_08.dcm": NO_STUDY,
    "test_files/JPEGLSNearLossless_16.dcm": NO_STUDY,
    "test_files/MR_truncated.dcm": r"\(7FE0,0010\) at byte 1500 says it has 8192 bytes, but 8130 are there: truncated",
    "test_files/SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "test_files/SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "test_files/UN_sequence.dcm": NO_STUDY,
    "test_files/empty_charset_LEI.dcm": NO_STUDY,
    "test_files/meta_missing_tsyntax.dcm": r"Transfer Syntax UID \(0002,0010\) is ''",
    "test_files/nested_priv_SQ.dcm": NO_STUDY,
    "test_files/no_meta.dcm": NO_PREFIX,
    "test_files/no_meta_group_length.dcm": NO_STUDY,
    "test_files/priv_SQ.dcm": NO_STUDY,
    "test_files/rtplan_truncated.dcm": "truncated",
    "test_files/rtstruct.dcm": NO_PREFIX,
    "test_files/dicomdirtests/DICOMDIR-nooffset": "runs 24 bytes over its sequence",
    **{
        f"test_files/dicomdirtests/{name}": NO_STUDY
        for name in (
            "DICOMDIR",
            "DICOMDIR-bigEnd",
            "DICOMDIR-empty.dcm",
            "DICOMDIR-implicit",
            "DICOMDIR-nopatient",
            "DICOMDIR-reordered",
            "TINY_ALPHA/DICOMDIR",
        )
    },
}


def store(user_agent: DICOMwebClient, content: bytes) -> Dataset:
    """Store bytes as they are; the client's own store_instances would write the file anew."""
    return user_agent._http_post_multipart_application_dicom(f"{user_agent.base_url}/studies", [content])


def retrieve_as_stored(user_agent: DICOMwebClient, url: str) -> list[bytes]:
    """The bytes of what the client's own retrieve calls ask for."""
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    answer = user_agent._http_get(url, headers={"Accept": accept})
    return [bytes(part) for part in user_agent._decode_multipart_message(answer, stream=False)]


def reason_of(error: HTTPError) -> str:
    assert error.response is not None
    body = error.response.json()
    (item,) = body.get("00081198", body.get("0008119A"))["Value"]  # by its UIDs if it has them
    return str(item["00000902"]["Value"][0])


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_bytes_in_are_bytes_out_for_every_file_of_pydicom(user_agent: DICOMwebClient, path: Path) -> None:
    content = path.read_bytes()
    name = str(path.relative_to(PYDICOM_FILES))
    if name in REFUSED:
        with pytest.raises(HTTPError) as caught:
            store(user_agent, content)
        assert re.search(REFUSED[name], reason_of(caught.value))
        return
    store(user_agent, content)
    (study,) = user_agent.search_for_studies()
    (instance,) = user_agent.search_for_instances(study["0020000D"]["Value"][0])
    uids = [instance[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
    url = "{}/studies/{}/series/{}/instances/{}".format(user_agent.base_url, *uids)
    (returned,) = retrieve_as_stored(user_agent, url)
    assert returned == content
    (metadata,) = user_agent.retrieve_series_metadata(*uids[:2])
    if path.name != "badVR.dcm":  # its Instance Number is 1A, which we give as it is and pydicom cannot read
        assert Dataset.from_json(metadata, bulk_data_uri_handler=lambda *_: b"").SOPInstanceUID == uids[2]


def test_the_list_of_refused_files_is_right() -> None:
    names = {str(path.relative_to(PYDICOM_FILES)) for path in pydicom_files()}
    assert set(REFUSED) <= names
    assert len(names) > 100


def test_store_search_and_retrieve_with_the_clients_own_calls(user_agent: DICOMwebClient) -> None:
    response = user_agent.store_instances(
        [pydicom.dcmread(Path(PYDICOM_FILES / "test_files/CT_small.dcm")), a_stored_data_set()]
    )
    assert len(response.ReferencedSOPSequence) == 2
    (study,) = user_agent.search_for_studies(search_filters={"PatientID": "1CT1"}, fields=["StudyDescription"], limit=1)
    uid = study["0020000D"]["Value"][0]
    (series,) = user_agent.search_for_series(uid)
    (instance,) = user_agent.retrieve_series(uid, series["0020000E"]["Value"][0])
    assert instance.PatientName == "CompressedSamples^CT1"
    (metadata,) = user_agent.retrieve_study_metadata(uid)
    bulk = user_agent.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
    assert bulk == [instance.PixelData]


def test_a_body_over_a_megabyte_comes_in_chunks(user_agent: DICOMwebClient) -> None:
    files = [
        a_file(SOPInstanceUID=f"1.2.3.1.{n}", Rows=512, Columns=512, PixelData=bytes(512 * 1024)) for n in range(4)
    ]
    user_agent._http_post_multipart_application_dicom(f"{user_agent.base_url}/studies", files)
    assert sorted(user_agent._http_get_multipart(f"{user_agent.base_url}/studies/1.2.3")) == sorted(files)


def test_frames(user_agent: DICOMwebClient) -> None:
    pixels = bytes(range(96))
    store(user_agent, a_file(NumberOfFrames=3, PixelData=pixels))
    frames = user_agent.retrieve_instance_frames("1.2.3", "1.2.3.1", "1.2.3.1.1", [1, 3])
    assert frames == [pixels[:32], pixels[64:]]


def test_every_url_in_an_answer_leads_somewhere(user_agent: DICOMwebClient) -> None:
    # The client sends Host without the port; links must have it.
    store(user_agent, a_file())
    (study,) = user_agent.search_for_studies()
    (series,) = user_agent.search_for_series()
    (instance,) = user_agent.search_for_instances()
    (metadata,) = user_agent.retrieve_study_metadata("1.2.3")
    for row in (study, series, instance):
        url = row["00081190"]["Value"][0]
        assert url.startswith(f"{user_agent.base_url}/studies/1.2.3")
        assert retrieve_as_stored(user_agent, url) == [a_file()]
    assert list(user_agent.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])) == [bytes(a_data_set().PixelData)]


def test_delete(user_agent: DICOMwebClient) -> None:
    for file in a_series(2):
        store(user_agent, file)
    user_agent.delete_instance("1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert len(user_agent.search_for_instances("1.2.3")) == 1
    user_agent.delete_study("1.2.3")
    assert user_agent.search_for_studies() == []
    with pytest.raises(HTTPError, match="410"):
        user_agent.retrieve_study_metadata("1.2.3")


def a_stored_data_set() -> Dataset:
    return pydicom.dcmread(pydicom.filebase.DicomBytesIO(a_file(a_data_set())))
