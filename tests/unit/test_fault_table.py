"""The page of faults is the one that the tests' marks give."""

from __future__ import annotations

import fault_table


def test_the_page_is_up_to_date():
    """Else: python tests/support/fault_table.py"""
    assert fault_table.DOCUMENT.read_text(encoding="utf-8") == fault_table.document()


def test_every_mark_is_in_an_area():
    marked = {path.stem for path in (fault_table.ROOT / "tests").rglob("test_*.py") if fault_table.rows(path)}
    prefixes = tuple(name for names in fault_table.AREAS.values() for name in names)
    assert marked and all(name.startswith(prefixes) for name in marked), marked
