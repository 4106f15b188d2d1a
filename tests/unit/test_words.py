"""Messages, docstrings and docs keep the word list of CONTRIBUTING.md: what sounds translated does not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = (
    "scripts/**/*.py",
    "scripts/**/*.html",
    "workflow/Snakefile",
    "workflow/**/*.smk",
    "workflow/**/*.yaml",
    "workflow/**/*.rst",
    "config/*",
    "profiles/*/*.yaml",
    "containers/*.md",
    "docs/*.md",
    "README.md",
    "Makefile",
)
EXCEPT = ("docs/glossary.md", "docs/evidence.md")  # the one names old words, the other is written from records

REFUSED = (
    "stand there",
    "one study a line",
    "one file a line",
    "a row a study",
    "fits nothing",
    "fits none",
    "holds nothing",
    "knows none",
    "not to be had",
    "is to be had",
    "are not to be",
    "brought up to date",
    "are said",
    "for want of",
    "is no folder",
    "is no file",
    "is no number",
    "is no study",
    "stands there twice",
    "stands twice",
    "see to it",
    "a sound place",
    "one id a line",
    "one path a line",
    "one row a study",
    "knows no",
    "none of this program's",
    "can be had",
    "is not to be",
    "made anew",
    "for ever",
    "all one way",
    "there already",
    "as ever",
    "will do",
    "vouches",
    "vouch",
    "otherwise than",
    "is said of",
)
"""Phrases of the word list that are nowhere."""


def joined(path: Path) -> str:
    """The text of a file with line breaks and the seams of string literals taken out."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"\"\s*\n\s*f?\"", "", text)).lower()


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    files = {path for pattern in PATTERNS for path in ROOT.glob(pattern) if path.is_file()}
    names = {str(path.relative_to(ROOT)): path for path in sorted(files)}
    return {name: joined(path) for name, path in names.items() if name not in EXCEPT}


@pytest.mark.parametrize("phrase", REFUSED)
def test_a_refused_phrase_is_nowhere(phrase, texts):
    found = re.compile(rf"\b{re.escape(phrase)}\b")
    assert [name for name, text in texts.items() if phrase in text and found.search(text)] == []


def test_the_word_list_is_the_one_that_is_kept():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^\| not \| but \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    listed = [phrase.strip() for row in block.splitlines() for phrase in row.split("|")[1].split(";")]
    assert sorted(listed) == sorted(REFUSED)
