"""Store, search and retrieve with dicomweb-client, which makes pydicom's data sets of what comes.

with_dicomweb_client.py URL REMOTE FILE…
"""

import os
import sys

import pydicom
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session, create_session_from_user_pass
from pydicom.dataset import Dataset


def main(url: str, remote: str, *paths: str) -> None:
    user, _, password = os.environ.get("DICOMWEB_USER", "").partition(":")
    session = create_session_from_user_pass(user, password) if user else create_session()
    client = DICOMwebClient(f"{url}/dicom-web", session=session)

    files = [pydicom.dcmread(path) for path in paths]
    stored = client.store_instances(files)
    print("stored:", len(stored.ReferencedSOPSequence))

    study = str(files[0].StudyInstanceUID)
    for row in client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["StudyDescription"]):
        found = Dataset.from_json(row)
        print("found:", found.PatientName, found.NumberOfStudyRelatedInstances, "instances")

    for instance in client.iter_study(study):  # one at a time, of whatever size the study is
        print("retrieved:", instance.SOPInstanceUID, instance.file_meta.TransferSyntaxUID.name)
    first = files[0]
    if "PixelData" in first:
        frames = client.retrieve_instance_frames(study, first.SeriesInstanceUID, first.SOPInstanceUID, [1])
        print("retrieved: a frame of", len(frames[0]), "bytes")

    if remote:  # the routes of Orthanc's plugin are not the Standard's, nor this client's
        wanted = {"Resources": [study]}
        answer = session.post(f"{url}/dicom-web/servers/{remote}/stow", json=wanted)
        answer.raise_for_status()
        print("sent:", answer.json()["InstancesCount"])


if __name__ == "__main__":
    main(*sys.argv[1:])
