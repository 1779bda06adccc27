from fastapi.testclient import TestClient

from dicomweb.archive import Archive, keys
from dicomweb.dicom.orthanc_ids import orthanc_id
from dicomweb.transactions.metadata import is_compacted
from tests.builders import a_file, a_series
from tests.transactions.test_store import store

OBJECT = keys.series_object("1.2.3", "1.2.3.1")


def test_all_series_of_a_study_are_compacted(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(2), *a_series(1, series="1.2.3.2"))
    answer = client.post(f"/studies/{orthanc_id('P1', '1.2.3')}/update-dicomweb-cache")
    assert (answer.status_code, answer.json()) == (200, {})
    assert all(is_compacted(archive, row) for row in archive.index.series_of("1.2.3"))
    assert archive.storage.read(OBJECT)[1]["base"] == "http://testserver/dicom-web"


def test_what_is_there_is_written_anew(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(2))
    client.get("/dicom-web/studies/1.2.3/metadata")
    right, about = archive.storage.read(OBJECT)
    archive.storage.write_gzip(OBJECT, b"damaged", about)
    assert client.post("/studies/1.2.3/update-dicomweb-cache/").status_code == 200
    assert archive.storage.read(OBJECT)[0] == right


def test_a_study_is_found_by_the_characters_of_its_patient_id(archive: Archive, client: TestClient) -> None:
    store(archive, a_file(PatientID="Übung 7 ", SpecificCharacterSet="ISO_IR 100"))
    assert client.post(f"/studies/{orthanc_id('Übung 7', '1.2.3')}/update-dicomweb-cache").status_code == 200


def test_a_study_without_a_patient_id_has_an_identifier_too(archive: Archive, client: TestClient) -> None:
    store(archive, a_file(PatientID=None))
    assert client.post(f"/studies/{orthanc_id('', '1.2.3')}/update-dicomweb-cache").status_code == 200


def test_what_is_unknown_is_404(archive: Archive, client: TestClient) -> None:
    store(archive, *a_series(1))
    of_series, of_instance = ("1.2.3", "1.2.3.1"), ("1.2.3", "1.2.3.1", "1.2.3.1.1")
    others = [orthanc_id("P2", "1.2.3"), orthanc_id("P1", *of_series), orthanc_id("P1", *of_instance)]
    for name in (*others, "1.2.9", "abc", orthanc_id("P1", "1.2.3").upper()):
        assert client.post(f"/studies/{name}/update-dicomweb-cache").status_code == 404


def test_it_is_a_post(client: TestClient) -> None:
    answer = client.get("/studies/1.2.3/update-dicomweb-cache")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_an_identifier_is_not_taken_for_the_uid_of_a_series(archive: Archive) -> None:
    store(archive, *a_series(1))
    assert archive.index.path_of_orthanc_id(orthanc_id("P1", "1.2.3")) == ("1.2.3",)
    assert archive.index.paths_of_uid(orthanc_id("P1", "1.2.3")) == []
