"""Debian's Chromium, driven by Playwright.

Where it is not installed tests are skipped, or fail if CHROMIUM_REQUIRED is set. What a test has seen is kept as a
picture in `.artefacts`, to be looked at.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.builders import ROOT

ARTEFACTS = ROOT / ".artefacts"  # ignored by git
_PATIENCE_MS = 30_000
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# WebGL without a graphics card.
_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


@contextmanager
def a_browser() -> Iterator[Browser]:
    """One, without a window."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail("Chromium is not on this machine")
        pytest.skip("Chromium is not on this machine")
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # root cannot have its sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*_WEBGL, *alone])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def a_page(browser: Browser, **options: object) -> Iterator[Page]:
    """A page of its own, without errors in its scripts and in what it loads by its policy."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 850}, **options})  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    expect.set_options(timeout=_PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if _is_fault(message.text) else None)
    try:
        yield page
    finally:
        context.close()
    assert not faults


def _is_fault(text: str) -> bool:
    return "Content Security Policy" in text or "Uncaught" in text


def keep_picture(page: Page, name: str) -> bytes:
    """What is seen, kept for people."""
    ARTEFACTS.mkdir(exist_ok=True)
    return page.screenshot(path=ARTEFACTS / f"{name}.png")
