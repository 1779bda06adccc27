"""Description of pixels (PS3.3 C.7.6.3)."""

from typing import Any

import pytest

from dicomweb.dicom.uids import EXPLICIT_LITTLE
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.image import read_image_pixel
from tests.builders import an_instance


def test_it_is_read_from_metadata() -> None:
    image = read_image_pixel(an_instance(NumberOfFrames=1).metadata, EXPLICIT_LITTLE)
    assert image is not None
    assert (image.rows, image.columns, image.bits_stored, image.frame_count) == (4, 4, 16, 1)
    assert (image.keyword, image.vr, image.photometric_interpretation) == ("PixelData", "OW", "MONOCHROME2")
    assert image.decoded_frame_bytes == 32


def test_an_object_without_pixels_has_none() -> None:
    assert read_image_pixel(an_instance(PixelData=None).metadata, EXPLICIT_LITTLE) is None


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"Rows": None}, "Rows is None"),
        ({"Columns": 0}, "Columns is 0"),
        ({"SamplesPerPixel": 7}, "SamplesPerPixel is 7"),
        ({"BitsAllocated": 12}, "BitsAllocated is 12"),
        ({"BitsStored": 17}, "BitsStored is 17"),
        ({"HighBit": 16}, "HighBit is 16"),
        ({"PixelRepresentation": 2}, "PixelRepresentation is 2"),
        ({"PlanarConfiguration": 9}, "PlanarConfiguration is 9"),
        ({"NumberOfFrames": 0}, "NumberOfFrames is 0"),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is absent"),
    ],
)
def test_what_cannot_be_is_refused(attributes: dict[str, Any], fault: str) -> None:
    with pytest.raises(CannotTranscode, match=fault):
        read_image_pixel(an_instance(**attributes).metadata, EXPLICIT_LITTLE)


def test_an_overlay_among_the_pixels_is_seen() -> None:
    document = an_instance().metadata
    embedded = {**document, "60000102": {"vr": "US", "Value": [12]}}
    apart = {**embedded, "60003000": {"vr": "OW", "BulkDataURI": "/"}}
    for metadata, embeds in ((embedded, True), (apart, False)):
        image = read_image_pixel(metadata, EXPLICIT_LITTLE)
        assert image is not None
        assert image.has_embedded_overlay is embeds
