"""What the tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import browser_pages


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser_pages.Browser]:
    """A running Chromium, on whose console the pages of a file's tests must write nothing."""
    with browser_pages.browser() as running:
        yield running
        assert running.said == []
