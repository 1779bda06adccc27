"""The web page where uploads go to a bucket: on the ASGI host, and deployed behind API Gateway."""

import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pydicom.uid import CTImageStorage, MRImageStorage

from local.stack import OwnAws
from tests.browser.chromium import a_browser, a_page, keep_picture
from tests.builders import a_data_set, a_file, a_series
from tests.stack.hosts import a_host

PART = 16 * 1024 * 1024  # bytes; the least of an upload


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a study of five, one of them with a doubtful header, what is no DICOM, and what is passed over."""
    (tmp_path / "inner").mkdir()
    files = a_series(5, "1.2.55", "1.2.55.1", PatientName="Up^Loaded")
    files[4] = files[4].replace(CTImageStorage.encode(), MRImageStorage.encode(), 1)  # its File Meta Information alone
    for number, file in enumerate(files):
        (tmp_path / "inner" / f"{number}.dcm").write_bytes(file)
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / ".hidden").write_text("of the file system")
    return tmp_path


def open_upload(page: Page, root: str) -> None:
    page.goto(f"{root}/app/client/index.html")
    page.get_by_role("link", name="Upload").click()


def choose(page: Page, button: str, paths: Path | list[Path]) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text(button).click()
    chooser.value.set_files(paths)


def test_a_folder_is_uploaded_and_what_is_refused_is_named(aws: OwnAws, browser: Browser, folder: Path) -> None:
    with a_host(aws) as url, a_page(browser) as page:
        open_upload(page, url)
        choose(page, "Choose a folder", folder)
        expect(page.get_by_role("status")).to_contain_text("1 files are passed over")
        result = page.locator(".uploads li").first
        expect(result).to_contain_text("5 instances are stored, 1 are not.", timeout=60_000)
        expect(result).to_contain_text(f"failure reason C000 · {folder.name}/notes.txt: not a DICOM file")
        expect(result.get_by_label("Stored with a warning")).to_contain_text("1.2.55.1.5 · warning B007 · ")
        keep_picture(page, "page-upload")
        assert httpx.get(f"{url}/studies/1.2.55/instances").raise_for_status().json()[4]


def test_an_upload_is_paused_and_goes_on(aws: OwnAws, browser: Browser, tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    pixels = bytes(3 * PART)
    data_set = a_data_set(
        StudyInstanceUID="1.2.56",
        SeriesInstanceUID="1.2.56.1",
        SOPInstanceUID="1.2.56.1.1",
        PatientName="Pau^Sed",
        Rows=PART // 1024,
        Columns=1024,
        NumberOfFrames=3,
        PixelData=pixels,
    )
    large.write_bytes(a_file(data_set))
    sent: list[str] = []

    def slowly(route: Route) -> None:
        if route.request.method == "PUT":
            sent.append(route.request.url)
            time.sleep(1)
        route.continue_()

    with a_host(aws) as url, a_page(browser) as page:
        page.route(lambda address: "partNumber=" in address, slowly)
        open_upload(page, url)
        choose(page, "Choose files", [large])
        result = page.locator(".uploads li").first
        result.get_by_role("button", name="Pause").click()
        expect(result).to_contain_text("paused")
        before = len(sent)
        page.wait_for_timeout(3000)
        assert len(sent) <= before + 1
        with page.expect_event("dialog") as asked:  # what is not sent yet would be lost with the page
            page.close(run_before_unload=True)
        assert asked.value.type == "beforeunload"
        asked.value.dismiss()
        assert httpx.get(f"{url}/studies/1.2.56/series").status_code in (200, 204, 404)
        result.get_by_role("button", name="Resume").click()
        expect(result).to_contain_text("1 instances are stored", timeout=90_000)


def test_the_page_is_deployed(aws: OwnAws, user: tuple[str, str], browser: Browser, folder: Path) -> None:
    root = f"{aws.outputs().api}/dicom-web"
    known = {"authorization": f"Basic {b64encode(':'.join(user).encode()).decode()}"}

    def introduce(route: Route) -> None:
        # The local API Gateway does not challenge, after which a browser would ask its user and do this itself.
        route.continue_(headers={**route.request.headers, **known})

    with a_page(browser) as page:
        page.route(f"{root}/**", introduce)
        open_upload(page, root)
        choose(page, "Choose a folder", folder)
        expect(page.locator(".uploads li").first).to_contain_text("5 instances are stored", timeout=60_000)
        page.get_by_role("link", name="Search").click()
        page.get_by_label("Patient name").fill("Up Loaded")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("button", name="Up Loaded").click()
        expect(page.get_by_role("heading", name="Up Loaded")).to_be_visible()
    capabilities = httpx.options(f"{root}/", headers={"Accept": "application/json"})
    assert capabilities.json()["application"]["resources"][0]["base"].endswith("/v1/")
    assert httpx.get(root).headers["location"].endswith("/v1/dicom-web/app/client/index.html")
