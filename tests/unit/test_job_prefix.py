"""What stands before each command: the strict mode for all, the place of a job's own for those that run our programs."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from lstv.run.job_prefix import prefix


def said(before: str, command: str) -> str:
    done = subprocess.run(["bash", "-c", before.format() + command], capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def script(tmp_path) -> Path:
    path = tmp_path / "it's {one}.sh"
    path.write_text("echo ours\n")
    return path


def test_every_command_of_this_workflow_is_prepared_and_strict(script):
    assert said(prefix(str(script)), "true") == "ours"
    assert said(prefix(str(script)), "false | true; echo went on") == "ours"


@pytest.mark.parametrize("folder", ["/code/scripts/", "/my code/scripts/"])
def test_in_a_module_only_commands_that_run_our_programs(script, folder):
    before = prefix(str(script), folder)
    ours = shlex.quote(f"{folder}study_sheet.py")
    assert said(before, f": python {ours} --out x") == "ours"
    assert said(before, f": /usr/bin/python {ours}") == "ours"
    assert said(before, ": python other/scripts/study_sheet.py") == ""
    assert said(before, "false | true; echo went on") == ""
