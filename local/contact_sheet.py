"""`make contact-sheet`: every image of the corpus, rendered with its defaults, on one PNG for a person to look at."""

import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from fastapi.testclient import TestClient
from moto import mock_aws
from PIL import Image, ImageDraw, ImageFont
from rich.progress import track

from dicomweb.api.asgi import make_app
from tests.builders import a_body, an_archive
from tests.conformance.test_retrieve_corpus import IMAGES

_TILE, _TEXT, _ACROSS = 192, 30, 12  # pixels, pixels, tiles
_MULTIPART = 'multipart/related; type="application/dicom"; boundary=a-boundary'


def main() -> None:
    target = Path(os.environ.get("SHEET", "contact-sheet.png"))
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    warnings.simplefilter("ignore")
    with mock_aws():
        tiles = list(_tiles(TestClient(make_app(an_archive()))))
    rows = -(-len(tiles) // _ACROSS)
    sheet = Image.new("RGB", (_ACROSS * _TILE, rows * (_TILE + _TEXT)), (40, 40, 60))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % _ACROSS * _TILE, number // _ACROSS * (_TILE + _TEXT)))
    sheet.save(target)
    print(f"{len(tiles)} images: {target}")


def _tiles(client: TestClient) -> Iterator[Image.Image]:
    for path in track(sorted(IMAGES, key=lambda path: path.name), "rendering"):
        answer = client.post(
            "/dicom-web/studies", content=a_body([path.read_bytes()]), headers={"Content-Type": _MULTIPART}
        )
        module = answer.json()
        stored = module["00081199"]["Value"][0]["00081190"]["Value"][0]
        picture = client.get(f"{stored}/rendered?viewport={_TILE},{_TILE}", headers={"Accept": "image/png"})
        yield _tile(path.name, picture.content if picture.status_code == 200 else b"", picture.text[:400])
        client.delete(stored)


def _tile(name: str, content: bytes, fault: str) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE + _TEXT), (40, 40, 60))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(10)
    if content:
        tile.paste(Image.open(io.BytesIO(content)).convert("RGB"), (0, 0))
    else:
        lines = [fault[start : start + 34] for start in range(0, len(fault), 34)]
        draw.multiline_text((4, 4), "\n".join(lines), font=font, fill=(255, 120, 120))
    draw.multiline_text((2, _TILE), f"{name[:34]}\n{name[34:68]}", font=font, fill=(230, 230, 230))
    return tile


if __name__ == "__main__":
    main()
