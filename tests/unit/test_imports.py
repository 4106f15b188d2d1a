"""What programs import when they start: a heavy library only where it is used, because every job starts a program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
HEAVY = ("torch", "pandas", "matplotlib", "seaborn", "scipy.stats", "scipy.special", "scipy.ndimage", "sklearn")
LIGHT = {
    "study_sheet": (*HEAVY, "numpy", "h5py", "jsonschema", "pydicom", "cv2"),
    "series_list": (*HEAVY, "numpy", "h5py", "jsonschema", "pydicom", "cv2"),
    "cohort_table": (*HEAVY, "h5py", "jsonschema", "pydicom"),
    "review_queue": (*HEAVY, "h5py", "jsonschema", "pydicom"),
    "study_metrics": (*HEAVY, "h5py", "jsonschema", "pydicom"),
    "build_report": (*HEAVY, "numpy", "h5py", "jsonschema", "pydicom"),
    "infer_heatmaps": (*HEAVY, "jsonschema"),
    "scan_folder": (*HEAVY, "h5py", "jsonschema"),
}


FAST = ("study_sheet", "build_report", "infer_heatmaps")


@pytest.mark.parametrize(
    "program", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in LIGHT]
)
def test_a_program_starts_without_what_it_does_not_need_yet(program):
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import {program}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(LIGHT[program]) == set()


def test_decoding_processes_never_import_torch():
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import lstv.localizer.prepare; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_plan_imports_nothing_that_reads_images():
    rules = (SCRIPTS.parent / "workflow/rules").glob("*.smk")
    code = "\n".join(
        line for path in rules for line in re.findall(r"^(?:from|import) lstv.*", path.read_text(), re.MULTILINE)
    )
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {*HEAVY, "pydicom", "cv2", "h5py", "nibabel", "PIL"} == set()


def test_the_list_of_the_pages_imports_nothing_that_reads_images():
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import lstv.report.pages.index; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"pydicom", "PIL", "nibabel", "contourpy", "scipy.special"} == set()
