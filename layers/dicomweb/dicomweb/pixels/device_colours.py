"""Colours that presentation states recommend, as those of pictures (PS3.3 C.10.7.1.1)."""

from PIL import Image

from dicomweb.dicom.json_model import DataSet
from dicomweb.pixels.lookup_tables import number_of, numbers_of

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

_LARGEST = 0xFFFF  # P-Value, and of each component of CIELab
_D50 = (0.96422, 1.0, 0.82521)
# XYZ relative to D50 → linear sRGB (IEC 61966-2-1, adapted by Bradford's matrix).
_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
_NEUTRAL = 3  # levels by which the components of a grey may differ


def read_colour(item: DataSet, grey: str, cielab: str, rgb: str = "") -> Colour | None:
    """The colour that an item recommends, for a colour display first; None where it recommends none.

    Args:
        grey, cielab, rgb: tags of a P-Value, of CIELab, and of RGB (retired), each of 16 bits.
    """
    for tag, convert in ((cielab, _from_cielab), (rgb, _from_rgb)):
        values = [value for value in numbers_of(item, tag) if value is not None and 0 <= value <= _LARGEST]
        if len(values) == 3:
            return convert(*values)
    level = number_of(item, grey)
    return None if level is None or not 0 <= level <= _LARGEST else (round(level / 257),) * 3


def is_neutral(colour: Colour) -> bool:
    return max(colour) - min(colour) <= _NEUTRAL


def paintable(picture: Image.Image, colours: list[Colour]) -> Image.Image:
    """The picture, in colour when one of the colours needs it."""
    return picture if all(map(is_neutral, colours)) else picture.convert("RGB")


def ink(picture: Image.Image, colour: Colour) -> int | Colour:
    """A colour as pixels of the picture have it."""
    return colour if picture.mode == "RGB" else colour[0]


def _from_rgb(red: float, green: float, blue: float) -> Colour:
    return round(red / 257), round(green / 257), round(blue / 257)


def _from_cielab(lightness: float, a: float, b: float) -> Colour:
    # 0 to 65535 stand for 0 to 100 of L*, and for -128 to 127 of a* and b*.
    y = (lightness / _LARGEST * 100 + 16) / 116
    x, z = y + (a / 257 - 128) / 500, y - (b / 257 - 128) / 200
    xyz = [white * _cube(value) for white, value in zip(_D50, (x, y, z), strict=True)]
    linear = [sum(factor * value for factor, value in zip(row, xyz, strict=True)) for row in _TO_SRGB]
    red, green, blue = (round(255 * _companded(min(max(value, 0), 1))) for value in linear)
    return red, green, blue


def _cube(value: float) -> float:
    return float(value**3) if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)


def _companded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else float(1.055 * value ** (1 / 2.4) - 0.055)
