"""Every image of the corpus, rendered over HTTP, is the picture that DCMTK makes of it."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicomweb.pixels.capabilities import JPEG, JPEG_2000_FAMILY, JPEG_LS_FAMILY, LOSSY_JPEG
from tests.builders import a_body
from tests.conformance.test_retrieve_corpus import IMAGES, NOT_DECODED

pytestmark = [
    pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="DCMTK is not installed (Debian: dcmtk)"),
    pytest.mark.filterwarnings("ignore"),
]

_PART = 'multipart/related; type="application/dicom"; boundary=a-boundary'
# DCMTK's own tool for each family; JPEG 2000 it cannot read: GDCM takes that off.
_TOOLS = {**dict.fromkeys(JPEG, "dcmj2pnm"), **dict.fromkeys(JPEG_LS_FAMILY, "dcml2pnm")}
# Pictures that DCMTK does not make, and why.
_NOT_MADE = {
    "SC_rgb_32bit.dcm": "Unsupported element value", "SC_rgb_32bit_2frame.dcm": "Unsupported element value",
    "SC_rgb_expb_32bit.dcm": "Unsupported element value", "SC_rgb_expb_32bit_2frame.dcm": "Unsupported element value",
    "SC_rgb_jpeg.dcm": "premature end of stream", "JPEG2000-embedded-sequence-delimiter.dcm": "",
    "JPEG-lossy.dcm": "",
    "gdcm-US-ALOKA-16.dcm": "empty 'LookupTableData'", "gdcm-US-ALOKA-16_big.dcm": "empty 'LookupTableData'",
}  # fmt: skip
# It swaps the bytes of 32-bit big endian pixels as if they had 16 bits; ours are those of rtdose.dcm.
_OTHERWISE = {"rtdose_expb.dcm": "rtdose.dcm", "rtdose_expb_1frame.dcm": "rtdose_1frame.dcm"}
_ROUNDING = 1  # grey levels: it computes windows in whole numbers
_COLOUR = 2  # of YBR to RGB in whole numbers
_LOSSY = 3  # decoders round differently


def test_the_corpus_is_there() -> None:
    assert len(IMAGES) > 100


@pytest.mark.parametrize("path", sorted(IMAGES), ids=lambda path: path.name)
def test_default_picture(client: TestClient, path: Path, tmp_path: Path) -> None:
    answer = _rendered(client, path)
    if path.name in NOT_DECODED:
        assert answer.status_code == 406
        return
    assert answer.status_code == 200, answer.text
    ours = np.asarray(Image.open(io.BytesIO(answer.content)))
    if path.name in _OTHERWISE:
        theirs = _dcmtk(path.with_name(_OTHERWISE[path.name]), tmp_path)
    else:
        theirs = _dcmtk(path, tmp_path)
    if path.name in _NOT_MADE:
        assert isinstance(theirs, str)
        assert _NOT_MADE[path.name] in theirs
        return
    assert not isinstance(theirs, str), theirs
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= _tolerance(pydicom.dcmread(path))


@pytest.mark.parametrize("name", ["MR-SIEMENS-DICOM-WithOverlays.dcm", "examples_overlay.dcm"])
def test_overlays(client: TestClient, name: str, tmp_path: Path) -> None:
    (path,) = [path for path in IMAGES if path.name == name]
    ours = np.asarray(Image.open(io.BytesIO(_rendered(client, path, "?annotation=overlays").content)))
    theirs = _dcmtk(path, tmp_path, "+O", "0", "+Omr")
    assert not isinstance(theirs, str), theirs
    assert np.abs(ours.astype(int) - theirs).max() <= _ROUNDING


def _rendered(client: TestClient, path: Path, query: str = "") -> Any:
    stored = client.post("/dicom-web/studies", content=a_body([path.read_bytes()]), headers={"Content-Type": _PART})
    url = stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    answer = client.get(f"{url}/rendered{query}", headers={"Accept": "image/png"})
    assert client.delete(url).status_code == 204
    return answer


def _dcmtk(path: Path, folder: Path, *overlays: str) -> NDArray[Any] | str:
    """DCMTK's picture of the first frame, or what it says in place of one."""
    ds = pydicom.dcmread(path)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if syntax in JPEG_2000_FAMILY:
        if not shutil.which("gdcmconv"):
            pytest.skip("GDCM is not installed (Debian: libgdcm-tools)")
        native = folder / "native.dcm"
        subprocess.run(["gdcmconv", "--raw", path, native], check=False, capture_output=True)
        if not native.exists():
            return "GDCM makes nothing of it"
        path = native
    target = folder / "picture.ppm"
    command = [_TOOLS.get(syntax, "dcm2pnm"), *_window(ds), *(overlays or ["-O"]), "+op", str(path), str(target)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    return made.stderr if made.returncode else np.asarray(Image.open(target)).astype(int)


def _window(ds: Dataset) -> list[str]:
    """The options for what we do by default; colour has no window."""
    if ds.get("SamplesPerPixel", 1) > 1 or not ds.PhotometricInterpretation.startswith("MONOCHROME"):
        return []
    if "WindowCenter" in ds:
        return ["+Wi", "1"]
    return ["+Wl", "1"] if "VOILUTSequence" in ds else ["+Wm"]


def _tolerance(ds: Dataset) -> int:
    if ds.file_meta.TransferSyntaxUID in LOSSY_JPEG or "YBR_ICT" in ds.PhotometricInterpretation:
        return _LOSSY
    return _COLOUR if ds.PhotometricInterpretation.startswith("YBR") else _ROUNDING
