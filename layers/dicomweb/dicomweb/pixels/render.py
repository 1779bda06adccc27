"""A frame as a picture: the whole way from stored bytes (PS3.4 N.2)."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.rendering import OVERLAYS, Rendering, Viewport
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.annotations import annotate
from dicomweb.pixels.colour import palette_to_rgb, to_rgb
from dicomweb.pixels.colour_profiles import read_profile, with_profile
from dicomweb.pixels.decode import Pixels, decode_frame
from dicomweb.pixels.device_colours import Colour, ink, paintable
from dicomweb.pixels.displayed_area import show
from dicomweb.pixels.graphics import draw
from dicomweb.pixels.grey import Levels, to_grey
from dicomweb.pixels.image import PIXEL_DATA, ImagePixel
from dicomweb.pixels.lookup_tables import ReadBulk
from dicomweb.pixels.overlays import Mask, overlay_mask, read_overlays
from dicomweb.pixels.placing import place
from dicomweb.pixels.presentation import Presentation, read_presentation
from dicomweb.pixels.presentation_state import Softcopy, State, read_softcopy
from dicomweb.pixels.shutters import hidden_by

_WHITE = 255
_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Source:
    """A frame to be rendered.

    Attributes:
        raw: as stored, item headers removed; native ones in little endian.
        number: of the frame, from 1.
        read_bulk: for values that metadata only reference.
        state: the presentation state that it is to be seen with.
    """

    raw: bytes
    number: int
    image: ImagePixel
    metadata: DataSet
    read_bulk: ReadBulk
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered frame, of mode L or RGB, and the ICC profile of its colours."""

    image: Image.Image
    profile: bytes = b""


def render_frame(source: Source, rendering: Rendering) -> Picture:
    """The picture of a frame.

    Raises:
        CannotTranscode: it cannot be decoded, or is of no kind that has a picture.
        BadRequest: a region outside the image.
    """
    pixels, image = decode_frame(source.raw, source.image)
    presentation = read_presentation(source.metadata, image, source.number, source.read_bulk)
    softcopy = None
    if source.state:
        softcopy = read_softcopy(source.state, source.metadata, image, source.number, presentation, source.read_bulk)
        presentation = softcopy.presentation
    if rendering.window:
        presentation = replace(presentation, voi=rendering.window)
    levels = _levels(pixels, image, presentation)
    if OVERLAYS in rendering.annotations:
        overlays = read_overlays(source.metadata, source.number, source.read_bulk)
        levels = levels.copy()
        levels[overlay_mask(overlays, source.image, source.raw)] = _WHITE
    picture = Image.fromarray(levels)
    if softcopy:
        picture = _presented(picture, softcopy, source, rendering.viewport)
    else:
        picture = place(picture, rendering.viewport, presentation.pixel_ratio)
    picture = annotate(picture, rendering.annotations, source.metadata)
    if picture.mode == "L":
        return Picture(picture)
    return Picture(*with_profile(picture, _profile(source), rendering.icc_profile))


def _presented(picture: Image.Image, softcopy: Softcopy, source: Source, viewport: Viewport | None) -> Image.Image:
    """A picture of all pixels with what a presentation state puts on it (PS3.4 N.2.3).

    The shutter comes first: overlays, text and graphics are not hidden by it.
    """
    size, ratio = (source.image.rows, source.image.columns), softcopy.presentation.pixel_ratio
    if softcopy.shutter:
        picture = _painted(picture, hidden_by(softcopy.shutter, *size, ratio), softcopy.shutter.colour)
    for overlay, colour in softcopy.overlays:
        picture = _painted(picture, overlay_mask([overlay], source.image, source.raw), colour)
    picture, placement = show(picture, softcopy.area, viewport)
    return draw(picture, softcopy.drawings, placement)


def _painted(picture: Image.Image, mask: Mask, colour: Colour) -> Image.Image:
    painted = paintable(picture, [colour])
    painted.paste(ink(painted, colour), mask=Image.fromarray(mask.astype(np.uint8) * _OPAQUE))
    return painted


def _profile(source: Source) -> bytes:
    """The ICC profile of a frame; that of a presentation state is in place of the image's (PS3.4 N.2.5)."""
    of_state = read_profile(source.state.metadata, source.state.read_bulk) if source.state else b""
    return of_state or read_profile(source.metadata, source.read_bulk)


def _levels(pixels: Pixels, image: ImagePixel, presentation: Presentation) -> Levels:
    if not np.size(pixels):
        raise CannotTranscode("the frame has no pixels")
    if image.samples_per_pixel == 3 and image.keyword != PIXEL_DATA:
        raise CannotTranscode(f"{image.keyword} has 3 samples a pixel, expected 1")  # PS3.3 C.7.6.24
    if image.samples_per_pixel == 3:
        return to_rgb(pixels, image)
    if presentation.palette is not None:
        return palette_to_rgb(pixels, presentation)
    return to_grey(pixels, presentation)
