"""Where an image goes in a picture: region, scale, flips (PS3.18 §8.3.5.1.3, §9.1.2.2.2)."""

from PIL import Image, ImageOps

from dicomweb.dicom.rendering import MAX_PIXELS, MAX_SIDE, Viewport
from dicomweb.errors import BadRequest

Box = tuple[float, float, float, float]  # left, top, right, bottom; pixels of the image


def place(picture: Image.Image, viewport: Viewport | None, pixel_ratio: float) -> Image.Image:
    """A region of a picture, as large as a viewport wants it.

    Without a viewport a pixel of the image is a pixel of the picture, whatever its shape (PS3.18 §8.3.5.1.3).

    Args:
        pixel_ratio: height of a pixel : its width; scaled pictures have square pixels.
    Raises:
        BadRequest: the region is outside the image.
    """
    if viewport is None:
        return picture
    box = region_of(viewport, picture.width, picture.height)
    width, height = box[2] - box[0], (box[3] - box[1]) * pixel_ratio
    wanted_width, wanted_height = viewport.width, viewport.height
    if wanted_width is None and wanted_height is None:
        scale = 1.0
    else:
        scale = min(wanted / side for wanted, side in ((wanted_width, width), (wanted_height, height)) if wanted)
    size = bounded(max(1, round(width * scale)), max(1, round(height * scale)))
    placed = picture
    if box != (0, 0, picture.width, picture.height) or size != picture.size:
        placed = scaled(picture, size, box)
    if viewport.flips_horizontally:
        placed = ImageOps.mirror(placed)
    if viewport.flips_vertically:
        placed = ImageOps.flip(placed)
    if not viewport.is_exact:
        return placed
    return centred(placed, wanted_width or placed.width, wanted_height or placed.height)


def region_of(viewport: Viewport, columns: int, rows: int) -> Box:
    """The region in pixels of the image, cut where the image ends.

    Raises:
        BadRequest: nothing of it is inside the image.
    """
    across, down = (columns, rows) if viewport.is_relative else (1, 1)
    left, top = viewport.left * across, viewport.top * down
    right = columns if viewport.region_width is None else min(columns, left + viewport.region_width * across)
    bottom = rows if viewport.region_height is None else min(rows, top + viewport.region_height * down)
    if left >= columns or top >= rows:
        raise BadRequest(f"the region begins at {left:g},{top:g}; the image has {columns} x {rows} pixels")
    return left, top, right, bottom


def scaled(picture: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """A part of a picture, in another size."""
    is_whole = all(side == int(side) for side in box)
    if is_whole and size == (box[2] - box[0], box[3] - box[1]):
        return picture.crop((int(box[0]), int(box[1]), int(box[2]), int(box[3])))
    return picture.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=3.0)


def centred(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A picture in the middle of one of another size: black around it, or cut."""
    if picture.size == (width, height):
        return picture
    canvas = Image.new(picture.mode, (width, height))
    canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return canvas


def bounded(width: int, height: int) -> tuple[int, int]:
    """A size, when pictures may be so large.

    Raises:
        BadRequest: they may not.
    """
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadRequest(
            f"a picture of {width} x {height} pixels; expected at most {MAX_SIDE} a side and {MAX_PIXELS} in all"
        )
    return width, height
