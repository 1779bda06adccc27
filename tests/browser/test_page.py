"""The web page, as a person uses it."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto import mock_aws
from playwright.sync_api import Browser, Dialog, Page, expect
from pydicom.data import get_testdata_file

from dicomweb.archive import Archive
from dicomweb.passwords import hash_password
from tests.browser.chromium import a_page, keep_picture
from tests.builders import a_data_set, a_file, a_series, an_archive
from tests.conformance.conftest import serving
from tests.conformance.test_npm_client import installed
from tests.jobs.fixtures import archive, remote
from tests.jobs.remote import Remote, one_writer_at_a_time
from tests.peers.ourselves import Peer

__all__ = ["archive", "installed", "remote"]

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_NAME = "<script>alert(1)</script>"  # = parts the groups of a name


@pytest.fixture
def theirs(remote: Remote) -> Iterator[Peer]:
    """A remote server, with a study of four."""
    with httpx.Client(base_url=remote.url.removesuffix("/dicom-web")) as http:
        theirs = Peer(remote.archive, remote.url, http)
        theirs.store(*a_series(4, "1.2.77", "1.2.77.1", PatientName="Remote^Rita"))
        yield theirs


@pytest.fixture
def ours(archive: Archive, theirs: Peer) -> Iterator[Peer]:
    """This archive, with a CT and an MR, and the remote server `other`."""
    with (
        serving(archive) as url,
        httpx.Client(base_url=url.removesuffix("/dicom-web"), timeout=60) as http,
    ):
        ours = Peer(archive, url, http)
        ours.define("other", theirs.url, HasDelete=True)
        ours.store(*(Path(str(get_testdata_file(name))).read_bytes() for name in ("CT_small.dcm", "MR_small.dcm")))
        yield ours


def open_page(page: Page, peer: Peer) -> None:
    page.goto(peer.url.removesuffix("/dicom-web"))
    expect(page.get_by_role("button", name="Search")).to_be_visible()


def find(page: Page, **fields: str) -> None:
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.get_by_role("button", name="Search").click()


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def test_studies_are_found_by_what_is_known_of_them(page: Page, ours: Peer) -> None:
    open_page(page, ours)
    expect(page.locator("caption")).to_have_text("2 studies")
    for fields, expected in [
        ({"Patient_name": "samples ct"}, ["CompressedSamples CT1"]),
        ({"Patient_name": "", "Patient_ID": "4MR1"}, ["CompressedSamples MR1"]),
        ({"Patient_ID": "", "From": "2004-08-01"}, ["CompressedSamples MR1"]),
        ({"From": "", "Until": "2004-08-01"}, ["CompressedSamples CT1"]),
        ({"Until": "", "Modality": "mr"}, ["CompressedSamples MR1"]),
    ]:
        find(page, **fields)
        expect(page.locator("caption")).to_have_text("1 studies")
        expect(page.locator("tbody td:first-child")).to_have_text(expected)
    find(page, Modality="XX")
    expect(page.get_by_text("No study fits.")).to_be_visible()
    assert re.fullmatch(r"http://[\d.:]+/dicom-web/app/client/index\.html(#archive)?", page.url)


def test_a_study_is_looked_at(page: Page, ours: Peer) -> None:
    open_page(page, ours)
    page.get_by_role("button", name="CompressedSamples CT1").click()
    expect(page.locator(".thumbnail img")).to_be_visible()
    page.locator("button.thumbnail").click()
    page.get_by_role("list", name="Instances of").get_by_role("button").click()
    picture = page.get_by_role("dialog").locator("img")
    expect(picture).to_be_visible()
    before = picture.get_attribute("src")
    page.get_by_label("Window centre").fill("40")
    page.get_by_label("Window width").fill("300")
    expect(picture).not_to_have_attribute("src", str(before))
    windowed = picture.get_attribute("src")
    box = picture.bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 80, steps=5)
    page.mouse.up()
    expect(picture).not_to_have_attribute("src", str(windowed))
    assert float(page.get_by_label("Window width").input_value()) > 300
    page.get_by_text("Attributes").click()
    row = page.locator(".attributes tr", has_text="PatientName")
    expect(row).to_contain_text("CompressedSamples CT1")
    keep_picture(page, "page-instance")
    # Back and reload lead to where one was, and the address tells nothing of it.
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("heading", name="CompressedSamples CT1")).to_be_visible()
    assert "1.3.6" not in page.url
    page.go_back()
    expect(page.locator("caption")).to_have_text("2 studies")


def test_a_study_is_sent_and_its_job_is_watched(page: Page, ours: Peer, theirs: Peer) -> None:
    open_page(page, ours)
    page.get_by_role("button", name="CompressedSamples CT1").click()
    page.locator(".study").get_by_role("button", name="Send …").click()
    page.get_by_role("dialog").get_by_role("button", name="other").click()
    expect(page.get_by_role("status")).to_contain_text("Sending the study to other: job")
    view(page, "Jobs")
    expect(page.locator(".state")).to_have_text("Success")
    page.get_by_role("button", name="Outcomes").click()
    expect(page.get_by_role("dialog").locator("caption")).to_have_text("1 instances")
    keep_picture(page, "page-jobs")
    page.keyboard.press("Escape")
    assert len(theirs.instances()) == 5
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("There is none yet.")).to_be_visible()


def test_a_remote_study_is_looked_at_retrieved_and_deleted(page: Page, ours: Peer, theirs: Peer) -> None:
    open_page(page, ours)
    page.get_by_label("Where").select_option("other")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Remote Rita").click()
    expect(page.get_by_text("4 instances")).to_be_visible()
    expect(page.locator(".thumbnail img")).to_be_visible()
    page.locator(".study").get_by_role("button", name="Retrieve").click()
    expect(page.get_by_role("status")).to_contain_text("Retrieving the study: job")
    view(page, "Jobs")
    expect(page.locator(".state")).to_have_text("Success")
    assert len(ours.instances()) == 6
    page.go_back()
    page.locator(".study").get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    assert len(theirs.instances()) == 4
    page.locator(".study").get_by_role("button", name="Delete").click()
    keep_picture(page, "page-delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No study fits.")).to_be_visible()
    assert not theirs.instances()


def test_a_series_is_deleted_here(page: Page, ours: Peer) -> None:
    ours.store(
        *a_series(2, "1.2.8", "1.2.8.1", PatientName="Gone"), *a_series(2, "1.2.8", "1.2.8.2", PatientName="Gone")
    )
    open_page(page, ours)
    page.get_by_role("button", name="Gone").click()
    page.locator(".series li").first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("The series is deleted.")
    expect(page.locator(".series li")).to_have_count(1)
    assert len([uid for uid in ours.instances() if uid.startswith("1.2.8.")]) == 2


def test_servers_are_kept(page: Page, ours: Peer, theirs: Peer) -> None:
    open_page(page, ours)
    view(page, "Servers")
    page.get_by_role("button", name="Add a server").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("second")
    dialog.get_by_label("URL").fill("nonsense")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Url")
    dialog.get_by_label("URL").fill(theirs.url)
    dialog.get_by_label("Username").fill("bob")
    dialog.get_by_label("Password").fill("hunter2")
    dialog.get_by_label("HTTP headers").fill("X-Api-Key: secret")
    keep_picture(page, "page-server")
    dialog.get_by_role("button", name="Save").click()
    row = page.locator("tbody tr", has_text="second")
    expect(row).to_contain_text("bob")
    row.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).to_contain_text("second answers in")
    assert "hunter2" not in page.content()
    row.get_by_role("button", name="Edit").click()
    expect(dialog.get_by_text("never shown again")).to_be_visible()
    dialog.get_by_label("URL").fill("http://127.0.0.1:9/dicom-web")
    dialog.get_by_role("button", name="Save").click()
    row.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).to_contain_text("127.0.0.1")
    row.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_what_others_wrote_is_text_and_no_page(page: Page, ours: Peer) -> None:
    ours.store(a_file(a_data_set(PatientName=HOSTILE_NAME, StudyDescription=HOSTILE, SeriesDescription=HOSTILE)))
    ours.define(HOSTILE.replace("/", "|"), "http://127.0.0.1:9/")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    open_page(page, ours)
    page.get_by_role("button", name=HOSTILE_NAME).click()
    expect(page.get_by_role("heading", name=HOSTILE_NAME)).to_be_visible()
    page.locator("button.thumbnail").click()
    page.get_by_role("list", name="Instances of").get_by_role("button").click()
    page.get_by_text("Attributes").click()
    expect(page.locator(".attributes tr", has_text="PatientName")).to_contain_text(HOSTILE_NAME)
    page.keyboard.press("Escape")
    view(page, "Servers")
    row = page.locator("tbody tr", has_text="onerror")
    row.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).not_to_be_empty()
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert page.locator("img[src='x']").count() == 0
    assert not asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_and_is_read_aloud(
    browser: Browser, ours: Peer, theirs: Peer, installed: Path, scheme: str
) -> None:
    rules = (installed / "node_modules" / "axe-core" / "axe.min.js").read_text()
    with a_page(browser, viewport={"width": 400, "height": 800}, color_scheme=scheme) as page:
        open_page(page, ours)
        page.get_by_role("button", name="CompressedSamples CT1").click()
        expect(page.locator(".thumbnail img")).to_be_visible()
        for name in ("Search", "Upload", "Servers", "Jobs", "API", "study"):
            if name == "study":
                view(page, "Search")
                page.get_by_role("button", name="CompressedSamples CT1").click()
                expect(page.locator(".thumbnail img")).to_be_visible()
            else:
                view(page, name)
                page.wait_for_load_state("networkidle")
            keep_picture(page, f"page-400-{scheme}-{name.lower()}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
            page.evaluate(rules)
            found = page.evaluate("axe.run().then(({violations}) => violations.map(v => [v.id, v.nodes[0].html]))")
            assert found == [], name


def test_the_keyboard_is_enough(page: Page, ours: Peer) -> None:
    open_page(page, ours)
    expect(page.locator("caption")).to_have_text("2 studies")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_label("Patient ID").focus()
    page.keyboard.type("1CT1")
    page.keyboard.press("Enter")
    expect(page.locator("caption")).to_have_text("1 studies")
    page.get_by_role("button", name="CompressedSamples CT1").focus()
    page.keyboard.press("Enter")
    page.locator("button.thumbnail").focus()
    page.keyboard.press("Enter")
    page.get_by_role("list", name="Instances of").get_by_role("button").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_who_may_read_alone_is_told_what_is_missing(browser: Browser) -> None:
    user = {"reader": {"Password": hash_password("pässword:"), "Roles": ["read"]}}
    with mock_aws(), one_writer_at_a_time():
        archive = an_archive(AuthenticationEnabled=True, RegisteredUsers=user)
        with (
            serving(archive) as url,
            a_page(browser, http_credentials={"username": "reader", "password": "pässword:"}) as page,
        ):
            page.goto(url.removesuffix("/dicom-web"))
            expect(page.get_by_text("No study fits.")).to_be_visible()
            view(page, "Servers")
            expect(page.get_by_role("alert")).to_have_text("this needs the role admin")


def test_the_api_is_described_for_people(page: Page, ours: Peer) -> None:
    page.goto(f"{ours.url}/docs")
    page.get_by_label("Filter").fill("rendered frames")
    expect(page.locator("h3")).to_have_count(1)
    keep_picture(page, "page-api")
