"""Write docs/faults.md from the tests' marks: python tests/support/fault_table.py

A test of a fault carries ``@pytest.mark.fault(what happens, what becomes of it)``; the table has a row for each such mark,
in the order of files and lines.
"""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/faults.md"
AREAS = {
    "Images and series": (
        "test_dicom",
        "test_inference",
        "test_decoding",
        "test_centroids",
        "test_folder",
        "test_scan",
        "test_series_pack",
        "test_study_pages",
    ),
    "Ids, sheets and tables": ("test_cohort", "test_report", "test_evaluate", "test_failures", "test_nested_json"),
    "Configuration": ("test_settings", "test_plan", "test_programs"),
    "Checkpoints and downloads": ("test_localizer", "test_tensor", "test_kaggle", "test_download"),
    "Disks, interruptions, machines": ("test_atomic", "test_heatmap", "test_faults", "test_run", "test_container"),
    "Random mutants": ("test_fuzz",),
}

HEAD = """# Faults and inputs survived

Every row is a test that fails where the outcome is another; this page is made from the tests' marks
(`python tests/support/fault_table.py`). What holds for all of them: a fault of one study is one row of the table with its
reason, and the other studies are complete and byte for byte what they would have been without it; a fault of the run is one
sentence that names the thing, what is wrong and what to do, with exit status 2 and nothing half-written left.
"""


@functools.cache
def rows(path: Path) -> list[tuple[str, str, str]]:
    """(what happens, what becomes of it, name of the test) of the marked tests of a file."""
    text = path.read_text(encoding="utf-8")
    if "mark.fault" not in text:
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                what, outcome = (ast.literal_eval(argument) for argument in mark.args)
                found.append((node.lineno, (what, outcome, f"{path.relative_to(ROOT)}: {node.name}")))
    return [row for _, row in sorted(found)]


def document() -> str:
    """The page."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    parts = [HEAD]
    for area, names in AREAS.items():
        area_rows = [row for path in files if path.stem.startswith(names) for row in rows(path)]
        if area_rows:
            parts.append(f"\n## {area}\n\n| fault or input | outcome | test |\n|---|---|---|\n")
            parts += [
                f"| {what} | {outcome} | `{test}` |\n".replace("\u2028", " ") for what, outcome, test in area_rows
            ]
    return "".join(parts)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "scripts"))
    from lstv.base.atomic import write_text

    write_text(DOCUMENT, document())
    print(DOCUMENT)
