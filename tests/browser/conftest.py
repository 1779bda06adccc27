"""A browser for the tests of a module, and a page of it for each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import a_browser, a_page


@pytest.fixture(scope="module")  # as long as there is one, nothing else in this process can run an event loop
def browser() -> Iterator[Browser]:
    with a_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with a_page(browser) as page:
        yield page
