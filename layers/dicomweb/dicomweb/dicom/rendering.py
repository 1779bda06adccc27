"""What a rendered picture is asked to be (PS3.18 §8.3.5 and §9.1.2.2). Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from dicomweb.errors import BadRequest

T = TypeVar("T")

MAX_SIDE = 16_384  # pixels of a picture
MAX_PIXELS = 40_000_000
MAX_QUALITY = 100

# Names of VOI LUT functions: in a URL → in a data set (PS3.18 §8.3.5.1.4, PS3.3 C.11.2.1.2).
LINEAR, LINEAR_EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"
FUNCTIONS = {"linear": LINEAR, "linear-exact": LINEAR_EXACT, "sigmoid": SIGMOID}

PATIENT, TECHNIQUE, OVERLAYS = "patient", "technique", "overlays"
ANNOTATIONS = (PATIENT, TECHNIQUE, OVERLAYS)  # overlays is an extension
ICC_PROFILES = ("no", "yes", "srgb", "adobergb", "rommrgb")


@dataclass(frozen=True, slots=True)
class Window:
    """A window in output units of the Modality LUT (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = LINEAR

    @property
    def is_possible(self) -> bool:
        """A width that the function allows: at least 1 for LINEAR, more than 0 for the others."""
        finite = math.isfinite(self.center) and math.isfinite(self.width)
        return finite and (self.width >= 1 if self.function == LINEAR else self.width > 0)


@dataclass(frozen=True, slots=True)
class Viewport:
    """Which part of an image is shown, and how large.

    Attributes:
        width, height: of the picture, in pixels; None: as many as the other, or the region, gives.
        left, top, region_width, region_height: of the region; None: to the edge. In pixels, or when is_relative in
            parts of the whole.
        is_exact: the picture is as large as it says, with black beside what fits in; otherwise no larger.
    """

    width: int | None = None
    height: int | None = None
    left: float = 0
    top: float = 0
    region_width: float | None = None
    region_height: float | None = None
    is_relative: bool = False
    flips_horizontally: bool = False
    flips_vertically: bool = False
    is_exact: bool = False

    @property
    def has_region(self) -> bool:
        """Whether it names a part of the image, or flips it."""
        across, down = (1, 1) if self.is_relative else (None, None)
        said = (self.left, self.top, self.region_width, self.region_height)
        return said != (0, 0, across, down) or self.flips_horizontally or self.flips_vertically


@dataclass(frozen=True, slots=True)
class Rendering:
    """How pictures are made of images. Its repr names a picture together with the digest of its content."""

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int | None = None
    annotations: tuple[str, ...] = ()
    icc_profile: str = ""


def parse_rendered(parameters: Mapping[str, str]) -> Rendering:
    """The query parameters of a rendered resource (PS3.18 Table 8.3.5-1); others are ignored.

    Raises:
        BadRequest: one of them is wrong.
    """
    return Rendering(
        window=_parsed(parameters, "window", _window),
        viewport=_parsed(parameters, "viewport", _viewport),
        quality=_parsed(parameters, "quality", _quality),
        annotations=_parsed(parameters, "annotation", _annotations) or (),
        icc_profile=_parsed(parameters, "iccprofile", _icc_profile) or "",
    )


def parse_wado_uri(parameters: Mapping[str, str]) -> Rendering:
    """The query parameters of the URI Service that concern a picture (PS3.18 §9.1.2.2).

    Raises:
        BadRequest: one of them is wrong.
    """
    center = _parsed(parameters, "windowCenter", _number)
    width = _parsed(parameters, "windowWidth", _number)
    if (center is None) is not (width is None):
        raise BadRequest("windowCenter and windowWidth must be given together")
    window = None if center is None or width is None else _possible(Window(center, width), f"windowWidth={width:g}")
    rows, columns = _parsed(parameters, "rows", _pixels), _parsed(parameters, "columns", _pixels)
    region = _parsed(parameters, "region", _region)
    viewport = None
    if region or rows or columns:
        left, top, across, down = region or (0, 0, 1, 1)
        viewport = Viewport(columns, rows, left, top, across, down, is_relative=True)
    return Rendering(
        window=window,
        viewport=viewport,
        quality=_parsed(parameters, "imageQuality", _quality),
        annotations=_parsed(parameters, "annotation", _annotations) or (),
        icc_profile=_parsed(parameters, "iccprofile", _icc_profile) or "",
    )


def parse_presentation(parameters: Mapping[str, str]) -> tuple[str, str]:
    """presentationSeriesUID and presentationUID of the URI Service (PS3.18 §9.5.1.2.7), "" for what is not given.

    Raises:
        BadRequest: a series without its presentation state.
    """
    series, instance = parameters.get("presentationSeriesUID", ""), parameters.get("presentationUID", "")
    if series and not instance:
        raise BadRequest("presentationSeriesUID without presentationUID; expected both, or presentationUID alone")
    return series, instance


def parse_frame_number(parameters: Mapping[str, str]) -> int | None:
    """The frameNumber of the URI Service (PS3.18 §9.1.2.2.9); None when there is none."""
    return _parsed(parameters, "frameNumber", _positive)


def _parsed(parameters: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise BadRequest(f"{name}={text[:80]!r}: {error}") from error


def _window(text: str) -> Window:
    values = [value.strip() for value in text.split(",")]
    if len(values) != 3 or values[2].lower() not in FUNCTIONS:
        raise ValueError(f"expected center,width,function, the last one of {', '.join(FUNCTIONS)}")
    window = Window(_number(values[0]), _number(values[1]), FUNCTIONS[values[2].lower()])
    return _possible(window, f"window={text[:80]}")


def _possible(window: Window, text: str) -> Window:
    if not window.is_possible:
        least = "at least 1" if window.function == LINEAR else "more than 0"
        raise BadRequest(f"{text}: a width for {window.function} must be {least}")
    return window


def _viewport(text: str) -> Viewport:
    values = [value.strip() for value in text.split(",")]
    if not 2 <= len(values) <= 6:
        raise ValueError("expected vw,vh or vw,vh,sx,sy,sw,sh")
    values += [""] * (6 - len(values))
    width, height = (_pixels(value) if value else None for value in values[:2])
    left, top = (_number(value) if value else 0.0 for value in values[2:4])
    region = [_number(value) if value else None for value in values[4:]]
    if left < 0 or top < 0 or 0 in region:
        raise ValueError("expected sx and sy of at least 0, and sw and sh that are not 0")
    _bounded(width, height)
    across, down = region
    return Viewport(
        width,
        height,
        left,
        top,
        None if across is None else abs(across),
        None if down is None else abs(down),
        flips_horizontally=across is not None and across < 0,
        flips_vertically=down is not None and down < 0,
        is_exact=True,
    )


def _region(text: str) -> tuple[float, float, float, float]:
    values = [_number(value) for value in text.split(",")]
    if len(values) != 4 or not all(0 <= value <= 1 for value in values):
        raise ValueError("expected xmin,ymin,xmax,ymax, each from 0 to 1")
    left, top, right, bottom = values
    if right <= left or bottom <= top:
        raise ValueError("expected xmin less than xmax, and ymin less than ymax")
    return left, top, right - left, bottom - top


def _quality(text: str) -> int:
    quality = _positive(text)
    if quality > MAX_QUALITY:
        raise ValueError(f"expected 1 to {MAX_QUALITY}")
    return quality


def _annotations(text: str) -> tuple[str, ...]:
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if names - set(ANNOTATIONS):
        raise ValueError(f"expected some of {', '.join(ANNOTATIONS)}")
    return tuple(sorted(names))


def _icc_profile(text: str) -> str:
    if text.strip().lower() not in ICC_PROFILES:
        raise ValueError(f"expected one of {', '.join(ICC_PROFILES)}")
    return text.strip().lower()


def _pixels(text: str) -> int:
    pixels = _positive(text)
    if pixels > MAX_SIDE:
        raise ValueError(f"expected at most {MAX_SIDE} pixels")
    return pixels


def _bounded(width: int | None, height: int | None) -> None:
    if (width or 1) * (height or 1) > MAX_PIXELS:
        raise ValueError(f"expected at most {MAX_PIXELS} pixels in all")


def _positive(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal() and len(text) < 12 and int(text)):
        raise ValueError("expected a whole number of at least 1")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("expected a number")
    return number
