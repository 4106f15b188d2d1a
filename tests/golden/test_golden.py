"""Every metric, flag, score, rank and reason of the demo cohort and of the hand-made studies is what it was."""

from __future__ import annotations

import copy

import pytest

import golden_table
from lstv.base.levels import LEVELS
from lstv.uncertainty import flags, metrics


@pytest.fixture(scope="module", params=golden_table.TABLES)
def tables(request: pytest.FixtureRequest) -> tuple[golden_table.Cells, golden_table.Cells]:
    """What is stored and what is measured now."""
    return golden_table.read(golden_table.TABLES[request.param]), golden_table.measured(request.param)


def test_output_is_what_it_was(tables: tuple[golden_table.Cells, golden_table.Cells]) -> None:
    stored, now = tables
    changes = golden_table.differences(stored, now)
    assert not changes, (
        f"{len(changes)} values differ from tests/data; the first: {'; '.join(changes[:5])}. Where that is meant, run "
        "python tests/golden/renew.py and commit the tables together with the change, saying why."
    )


def test_nothing_is_left_out(tables: tuple[golden_table.Cells, golden_table.Cells]) -> None:
    stored = tables[0]
    assert {f"study.{entry.name}" for entry in metrics("study")} < set(stored)
    for level in LEVELS:
        assert {f"{level}.{entry.name}" for entry in metrics("level")} < set(stored)


def test_hand_made_studies_raise_every_flag_and_define_every_metric() -> None:
    stored = golden_table.read(golden_table.TABLES["made"])
    raised = {flag for cell in stored["flags"].values() for flag in cell.split(";")}
    of_any_level = {flag.replace(level, "{level}") for flag in raised for level in LEVELS if level in flag}
    assert not [name for name in flags.MEANINGS if name not in raised | of_any_level]
    defined = {row for row, cells in stored.items() if set(cells.values()) - {"", "null"}}
    for entry in metrics():
        assert {f"{part}.{entry.name}" for part in (*LEVELS, "study")} & defined, f"{entry.name} is never defined"


def test_a_difference_is_seen() -> None:
    was = golden_table.read(golden_table.TABLES["made"])
    study = "junction_mixed"

    def changed(row: str, value: str) -> list[str]:
        now = copy.deepcopy(was)
        now[row][study] = value
        return golden_table.differences(was, now)

    entropy = float(was["study.junction_identity_entropy"][study])
    assert not changed("study.junction_identity_entropy", repr(entropy * (1 + 1e-10)))
    assert changed("study.junction_identity_entropy", repr(entropy * (1 + 1e-8)))
    assert changed("study.junction_identity_entropy", "null")
    assert changed("study.blob_count", "6") and changed("study.blob_count", "5.0"), "whole numbers are exact"
    assert changed("flags", was["flags"][study] + ";no_disc_blob")
    assert changed("standing.rank", "0")
    assert golden_table.differences(was, dict(reversed(was.items()))), "the order of the rows counts"
    assert golden_table.differences(was, {row: cells for row, cells in was.items() if row != "l5_s1.leak"})
