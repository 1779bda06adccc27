"""Regions, scale and flips: what a viewport makes of an image."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dicomweb.dicom.rendering import Viewport, parse_rendered, parse_wado_uri
from dicomweb.errors import BadRequest
from dicomweb.pixels.placing import place

# 6 columns, 4 rows: the tens are the row, the ones the column.
PIXELS = np.array([[row * 10 + column for column in range(6)] for row in range(4)], np.uint8)


def placed(viewport: Viewport | None, pixel_ratio: float = 1.0) -> list[list[int]]:
    pixels: list[list[int]] = np.asarray(place(Image.fromarray(PIXELS), viewport, pixel_ratio)).tolist()
    return pixels


def of(text: str) -> Viewport | None:
    return parse_rendered({"viewport": text}).viewport


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [
        (None, PIXELS),
        ("6,4", PIXELS),
        ("2,2,1,1,2,2", PIXELS[1:3, 1:3]),
        ("2,2,1,1,-2,2", PIXELS[1:3, 2:0:-1]),  # a negative width flips horizontally
        ("2,2,1,1,2,-2", PIXELS[2:0:-1, 1:3]),
        ("2,2,1,1,-2,-2", PIXELS[2:0:-1, 2:0:-1]),
        ("3,4,3", PIXELS[:, 3:]),  # what is left out reaches to the edge
        ("6,2,,2", PIXELS[2:]),
        ("6,4,,,,", PIXELS),
        (",,,,2,2", PIXELS[:2, :2]),
        ("2,4,4,0,100,100", PIXELS[:, 4:]),  # cut where the image ends
    ],
)
def test_regions(viewport: str | None, expected: NDArray[np.uint8]) -> None:
    assert placed(of(viewport) if viewport else None) == expected.tolist()


def test_a_picture_is_as_large_as_its_viewport_with_black_beside_what_fits_in() -> None:
    tall = placed(of("6,6"))
    assert (tall[0], tall[5], tall[1:5]) == ([0] * 6, [0] * 6, PIXELS.tolist())
    wide = placed(of("10,4"))
    assert [row[2:8] for row in wide] == PIXELS.tolist()
    assert {row[column] for row in wide for column in (0, 1, 8, 9)} == {0}


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"columns": "3"}, (3, 2)),
        ({"rows": "2"}, (3, 2)),
        ({"rows": "2", "columns": "100"}, (3, 2)),  # both are upper limits (PS3.18 §9.1.2.2.6)
        ({"rows": "8"}, (12, 8)),
        ({"region": "0.5,0.5,1,1"}, (3, 2)),
        ({"region": "0.5,0.5,1,1", "columns": "6"}, (6, 4)),
    ],
)
def test_pictures_of_the_uri_service_have_no_black_beside_them(
    parameters: dict[str, str], size: tuple[int, int]
) -> None:
    picture = place(Image.fromarray(PIXELS), parse_wado_uri(parameters).viewport, 1.0)
    assert picture.size == size


@pytest.mark.parametrize(
    ("pixel_ratio", "size"),
    [(1.0, (60, 40)), (2.0, (45, 60)), (0.5, (60, 20))],  # height of a pixel : its width
)
def test_scaled_pictures_have_square_pixels(pixel_ratio: float, size: tuple[int, int]) -> None:
    assert place(Image.fromarray(PIXELS), Viewport(60, 60), pixel_ratio).size == size


def test_without_a_viewport_a_pixel_is_a_pixel() -> None:
    assert placed(None, pixel_ratio=2.0) == PIXELS.tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        {"viewport": "1000000,1000000"}, {"viewport": "16000,16000"}, {"viewport": "0,10"}, {"viewport": "-1,10"},
        {"viewport": "10"}, {"viewport": "a,b"}, {"viewport": "1.5,2"}, {"viewport": "10,10,0,0,0,5"},
        {"viewport": "10,10,-1,0"}, {"viewport": "10,10,nan,0"}, {"viewport": "1,2,3,4,5,6,7"}, {"viewport": ""},
        {"window": "1,0,linear"}, {"window": "1,0.5,linear"}, {"window": "1,0,sigmoid"}, {"window": "nan,1,linear"},
        {"window": "1,inf,linear"}, {"window": "1,2"}, {"window": "1,2,cubic"}, {"window": "1,2,linear,3"},
        {"window": "1_0,20,linear"},
        {"quality": "0"}, {"quality": "101"}, {"quality": "-5"}, {"quality": "good"}, {"quality": "٣"},
        {"annotation": "patient,name"}, {"iccprofile": "cmyk"},
    ],
)  # fmt: skip
def test_wrong_parameters_of_rendered_resources_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match=next(iter(parameters))):
        parse_rendered(parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"rows": "0"}, {"columns": "x"}, {"rows": "99999"}, {"region": "0,0,2,1"}, {"region": "0.5,0,0.5,1"},
        {"region": "-0.1,0,1,1"}, {"region": "0,0,1"}, {"region": "nan,0,1,1"}, {"windowCenter": "40"},
        {"windowWidth": "40"}, {"windowCenter": "40", "windowWidth": "0"}, {"windowCenter": "x", "windowWidth": "1"},
        {"imageQuality": "0"}, {"imageQuality": "x"},
    ],
)  # fmt: skip
def test_wrong_parameters_of_the_uri_service_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="|".join(parameters)):
        parse_wado_uri(parameters)


@pytest.mark.parametrize("viewport", [Viewport(10, 10, left=6), Viewport(10, 10, top=4)])
def test_a_region_outside_the_image_is_refused(viewport: Viewport) -> None:
    with pytest.raises(BadRequest, match="the image has 6 x 4 pixels"):
        placed(viewport)


def test_a_picture_that_one_side_makes_too_large_is_refused() -> None:
    with pytest.raises(BadRequest, match="expected at most"):
        placed(Viewport(16_000, None))
