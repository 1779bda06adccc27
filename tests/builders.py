"""What tests are made of: DICOM files, request bodies, and an archive on moto."""

import importlib.util
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from samcli.yamlhelper import yaml_parse

from dicomweb.archive import Archive, connect
from dicomweb.dicom.part10 import Instance, read_file
from dicomweb.dicom.store_response import Outcome
from dicomweb.settings import Settings
from dicomweb.transactions.incoming import Dropped, store_incoming

ROOT = Path(__file__).parent.parent
PYDICOM_FILES = Path(pydicom.__file__).parent / "data"
BOUNDARY = "a-boundary"
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def a_data_set(**attributes: Any) -> Dataset:
    """A small CT image; attributes by keyword replace or add, None removes."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = "1.2.3.1.1"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.1"
    ds.Modality = "CT"
    ds.PatientID = "P1"
    ds.PatientName = "Doe^Jane"
    ds.StudyDate = "20240131"
    ds.StudyTime = "101500"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 4, 4, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = np.arange(16, dtype="<u2").tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def a_file(ds: Any = None, *, transfer_syntax: Any = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """A DICOM file."""
    ds = ds or a_data_set(**attributes)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", CTImageStorage)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2")
    content = io.BytesIO()
    pydicom.dcmwrite(content, ds, enforce_file_format=True)
    return content.getvalue()


def a_series(count: int, study: str = "1.2.3", series: str = "1.2.3.1", **attributes: Any) -> list[bytes]:
    """Files of one series, numbered from 1."""
    return [
        a_file(
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            SOPInstanceUID=f"{series}.{number}",
            InstanceNumber=number,
            **attributes,
        )
        for number in range(1, count + 1)
    ]


def an_instance(**attributes: Any) -> Instance:
    """What ingest computes of a file."""
    return read_file(a_file(**attributes), "iso8859_1")


def pydicom_files() -> list[Path]:
    """Every DICOM file in pydicom's wheel, by what it starts with or is called."""
    files = (path for path in sorted(PYDICOM_FILES.rglob("*")) if path.is_file())
    return [path for path in files if path.read_bytes()[128:132] == b"DICM" or path.suffix == ".dcm"]


def a_body(
    contents: Iterable[bytes], boundary: str = BOUNDARY, headers: str = "Content-Type: application/dicom"
) -> bytes:
    """A multipart/related body."""
    parts = [f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n" for content in contents]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def template() -> dict[str, Any]:
    """template.yaml."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def an_archive(place: str = "", **settings: Any) -> Archive:
    """An empty archive in moto, its table as the template defines it; another one at another place."""
    table = template()["Resources"]["Table"]["Properties"]
    bucket, index = f"{place}archive", f"{place}index"
    boto3.client("s3").create_bucket(Bucket=bucket)
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    boto3.client("dynamodb").create_table(
        TableName=index,
        **{
            name: table[name] for name in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        },
    )
    return connect(Settings.model_validate({"Bucket": bucket, "Table": index, **settings}))


def store_dropped(archive: Archive, key: str, version: str = "") -> list[Outcome]:
    """What became of one object under incoming/; raises why not all of it could be stored."""
    (became,) = store_incoming(archive, [Dropped(key, version)]).values()
    if isinstance(became, Exception):
        raise became
    return became


def handler_of(function: str) -> Any:
    """functions/{function}/app.py, loaded as Lambda does: its handler."""
    spec = importlib.util.spec_from_file_location(f"{function}_app", ROOT / "functions" / function / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler
