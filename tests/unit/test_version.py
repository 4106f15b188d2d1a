"""The version is in one place, scripts/lstv/__init__.py; what repeats it says the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

import lstv

ROOT = Path(__file__).parents[2]
IMAGE = re.compile(r"lstv-uncertainty[_:](\d+\.\d+\.\d+(?:\.dev\d+)?)")
SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(\.dev\d+)?")


def test_it_is_a_semantic_version():
    assert SEMANTIC.fullmatch(lstv.__version__)


def test_citation():
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == lstv.__version__


def test_the_image_that_is_named_is_of_this_version():
    named = {}
    for pattern in ("containers/*", "docs/*.md", "workflow/schemas/*.yaml", "config/*", "*.md"):
        for path in filter(Path.is_file, ROOT.glob(pattern)):
            if path.suffix != ".sif":
                named[str(path.relative_to(ROOT))] = set(IMAGE.findall(path.read_text(encoding="utf-8")))
    assert named["workflow/schemas/config.schema.yaml"] == {lstv.__version__}
    assert {name for name, found in named.items() if found - {lstv.__version__}} == set()


def test_no_second_place():
    assert not re.search(r"^version\s*=", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def test_changelog_begins_with_what_is_unreleased_or_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\](?: - \d{4}-\d{2}-\d{2})?$", text, re.MULTILINE)
    assert headings and headings[0] == "Unreleased"
    tagged = subprocess.run(["git", "tag"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if f"v{lstv.__version__}" in tagged:
        assert headings[1] == lstv.__version__
