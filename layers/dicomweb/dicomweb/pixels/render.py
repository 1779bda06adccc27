"""A frame as a picture: the whole way from stored bytes (PS3.4 N.2)."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.rendering import OVERLAYS, Rendering
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.annotations import annotate
from dicomweb.pixels.colour import palette_to_rgb, to_rgb
from dicomweb.pixels.colour_profiles import read_profile, with_profile
from dicomweb.pixels.decode import Pixels, decode_frame
from dicomweb.pixels.grey import Levels, to_grey
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import ReadBulk
from dicomweb.pixels.overlays import overlay_mask, read_overlays
from dicomweb.pixels.placing import place
from dicomweb.pixels.presentation import Presentation, read_presentation

_WHITE = 255


@dataclass(frozen=True, slots=True)
class Source:
    """A frame to be rendered.

    Attributes:
        raw: as stored, item headers removed; native ones in little endian.
        number: of the frame, from 1.
        read_bulk: for values that metadata only reference.
    """

    raw: bytes
    number: int
    image: ImagePixel
    metadata: DataSet
    read_bulk: ReadBulk


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
    if rendering.window:
        presentation = replace(presentation, voi=rendering.window)
    levels = _levels(pixels, image, presentation)
    if OVERLAYS in rendering.annotations:
        overlays = read_overlays(source.metadata, source.number, source.read_bulk)
        levels = levels.copy()
        levels[overlay_mask(overlays, source.image, source.raw)] = _WHITE
    picture = place(Image.fromarray(levels), rendering.viewport, presentation.pixel_ratio)
    picture = annotate(picture, rendering.annotations, source.metadata)
    if picture.mode == "L":
        return Picture(picture)
    return Picture(*with_profile(picture, read_profile(source.metadata, source.read_bulk), rendering.icc_profile))


def _levels(pixels: Pixels, image: ImagePixel, presentation: Presentation) -> Levels:
    if not np.size(pixels):
        raise CannotTranscode("the frame has no pixels")
    if image.samples_per_pixel == 3:
        return to_rgb(pixels, image)
    if presentation.palette is not None:
        return palette_to_rgb(pixels, presentation)
    return to_grey(pixels, presentation)
