"""How a presentation state wants a frame to be seen (PS3.4 N.2; PS3.3 C.11.1, C.11.4, C.11.6, C.11.7, C.11.8)."""

from dataclasses import dataclass, replace

import numpy as np

from dicomweb.dicom.json_model import DataSet, items_of, text_of
from dicomweb.dicom.presentation_states import COLOR, PSEUDO_COLOR, find_item
from dicomweb.pixels.device_colours import Colour
from dicomweb.pixels.displayed_area import DisplayedArea, read_displayed_area
from dicomweb.pixels.graphic_annotations import Drawing, Layer, read_drawings, read_layers
from dicomweb.pixels.grey import rescaled
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import LookupTable, ReadBulk, read_palette, read_table
from dicomweb.pixels.overlays import GROUPS, Overlay, read_overlay
from dicomweb.pixels.presentation import Modality, Presentation, is_negative, read_modality, read_voi
from dicomweb.pixels.shutters import Shutter, read_shutter

_SOP_CLASS, _INSTANCE = "00080016", "00080018"
_SOFTCOPY_VOI_LUT, _PRESENTATION_LUT, _PRESENTATION_LUT_SHAPE = "00283110", "20500010", "20500020"
_ACTIVATION_LAYER, _OVERLAY_DATA = "1001", "3000"  # elements of groups 60xx


@dataclass(frozen=True, slots=True)
class State:
    """A stored presentation state.

    Attributes:
        read_bulk: for tables that its metadata only reference.
    """

    metadata: DataSet
    read_bulk: ReadBulk


@dataclass(frozen=True, slots=True)
class Softcopy:
    """What a presentation state says of one frame.

    Attributes:
        overlays: planes that are activated, each with its colour, the lowest layer first.
        drawings: text and graphics.
    """

    presentation: Presentation
    shutter: Shutter | None
    overlays: tuple[tuple[Overlay, Colour], ...]
    area: DisplayedArea
    drawings: tuple[Drawing, ...]


def read_softcopy(
    state: State, metadata: DataSet, image: ImagePixel, frame: int, presentation: Presentation, read_bulk: ReadBulk
) -> Softcopy:
    """How one frame is to be seen; what is broken is left out, as if it were absent.

    Mask subtraction (PS3.3 C.11.13) is not done: the frame is shown as it is.

    Args:
        metadata, read_bulk: of the image.
        frame: its number, from 1.
        presentation: what the image says.
    """
    said, instance = state.metadata, text_of(metadata, _INSTANCE)
    layers = read_layers(said)
    return Softcopy(
        presentation=_presentation(state, instance, image, frame, presentation),
        shutter=read_shutter(said, frame, state.read_bulk),
        overlays=_overlays(state, metadata, frame, layers, read_bulk),
        area=read_displayed_area(said, instance, frame, image),
        drawings=read_drawings(said, instance, frame, layers, state.read_bulk),
    )


def _presentation(
    state: State, instance: str, image: ImagePixel, frame: int, presentation: Presentation
) -> Presentation:
    """The pixel transformations: what the state does not say is the identity, whatever the image says (PS3.4 N.2.1)."""
    said, sop_class = state.metadata, text_of(state.metadata, _SOP_CLASS)
    is_grey = image.samples_per_pixel == 1 and image.photometric_interpretation != "PALETTE COLOR"
    if sop_class == COLOR or not is_grey:
        return presentation
    signed = image.pixel_representation == 1
    modality = read_modality(said, "", signed, state.read_bulk)
    item, path = find_item(said, _SOFTCOPY_VOI_LUT, instance, frame) or ({}, "")
    palette = None
    if sop_class == PSEUDO_COLOR:
        palette = read_palette(said, signed=False, is_supplemental=False, read_bulk=state.read_bulk)
    return replace(
        presentation,
        modality=modality,
        voi=read_voi(item, path, is_negative(modality, signed), state.read_bulk),
        extent=_extent(image, modality),
        shape=_shape(said, state.read_bulk),
        is_inverse=_PRESENTATION_LUT not in said and text_of(said, _PRESENTATION_LUT_SHAPE) == "INVERSE",
        palette=None if palette is None else replace(palette, is_of_grey=True),
    )


def _extent(image: ImagePixel, modality: Modality) -> tuple[float, float] | None:
    """All that the Modality LUT can give is black to white where there is no VOI LUT; None for floats."""
    if image.bits_stored > 32 or image.keyword != "PixelData":
        return None
    if isinstance(modality, LookupTable):
        return 0, (1 << modality.bits) - 1
    low = -(1 << (image.bits_stored - 1)) if image.pixel_representation else 0
    ends = rescaled(np.array([low, low + (1 << image.bits_stored) - 1], np.float64), modality)
    return float(ends.min()), float(ends.max())


def _shape(state: DataSet, read_bulk: ReadBulk) -> LookupTable | None:
    for item in items_of(state, _PRESENTATION_LUT)[:1]:
        return read_table(item, f"{_PRESENTATION_LUT}/1/", False, read_bulk)
    return None


def _overlays(
    state: State, metadata: DataSet, frame: int, layers: dict[str, Layer], read_bulk: ReadBulk
) -> tuple[tuple[Overlay, Colour], ...]:
    """Planes with a layer; one in the state is in place of that of the image (PS3.3 C.11.7, PS3.4 N.2.3.2)."""
    found = []
    for group in GROUPS:
        if not (name := text_of(state.metadata, group + _ACTIVATION_LAYER)):
            continue
        is_own = group + _OVERLAY_DATA in state.metadata
        holder, read = (state.metadata, state.read_bulk) if is_own else (metadata, read_bulk)
        if overlay := read_overlay(holder, group, frame, read):
            found.append((layers.get(name, Layer()), overlay))
    return tuple((overlay, layer.colour) for layer, overlay in sorted(found, key=lambda each: each[0].order))
