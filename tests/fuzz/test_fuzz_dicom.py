"""A few hundred altered files; many more by hand (fuzz_dicom.py)."""

from __future__ import annotations

import fuzz_dicom
import pytest


@pytest.mark.slow
def test_every_altered_study_is_analysed_or_refused_for_a_reason_of_its_own():
    record, suspect = fuzz_dicom.run(studies=60, seed=2024, workers=1)
    assert suspect == []
    assert record["analysed"] and record["failed"]
    assert record["analysed"] + record["failed"] == 60
