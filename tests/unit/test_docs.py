"""The documents: links that lead somewhere, an index of all, and pictures of what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "config/*.md", "containers/*.md", "resources/**/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(path: Path) -> set[str]:
    """Names of the headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(document):
    broken = []
    for name, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        target = document.parent / name if name else document
        ignored = name.startswith(("../results", "results"))
        if not ignored and (not target.exists() or (anchor and anchor not in anchors(target))):
            broken.append(f"{name}#{anchor}")
    assert broken == []


def test_the_index_lists_every_document():
    listed = {name for name, _ in LINK.findall((ROOT / "docs/index.md").read_text(encoding="utf-8"))}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} - listed == set()


def layers() -> list[str]:
    """The rooms in the order that import-linter holds, the highest first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r'containers = \["lstv"\]\nlayers = \[\n(.*?)\]', text, re.DOTALL)
    return re.findall(r'"(\w+)"', block)


def test_the_rooms_are_the_packages_and_in_the_document():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- rooms -->\n(.*?)<!-- end of rooms -->", text, re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", block, re.MULTILINE) == layers()
    packages = {path.parent.name for path in (ROOT / "scripts/lstv").glob("*/__init__.py")}
    assert packages == set(layers())


def test_the_rule_graph_has_every_rule():
    picture = (ROOT / "docs/figures/rule_graph.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r"<title>(\w+)</title>", picture)) - {"rules"}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow").glob("**/*.smk")]
    rules = {
        name
        for text in texts
        for name in re.findall(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?::| with:)$", text, re.MULTILINE)
    }
    targets = {"all", "reading"}  # which only name files that other rules make
    assert drawn - targets == rules - targets, "run make docs (it needs Graphviz)"
