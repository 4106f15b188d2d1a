"""What the contributor's guide and the hooks name is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_files_that_the_guide_names():
    named = re.findall(r"[`\s]((?:scripts|tests|workflow|docs|profiles|config)/[\w./-]*)[`\s#]", GUIDE)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name.rstrip(".")).exists()] == []


def test_targets_that_the_documents_name():
    documents = [
        GUIDE,
        *(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "docs/architecture.md")),
    ]
    named = {name for text in documents for name in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)}
    assert {"check", "test", "docs", "setup"} <= named
    assert named - TARGETS == set()


def test_hooks_need_no_network_and_run_what_lint_runs():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert all(hook["language"] == "system" for hook in hooks)
    lint = (ROOT / "Makefile").read_text()
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        command = " ".join([program.removeprefix(".venv/bin/"), *arguments])
        assert command in lint or (program == "make" and arguments[0] in TARGETS), hook["entry"]


def test_every_marker_that_check_leaves_out_is_known():
    (fast,) = re.findall(r'^FAST := -m "(.*?)"', (ROOT / "Makefile").read_text(), re.MULTILINE)
    markers = re.findall(r'^    "(\w+): ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(re.findall(r"not (\w+)", fast)) == set(markers)
