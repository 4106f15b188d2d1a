"""Pages in headless Chromium, driven by Playwright; what a page writes on the console is kept."""

from __future__ import annotations

import base64
import io
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium found: pages are not looked at"),
]


class Browser:
    """A running Chromium; ``said`` is what its pages wrote on the console."""

    def __init__(self, browser) -> None:
        self._browser = browser
        self.said: list[str] = []

    def open(self, path: Path, *, width: int = 1280, height: int = 900, **context):
        """A page of a file, as its reader opens it."""
        page = self._browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("requestfailed", self._failed)
        page.goto(path.as_uri())
        return page

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was closed while it loaded the next case ahead
            self.said.append(f"{request.url} {request.failure}")


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium; --no-sandbox because containers run as root."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield Browser(running)
        finally:
            running.close()


def until(page, condition: str, seconds: float = 60) -> None:
    """Wait for a condition in JavaScript; Playwright's own waiting needs an eval that our pages' policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"never came true: {condition}"
        page.wait_for_timeout(50)


def still(page, value: str, seconds: float = 60) -> str:
    """What a script gives, once it has been the same three times in a row."""
    end = time.monotonic() + seconds
    seen = [page.evaluate(value)]
    while len(seen) < 3 or len(set(seen[-3:])) > 1:
        assert time.monotonic() < end, f"never the same: {value}"
        page.wait_for_timeout(80)
        seen.append(page.evaluate(value))
    return seen[-1]


def picture(page) -> np.ndarray:
    """What the viewer's canvas shows, once it stands still: int16 (rows, columns, 4)."""
    url = still(page, "document.querySelector('canvas').toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGBA")).astype(np.int16)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures show the same.

    Chromium smooths the edges of a line in one of two ways, and may change over after a canvas was first drawn: the same
    calls then give edges that differ by up to 46 of 255. What is shown or hidden differs by more.
    """
    return one.shape == other.shape and np.abs(one - other).max() <= 64


def violations(page) -> list[str]:
    """What axe-core finds against WCAG 2.1 A and AA and its best practices."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"preload": False}).response["violations"]  # it would load the style again
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes'][:3]]}" for rule in found]
