"""The contact sheet in headless Chromium: axe-core finds nothing, no width scrolls sideways, pictures are large enough."""

from __future__ import annotations

from pathlib import Path

import pytest

import browser_pages
import contact_sheet
from dicom_files import AXIAL, textured_volume, write_series

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = browser_pages.MARKS

STUDY = "1.2.3.4"
T2, T1 = {"RepetitionTime": 3000, "EchoTime": 100}, {"RepetitionTime": 600, "EchoTime": 10}


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    """Of a study with two sagittal series, one of two slices, one without pictures and one with a long description."""
    root, out = tmp_path_factory.mktemp("export"), tmp_path_factory.mktemp("sheet") / "contact.html"
    common = {
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "StudyInstanceUID": STUDY,
        "pixel_spacing": (3.0, 3.0),
    }
    long = "Sag T2 lumbar spine without contrast high resolution"
    write_series(root / "t2", textured_volume((9, 90, 80)), SeriesDescription=long, **T2, **common)
    write_series(root / "t1", textured_volume((9, 90, 80), seed=1), SeriesDescription="Sag T1", **T1, **common)
    write_series(root / "two", textured_volume((2, 90, 80), seed=2), SeriesDescription="", **T2, **common)
    axial = {**common, "orientation": AXIAL, "SeriesDescription": "Ax T2"}
    write_series(root / "ax", textured_volume((9, 90, 80), seed=3), **T2, **axial)
    assert contact_sheet.main(["--folder", str(root), "--ids", "uid", "--study", STUDY, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1440])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(chromium, sheet, width, scheme):
    # axe is put into the page by the test, which the page's own policy rightly refuses
    page = chromium.open(sheet, width=width, color_scheme=scheme, bypass_csp=True)
    assert page.locator("section.series").count() == 4
    assert browser_pages.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()


@pytest.mark.parametrize(("width", "least"), [(320, 280), (1024, 280), (1440, 300), (1920, 340)])
def test_the_middle_slice_is_large_enough_to_choose_by(chromium, sheet, width, least):
    page = chromium.open(sheet, width=width)
    pictures = page.locator("section.series").first.locator("img")
    assert pictures.count() == 3 and pictures.nth(1).bounding_box()["width"] >= least
    assert chromium.said == []  # the policy of the page refuses nothing of its own
    page.context.close()
