"""A few rounds of the fuzzing that `make fuzz` does by hand, with a fixed seed and so bounded in time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

import fuzz

ROUNDS = {"configuration": 150, "sheet": 150, "study_id": 300, "heatmaps": 60}


@pytest.mark.parametrize("kind", fuzz.KINDS)
@pytest.mark.fault(
    "mutated configurations, sheets, ids and heatmap files", "fine or one sentence, never a traceback or other numbers"
)
def test_mutants_are_fine_or_one_sentence(kind):
    found = fuzz.run(fuzz.KINDS[kind](), 2024, ROUNDS[kind])
    assert found["fault"] == 0 and found["fine"] > 0 and found.total() == ROUNDS[kind], found
