"""Presentation states, against what DCMTK makes of them: dcmpsmk writes states, dcmp2pgm applies them, dcmpschk reads ours."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from tests.builders import PYDICOM_FILES, a_file
from tests.pixels.states import RAMP, a_state, a_table, an_image, an_item, seen

TOOLS = ("dcmpsmk", "dcmp2pgm", "dcmpschk")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)),
    reason=f"DCMTK is not installed: {', '.join(TOOLS)} are needed (apt-get install dcmtk)",
)

# What DCMTK insists on in an image or a state, and ours do without.
COMPLETE: dict[str, Any] = {
    "StudyID": "1", "SeriesNumber": 1, "InstanceNumber": 1, "PatientBirthDate": "", "PatientSex": "",
    "ReferringPhysicianName": "", "AccessionNumber": "", "StudyDate": "20240131", "StudyTime": "101500",
    "PatientName": "Doe^Jane", "Manufacturer": "",
}  # fmt: skip
OF_A_STATE: dict[str, Any] = {
    "ContentLabel": "TEST", "ContentDescription": "", "PresentationCreationDate": "20240131",
    "PresentationCreationTime": "101500", "ContentCreatorName": "",
}  # fmt: skip
WIDE = np.arange(1024, dtype="<u2").reshape(16, 64) * 4
WIDE_BITS = {"BitsStored": 12, "HighBit": 11}
SIGNED = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1}


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def by_dcmtk(folder: Path, image: bytes, state: bytes) -> NDArray[Any]:
    (folder / "image.dcm").write_bytes(image)
    (folder / "state.dcm").write_bytes(state)
    run("dcmp2pgm", "-p", folder / "state.dcm", folder / "image.dcm", folder / "seen.pgm")
    return np.asarray(Image.open(folder / "seen.pgm"))


def a_window(center: int, width: int) -> dict[str, Any]:
    return {"SoftcopyVOILUTSequence": [an_item(WindowCenter=str(center), WindowWidth=str(width))]}


def a_modality(slope: str, intercept: str) -> dict[str, Any]:
    return {"RescaleSlope": slope, "RescaleIntercept": intercept, "RescaleType": "US"}


def an_explained(table: Dataset, **attributes: Any) -> Dataset:
    for keyword, value in attributes.items():
        setattr(table, keyword, value)
    return table


def a_lut(keyword: str, table: Dataset) -> dict[str, Any]:
    return {"SoftcopyVOILUTSequence": [an_item(VOILUTSequence=[table])]} if keyword == "VOI" else {keyword: [table]}


CURVE = [round(4095 * (value / 255) ** 2) for value in range(256)]


@pytest.mark.parametrize(
    ("pixels", "image", "state"),
    [
        (RAMP, {}, {}),
        (RAMP, {}, {"PresentationLUTShape": "INVERSE"}),
        (RAMP, {"PhotometricInterpretation": "MONOCHROME1"}, {}),
        (RAMP, {"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}),
        (RAMP, {"WindowCenter": "10", "WindowWidth": "5", "RescaleSlope": "2", "RescaleIntercept": "1"}, {}),
        (RAMP, {}, a_window(100, 50)),
        (WIDE, WIDE_BITS, {}),
        (WIDE, WIDE_BITS, a_window(1000, 1500)),
        (WIDE, WIDE_BITS, a_window(40, 400) | a_modality("1", "-1024")),
        (WIDE, WIDE_BITS, a_modality("0.5", "3")),
        (WIDE, SIGNED, {}),
        (WIDE, SIGNED, a_window(-200, 900)),
        (WIDE, SIGNED, a_modality("-1", "7") | a_window(100, 900)),
        (RAMP, {}, a_lut("VOI", a_table(CURVE, 0, 12))),
        (RAMP, {}, a_lut("ModalityLUTSequence", an_explained(a_table(CURVE, 0, 12), ModalityLUTType="US"))),
        (RAMP, {}, a_lut("PresentationLUTSequence", a_table(CURVE, 0, 12)) | {"PresentationLUTShape": None}),
        (WIDE, WIDE_BITS, a_lut("PresentationLUTSequence", a_table(CURVE[::-1], 0, 12)) | a_window(900, 1000) | {"PresentationLUTShape": None}),
        *(
            (WIDE, WIDE_BITS, {"ImageRotation": rotation, "ImageHorizontalFlip": flip})
            for rotation in (0, 90, 180, 270)
            for flip in "NY"
        ),
    ],
)  # fmt: skip
def test_grey_levels_are_those_of_dcmtk(
    tmp_path: Path, pixels: NDArray[Any], image: dict[str, Any], state: dict[str, Any]
) -> None:
    rows, columns = pixels.shape
    area = an_item(
        DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[columns, rows],
        PresentationSizeMode="SCALE TO FIT", PresentationPixelAspectRatio=[1, 1],
    )  # fmt: skip
    shown = an_image(pixels, **(COMPLETE | image))
    with_state = a_state(**(COMPLETE | OF_A_STATE | {"DisplayedAreaSelectionSequence": [area]} | state))
    expected = by_dcmtk(tmp_path, a_file(shown), a_file(with_state))
    assert "failed" not in run("dcmpschk", tmp_path / "state.dcm").lower()
    ours = seen(shown, with_state)
    assert ours.shape == expected.shape
    # DCMTK rounds after each step; a table may double what that makes.
    assert np.abs(ours.astype(int) - expected).max() <= (2 if "PresentationLUTSequence" in state else 1)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "MR_small_padded.dcm", "examples_overlay.dcm"])
@pytest.mark.parametrize("options", [["+Vw"], ["-V"], ["+oa"], ["+oc"]])
def test_states_that_dcmtk_makes_are_seen_as_dcmtk_sees_them(tmp_path: Path, name: str, options: list[str]) -> None:
    path = next(PYDICOM_FILES.rglob(name))
    image = pydicom.dcmread(path)
    run("dcmpsmk", *options, path, tmp_path / "made.dcm")
    expected = by_dcmtk(tmp_path, path.read_bytes(), (tmp_path / "made.dcm").read_bytes())
    ours = seen(image, pydicom.dcmread(tmp_path / "made.dcm"))
    assert ours.shape == expected.shape
    # dcmp2pgm leaves activated overlays to viewers.
    plane = image.overlay_array(0x6000).astype(bool) if (0x6000, 0x3000) in image else np.zeros(ours.shape, bool)
    assert np.abs(ours.astype(int) - expected)[~plane].max() <= 1
    assert (ours[plane] == 255).all()
