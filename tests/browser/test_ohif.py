"""The OHIF viewer, untouched, on a port of its own: what it lists and what it draws."""

import io
import os
import shutil
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from moto import mock_aws
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from local import ohif
from tests.browser.chromium import a_page, keep_picture
from tests.browser.phantom import STUDY, SYNTAXES, another_study, pixels, the_study
from tests.builders import MULTIPART, a_body, an_archive
from tests.conformance.conftest import serving, serving_app
from tests.jobs.remote import one_writer_at_a_time

if shutil.which("npm") is None and not os.environ.get("CHROMIUM_REQUIRED"):
    pytest.skip("npm, which brings OHIF, is not on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def viewer() -> Iterator[str]:
    """The URL of the viewer of an archive with two studies."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), one_writer_at_a_time():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "us-east-1")
        archive = an_archive(AllowedOrigins=["http://127.0.0.1:*"])
        with serving(archive) as url:
            body = a_body([*the_study(), another_study()])
            answer = httpx.post(f"{url}/studies", content=body, headers={"Content-Type": MULTIPART}, timeout=60)
            assert answer.status_code == 200, answer.text
            with serving_app(ohif.application(ohif.fetch(), url.removesuffix("/dicom-web"))) as place:
                yield place.removesuffix("/dicom-web")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with a_page(browser, viewport={"width": 1400, "height": 900}) as page:
        yield page


@pytest.fixture
def study(page: Page, viewer: str) -> Page:
    """The phantom's study, opened."""
    page.goto(f"{viewer}/viewer?StudyInstanceUIDs={STUDY}")
    for greeting in ("Confirm and hide", "Skip all"):  # one may lie over the other
        page.get_by_text(greeting).dispatch_event("click")
    expect(page.locator("canvas").first).to_be_visible()
    return page


def drawn(page: Page) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """The square in the middle of the largest canvas, as colours by row and column: the slice, without what is beside."""
    expect(page.locator("canvas").first).to_be_visible()
    boxes = page.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.getBoundingClientRect())")
    largest = max(boxes, key=lambda box: box["width"])
    clip = {name: largest[name] for name in ("x", "y", "width", "height")}
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))  # type: ignore[arg-type]
    height, width = picture.shape[:2]
    return picture[:, (width - height) // 2 : (width + height) // 2]


def coloured_part(page: Page) -> float:
    """How much of what is drawn is not grey."""
    return float((np.ptp(drawn(page).astype(int), axis=2) > 20).mean())


def levels(page: Page) -> tuple[int, int, int]:
    """How bright the phantom's middle, its ring at the right, and what is beside it are drawn."""
    picture = drawn(page).mean(axis=2)
    height, width = picture.shape
    scale = height / pixels().shape[0]
    across = [width // 2 + round(offset * scale) for offset in (0, 102, 118)]
    middle, ring, beside = (int(picture[height // 2 + 3, column]) for column in across)
    return middle, ring, beside


def until_drawn(page: Page) -> tuple[int, int, int]:
    """Wait for the phantom with a window of 400 around 40."""
    for _ in range(60):
        middle, ring, beside = found = levels(page)
        if 100 < middle < 160 and ring > 240 and beside < 15:
            return found
        page.wait_for_timeout(250)
    keep_picture(page, "ohif-not-drawn")
    pytest.fail(f"middle, ring and outside are {levels(page)}; see ohif-not-drawn.png")


def test_the_list_shows_and_filters_studies(page: Page, viewer: str) -> None:
    page.goto(viewer)
    page.get_by_text("Confirm and hide").click()
    rows = page.locator("tbody tr").filter(has_text="CT of a phantom")
    expect(rows).to_have_count(2)
    page.locator("thead input, tbody input").first.fill("Phan")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Phantom, Phil")
    expect(rows).to_contain_text("31-Jan-2024")
    keep_picture(page, "ohif-list")
    page.locator("thead input, tbody input").first.fill("")
    expect(rows).to_have_count(2)
    page.goto(f"{viewer}/?startDate=20130101&endDate=20151231")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Elder, Emma")


@pytest.mark.parametrize("name", SYNTAXES)
def test_images_are_drawn(study: Page, name: str) -> None:
    study.get_by_text(name).first.dblclick()
    expect(study.locator('[data-cy="viewport-overlay-top-left"]')).to_contain_text(name)
    until_drawn(study)
    keep_picture(study, f"ohif-{name.lower().replace(' ', '-')}")


def test_a_segmentation_is_laid_over_the_images(study: Page) -> None:
    until_drawn(study)
    assert coloured_part(study) < 0.01
    study.get_by_text("Bone").first.dblclick()
    study.get_by_role("button", name="Yes").click()
    for _ in range(40):
        if coloured_part(study) > 0.1:
            break
        study.wait_for_timeout(250)
    keep_picture(study, "ohif-segmentation")
    ring = (pixels() == 900).mean()
    assert 0.8 * ring < coloured_part(study) < 1.2 * ring


def test_a_report_is_shown(study: Page) -> None:
    with study.expect_response(lambda answer: answer.url.endswith("/rendered")) as shown:
        study.get_by_text("Report").first.dblclick()
    assert (shown.value.status, shown.value.headers["content-type"]) == (200, "application/pdf")
    expect(study.locator('object[type="application/pdf"]')).to_be_visible()
    study.wait_for_timeout(1500)  # the browser's own viewer tells no page when it is ready
    picture = Image.open(io.BytesIO(keep_picture(study, "ohif-report"))).convert("L")
    assert np.asarray(picture).std() > 40, "white paper on a dark page"
